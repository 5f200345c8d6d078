package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// CreateDeployment opens an account, a deployment and its bids, which the end of this block or a later one clears.
func (m msgServer) CreateDeployment(
	ctx context.Context, msg *types.MsgCreateDeployment,
) (*types.MsgCreateDeploymentResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. Clearing is paid for beforehand, by every bid.
	params, err := m.Params(ctx)
	if err != nil {
		return nil, err
	}
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(params.ClearingGas*uint64(len(msg.Bids)), "clearing")
	// 3. The name is free, and what the bids want is to be had.
	owner, err := m.addresses.StringToBytes(msg.Owner)
	if err != nil {
		return nil, types.ErrInvalidAddress.Wrap(err.Error())
	}
	if err := m.checkName(ctx, owner, msg.Name); err != nil {
		return nil, err
	}
	if err := m.checkCustodians(ctx, msg.Custodians); err != nil {
		return nil, err
	}
	for _, bid := range msg.Bids {
		if err := checkLifetime(bid, params); err != nil {
			return nil, err
		}
	}
	// 4. The deposit opens an account, which gives the deployment its id.
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	granter, err := m.granter(msg.Granter)
	if err != nil {
		return nil, err
	}
	account, err := m.escrow.OpenAccount(ctx, owner, msg.Deposit, granter)
	if err != nil {
		return nil, err
	}
	// 5. The deployment opens, and its bids enter the book.
	deployment := types.Deployment{
		Id: account, Account: account, Owner: msg.Owner, Name: msg.Name, ManifestHash: msg.ManifestHash, Version: 1,
		Denom: msg.Deposit.Denom, State: types.DeploymentState_DEPLOYMENT_STATE_OPEN, CreatedAt: now,
		AccessKeys: msg.AccessKeys, Custodians: msg.Custodians,
	}
	if err := m.addDeployment(ctx, owner, deployment); err != nil {
		return nil, err
	}
	bids, funds := make([]uint64, len(msg.Bids)), m.purseOf(ctx, account, params)
	for i, spec := range msg.Bids {
		if bids[i], err = m.bidAnew(ctx, deployment, spec, params, funds, now); err != nil {
			return nil, err
		}
	}
	return &types.MsgCreateDeploymentResponse{Deployment: account, Account: account, Bids: bids},
		emit(ctx, types.NewEventDeploymentCreated(deployment))
}

func (k *Keeper) checkName(ctx context.Context, owner sdk.AccAddress, name string) error {
	taken, err := k.openNames.Has(ctx, collections.Join(owner, name))
	if err != nil {
		return fmt.Errorf("look up the name %s: %w", name, err)
	}
	if taken {
		return types.ErrNameTaken.Wrap(name)
	}
	return nil
}

// bidAnew puts a new bid into the book and returns its id.
func (k *Keeper) bidAnew(
	ctx context.Context, deployment types.Deployment, spec types.BidSpec, params types.Params, funds *purse, now uint64,
) (uint64, error) {
	bid, err := k.addBid(ctx, types.Bid{
		Deployment: deployment.Id, Denom: deployment.Denom, Spec: spec, State: types.BidState_BID_STATE_OPEN,
		CreatedAt: now, ExpiresAt: now + spec.Lifetime(params.BidLifetimeSeconds),
	}, funds)
	return bid.Id, err
}

// checkLifetime refuses a bid that wants to rest in the book for longer than it may.
func checkLifetime(bid types.BidSpec, params types.Params) error {
	if bid.LifetimeSeconds > uint64(params.BidLifetimeSeconds) {
		return types.ErrInvalidBid.Wrapf("bid %s: %d s in the book: at most %d", bid.Name, bid.LifetimeSeconds,
			params.BidLifetimeSeconds)
	}
	return nil
}

// checkCustodians refuses custodians that are not providers.
func (k *Keeper) checkCustodians(ctx context.Context, custodians []string) error {
	for _, custodian := range custodians {
		operator, err := k.operator(custodian)
		if err != nil {
			return err
		}
		provider, err := k.provider.GetProvider(ctx, operator)
		if errors.Is(err, providertypes.ErrNotFound) || provider.Lifecycle == providertypes.Lifecycle_LIFECYCLE_GONE {
			return types.ErrCustodian.Wrap(custodian)
		}
		if err != nil {
			return fmt.Errorf("look up custodian %s: %w", custodian, err)
		}
	}
	return nil
}

// granter decodes who pays in the owner's stead; nil for nobody.
func (k *Keeper) granter(text string) (sdk.AccAddress, error) {
	if text == "" {
		return nil, nil
	}
	granter, err := k.addresses.StringToBytes(text)
	if err != nil {
		return nil, types.ErrInvalidAddress.Wrapf("granter: %v", err)
	}
	return granter, nil
}
