package keeper

import (
	"context"
	"errors"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

var (
	_ escrowtypes.Hooks   = EscrowHooks{}
	_ providertypes.Hooks = ProviderHooks{}
)

// EscrowHooks end what a tenant can no longer pay for.
type EscrowHooks struct{ k *Keeper }

// EscrowHooks returns what escrow has to call.
func (k *Keeper) EscrowHooks() EscrowHooks { return EscrowHooks{k} }

// AfterStreamExhausted ends the lease whose stream escrow has closed at a second.
func (h EscrowHooks) AfterStreamExhausted(ctx context.Context, stream escrowtypes.Stream, at uint64) error {
	lease, err := h.k.getLease(ctx, stream.Ref)
	if err != nil {
		return err
	}
	if lease.State != types.LeaseState_LEASE_STATE_ACTIVE || lease.Stream != stream.Id {
		return types.ErrBroken.Wrapf("stream %d is not that of lease %d", stream.Id, lease.Id)
	}
	return h.k.endLease(ctx, lease, types.LeaseState_LEASE_STATE_CLOSED, types.Reason_REASON_INSUFFICIENT_FUNDS, at)
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
		if err := h.k.escrow.Release(ctx, lease.Account, lease.Held); err != nil {
			return fmt.Errorf("release what is held for lease %d: %w", lease.Id, err)
		}
		err := h.k.endLease(ctx, lease, types.LeaseState_LEASE_STATE_CLOSED, types.Reason_REASON_INSUFFICIENT_FUNDS, at)
		if err != nil {
			return err
		}
	}
	return h.k.endDeployment(ctx, deployment, types.Reason_REASON_INSUFFICIENT_FUNDS, at)
}

// AfterStreamPaused notes the stream that stands in for a lease's own.
func (h EscrowHooks) AfterStreamPaused(ctx context.Context, service, hold escrowtypes.Stream, _ uint64) error {
	return h.replaceStream(ctx, service, hold)
}

// AfterStreamResumed notes a lease's new stream.
func (h EscrowHooks) AfterStreamResumed(ctx context.Context, hold, service escrowtypes.Stream, _ uint64) error {
	return h.replaceStream(ctx, hold, service)
}

func (h EscrowHooks) replaceStream(ctx context.Context, closed, opened escrowtypes.Stream) error {
	lease, err := h.k.getLease(ctx, closed.Ref)
	if err != nil {
		return err
	}
	if lease.Stream != closed.Id {
		return types.ErrBroken.Wrapf("stream %d is not that of lease %d", closed.Id, lease.Id)
	}
	lease.Stream = opened.Id
	return h.k.setLeaseStatus(ctx, lease)
}

// AfterAccountPruned keeps what the market knows of a deployment whose account is gone.
func (h EscrowHooks) AfterAccountPruned(context.Context, uint64) error { return nil }

// ProviderHooks try resting bids again when a provider can take more.
type ProviderHooks struct{ k *Keeper }

// ProviderHooks returns what x/provider has to call.
func (k *Keeper) ProviderHooks() ProviderHooks { return ProviderHooks{k} }

// AfterBonded notes that the bond of a provider covers more leases than before.
func (h ProviderHooks) AfterBonded(ctx context.Context, operator sdk.AccAddress) error {
	return h.k.gain(ctx, operator)
}
