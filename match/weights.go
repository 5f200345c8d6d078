package match

import "math"

// Weights say how much an ask unit of each resource counts in a bid's [Key]:
// [WeightOne] is 1. An entry of 0 is not set and counts as 1, so that the zero
// value weighs all alike; others are clamped to [MinWeight], [MaxWeight].
type Weights [Dims]uint32

// Weights have 16 bits after the point.
const (
	WeightOne = 1 << 16
	MinWeight = WeightOne / 4
	MaxWeight = WeightOne * 4
)

// weightInertia is how many batches the moving average of [NextWeights] spans.
const weightInertia = 16

func (w *Weights) of(r Dim) uint64 {
	if w[r] == 0 {
		return WeightOne
	}
	return uint64(min(max(w[r], MinWeight), MaxWeight))
}

// NextWeights moves weights a sixteenth of the way to what demand and supply
// (quantities, as in [Bid.Unit]) say of each resource's scarcity: demand over
// supply, over the mean of that among the resources that are supplied. One
// without supply keeps its weight, and all do when nothing is demanded. The
// caller counts as demand only what costs money to show: what leases took and
// what funded bids hold. The result has no entry of 0.
func NextWeights(weights Weights, demand, supply Vector) Weights {
	var ratio Vector
	var total, supplied uint64
	for r := range Dims {
		if supply[r] > 0 {
			ratio[r] = times(demand[r], WeightOne, supply[r], 1<<40)
			total += ratio[r]
			supplied++
		}
	}
	next := weights
	for r := range Dims {
		now := weights.of(Dim(r))
		if supply[r] > 0 && total > 0 {
			target := times(ratio[r], WeightOne*supplied, total, math.MaxUint64)
			target = min(max(target, MinWeight), MaxWeight)
			now = (now*(weightInertia-1) + target + weightInertia/2) / weightInertia
		}
		next[r] = uint32(now)
	}
	return next
}
