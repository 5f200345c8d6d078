package match

// levels are the shares, in 64ths, of the certificate's prices by which a small
// batch is cleared again: the prices of a bound are those of divisible capacity,
// and whole replicas leave a little of it over. Chosen on the markets of
// bench/RESULTS-market.md.
var levels = []uint64{64, 61, 60, 63, 62}

// allLevels is the most bids for which all levels are tried; beyond, the gain is
// not worth the time.
const allLevels = 2048

// Improve clears the batch again, steered by the certificate's prices and, if it
// is small, by prices a few percent lower, and returns the assignment with the
// most welfare and its certificate: the given ones unless another is better. It
// needs what [Clear] and [Certify] made of the same input, which has no prices of
// its own. Input.Work bounds all that together: an assignment that is not of all
// bids is not improved, nor does one take its place. Output.Work is that of the
// given one and all others, also when none is taken; on real books each costs two
// to five times the first.
//
// A tenant may so get an offer that is dearer than the cheapest it could have
// had, at its ask and within its cap, so that scarcer capacity is left to others.
// The prices depend on losing bids: see the package comment before using it.
func Improve(in Input, out Output, c Certificate) (Output, Certificate) {
	if len(c.Prices) == 0 || len(out.Left) > 0 {
		return out, c
	}
	best, spent, limit := out, uint64(0), in.Work
	for _, level := range levelsFor(len(in.Bids)) {
		if limit > 0 {
			if spent >= limit {
				break
			}
			in.Work = limit - spent
		}
		in.Prices = atLevel(c.Prices, level)
		again := Clear(in)
		spent += again.Work
		if len(again.Left) > 0 {
			break
		}
		if reached := welfare(&in, &again); reached.Compare(c.Welfare) > 0 {
			best, c.Welfare, c.GapPPM = again, reached, gap(reached, c.Bound)
		}
	}
	best.Work = out.Work + spent
	return best, c
}

func levelsFor(bids int) []uint64 {
	if bids > allLevels {
		return levels[:1]
	}
	return levels
}

// atLevel returns so many 64ths of prices.
func atLevel(prices []ClassPrice, level uint64) []ClassPrice {
	lower := make([]ClassPrice, len(prices))
	for i, p := range prices {
		lower[i].Class = p.Class
		for r, price := range p.Price {
			lower[i].Price[r] = price/64*level + price%64*level/64
		}
	}
	return lower
}
