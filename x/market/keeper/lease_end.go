package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// penaltyHours of a lease's rate are taken from the provider's bond when the lease is not acknowledged, or a challenge not
// answered. The tenant gets only half, so that a provider which serves nobody but itself cannot move its bond for nothing.
const (
	penaltyHours      = 1
	unackedPenalty    = "lease not acknowledged"
	unansweredPenalty = "challenge not answered"
)

// ending is how a live lease ends.
type ending struct {
	state  types.LeaseState
	reason types.Reason
	second uint64
}

func closed(reason types.Reason, second uint64) ending {
	return ending{types.LeaseState_LEASE_STATE_CLOSED, reason, second}
}

func failed(reason types.Reason, second uint64) ending {
	return ending{types.LeaseState_LEASE_STATE_FAILED, reason, second}
}

// expire ends a lease whose term is over: its replicas are wanted no more.
func (k *Keeper) expire(ctx context.Context, lease types.Lease) error {
	if err := k.retire(ctx, lease, closed(types.Reason_REASON_EXPIRED, lease.EndsAt)); err != nil {
		return err
	}
	if err := k.releaseReplicas(ctx, lease, lease.EndsAt, types.Reason_REASON_NOT_NEEDED); err != nil {
		return err
	}
	return k.resumeAfter(ctx, lease.Account)
}

// leave ends a lease whose notice is over: its replicas return to the book.
func (k *Keeper) leave(ctx context.Context, lease types.Lease) error {
	if err := k.retire(ctx, lease, closed(lease.LeaveReason, lease.LeavesAt)); err != nil {
		return err
	}
	if _, err := k.replaceServed(ctx, lease, lease.LeavesAt); err != nil {
		return err
	}
	return k.resumeAfter(ctx, lease.Account)
}

// resumeAfter resumes what is paused of an account that pays less since one of its leases ended: at that second, when its
// turn comes. A message that ends it while other deadlines are behind leaves the account as it is, until something else is
// tried.
func (k *Keeper) resumeAfter(ctx context.Context, account uint64) error {
	err := k.tryResume(ctx, account)
	if errors.Is(err, escrowtypes.ErrBehind) || errors.Is(err, escrowtypes.ErrExhausted) {
		return nil // its money has ended, or others have their turn first
	}
	return err
}

// failJailed ends a lease at the second at which its provider was jailed.
func (k *Keeper) failJailed(ctx context.Context, lease types.Lease, at uint64) error {
	if err := k.retire(ctx, lease, failed(types.Reason_REASON_JAILED, at)); err != nil {
		return err
	}
	if lease.State == types.LeaseState_LEASE_STATE_PENDING {
		_, err := k.replace(ctx, lease, at)
		return err
	}
	if _, err := k.replaceServed(ctx, lease, at); err != nil {
		return err
	}
	return k.resumeAfter(ctx, lease.Account)
}

// failPending ends a lease that its provider did not acknowledge, or declined, at a second: the bond pays for it, half to
// the tenant and half to the public; the replicas return to the book, and the offer gets a bad mark.
func (k *Keeper) failPending(ctx context.Context, lease types.Lease, reason types.Reason, at uint64) error {
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return err
	}
	if err := k.retire(ctx, lease, failed(reason, at)); err != nil {
		return err
	}
	if err := k.penalize(ctx, provider, lease, unackedPenalty); err != nil {
		return err
	}
	if err := k.noteMiss(ctx, provider, lease.Offer, at); err != nil {
		return err
	}
	if reason == types.Reason_REASON_NOT_ACKED {
		k.tellFailed(ctx, lease, reason, at)
	}
	_, err = k.replace(ctx, lease, at)
	return err
}

// tellFailed tells the module above that a provider failed a lease.
func (k *Keeper) tellFailed(ctx context.Context, lease types.Lease, reason types.Reason, at uint64) {
	if k.hooks != nil {
		k.hooks.AfterLeaseFailed(ctx, lease, reason, at)
	}
}

// penalize takes what a missed lease costs from the bond, as far as there is any: the tenant's half, rounded up, first.
func (k *Keeper) penalize(ctx context.Context, provider sdk.AccAddress, lease types.Lease, why string) error {
	penalty := bond(lease.Denom, lease.Rate, penaltyHours)
	public := sdk.NewCoin(penalty.Denom, penalty.Amount.QuoRaw(2))
	if _, err := k.provider.SlashToAccount(ctx, provider, penalty.Sub(public), lease.Account, why); err != nil {
		return fmt.Errorf("compensate the tenant of lease %d: %w", lease.Id, err)
	}
	if _, err := k.provider.SlashToPublic(ctx, provider, public, why); err != nil {
		return fmt.Errorf("slash for lease %d: %w", lease.Id, err)
	}
	return nil
}

// closeByTenant ends a live lease that is not due, for a tenant who pays for what was served, or for the wait.
func (k *Keeper) closeByTenant(ctx context.Context, lease types.Lease, now uint64) error {
	if lease.State == types.LeaseState_LEASE_STATE_PENDING {
		if err := k.payForWaiting(ctx, lease, lease.Rate, lease.Held); err != nil {
			return err
		}
		lease.Held = math.ZeroInt()
	}
	return k.retire(ctx, lease, closed(types.Reason_REASON_TENANT, now))
}

// payForWaiting pays the provider of a pending lease for capacity of some rate that it kept free, and gives back what was
// held for it.
func (k *Keeper) payForWaiting(ctx context.Context, lease types.Lease, rate uint64, held math.Int) error {
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return err
	}
	if err := k.escrow.Release(ctx, lease.Account, held); err != nil {
		return fmt.Errorf("release what is held for lease %d: %w", lease.Id, err)
	}
	window := lease.AckBy - lease.CreatedAt
	if err := k.escrow.PayHold(ctx, lease.Account, lease.Id, provider, rate, window); err != nil {
		return fmt.Errorf("pay for the wait of lease %d: %w", lease.Id, err)
	}
	return nil
}

// retire ends a live lease of a deployment that stays open: its money stops at that second, and the lease is kept as long
// as something can be claimed of it. Its bid is the caller's.
func (k *Keeper) retire(ctx context.Context, lease types.Lease, end ending) error {
	if err := k.stopMoney(ctx, lease, end.second); err != nil {
		return err
	}
	if err := k.endLease(ctx, lease, end); err != nil {
		return err
	}
	return k.retain(ctx, lease.Id)
}

// stopMoney closes the stream of a lease at a second, or gives back what is held for it.
func (k *Keeper) stopMoney(ctx context.Context, lease types.Lease, at uint64) error {
	if lease.State.Paid() {
		if err := k.escrow.CloseStream(ctx, lease.Stream, at); err != nil {
			return fmt.Errorf("close the stream of lease %d: %w", lease.Id, err)
		}
		return nil
	}
	if lease.Held.IsZero() {
		return nil
	}
	if err := k.escrow.Release(ctx, lease.Account, lease.Held); err != nil {
		return fmt.Errorf("release what is held for lease %d: %w", lease.Id, err)
	}
	return nil
}

// endLease marks a live lease as ended and gives its capacity back. Its money is the caller's: the stream
// must be closed, and what is held released, in the same message or deadline.
func (k *Keeper) endLease(ctx context.Context, lease types.Lease, end ending) error {
	provider, err := k.operator(lease.Provider)
	if err != nil {
		return err
	}
	if err := k.unlist(ctx, provider, lease); err != nil {
		return err
	}
	if err := k.release(ctx, provider, lease.Pool, lease.Unit, lease.Replicas); err != nil {
		return err
	}
	if err := k.unexpose(ctx, provider, lease.Denom, lease.Rate); err != nil {
		return err
	}
	if err := k.gain(ctx, provider); err != nil {
		return err
	}
	if err := k.noteEnd(ctx, provider, lease, end); err != nil {
		return err
	}
	lease.State, lease.Reason, lease.ClosedAt = end.state, end.reason, end.second
	lease.Held, lease.Paused, lease.AnswerBy = math.ZeroInt(), false, 0
	if err := k.setLeaseStatus(ctx, lease); err != nil {
		return err
	}
	return emit(ctx, types.NewEventLeaseEnded(lease))
}

// unlist takes a lease that ends out of the indexes of live leases and out of its queue.
func (k *Keeper) unlist(ctx context.Context, provider sdk.AccAddress, lease types.Lease) error {
	err := errors.Join(
		k.liveLeases.Remove(ctx, collections.Join(lease.Deployment, lease.Id)),
		k.providerLiveLeases.Remove(ctx, collections.Join(provider, lease.Id)),
		k.moveDeadline(ctx, lease.Id, lease.Deadline(), 0),
		k.moveAnswer(ctx, lease.Id, lease.AnswerBy, 0),
	)
	if lease.Standby {
		err = errors.Join(err, k.standbys.Remove(ctx, collections.Join(lease.Bid, lease.Id)))
	}
	if lease.State == types.LeaseState_LEASE_STATE_PENDING {
		err = errors.Join(err, k.ackDeadlines.Remove(ctx, collections.Join(lease.AckBy, lease.Id)))
	}
	if err != nil {
		return fmt.Errorf("unlist lease %d: %w", lease.Id, err)
	}
	return nil
}

// noteEnd counts in the provider's record a lease that it did not take, or failed. One with notice counted when its
// provider gave it, one that was served to its end counts when it is forgotten, and one that its tenant closed before it
// was acknowledged, or gave up for another, says nothing.
func (k *Keeper) noteEnd(ctx context.Context, provider sdk.AccAddress, lease types.Lease, end ending) error {
	outcome := outcomeOf(lease.State, end)
	if outcome == 0 {
		return nil
	}
	if err := k.provider.Note(ctx, provider, outcome, 1); err != nil {
		return fmt.Errorf("note the end of lease %d: %w", lease.Id, err)
	}
	return nil
}

func outcomeOf(before types.LeaseState, end ending) providertypes.Outcome {
	switch {
	case end.reason == types.Reason_REASON_NOT_ACKED:
		return providertypes.OutcomeMissed
	case end.reason == types.Reason_REASON_DECLINED:
		return providertypes.OutcomeDeclined
	case end.reason == types.Reason_REASON_TENANT_FAILOVER:
		return 0
	case before.Paid() && end.state == types.LeaseState_LEASE_STATE_FAILED:
		return providertypes.OutcomeFailed
	default:
		return 0
	}
}
