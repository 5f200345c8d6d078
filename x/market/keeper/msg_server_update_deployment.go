package keeper

import (
	"context"
	"fmt"
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// UpdateDeployment makes a deployment what its tenant declares; leases that this does not touch stay. It does all of that
// or nothing.
func (m msgServer) UpdateDeployment(
	ctx context.Context, msg *types.MsgUpdateDeployment,
) (*types.MsgUpdateDeploymentResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. The signer may manage the deployment, which is open and as the tenant knows it.
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	deployment, err := m.updatable(ctx, msg, now)
	if err != nil {
		return nil, err
	}
	// 3. What the declaration wants is to be had.
	params, err := m.Params(ctx)
	if err != nil {
		return nil, err
	}
	added := slices.DeleteFunc(slices.Clone(msg.Custodians), func(c string) bool {
		return slices.Contains(deployment.Custodians, c)
	})
	if err := m.checkCustodians(ctx, added); err != nil {
		return nil, err
	}
	// 4. Bids and leases change.
	bids, err := m.changeBids(ctx, deployment, msg, params, now)
	if err != nil {
		return nil, err
	}
	// 5. The deployment changes.
	custodians := deployment.Custodians
	deployment.ManifestHash = msg.ManifestHash
	deployment.Version++ // counts updates of any kind, so that nobody overwrites what somebody else just changed
	deployment.AccessKeys, deployment.Custodians, deployment.UpdatedAt = msg.AccessKeys, msg.Custodians, now
	if err := m.setDeployment(ctx, deployment); err != nil {
		return nil, err
	}
	if err := m.moveCustody(ctx, deployment.Id, custodians, deployment.Custodians); err != nil {
		return nil, err
	}
	return &types.MsgUpdateDeploymentResponse{Version: deployment.Version, Bids: bids},
		emit(ctx, types.NewEventDeploymentUpdated(deployment))
}

// updatable returns the deployment that a message wants to change, if its signer may.
func (m msgServer) updatable(
	ctx context.Context, msg *types.MsgUpdateDeployment, now uint64,
) (types.Deployment, error) {
	deployment, owner, err := m.managed(ctx, msg.Deployment, msg.Signer, now)
	if err != nil {
		return types.Deployment{}, err
	}
	if !owner && !msg.KeepsAccessKeys(deployment) {
		return types.Deployment{}, types.ErrUnauthorized.Wrapf("%s may not change the access keys", msg.Signer)
	}
	if msg.Version != 0 && msg.Version != deployment.Version {
		return types.Deployment{}, types.ErrVersion.Wrapf("deployment %d has version %d, not %d", deployment.Id,
			deployment.Version, msg.Version)
	}
	return deployment, nil
}

// changeBids makes bids and leases of a deployment what is declared, and returns the ids of the declared bids. What becomes
// less comes first, so that its money and capacity are there for what becomes more.
func (m msgServer) changeBids(
	ctx context.Context, deployment types.Deployment, msg *types.MsgUpdateDeployment, params types.Params, now uint64,
) ([]uint64, error) {
	leases, err := m.settledLeases(ctx, deployment.Id, now)
	if err != nil {
		return nil, err
	}
	before, err := m.bidsOf(ctx, deployment.Id)
	if err != nil {
		return nil, err
	}
	update, err := types.PlanUpdate(before, leases, msg.Bids, msg.Again)
	if err != nil {
		return nil, err
	}
	if err := checkBidNames(before, update); err != nil {
		return nil, err
	}
	for _, change := range update.Bids {
		if !change.Changed {
			continue // it was made when it might rest as long
		}
		if err := checkLifetime(change.Bid.Spec, params); err != nil {
			return nil, err
		}
	}
	for _, lease := range update.Closed {
		if err := m.closeByTenant(ctx, lease, now); err != nil {
			return nil, err
		}
	}
	for _, bid := range update.Dropped {
		if err := m.closeBid(ctx, bid); err != nil {
			return nil, err
		}
	}
	for _, reshaping := range update.Reshaped {
		if err := m.reshape(ctx, reshaping, now); err != nil {
			return nil, fmt.Errorf("lease %d: %w", reshaping.Lease.Id, err)
		}
	}
	var anew []uint64
	for _, change := range update.Bids {
		if change.Anew {
			anew = append(anew, change.Bid.Id)
		}
	}
	ids, funds := make([]uint64, len(update.Bids)), m.purseOf(ctx, deployment.Account, params, anew...)
	for i, change := range update.Bids {
		if ids[i], err = m.changeBid(ctx, deployment, change, params, funds, now); err != nil {
			return nil, err
		}
	}
	return ids, m.tryResume(ctx, deployment.Account)
}

// checkBidNames refuses more bids than a deployment may have had.
func checkBidNames(before []types.Bid, update types.Update) error {
	names := len(before)
	for _, change := range update.Bids {
		if change.Bid.Id == 0 {
			names++
		}
	}
	if names > types.MaxBidNames {
		return types.ErrTooManyBids.Wrapf("bids of %d names: at most %d over the life of a deployment", names,
			types.MaxBidNames)
	}
	return nil
}

// changeBid writes a bid as it is declared, and puts it into the book if it is wanted anew and misses replicas. Each that
// enters the book pays for its clearing. A bid that stays as it is wants no more than before.
func (m msgServer) changeBid(
	ctx context.Context, deployment types.Deployment, change types.BidUpdate, params types.Params, funds *purse, now uint64,
) (uint64, error) {
	bid := change.Bid
	if !change.Anew {
		return bid.Id, nil
	}
	enters := !bid.Complete()
	if enters {
		sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(params.ClearingGas, "clearing")
	}
	if bid.Id == 0 {
		return m.bidAnew(ctx, deployment, bid.Spec, params, funds, now)
	}
	if change.Changed {
		if err := m.setBidTerms(ctx, bid); err != nil {
			return 0, err
		}
	}
	if bid.State == types.BidState_BID_STATE_OPEN {
		if err := m.leaveBook(ctx, bid); err != nil {
			return 0, err
		}
	}
	if enters {
		bid.Returned = false // what is wanted now is what was just declared
		return bid.Id, m.returnFunded(ctx, bid, params, funds, now)
	}
	bid.State, bid.Returned = types.BidState_BID_STATE_FILLED, false
	return bid.Id, m.setBid(ctx, bid)
}

// tryResume resumes what is paused of an account that can pay for it again.
func (k *Keeper) tryResume(ctx context.Context, account uint64) error {
	if _, err := k.escrow.TryResume(ctx, account); err != nil {
		return fmt.Errorf("resume account %d: %w", account, err)
	}
	return nil
}
