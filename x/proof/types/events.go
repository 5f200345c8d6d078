package types

import "cosmossdk.io/math"

// NewEventCommitted tells that a provider committed to an epoch.
func NewEventCommitted(c Commitment) *EventCommitted {
	return &EventCommitted{Provider: c.Provider, Epoch: c.Epoch, Commitment: c.Id, Late: c.Late}
}

// NewEventRoundKnown tells that a round that was awaited is known.
func NewEventRoundKnown(round uint64) *EventRoundKnown { return &EventRoundKnown{Round: round} }

// NewEventSeeded tells that the audits of an epoch are drawn.
func NewEventSeeded(e Epoch) *EventSeeded { return &EventSeeded{Epoch: e.Number, Doubled: e.Doubled} }

// NewEventAudited tells that a provider is to open an epoch.
func NewEventAudited(c Commitment) *EventAudited {
	return &EventAudited{Provider: c.Provider, Epoch: c.Epoch, OpenBy: c.OpenBy}
}

// NewEventProven tells that an epoch of a provider is credited.
func NewEventProven(c Commitment) *EventProven {
	return &EventProven{Provider: c.Provider, Epoch: c.Epoch, Audited: c.OpenBy != 0}
}

// NewEventFault tells that a provider did wrong.
func NewEventFault(f Fault) *EventFault {
	return &EventFault{Provider: f.Provider, Fault: f.Id, Kind: f.Kind, Epoch: f.Epoch, Lease: f.Lease}
}

// NewEventReceiptPosted tells that a receipt is on the chain.
func NewEventReceiptPosted(r Receipt) *EventReceiptPosted {
	return &EventReceiptPosted{Lease: r.Lease, Epoch: r.Epoch, UpSeconds: r.UpSeconds}
}

// NewEventClaimed tells what a tenant was paid back, in grains.
func NewEventClaimed(c Claim, paid math.Int) *EventClaimed {
	return &EventClaimed{Lease: c.Lease, Epoch: c.Epoch, Paid: paid.String()}
}

// NewEventForced tells that a leaf is asked for.
func NewEventForced(f Forced) *EventForced {
	return &EventForced{Forced: f.Id, Provider: f.Provider, Lease: f.Lease, Epoch: f.Epoch}
}

// NewEventForcedAnswered shows the leaf that was asked for, or that there is none.
func NewEventForcedAnswered(f Forced, answer Answer) *EventForcedAnswered {
	return &EventForcedAnswered{
		Forced: f.Id, Lease: f.Lease, Epoch: f.Epoch, Opening: answer.Opening, Absence: answer.Absence,
	}
}
