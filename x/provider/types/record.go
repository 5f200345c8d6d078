package types

import "math"

// Outcome is what became of a lease, as far as its provider is concerned.
type Outcome uint8

// Outcomes that a record counts.
const (
	// OutcomeAcknowledged: the provider took the lease.
	OutcomeAcknowledged Outcome = iota + 1
	// OutcomeMissed: it did not say anything in time.
	OutcomeMissed
	// OutcomeDeclined: it said that it will not.
	OutcomeDeclined
	// OutcomeCompleted: the lease was ended by the tenant, its money or its term.
	OutcomeCompleted
	// OutcomeResigned: the provider gave notice.
	OutcomeResigned
	// OutcomeFailed: the lease ended by the provider's fault after it was acknowledged.
	OutcomeFailed
)

// Count returns the record with n more of an outcome. A counter stays at its highest value.
func (r Record) Count(outcome Outcome, n uint64) (Record, error) {
	var counter *uint64
	switch outcome {
	case OutcomeAcknowledged:
		counter = &r.Acknowledged
	case OutcomeMissed:
		counter = &r.Missed
	case OutcomeDeclined:
		counter = &r.Declined
	case OutcomeCompleted:
		counter = &r.Completed
	case OutcomeResigned:
		counter = &r.Resigned
	case OutcomeFailed:
		counter = &r.Failed
	default:
		return Record{}, ErrInvalidRequest.Wrapf("outcome %d", outcome)
	}
	*counter = addSaturating(*counter, n)
	return r, nil
}

func addSaturating(a, b uint64) uint64 { return a + min(b, math.MaxUint64-a) }

// Jailed returns the record with one more jailing.
func (r Record) Jailed() Record {
	r.Jailings = addSaturating(r.Jailings, 1)
	return r
}
