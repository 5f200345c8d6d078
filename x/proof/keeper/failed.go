package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof/types"
)

var _ markettypes.Hooks = MarketHooks{}

// MarketHooks hear of leases that their providers failed.
type MarketHooks struct{ k *Keeper }

// MarketHooks returns what the market has to tell.
func (k *Keeper) MarketHooks() MarketHooks { return MarketHooks{k} }

// AfterLeaseFailed notes that a provider failed a lease (P5). The bond has paid for it; who fails often is jailed, apart from what
// goes on with the lease. What goes wrong here must not keep the lease from its end.
func (h MarketHooks) AfterLeaseFailed(ctx context.Context, lease markettypes.Lease, reason markettypes.Reason, at uint64) {
	err := escrowtypes.Isolate(sdk.UnwrapSDKContext(ctx), func(ctx sdk.Context) error { return h.k.faultFailed(ctx, lease, reason, at) })
	if err != nil {
		h.k.logger(ctx).Error("failed lease not noted", "lease", lease.Id, "provider", lease.Provider, "err", err)
	}
}

func (k *Keeper) faultFailed(ctx context.Context, lease markettypes.Lease, reason markettypes.Reason, at uint64) error {
	operator, err := k.address(lease.Provider)
	if err != nil {
		return err
	}
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	clock, err := k.escrow.Clock(ctx)
	if err != nil {
		return err
	}
	standing, err := k.Standing(ctx, operator)
	if err != nil {
		return err
	}
	standing = standing.Fail(clock.Epoch, params)
	if more := len(standing.Failed) - int(params.FailedLeases); more > 0 { // it waits to be jailed
		standing.Failed = standing.Failed[more:]
	}
	failed := len(standing.Failed)
	if failed >= int(params.FailedLeases) {
		provider, err := k.provider.GetProvider(ctx, operator)
		if err != nil {
			return err
		}
		if err := k.jails.Set(ctx, collections.Join(at, provider.Number)); err != nil {
			return fmt.Errorf("file the jailing of %s: %w", lease.Provider, err)
		}
	}
	if err := k.writeStanding(ctx, operator, standing); err != nil {
		return err
	}
	if err := k.moveReputation(ctx, operator, 0); err != nil {
		return err
	}
	return k.addFault(ctx, operator, types.Fault{
		Provider: lease.Provider, Kind: types.FaultKind_FAULT_KIND_FAILED, Epoch: clock.Epoch, Lease: lease.Id,
		Reason: fmt.Sprintf("lease %d %s, at second %d; epochs with failed leases among the last %d: %d, of which %d jail", lease.Id, failureOf(reason), at,
			params.ProbationEpochs, failed, params.FailedLeases),
	})
}

// failureOf says in words why a lease failed.
func failureOf(reason markettypes.Reason) string {
	switch reason {
	case markettypes.Reason_REASON_NOT_ACKED:
		return "was not acknowledged in time"
	case markettypes.Reason_REASON_UNREACHABLE:
		return "did not answer a challenge in time"
	default:
		return reason.String()
	}
}

// jailFailing jails a provider that has failed leases in too many epochs, unless it was jailed for them: several may be filed in a block.
func (k *Keeper) jailFailing(ctx context.Context, number uint64) error {
	operator, err := k.provider.ProviderByNumber(ctx, number)
	if err != nil {
		return err
	}
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	standing, err := k.Standing(ctx, operator)
	if err != nil {
		return err
	}
	failed := len(standing.Failed)
	if failed < int(params.FailedLeases) {
		return nil
	}
	standing.Failed, standing.CleanEpochs = nil, 0
	if err := k.writeStanding(ctx, operator, standing); err != nil {
		return err
	}
	cause := fmt.Sprintf("leases failed in %d of %d epochs", failed, params.ProbationEpochs)
	_, err = k.jail(ctx, operator, params.FailedJailSeconds, cause)
	return err
}
