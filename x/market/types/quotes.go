package types

import (
	"cmp"

	"cosmossdk.io/core/address"
)

// Quoted tells that the bid collects quotes and takes no part in the auction.
func (b BidSpec) Quoted() bool { return b.Mode == BidMode_BID_MODE_QUOTE }

// Expired tells whether the quote can not be accepted any more at a service second.
func (q Quote) Expired(now uint64) bool { return now >= q.ExpiresAt }

// Before orders the quotes of a bid: the cheaper first, of equal ones the older, then by provider. It returns -1, 0 or 1.
func (q Quote) Before(other Quote) int {
	return cmp.Or(cmp.Compare(q.Rate, other.Rate), cmp.Compare(q.CreatedAt, other.CreatedAt), cmp.Compare(q.Provider, other.Provider))
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgSubmitQuote) Validate(addresses address.Codec) error {
	if err := validateAddress(addresses, "signer", m.Signer); err != nil {
		return err
	}
	if err := ValidateAsks([]Ask{m.Ask}); err != nil {
		return err
	}
	switch {
	case m.Replicas == 0 || m.Replicas > MaxReplicas:
		return ErrInvalidQuote.Wrapf("%d replicas: want 1 to %d", m.Replicas, MaxReplicas)
	case m.ValidSeconds == 0 || m.ValidSeconds > maxBidLifetimeSeconds:
		return ErrInvalidQuote.Wrapf("valid for %d s: want 1 to %d", m.ValidSeconds, maxBidLifetimeSeconds)
	}
	return nil
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgWithdrawQuote) Validate(addresses address.Codec) error {
	return validateSigner(addresses, m.Signer, m.Provider)
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgAcceptQuote) Validate(addresses address.Codec) error {
	if err := validateSigner(addresses, m.Signer, m.Provider); err != nil {
		return err
	}
	switch {
	case m.Replicas > MaxReplicas:
		return ErrInvalidQuote.Wrapf("%d replicas: at most %d", m.Replicas, MaxReplicas)
	case m.MaxRate == 0 || m.MaxRate > MaxRate:
		return ErrInvalidQuote.Wrapf("max_rate %d: want 1 to 2^63-1", m.MaxRate)
	}
	return nil
}
