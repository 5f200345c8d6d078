package keeper

import (
	"bytes"
	"context"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// giveNotice lets a lease that is served, or stands by, go on until a second; then it closes for that reason.
func (k *Keeper) giveNotice(ctx context.Context, lease types.Lease, reason types.Reason, at, leavesAt uint64) error {
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return err
	}
	before := lease.Deadline()
	lease.State, lease.LeavesAt, lease.LeaveReason = types.LeaseState_LEASE_STATE_LEAVING, leavesAt, reason
	if err := k.moveDeadline(ctx, lease.Id, before, lease.Deadline()); err != nil {
		return err
	}
	if err := k.setLeaseStatus(ctx, lease); err != nil {
		return err
	}
	if err := k.provider.Note(ctx, provider, providertypes.OutcomeResigned, 1); err != nil {
		return fmt.Errorf("note the notice of lease %d: %w", lease.Id, err)
	}
	return emit(ctx, types.NewEventLeaseChanged(lease, at))
}

// servedLease returns a lease of the provider that it serves and has given no notice of, as of now.
func (k *Keeper) servedLease(ctx context.Context, operator sdk.AccAddress, id, now uint64) (types.Lease, error) {
	lease, err := k.leaseOf(ctx, operator, id)
	if err != nil {
		return types.Lease{}, err
	}
	if err := k.checkFunded(ctx, lease.Account, now); err != nil {
		return types.Lease{}, err
	}
	lease, err = k.settleLease(ctx, lease, now)
	if err != nil {
		return types.Lease{}, err
	}
	if !lease.State.Served() {
		return types.Lease{}, types.ErrLeaseState.Wrapf("lease %d is not served without notice", id)
	}
	return lease, nil
}

// leaseOf returns a lease of the provider.
func (k *Keeper) leaseOf(ctx context.Context, operator sdk.AccAddress, id uint64) (types.Lease, error) {
	lease, err := k.getLease(ctx, id)
	if err != nil {
		return types.Lease{}, err
	}
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return types.Lease{}, err
	}
	if !bytes.Equal(provider, operator) {
		return types.Lease{}, types.ErrUnauthorized.Wrapf("lease %d is of another provider", id)
	}
	return lease, nil
}

// checkFunded refuses to act on a deployment whose money has ended already, while that waits to be processed.
func (k *Keeper) checkFunded(ctx context.Context, id, now uint64) error {
	account, err := k.escrow.Account(ctx, id)
	if err != nil {
		return fmt.Errorf("read account %d: %w", id, err)
	}
	if account.ExhaustedAt != 0 || account.ZeroAt != 0 && account.ZeroAt <= now {
		return types.ErrBehind.Wrapf("account %d, zero second %d", id, account.ZeroAt)
	}
	return nil
}
