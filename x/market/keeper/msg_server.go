package keeper

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/souk-network/souk/x/market/types"
)

type msgServer struct{ *Keeper }

// NewMsgServer returns the handlers of the module's messages.
func NewMsgServer(k *Keeper) types.MsgServer { return msgServer{k} }

// sameAccount refuses a signer that is not the owner.
func (k *Keeper) sameAccount(signer, owner, of string) error {
	signerBytes, err := k.addresses.StringToBytes(signer)
	if err != nil {
		return types.ErrInvalidAddress.Wrap(err.Error())
	}
	ownerBytes, err := k.addresses.StringToBytes(owner)
	if err != nil {
		return fmt.Errorf("owner of %s: %w", of, err)
	}
	if !bytes.Equal(signerBytes, ownerBytes) {
		return types.ErrUnauthorized.Wrapf("%s does not own %s", signer, of)
	}
	return nil
}

// managed returns an open deployment that the signer may manage, as its owner or with an access key, and whether it is the
// owner. Its money must not have ended.
func (k *Keeper) managed(ctx context.Context, id uint64, signer string, now uint64) (types.Deployment, bool, error) {
	return k.allowed(ctx, id, signer, now, types.Scope_SCOPE_MANAGE)
}

// allowed is managed for access keys of any of some scopes.
func (k *Keeper) allowed(
	ctx context.Context, id uint64, signer string, now uint64, scopes ...types.Scope,
) (types.Deployment, bool, error) {
	deployment, err := k.getDeployment(ctx, id)
	if err != nil {
		return types.Deployment{}, false, err
	}
	failure := k.sameAccount(signer, deployment.Owner, fmt.Sprintf("deployment %d", id))
	may := func(scope types.Scope) bool { return deployment.May(signer, scope, now) }
	if failure != nil && !slices.ContainsFunc(scopes, may) {
		return types.Deployment{}, false, failure
	}
	if deployment.State != types.DeploymentState_DEPLOYMENT_STATE_OPEN {
		return types.Deployment{}, false, types.ErrDeploymentState.Wrapf("deployment %d", id)
	}
	return deployment, failure == nil, k.checkFunded(ctx, deployment.Account, now)
}
