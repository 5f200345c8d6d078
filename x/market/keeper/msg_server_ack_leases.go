package keeper

import (
	"context"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// AckLeases accepts and declines pending leases. Each has a result of its own: a batch never fails as one.
func (m msgServer) AckLeases(ctx context.Context, msg *types.MsgAckLeases) (*types.MsgAckLeasesResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. The signer acts for the provider.
	operator, err := m.authorize(ctx, msg.Signer, msg.Provider)
	if err != nil {
		return nil, err
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	// 3. Each lease is accepted or declined, or left as it was.
	results := make([]types.AckResult, 0, len(msg.Accept)+len(msg.Decline))
	for _, id := range msg.Accept {
		results = append(results, m.answer(ctx, operator, id, now, func(ctx sdk.Context, lease types.Lease) error {
			return m.activate(ctx, operator, lease, now)
		}))
	}
	for _, id := range msg.Decline {
		results = append(results, m.answer(ctx, operator, id, now, func(ctx sdk.Context, lease types.Lease) error {
			lease, err := m.settleWaiting(ctx, lease, now)
			if err != nil {
				return err
			}
			return m.failPending(ctx, lease, types.Reason_REASON_DECLINED, now)
		}))
	}
	// 4. What it took is counted once for all.
	return &types.MsgAckLeasesResponse{Results: results}, m.noteTaken(ctx, operator, results[:len(msg.Accept)])
}

// noteTaken counts acknowledged leases in the provider's record.
func (k *Keeper) noteTaken(ctx context.Context, operator sdk.AccAddress, accepted []types.AckResult) error {
	var taken uint64
	for _, result := range accepted {
		if result.Error == "" {
			taken++
		}
	}
	if taken == 0 {
		return nil
	}
	if err := k.provider.Note(ctx, operator, providertypes.OutcomeAcknowledged, taken); err != nil {
		return fmt.Errorf("note acknowledgements: %w", err)
	}
	return nil
}

// answer does what the provider says to one lease that waits for it.
func (m msgServer) answer(
	ctx context.Context, operator sdk.AccAddress, id, now uint64, do func(sdk.Context, types.Lease) error,
) types.AckResult {
	err := escrowtypes.Attempt(sdk.UnwrapSDKContext(ctx), func(ctx sdk.Context) error {
		lease, err := m.waitingLease(ctx, operator, id, now)
		if err != nil {
			return err
		}
		return do(ctx, lease)
	})
	return types.AckResult{Lease: id, Error: types.ErrorText(err)}
}

// waitingLease returns a lease that waits for the provider and is not late.
func (k *Keeper) waitingLease(ctx context.Context, operator sdk.AccAddress, id, now uint64) (types.Lease, error) {
	lease, err := k.leaseOf(ctx, operator, id)
	if err != nil {
		return types.Lease{}, err
	}
	switch {
	case lease.State != types.LeaseState_LEASE_STATE_PENDING:
		return types.Lease{}, types.ErrLeaseState.Wrapf("lease %d is not pending", id)
	case now >= lease.AckBy:
		return types.Lease{}, types.ErrAckLate.Wrapf("lease %d, by second %d", id, lease.AckBy)
	}
	due, err := k.firstDue(ctx, lease, now)
	if err != nil {
		return types.Lease{}, err
	}
	if due != nil {
		return types.Lease{}, types.ErrLeaseState.Wrapf("lease %d has ended with its provider's service", id)
	}
	return lease, nil
}
