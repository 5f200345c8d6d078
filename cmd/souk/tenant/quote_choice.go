package tenant

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	markettypes "github.com/souk-network/souk/x/market/types"
)

// taking is what is accepted of one quote.
type taking struct {
	quote    markettypes.Quote
	replicas uint32
}

// cheapestOf takes what a bid lacks from the cheapest quotes, the older first among equals. It may find less than that.
func cheapestOf(quotes []markettypes.Quote, lacking uint32) []taking {
	var out []taking
	for _, q := range byPrice(quotes) {
		if lacking == 0 {
			break
		}
		take := min(q.Replicas, lacking)
		if take == 0 {
			continue
		}
		out = append(out, taking{q, take})
		lacking -= take
	}
	return out
}

// byPrice orders quotes as they are shown and taken.
func byPrice(quotes []markettypes.Quote) []markettypes.Quote {
	return slices.SortedStableFunc(slices.Values(quotes), func(a, b markettypes.Quote) int {
		return cmp.Or(cmp.Compare(a.Rate, b.Rate), cmp.Compare(a.CreatedAt, b.CreatedAt), strings.Compare(a.Provider, b.Provider))
	})
}

// chosenOf takes what was typed of the quotes as they were shown: their numbers from 1, in the order of the wish, with spaces
// or commas between them. Nothing typed is the first.
func chosenOf(quotes []markettypes.Quote, lacking uint32, typed string) ([]taking, error) {
	words := strings.FieldsFunc(typed, func(r rune) bool { return r == ' ' || r == ',' })
	if len(words) == 0 {
		words = []string{"1"}
	}
	var out []taking
	seen := map[int]bool{}
	for _, word := range words {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > len(quotes) || seen[n] {
			return nil, fmt.Errorf("%q is not one of the numbers 1 to %d, each once", word, len(quotes))
		}
		seen[n] = true
		if take := min(quotes[n-1].Replicas, lacking); take > 0 {
			out = append(out, taking{quotes[n-1], take})
			lacking -= take
		}
	}
	return out, nil
}
