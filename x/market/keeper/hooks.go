package keeper

import (
	"context"
	"errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

var (
	_ escrowtypes.Hooks   = EscrowHooks{}
	_ providertypes.Hooks = ProviderHooks{}
)

// EscrowHooks pause, resume and end what a tenant pays for, as the money goes.
type EscrowHooks struct{ k *Keeper }

// EscrowHooks returns what escrow has to call.
func (k *Keeper) EscrowHooks() EscrowHooks { return EscrowHooks{k} }

// AfterStreamPaused marks the lease that escrow pays only for its capacity from a second on. One with notice keeps its
// state, and is marked as paused beside it.
func (h EscrowHooks) AfterStreamPaused(ctx context.Context, service, hold escrowtypes.Stream, at uint64) error {
	return h.moveStream(ctx, service, hold, types.LeaseState_LEASE_STATE_PAUSED, at)
}

// AfterStreamResumed marks the lease that escrow pays in full again from a second on.
func (h EscrowHooks) AfterStreamResumed(ctx context.Context, hold, service escrowtypes.Stream, at uint64) error {
	return h.moveStream(ctx, hold, service, types.LeaseState_LEASE_STATE_ACTIVE, at)
}

func (h EscrowHooks) moveStream(
	ctx context.Context, from, to escrowtypes.Stream, state types.LeaseState, at uint64,
) error {
	lease, err := h.leaseOf(ctx, from)
	if err != nil {
		return err
	}
	lease = paidBy(lease, to)
	if lease.State != types.LeaseState_LEASE_STATE_LEAVING {
		lease.State = state
	}
	if err := h.k.setLeaseStatus(ctx, lease); err != nil {
		return err
	}
	return emit(ctx, types.NewEventLeaseChanged(lease, at))
}

// leaseOf returns the lease that a stream pays for.
func (h EscrowHooks) leaseOf(ctx context.Context, stream escrowtypes.Stream) (types.Lease, error) {
	lease, err := h.k.getLease(ctx, stream.Ref)
	if err != nil {
		return types.Lease{}, err
	}
	if !lease.State.Paid() || lease.Stream != stream.Id {
		return types.Lease{}, types.ErrBroken.Wrapf("stream %d is not that of lease %d", stream.Id, lease.Id)
	}
	return lease, nil
}

// AfterStreamExhausted ends the lease whose stream escrow has closed at a second.
func (h EscrowHooks) AfterStreamExhausted(ctx context.Context, stream escrowtypes.Stream, at uint64) error {
	lease, err := h.leaseOf(ctx, stream)
	if err != nil {
		return err
	}
	return h.k.endLease(ctx, lease, closed(types.Reason_REASON_INSUFFICIENT_FUNDS, at))
}

// AfterAccountExhausted ends what is left of the account's deployment: leases that wait for their provider, bids, the
// deployment. Escrow refunds the remainder, so that nothing may stay held.
func (h EscrowHooks) AfterAccountExhausted(ctx context.Context, account escrowtypes.Account, at uint64) error {
	deployment, err := h.k.getDeployment(ctx, account.Id)
	if errors.Is(err, types.ErrDeploymentNotFound) {
		return nil // not an account of the market
	}
	if err != nil {
		return err
	}
	leases, err := h.k.liveLeasesOf(ctx, deployment.Id)
	if err != nil {
		return err
	}
	for _, lease := range leases {
		if err := h.k.stopMoney(ctx, lease, at); err != nil {
			return err
		}
		if err := h.k.endLease(ctx, lease, closed(types.Reason_REASON_INSUFFICIENT_FUNDS, at)); err != nil {
			return err
		}
	}
	return h.k.endDeployment(ctx, deployment, types.Reason_REASON_INSUFFICIENT_FUNDS, at)
}

// AfterAccountPruned forgets the deployment of an account of which nothing can be claimed any more.
func (h EscrowHooks) AfterAccountPruned(ctx context.Context, account uint64) error {
	deployment, err := h.k.getDeployment(ctx, account)
	if errors.Is(err, types.ErrDeploymentNotFound) {
		return nil // not an account of the market
	}
	if err != nil {
		return err
	}
	return h.k.forgetDeployment(ctx, deployment)
}

// ProviderHooks end the leases of providers that were jailed or leave, and try resting bids again when one can take more.
type ProviderHooks struct{ k *Keeper }

// ProviderHooks returns what x/provider has to call.
func (k *Keeper) ProviderHooks() ProviderHooks { return ProviderHooks{k} }

// AfterBonded notes that the bond of a provider covers more leases than before.
func (h ProviderHooks) AfterBonded(ctx context.Context, operator sdk.AccAddress) error {
	return h.k.gain(ctx, operator)
}

// AfterJailed begins to end the leases that a provider had when it was jailed.
func (h ProviderHooks) AfterJailed(ctx context.Context, operator sdk.AccAddress, number, at uint64) error {
	return h.k.beginSweep(ctx, operator, number, at, types.SweepCause_SWEEP_CAUSE_JAILED)
}

// AfterUnjailed notes that a provider may take leases again.
func (h ProviderHooks) AfterUnjailed(ctx context.Context, operator sdk.AccAddress) error {
	return h.k.gain(ctx, operator)
}

// AfterLeaving takes the offers of a provider out of the book, and begins to give notice to its leases.
func (h ProviderHooks) AfterLeaving(ctx context.Context, operator sdk.AccAddress, number, at uint64) error {
	if err := h.k.withdrawAll(ctx, operator); err != nil {
		return err
	}
	return h.k.beginSweep(ctx, operator, number, at, types.SweepCause_SWEEP_CAUSE_LEAVING)
}

// AfterAttested notes that other bids may take a provider than before.
func (h ProviderHooks) AfterAttested(ctx context.Context, operator sdk.AccAddress) error {
	return h.k.gain(ctx, operator)
}

// AfterReputed notes that bids which ask for a reputation may take a provider that they could not before.
func (h ProviderHooks) AfterReputed(ctx context.Context, operator sdk.AccAddress) error {
	return h.k.gain(ctx, operator)
}

// Required returns the bond that a provider must hold at present, by denom.
func (h ProviderHooks) Required(ctx context.Context, operator sdk.AccAddress) (sdk.Coins, error) {
	return h.k.requirement(ctx, operator)
}
