package keeper

import (
	"context"

	"github.com/souk-network/souk/x/market/types"
)

// Failover gives up a lease for another provider, without fault: standbys take over its replicas now, or they return to the
// book without that provider.
func (m msgServer) Failover(ctx context.Context, msg *types.MsgFailover) (*types.MsgFailoverResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. The signer may watch the deployment, which is open.
	lease, err := m.getLease(ctx, msg.Lease)
	if err != nil {
		return nil, err
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	deployment, owner, err := m.allowed(ctx, lease.Deployment, msg.Signer, now,
		types.Scope_SCOPE_MANAGE, types.Scope_SCOPE_WATCH)
	if err != nil {
		return nil, err
	}
	// 3. The lease lives still.
	if lease, err = m.settleWithBid(ctx, lease, now); err != nil {
		return nil, err
	}
	if !lease.State.Live() {
		return nil, types.ErrLeaseState.Wrapf("lease %d has ended", lease.Id)
	}
	if err := m.checkHeirs(ctx, lease, now); err != nil {
		return nil, err
	}
	if !owner && !deployment.May(msg.Signer, types.Scope_SCOPE_MANAGE, now) {
		if err := m.watched(ctx, lease.Bid, now); err != nil {
			return nil, err
		}
	}
	// 4. It ends, others take over, and what is paused for want of money may resume.
	if lease.State.Paid() {
		err = m.retire(ctx, lease, failed(types.Reason_REASON_TENANT_FAILOVER, now))
	} else {
		err = m.closeByTenant(ctx, lease, now)
	}
	if err != nil {
		return nil, err
	}
	promoted, err := m.replace(ctx, lease, now)
	if err != nil {
		return nil, err
	}
	return &types.MsgFailoverResponse{Promoted: promoted}, m.tryResume(ctx, lease.Account)
}

// watched notes that an access key that may only watch fails a lease of a bid over, and refuses that sooner than an answer
// window after the last time: who watches has lost sight of a provider, and could otherwise drive a bid through all there are.
func (k *Keeper) watched(ctx context.Context, id, now uint64) error {
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	bid, err := k.getBid(ctx, id)
	if err != nil {
		return err
	}
	if next := bid.WatchedAt + uint64(params.AnswerWindowSeconds); bid.WatchedAt != 0 && now < next {
		return types.ErrTooSoon.Wrapf("bid %d, with a key that may only watch: from second %d on", id, next)
	}
	bid.WatchedAt = now
	return k.setBid(ctx, bid)
}
