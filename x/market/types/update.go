package types

import (
	"slices"

	"github.com/souk-network/souk/match"
)

// Update is what has to be done so that a deployment becomes what its tenant declares.
type Update struct {
	// Bids of the declaration, in its order.
	Bids []BidUpdate
	// Dropped bids are not declared any more: they close with their leases.
	Dropped []Bid
	// Closed leases end, the newest of each bid first.
	Closed []Lease
	// Reshaped leases go on with other units or fewer replicas; those that become cheaper come first.
	Reshaped []Reshaping
}

// BidUpdate is a bid as it will be.
type BidUpdate struct {
	// Bid without the leases that end; its id is 0 when it is new. Its state is still the present one.
	Bid Bid
	// Changed tells that its spec is another than before.
	Changed bool
	// Anew tells that all its replicas are wanted, whatever became of them before.
	Anew bool
}

// Reshaping is a live lease that goes on in another shape.
type Reshaping struct {
	// Lease as it is.
	Lease Lease
	// Unit of a replica then.
	Unit Resources
	// Replicas then.
	Replicas uint32
	// Rate of all of them at the lease's ask, in micro-denom per hour.
	Rate uint64
}

// PlanUpdate compares what a deployment is, all of its bids and its live leases by id, with what its tenant declares. Bids
// that are new, changed or closed are wanted anew; with again all of them are.
// ErrLeaseState: a unit changes while a lease waits for its provider. ErrResize: a lease would cost more than the bid
// allows.
func PlanUpdate(bids []Bid, leases []Lease, specs []BidSpec, again bool) (Update, error) {
	var update Update
	for _, spec := range specs {
		at := slices.IndexFunc(bids, func(b Bid) bool { return b.Spec.Name == spec.Name })
		if at < 0 {
			update.Bids = append(update.Bids, BidUpdate{Bid: Bid{Spec: spec}, Changed: true, Anew: true})
			continue
		}
		changed, err := update.change(bids[at], spec, leasesOf(leases, bids[at].Id), again)
		if err != nil {
			return Update{}, err
		}
		update.Bids = append(update.Bids, changed)
	}
	for _, bid := range bids {
		declared := slices.ContainsFunc(specs, func(s BidSpec) bool { return s.Name == bid.Spec.Name })
		if declared || bid.State == BidState_BID_STATE_CLOSED {
			continue
		}
		update.Dropped = append(update.Dropped, bid)
		update.Closed = append(update.Closed, leavingOrder(leasesOf(leases, bid.Id))...)
	}
	slices.SortStableFunc(update.Reshaped, func(a, b Reshaping) int { return a.dearer() - b.dearer() })
	return update, nil
}

// dearer is 1 for what will cost more than it does.
func (r Reshaping) dearer() int {
	if r.Rate > r.Lease.Rate {
		return 1
	}
	return 0
}

// Grows tells that the lease takes more of a resource, or costs more.
func (r Reshaping) Grows() bool {
	before, after := r.Lease.Unit.Times(r.Lease.Replicas), r.Unit.Times(r.Replicas)
	for i := range after {
		if after[i] > before[i] {
			return true
		}
	}
	return r.Rate > r.Lease.Rate
}

// AffordedBy tells whether asks sell the new shape for no more than the lease's own ask does.
func (r Reshaping) AffordedBy(asks []Ask) bool {
	ask, found := AskIn(asks, r.Lease.Denom)
	if !found {
		return false
	}
	rate, err := match.Rate(r.Unit.Vector(), ask.Vector(), uint64(r.Replicas))
	return err == nil && rate <= r.Rate
}

// change makes of a bid what is declared: fewer replicas or standbys end leases, and another unit resizes those that stay.
func (u *Update) change(bid Bid, spec BidSpec, leases []Lease, again bool) (BidUpdate, error) {
	same, err := bid.Spec.Same(spec)
	if err != nil {
		return BidUpdate{}, err
	}
	excess := bid.Placed - min(bid.Placed, spec.Replicas)
	bid.Placed -= excess
	idle := bid.StandingBy - min(bid.StandingBy, spec.Standbys)
	bid.StandingBy -= idle
	anew := !same || again || bid.State == BidState_BID_STATE_CLOSED
	if anew {
		bid.Released = 0
	}
	for _, lease := range leavingOrder(leases) {
		surplus := &excess
		if lease.Standby {
			surplus = &idle
		}
		less := min(*surplus, lease.Replicas)
		*surplus -= less
		if less == lease.Replicas {
			u.Closed = append(u.Closed, lease)
			continue
		}
		if less == 0 && spec.Unit == bid.Spec.Unit {
			continue
		}
		reshaped, err := reshape(lease, spec, lease.Replicas-less)
		if err != nil {
			return BidUpdate{}, err
		}
		u.Reshaped = append(u.Reshaped, reshaped)
	}
	bid.Spec = spec
	return BidUpdate{Bid: bid, Changed: !same, Anew: anew}, nil
}

// reshape prices a lease in its new shape.
func reshape(lease Lease, spec BidSpec, replicas uint32) (Reshaping, error) {
	resized := lease.Unit != spec.Unit
	if resized && lease.State == LeaseState_LEASE_STATE_PENDING {
		return Reshaping{}, ErrLeaseState.Wrapf("lease %d must be acknowledged before its unit changes", lease.Id)
	}
	rate, err := match.Rate(spec.Unit.Vector(), lease.Ask.Vector(), uint64(replicas))
	if err != nil {
		return Reshaping{}, ErrResize.Wrapf("lease %d: %v", lease.Id, err)
	}
	if resized && rate/uint64(replicas) > spec.Cap {
		return Reshaping{}, ErrResize.Wrapf("lease %d would cost %d a replica, above the cap %d of bid %s", lease.Id,
			rate/uint64(replicas), spec.Cap, spec.Name)
	}
	if rate == 0 {
		return Reshaping{}, ErrResize.Wrapf("lease %d would cost nothing", lease.Id)
	}
	return Reshaping{Lease: lease, Unit: spec.Unit, Replicas: replicas, Rate: rate}, nil
}

// leavingOrder returns leases in the order in which they end when there are too many: those that wait for their provider
// first, and of these and of the others the newest first.
func leavingOrder(leases []Lease) []Lease {
	leases = slices.Clone(leases)
	slices.SortFunc(leases, func(a, b Lease) int {
		aWaits, bWaits := a.State == LeaseState_LEASE_STATE_PENDING, b.State == LeaseState_LEASE_STATE_PENDING
		switch {
		case aWaits != bWaits && aWaits, aWaits == bWaits && a.Id > b.Id:
			return -1
		default:
			return 1
		}
	})
	return leases
}

func leasesOf(leases []Lease, bid uint64) []Lease {
	var of []Lease
	for _, lease := range leases {
		if lease.Bid == bid {
			of = append(of, lease)
		}
	}
	return of
}
