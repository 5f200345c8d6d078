// Package price says what a provider asks for its capacity: the operator's list as it stands, the list scaled by how much is
// taken, or what a program of the operator's answers.
//
// It owns the strategies and nothing they could be applied with: it knows neither transactions nor the offer they end up in.
package price

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/souk-network/souk/match"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// View is what a strategy may look at.
type View struct {
	Base      []markettypes.Ask // the operator's price list, sorted by denom
	Present   []markettypes.Ask // of the offer on the chain, sorted by denom; nil without one
	Total     match.Vector      // of the pool
	Allocated match.Vector      // of the pool, to leases
}

// Strategy sets prices. What it gives names the denoms of the view's list, sorted.
type Strategy interface {
	Asks(ctx context.Context, v View) ([]markettypes.Ask, error)
}

// Bounds are the least and the most of the list's prices that may be asked, in percent of them.
type Bounds struct{ FloorPercent, CeilingPercent uint64 }

// maxPercent keeps the ceiling where it is a price and not a mistake.
const maxPercent = 10_000

// Check refuses bounds between which there is no price.
func (b Bounds) Check() error {
	if b.FloorPercent > b.CeilingPercent || b.CeilingPercent == 0 || b.CeilingPercent > maxPercent {
		return fmt.Errorf("prices between %d %% and %d %% of the list: want floor <= ceiling, and a ceiling of 1 to %d", b.FloorPercent, b.CeilingPercent, maxPercent)
	}
	return nil
}

// Fixed asks what the list says.
type Fixed struct{}

// Asks implements Strategy.
func (Fixed) Asks(_ context.Context, v View) ([]markettypes.Ask, error) { return v.Base, nil }

// fields are the prices of an ask in the order of the market's dimensions.
func fields(a *markettypes.Ask) [8]*uint64 {
	return [8]*uint64{&a.Cpu, &a.Memory, &a.Ephemeral, &a.Hdd, &a.Ssd, &a.Nvme, &a.Gpu, &a.Egress}
}

// Sorted is a price list in the order in which offers have theirs.
func Sorted(asks []markettypes.Ask) []markettypes.Ask {
	return slices.SortedFunc(slices.Values(asks), func(a, b markettypes.Ask) int { return strings.Compare(a.Denom, b.Denom) })
}

// Admit refuses asks that an offer must not have: of other coins than the list, or prices out of bounds.
func (b Bounds) Admit(base, asks []markettypes.Ask) error {
	if err := markettypes.ValidateAsks(asks); err != nil {
		return err
	}
	lists := map[string]markettypes.Ask{}
	for _, a := range base {
		lists[a.Denom] = a
	}
	for i := range asks {
		list, known := lists[asks[i].Denom]
		if !known {
			return fmt.Errorf("prices in %s: the price list has none in it", asks[i].Denom)
		}
		delete(lists, asks[i].Denom)
		if err := b.admit(&list, &asks[i]); err != nil {
			return err
		}
	}
	if len(lists) > 0 {
		return fmt.Errorf("no prices in %s, which the price list has", strings.Join(slices.Sorted(maps.Keys(lists)), ", "))
	}
	return nil
}

func (b Bounds) admit(list, ask *markettypes.Ask) error {
	var errs []error
	for d, price := range fields(ask) {
		base := *fields(list)[d]
		low, high := portion(base, b.FloorPercent, 100), portion(base, b.CeilingPercent, 100)
		if *price < low || *price > high {
			errs = append(errs, fmt.Errorf("%s %s: %d is not within %d and %d", ask.Denom, names[d], *price, low, high))
		}
	}
	return errors.Join(errs...)
}

// names of the prices, as in a price list.
var names = [8]string{"cpu", "memory", "ephemeral", "hdd", "ssd", "nvme", "gpu", "egress"}
