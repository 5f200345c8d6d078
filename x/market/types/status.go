package types

import "cosmossdk.io/math"

// Live tells that a lease binds capacity: it waits for its provider or is paid.
func (s LeaseState) Live() bool {
	return s == LeaseState_LEASE_STATE_PENDING || s == LeaseState_LEASE_STATE_ACTIVE
}

// Status is what of the lease changes.
func (l Lease) Status() LeaseStatus {
	return LeaseStatus{
		State: l.State, Reason: l.Reason, Stream: l.Stream, Held: l.Held, AckedAt: l.AckedAt, ClosedAt: l.ClosedAt,
	}
}

// WithStatus puts together what is stored apart.
func (l Lease) WithStatus(s LeaseStatus) Lease {
	l.State, l.Reason, l.Stream, l.Held, l.AckedAt, l.ClosedAt = s.State, s.Reason, s.Stream, s.Held, s.AckedAt, s.ClosedAt
	return l
}

// Terms is what of the lease never changes.
func (l Lease) Terms() Lease { return l.WithStatus(LeaseStatus{Held: math.ZeroInt()}) }

// Status is what of the bid changes.
func (b Bid) Status() BidStatus {
	return BidStatus{Placed: b.Placed, Excluded: b.Excluded, State: b.State, ExpiresAt: b.ExpiresAt}
}

// WithStatus puts together what is stored apart.
func (b Bid) WithStatus(s BidStatus) Bid {
	b.Placed, b.Excluded, b.State, b.ExpiresAt = s.Placed, s.Excluded, s.State, s.ExpiresAt
	return b
}

// Terms is what of the bid never changes.
func (b Bid) Terms() Bid { return b.WithStatus(BidStatus{}) }
