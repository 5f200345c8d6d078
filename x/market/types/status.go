package types

import "cosmossdk.io/math"

// Live tells that a lease binds capacity: it waits for its provider, or is paid.
func (s LeaseState) Live() bool { return s == LeaseState_LEASE_STATE_PENDING || s.Paid() }

// Paid tells that a lease has an open stream: it was acknowledged and has not ended.
func (s LeaseState) Paid() bool {
	return s.Served() || s == LeaseState_LEASE_STATE_LEAVING
}

// Served tells that a lease was acknowledged and goes on without notice: it serves, is paused, or stands by.
func (s LeaseState) Served() bool {
	return s == LeaseState_LEASE_STATE_ACTIVE || s == LeaseState_LEASE_STATE_PAUSED || s == LeaseState_LEASE_STATE_STANDBY
}

// Deadline is the next second at which a paid lease ends by itself: that of its term or of its notice; 0 for none.
func (l Lease) Deadline() uint64 {
	switch {
	case !l.State.Paid():
		return 0
	case l.LeavesAt == 0 || l.EndsAt != 0 && l.EndsAt <= l.LeavesAt:
		return l.EndsAt
	default:
		return l.LeavesAt
	}
}

// Status is what of the lease changes all the time.
func (l Lease) Status() LeaseStatus {
	return LeaseStatus{
		State: l.State, Reason: l.Reason, Stream: l.Stream, Held: l.Held, AckedAt: l.AckedAt, ClosedAt: l.ClosedAt,
		EndsAt: l.EndsAt, LeavesAt: l.LeavesAt, LeaveReason: l.LeaveReason, Paused: l.Paused,
		Standby: l.Standby, AnswerBy: l.AnswerBy, StandbyBps: l.StandbyBps,
	}
}

// WithStatus puts together what is stored apart.
func (l Lease) WithStatus(s LeaseStatus) Lease {
	l.State, l.Reason, l.Stream, l.Held, l.AckedAt, l.ClosedAt = s.State, s.Reason, s.Stream, s.Held, s.AckedAt, s.ClosedAt
	l.EndsAt, l.LeavesAt, l.LeaveReason, l.Paused = s.EndsAt, s.LeavesAt, s.LeaveReason, s.Paused
	l.Standby, l.AnswerBy, l.StandbyBps = s.Standby, s.AnswerBy, s.StandbyBps
	return l
}

// Terms is what of the lease changes only when its tenant makes it smaller, or resizes it.
func (l Lease) Terms() Lease { return l.WithStatus(LeaseStatus{Held: math.ZeroInt()}) }

// Status is what of the bid changes all the time.
func (b Bid) Status() BidStatus {
	return BidStatus{
		Placed: b.Placed, Excluded: b.Excluded, State: b.State, ExpiresAt: b.ExpiresAt, Released: b.Released,
		StandingBy: b.StandingBy, Returned: b.Returned, WatchedAt: b.WatchedAt,
	}
}

// WithStatus puts together what is stored apart.
func (b Bid) WithStatus(s BidStatus) Bid {
	b.Placed, b.Excluded, b.State, b.ExpiresAt, b.Released = s.Placed, s.Excluded, s.State, s.ExpiresAt, s.Released
	b.StandingBy, b.Returned, b.WatchedAt = s.StandingBy, s.Returned, s.WatchedAt
	return b
}

// Terms is what of the bid changes only when its tenant updates it. The status in it is that of a bid which was just made.
func (b Bid) Terms() Bid { return b.WithStatus(BidStatus{}) }
