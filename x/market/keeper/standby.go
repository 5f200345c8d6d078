package keeper

import (
	"context"
	"fmt"
	"slices"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/match"
	"github.com/souk-network/souk/x/escrow/ledger"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

// standbyRate is what a standby of a rate is paid.
func standbyRate(rate uint64, params types.Params) uint64 {
	return ledger.HoldRate(rate, params.StandbyBps)
}

// standBy starts to pay a standby that its provider has acknowledged, for its capacity. Its term begins when it takes over.
func (k *Keeper) standBy(ctx context.Context, provider sdk.AccAddress, lease types.Lease, now uint64) error {
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	stream, err := k.escrow.OpenHeldStream(ctx, lease.Account, lease.Id, provider, standbyRate(lease.Rate, params),
		escrowtypes.StreamKind_STREAM_KIND_HOLD, lease.Held)
	if err != nil {
		return fmt.Errorf("open the stream of standby %d: %w", lease.Id, err)
	}
	if err := k.ackDeadlines.Remove(ctx, collections.Join(lease.AckBy, lease.Id)); err != nil {
		return fmt.Errorf("drop the deadline of lease %d: %w", lease.Id, err)
	}
	lease.State, lease.Stream, lease.StandbyBps = types.LeaseState_LEASE_STATE_STANDBY, stream.Id, params.StandbyBps
	lease.Held, lease.AckedAt = math.ZeroInt(), now
	if err := k.setLeaseStatus(ctx, lease); err != nil {
		return err
	}
	return emit(ctx, types.NewEventLeaseStandby(lease))
}

// fillIn tells whether a standby that is being acknowledged is wanted already: a replica of its bid was lost meanwhile, and
// nobody has it yet. Then it counts as that replica.
func (k *Keeper) fillIn(ctx context.Context, lease types.Lease, now uint64) (bool, error) {
	bid, err := k.getBid(ctx, lease.Bid)
	if err != nil || !bid.Returned || bid.Missing() == 0 {
		return false, err
	}
	if bid.StandingBy == 0 {
		return false, types.ErrBroken.Wrapf("bid %d has no standbys, and lease %d is one", bid.Id, lease.Id)
	}
	bid.StandingBy--
	bid.Placed++
	bid.Returned = bid.Missing() > 0
	if err := k.refile(ctx, bid, true, now, types.Reason_REASON_NOT_NEEDED); err != nil {
		return false, err
	}
	return true, emit(ctx, types.NewEventLeasePromoted(lease, 0, now))
}

// standbysOf returns the live standbys of a bid by id.
func (k *Keeper) standbysOf(ctx context.Context, bid types.Bid) ([]types.Lease, error) {
	if bid.StandingBy == 0 {
		return nil, nil
	}
	ids, err := idsUnder(ctx, k.standbys, bid.Id)
	if err != nil {
		return nil, fmt.Errorf("walk standbys of bid %d: %w", bid.Id, err)
	}
	leases := make([]types.Lease, len(ids))
	for i, id := range ids {
		if leases[i], err = k.getLease(ctx, id); err != nil {
			return nil, err
		}
	}
	return leases, nil
}

// nowServes returns a lease that stands by no more.
func (k *Keeper) nowServes(ctx context.Context, lease types.Lease) (types.Lease, error) {
	if err := k.standbys.Remove(ctx, collections.Join(lease.Bid, lease.Id)); err != nil {
		return types.Lease{}, fmt.Errorf("let standby %d serve: %w", lease.Id, err)
	}
	lease.Standby, lease.StandbyBps = false, 0
	return lease, nil
}

// dismiss ends the standbys of a bid at a second: it wants nobody to serve any more. A provider that has not acknowledged its
// standby yet is paid for the wait.
func (k *Keeper) dismiss(ctx context.Context, bid *types.Bid, reason types.Reason, at uint64) error {
	standbys, err := k.standbysOf(ctx, *bid)
	if err != nil {
		return err
	}
	for _, lease := range standbys {
		if lease.State == types.LeaseState_LEASE_STATE_PENDING {
			if err := k.payForWaiting(ctx, lease, lease.Rate, lease.Held); err != nil {
				return err
			}
			lease.Held = math.ZeroInt()
		}
		if err := k.retire(ctx, lease, closed(reason, at)); err != nil {
			return err
		}
	}
	bid.StandingBy = 0
	return nil
}

// keepApart keeps what serves a bid and each of its standbys at different providers, so that none is lost with another and
// that of one which takes over serves beside no standby. A standby is in another zone than all that serves or stands by: where
// the offer of a lease names a zone, the standby's must name another.
func (k *Keeper) keepApart(ctx context.Context, b *book, bid types.Bid, leases []types.Lease, demand *match.Bid) error {
	standby := bid.Missing() == 0
	if standby {
		demand.MaxPerProvider = 1
	}
	for _, lease := range leases {
		if lease.Bid != bid.Id || !standby && !lease.Standby {
			continue
		}
		if at := b.position(lease.Provider); at != nobody {
			demand.Excluded = append(demand.Excluded, at)
		}
		if !standby {
			continue
		}
		zone, named, err := k.zoneOf(ctx, b, lease.Offer)
		if err != nil {
			return err
		}
		if named {
			demand.MaxPerZone = 1
			demand.Placed = append(demand.Placed, match.Placement{Provider: nobody, Zone: zone, Replicas: 1}) // the zone is full
		}
	}
	return nil
}

// oneAZone makes of assignments such of one replica each, since a standby is one, and leaves out those in a zone that one
// before them names: match keeps zones apart only where it must know all of them. It tells whether any was left out.
func (b *book) oneAZone(taken []match.Assignment) (single []match.Assignment, less bool) {
	var zones []uint32
	for _, a := range taken {
		zone := b.offers[b.offerAt[a.Offer]].zone
		for range a.Replicas {
			if zone != 0 && slices.Contains(zones, zone) {
				less = true
				continue
			}
			zones = append(zones, zone)
			single = append(single, match.Assignment{
				Bid: a.Bid, Offer: a.Offer, Replicas: 1, RatePerHour: a.RatePerHour / uint64(a.Replicas),
			})
		}
	}
	return single, less
}
