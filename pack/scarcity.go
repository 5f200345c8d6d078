package pack

import (
	"maps"
	"slices"
)

// scarcityOf tells for each GPU model, in thousandths, how much is asked of it by those who name models, over how much
// is asked of all GPUs. What a kind asks for is spread over all GPUs that will do for it. A model that nobody needs by
// name has none.
func scarcityOf(nodes []Node, kinds []Typical) map[string]int64 {
	const scale = 1_000_000
	supply := map[string]int64{}
	var all, demand int64
	for _, n := range nodes {
		if n.GPUs > 0 {
			supply[n.Model] += int64(n.GPUs) * WholeGPU
			all += int64(n.GPUs) * WholeGPU
		}
	}
	models := slices.Sorted(maps.Keys(supply))
	asked := map[string]int64{}
	for _, k := range kinds {
		wanted := k.Count * k.Task.totalGPUMillis()
		demand += wanted
		var will []string
		var enough int64
		for _, m := range models {
			if k.Task.accepts(m) {
				will = append(will, m)
				enough += supply[m]
			}
		}
		if len(will) == len(models) {
			continue
		}
		for _, m := range will {
			asked[m] += wanted * scale / enough
		}
	}
	scarcity := map[string]int64{}
	if demand == 0 {
		return scarcity
	}
	for m, a := range asked {
		scarcity[m] = a * 1000 / max(demand*scale/all, 1)
	}
	return scarcity
}
