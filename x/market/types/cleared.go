package types

import (
	"cmp"
	"encoding/binary"
	"math/big"
	"slices"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/match"
)

// NewCleared says what the clearing of a batch did, and how good that was. Classes are named by their first offer; those
// whose capacity was worth no more than the least that is asked for it are left out.
func NewCleared(c match.Certificate, in match.Input, out match.Output) Cleared {
	first, least := map[uint32]uint64{}, map[uint32]match.Vector{} // by class; read by key only
	for _, o := range in.Book.Offers {
		id, known := first[o.Class]
		if !known || o.ID < id {
			first[o.Class] = o.ID
		}
		if !known {
			least[o.Class] = o.Ask
			continue
		}
		floor := least[o.Class]
		for r, ask := range o.Ask {
			floor[r] = min(floor[r], ask)
		}
		least[o.Class] = floor
	}
	cleared := Cleared{
		Bids: uint32(len(in.Bids)), Offers: uint32(len(in.Book.Offers)), Leases: uint32(len(out.Assignments)),
		Welfare: intOf(c.Welfare), Bound: intOf(c.Bound), GapPpm: c.GapPPM,
	}
	for _, p := range c.Prices {
		if above(p.Price, least[p.Class]) {
			cleared.Prices = append(cleared.Prices, ClassPrice{Offer: first[p.Class], Price: ResourcesOf(p.Price)})
		}
	}
	slices.SortFunc(cleared.Prices, func(a, b ClassPrice) int { return cmp.Compare(a.Offer, b.Offer) })
	return cleared
}

// above tells whether a price exceeds the least ask for any resource.
func above(price, least match.Vector) bool {
	for r := range price {
		if price[r] > least[r] {
			return true
		}
	}
	return false
}

func intOf(n match.Uint128) math.Int {
	var bytes [16]byte
	binary.BigEndian.PutUint64(bytes[:8], n.Hi)
	binary.BigEndian.PutUint64(bytes[8:], n.Lo)
	return math.NewIntFromBigInt(new(big.Int).SetBytes(bytes[:]))
}

// Validate refuses what no clearing could have done.
func (c Cleared) Validate() error {
	if err := sdk.ValidateDenom(c.Denom); err != nil {
		return invalid("cleared: %v", err)
	}
	switch {
	case c.Welfare.IsNil() || c.Bound.IsNil() || c.Welfare.IsNegative() || c.Welfare.GT(c.Bound):
		return invalid("cleared %s: welfare is not between 0 and its bound", c.Denom)
	case c.GapPpm > 1_000_000:
		return invalid("cleared %s: the gap is more than all", c.Denom)
	}
	return nil
}

// WeightsOf returns the weights of a denom as they are stored.
func WeightsOf(denom string, weights match.Weights) Weights {
	var v match.Vector
	for r, w := range weights {
		v[r] = uint64(w)
	}
	return Weights{Denom: denom, Weights: ResourcesOf(v)}
}

// Validate refuses weights out of range.
func (w Weights) Validate() error {
	if err := sdk.ValidateDenom(w.Denom); err != nil {
		return invalid("weights: %v", err)
	}
	for _, weight := range w.Weights.Vector() {
		if weight < match.MinWeight || weight > match.MaxWeight {
			return invalid("weights of %s: %d is out of range", w.Denom, weight)
		}
	}
	return nil
}
