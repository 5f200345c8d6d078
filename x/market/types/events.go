package types

// NewEventPoolSet tells that an agent declared capacity.
func NewEventPoolSet(provider string, pool uint32) *EventPoolSet {
	return &EventPoolSet{Provider: provider, Pool: pool}
}

// NewEventOfferPosted tells that an offer entered the book.
func NewEventOfferPosted(o Offer) *EventOfferPosted {
	return &EventOfferPosted{Offer: o.Id, Provider: o.Provider}
}

// NewEventOfferChanged tells that an offer was updated, suspended or withdrawn.
func NewEventOfferChanged(o Offer) *EventOfferChanged {
	return &EventOfferChanged{Offer: o.Id, State: o.State}
}

// NewEventDeploymentCreated tells that a deployment opened.
func NewEventDeploymentCreated(d Deployment) *EventDeploymentCreated {
	return &EventDeploymentCreated{Deployment: d.Id, Owner: d.Owner, Name: d.Name, Account: d.Account}
}

// NewEventDeploymentClosed tells that a deployment ended.
func NewEventDeploymentClosed(d Deployment) *EventDeploymentClosed {
	return &EventDeploymentClosed{Deployment: d.Id, Reason: d.Reason}
}

// NewEventLeaseCreated tells that clearing matched a bid.
func NewEventLeaseCreated(l Lease) *EventLeaseCreated {
	return &EventLeaseCreated{Lease: l.Id, Deployment: l.Deployment, Provider: l.Provider, Rate: l.Rate, AckBy: l.AckBy}
}

// NewEventLeaseActive tells that a provider acknowledged a lease.
func NewEventLeaseActive(l Lease) *EventLeaseActive {
	return &EventLeaseActive{Lease: l.Id, Stream: l.Stream}
}

// NewEventLeaseStandby tells that a provider acknowledged a standby.
func NewEventLeaseStandby(l Lease) *EventLeaseStandby {
	return &EventLeaseStandby{Lease: l.Id, Stream: l.Stream}
}

// NewEventLeasePromoted tells that a standby serves from a second on in the stead of a lease that was lost; 0 when that
// is not known any more.
func NewEventLeasePromoted(l Lease, lost, at uint64) *EventLeasePromoted {
	return &EventLeasePromoted{Lease: l.Id, Failed: lost, Provider: l.Provider, Second: at}
}

// NewEventLeaseChallenged tells that somebody asks for a sign of life.
func NewEventLeaseChallenged(l Lease, challenger string) *EventLeaseChallenged {
	return &EventLeaseChallenged{Lease: l.Id, Provider: l.Provider, Challenger: challenger, AnswerBy: l.AnswerBy}
}

// NewEventLeaseAnswered tells that a challenged provider gave a sign of life.
func NewEventLeaseAnswered(l Lease) *EventLeaseAnswered { return &EventLeaseAnswered{Lease: l.Id} }

// NewEventLeaseEnded tells that a lease was closed or failed.
func NewEventLeaseEnded(l Lease) *EventLeaseEnded {
	return &EventLeaseEnded{Lease: l.Id, Provider: l.Provider, State: l.State, Reason: l.Reason, Second: l.ClosedAt}
}

// NewEventLeaseChanged tells that a live lease was paused, resumed, resized, shrunk or given notice at a second.
func NewEventLeaseChanged(l Lease, at uint64) *EventLeaseChanged {
	return &EventLeaseChanged{
		Lease: l.Id, Provider: l.Provider, State: l.State, Stream: l.Stream, Replicas: l.Replicas, Rate: l.Rate, Second: at,
	}
}

// NewEventDeploymentUpdated tells that a deployment changed.
func NewEventDeploymentUpdated(d Deployment) *EventDeploymentUpdated {
	return &EventDeploymentUpdated{Deployment: d.Id, Version: d.Version}
}

// NewEventPruned tells that a closed deployment was forgotten.
func NewEventPruned(deployment uint64) *EventPruned { return &EventPruned{Deployment: deployment} }

// NewEventCleared tells what a clearing did, and how good that was.
func NewEventCleared(c Cleared) *EventCleared { return &EventCleared{Cleared: &c} }

// NewEventBidExpired tells that a bid rested too long.
func NewEventBidExpired(b Bid) *EventBidExpired {
	return &EventBidExpired{Bid: b.Id, Deployment: b.Deployment}
}

// NewEventQuoteSubmitted tells that a provider answered a bid.
func NewEventQuoteSubmitted(b Bid, q Quote) *EventQuoteSubmitted {
	return &EventQuoteSubmitted{Bid: b.Id, Deployment: b.Deployment, Provider: q.Provider, Rate: q.Rate}
}

// NewEventQuoteGone tells that a quote can not be accepted any more.
func NewEventQuoteGone(q Quote) *EventQuoteGone {
	return &EventQuoteGone{Bid: q.Bid, Provider: q.Provider}
}

// NewEventBidSkipped tells why the leases of a matched bid could not be made.
func NewEventBidSkipped(b Bid, err error) *EventBidSkipped {
	return &EventBidSkipped{Bid: b.Id, Deployment: b.Deployment, Error: ErrorText(err)}
}
