package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
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
	// 3. The name is free.
	owner, err := m.addresses.StringToBytes(msg.Owner)
	if err != nil {
		return nil, types.ErrInvalidAddress.Wrap(err.Error())
	}
	if err := m.checkName(ctx, owner, msg.Name); err != nil {
		return nil, err
	}
	// 4. The deposit opens an account, which gives the deployment its id.
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	account, err := m.escrow.OpenAccount(ctx, owner, msg.Deposit, nil)
	if err != nil {
		return nil, err
	}
	// 5. The deployment opens, and its bids enter the book.
	deployment := types.Deployment{
		Id: account, Account: account, Owner: msg.Owner, Name: msg.Name, ManifestHash: msg.ManifestHash, Version: 1,
		Denom: msg.Deposit.Denom, State: types.DeploymentState_DEPLOYMENT_STATE_OPEN, CreatedAt: now,
	}
	if err := m.addDeployment(ctx, owner, deployment); err != nil {
		return nil, err
	}
	bids, err := m.addBids(ctx, deployment, msg.Bids, now+uint64(params.BidLifetimeSeconds))
	if err != nil {
		return nil, err
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

func (k *Keeper) addBids(
	ctx context.Context, deployment types.Deployment, specs []types.BidSpec, expiresAt uint64,
) ([]uint64, error) {
	ids := make([]uint64, len(specs))
	for i, spec := range specs {
		bid, err := k.addBid(ctx, types.Bid{
			Deployment: deployment.Id, Denom: deployment.Denom, Spec: spec, State: types.BidState_BID_STATE_OPEN,
			CreatedAt: deployment.CreatedAt, ExpiresAt: expiresAt,
		})
		if err != nil {
			return nil, err
		}
		ids[i] = bid.Id
	}
	return ids, nil
}
