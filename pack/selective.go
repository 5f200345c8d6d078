package pack

// selectiveFree is the share of all GPUs, in thousandths, that must be free for any task to be taken. Chosen on openb's default
// workload: bench/RESULTS-pack.md.
const selectiveFree = 100

// Selective is Lookahead for a provider whom more is asked of than it has: once less than a tenth of its GPUs is free, it
// declines tasks that would leave more fragments than they fill, and keeps the room for those that fit better. Whoever is
// declined goes to another provider; one that has nobody to go to is better served by Lookahead.
type Selective struct{ *Lookahead }

// NewSelective is for these nodes and tasks like the recent ones.
func NewSelective(nodes []Node, recent []Task) Selective {
	return Selective{NewLookahead(nodes, recent)}
}

// Name is "selective".
func (Selective) Name() string { return "selective" }

// declines is true of a task with GPUs whose best node gets at least a step more fragmented, when little is free.
func (Selective) declines(t Task, score, freeGPUMillis, allGPUMillis int64) bool {
	return t.GPUs > 0 && score < 0 && 1000*freeGPUMillis < selectiveFree*allGPUMillis
}
