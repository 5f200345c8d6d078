package price

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/souk-network/souk/match"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// Wanted is a bid for which a program is asked for a price.
type Wanted struct {
	Bid      uint64
	Denom    string
	Unit     match.Vector // of one replica
	Replicas uint32
	Cap      uint64 // micro-denom per replica and hour
	Class    markettypes.LeaseClass
	Seconds  uint64 // term of the lease; 0 for none
}

// QuoteQuestion is what the program reads when it is asked for a quote, as JSON: a Question with the bid.
type QuoteQuestion struct {
	Question

	Bid QuotedBid `json:"bid"`
}

// QuotedBid is a bid in JSON. Amounts are in the market's units.
type QuotedBid struct {
	ID       uint64 `json:"id"`
	Denom    string `json:"denom"`
	Unit     Amount `json:"unit"`
	Replicas uint32 `json:"replicas"`
	Cap      uint64 `json:"cap"` // micro-denom per replica and hour
	Spot     bool   `json:"spot"`
	Seconds  uint64 `json:"seconds"` // term of the lease; 0 for none
}

// Quote asks the program for a price in the denom of a bid: an Answer with one entry, or with none for no quote. It has to lie
// within the bounds of the price list.
func (s Script) Quote(ctx context.Context, v View, w Wanted) (*markettypes.Ask, error) {
	list, known := markettypes.AskIn(v.Base, w.Denom)
	if !known {
		return nil, nil //nolint:nilnil // no quote is no error
	}
	question, err := json.Marshal(QuoteQuestion{s.question(v), QuotedBid{
		ID: w.Bid, Denom: w.Denom, Unit: amount(w.Unit), Replicas: w.Replicas, Cap: w.Cap,
		Spot: w.Class == markettypes.LeaseClass_LEASE_CLASS_SPOT, Seconds: w.Seconds,
	}})
	if err != nil {
		return nil, fmt.Errorf("encode the question: %w", err)
	}
	asks, err := s.answer(ctx, question)
	if err != nil {
		return nil, fmt.Errorf("ask %s for a quote: %w", s.Path, err)
	}
	if len(asks) == 0 {
		return nil, nil //nolint:nilnil // no quote is no error
	}
	if err := s.Admit([]markettypes.Ask{list}, asks); err != nil {
		return nil, fmt.Errorf("ask %s for a quote: %w", s.Path, err)
	}
	return &asks[0], nil
}
