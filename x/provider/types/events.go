package types

import sdk "github.com/cosmos/cosmos-sdk/types"

// NewEventRegistered tells that a provider registered.
func NewEventRegistered(p Provider) *EventRegistered {
	return &EventRegistered{Provider: p.Operator, Agent: p.Agent}
}

// NewEventUpdated tells that a provider changed what it says of itself.
func NewEventUpdated(operator string) *EventUpdated { return &EventUpdated{Provider: operator} }

// NewEventBonded tells that a provider put more at stake.
func NewEventBonded(operator string, amount sdk.Coins) *EventBonded {
	return &EventBonded{Provider: operator, Amount: amount.String()}
}

// NewEventSlashed tells that a provider lost bond.
func NewEventSlashed(operator string, amount sdk.Coin, reason string) *EventSlashed {
	return &EventSlashed{Provider: operator, Amount: amount.String(), Reason: reason}
}

// NewEventUnbonding tells that a provider takes bond back.
func NewEventUnbonding(u Unbonding) *EventUnbonding {
	return &EventUnbonding{Provider: u.Provider, Unbonding: u.Id, Amount: u.Amount.String(), CompletesAt: u.CompletesAt}
}

// NewEventUnbonded tells that bond has returned.
func NewEventUnbonded(u Unbonding) *EventUnbonded {
	return &EventUnbonded{Provider: u.Provider, Unbonding: u.Id, Amount: u.Amount.String()}
}

// NewEventAgentRotated tells that a new agent has taken over.
func NewEventAgentRotated(p Provider) *EventAgentRotated {
	return &EventAgentRotated{Provider: p.Operator, Agent: p.Agent}
}

// NewEventMaintenanceDeclared tells of a time without service; of one that was cancelled if it ends where it starts.
func NewEventMaintenanceDeclared(operator string, w Maintenance) *EventMaintenanceDeclared {
	return &EventMaintenanceDeclared{Provider: operator, From: w.From, Until: w.Until}
}

// NewEventJailed tells that a provider lost its leases.
func NewEventJailed(p Provider, reason string) *EventJailed {
	return &EventJailed{Provider: p.Operator, Second: p.JailedAt, Until: p.JailedUntil, Reason: reason}
}

// NewEventUnjailed tells that a provider may take leases again.
func NewEventUnjailed(operator string) *EventUnjailed { return &EventUnjailed{Provider: operator} }

// NewEventLifecycle tells that a provider starts to leave, or is gone.
func NewEventLifecycle(p Provider) *EventLifecycle {
	return &EventLifecycle{Provider: p.Operator, Lifecycle: p.Lifecycle.String()}
}

// NewEventAttested tells what an auditor said until when; an expiry of 0 tells that it was taken back.
func NewEventAttested(a Attestation) *EventAttested {
	return &EventAttested{Provider: a.Provider, Auditor: a.Auditor, ExpiresAt: a.ExpiresAt}
}
