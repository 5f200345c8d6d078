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
