package pack

// Policy ranks the nodes that have room for a task.
type Policy interface {
	// Name is what the policy is called in tables.
	Name() string
	// Score says how well the task would sit on a node that has room for it: the higher the better. Of equal nodes the
	// first is taken. It must depend on its arguments alone: scores are kept for as long as a node does not change.
	Score(s *State, t Task) int64
	// GPU chooses the GPU for a task that takes a part of one, among those of the node with that much free. (Whole GPUs
	// are all the same: the first free ones are taken.)
	GPU(s *State, t Task) int
}

// drawing is a policy that leaves the choice to chance; draw numbers the choices.
type drawing interface {
	drawNode(draw uint64, candidates int) int
	drawGPU(draw uint64, candidates int) int
}

// declining is a policy that turns tasks away for which there is room; score is that of the best node.
type declining interface {
	declines(t Task, score, freeGPUMillis, allGPUMillis int64) bool
}

// tightestGPU is the GPU with the least left that is enough, the first of equals.
func tightestGPU(s *State, t Task) int {
	best := -1
	for g := range s.GPUs {
		if int64(s.FreeGPUMillis[g]) < t.GPUMillis {
			continue
		}
		if best < 0 || s.FreeGPUMillis[g] < s.FreeGPUMillis[best] {
			best = g
		}
	}
	return best
}
