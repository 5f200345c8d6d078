package types

import (
	"slices"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// AskIn returns the price list in a denom.
func AskIn(asks []Ask, denom string) (Ask, bool) {
	i := slices.IndexFunc(asks, func(a Ask) bool { return a.Denom == denom })
	if i < 0 {
		return Ask{}, false
	}
	return asks[i], true
}

// ValidateAsks refuses lists that are empty, too long, not sorted by denom, or priced too high. Each price list needs a
// price for CPU or memory: every bid wants both, so that no lease is free.
func ValidateAsks(asks []Ask) error {
	if len(asks) == 0 || len(asks) > MaxAsks {
		return ErrInvalidAsk.Wrapf("%d denoms: want 1 to %d", len(asks), MaxAsks)
	}
	for i, a := range asks {
		switch {
		case sdk.ValidateDenom(a.Denom) != nil:
			return ErrInvalidAsk.Wrapf("denom %.64q", a.Denom)
		case i > 0 && asks[i-1].Denom >= a.Denom:
			return ErrInvalidAsk.Wrap("denoms must be sorted, each once")
		case a.Cpu == 0 && a.Memory == 0:
			return ErrInvalidAsk.Wrapf("%s: a price for cpu or memory is needed", a.Denom)
		}
		for r, price := range a.Vector() {
			if price > MaxRate {
				return ErrInvalidAsk.Wrapf("%s: price %d of resource %d is above 2^63-1", a.Denom, price, r)
			}
		}
	}
	return nil
}

// HighestAsks returns the highest price of every resource in every denom that the offers declare, sorted by denom.
func HighestAsks(offers []Offer) []Ask {
	var highest []Ask
	for _, o := range offers {
		for _, a := range o.Declared() {
			i, found := slices.BinarySearchFunc(highest, a.Denom, func(h Ask, denom string) int {
				return strings.Compare(h.Denom, denom)
			})
			if !found {
				highest = slices.Insert(highest, i, Ask{Denom: a.Denom})
			}
			highest[i] = higher(highest[i], a)
		}
	}
	return highest
}

func higher(a, b Ask) Ask {
	return Ask{
		Denom: a.Denom, Cpu: max(a.Cpu, b.Cpu), Memory: max(a.Memory, b.Memory),
		Ephemeral: max(a.Ephemeral, b.Ephemeral), Hdd: max(a.Hdd, b.Hdd), Ssd: max(a.Ssd, b.Ssd),
		Nvme: max(a.Nvme, b.Nvme), Gpu: max(a.Gpu, b.Gpu), Egress: max(a.Egress, b.Egress),
	}
}

func lower(a, b Ask) Ask {
	return Ask{
		Denom: a.Denom, Cpu: min(a.Cpu, b.Cpu), Memory: min(a.Memory, b.Memory),
		Ephemeral: min(a.Ephemeral, b.Ephemeral), Hdd: min(a.Hdd, b.Hdd), Ssd: min(a.Ssd, b.Ssd),
		Nvme: min(a.Nvme, b.Nvme), Gpu: min(a.Gpu, b.Gpu), Egress: min(a.Egress, b.Egress),
	}
}
