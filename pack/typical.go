package pack

import (
	"cmp"
	"slices"
)

// typicalPercent is how many of all tasks the typical kinds make up, as FGD's authors have it.
const typicalPercent = 95

// Typical is a kind of task and how many of it were seen.
type Typical struct {
	Task  Task
	Count int64
}

// TypicalOf counts tasks by what they ask, memory aside, and keeps the most frequent kinds until they make up percent of
// all tasks.
func TypicalOf(tasks []Task, percent int64) []Typical {
	counts := map[Task]int64{}
	for _, t := range tasks {
		t.MemoryMiB = 0
		counts[t]++
	}
	kinds := make([]Typical, 0, len(counts))
	for t, n := range counts {
		kinds = append(kinds, Typical{Task: t, Count: n})
	}
	slices.SortFunc(kinds, func(a, b Typical) int {
		return cmp.Or(
			cmp.Compare(b.Count, a.Count),
			cmp.Compare(b.Task.CPUMillis, a.Task.CPUMillis),
			cmp.Compare(b.Task.GPUMillis, a.Task.GPUMillis),
			cmp.Compare(b.Task.GPUs, a.Task.GPUs),
			cmp.Compare(b.Task.Models, a.Task.Models),
		)
	})
	var kept int64
	for i, k := range kinds {
		if kept*100 >= percent*int64(len(tasks)) {
			return kinds[:i]
		}
		kept += k.Count
	}
	return kinds
}
