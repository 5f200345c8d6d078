package pack

// lookaheadWeights are nine parts for what comes next and one for the node filled up; a kind that takes a part of a GPU
// counts twice, for only those can use what others of them leave. lookaheadStep is the decrease of fragmentation, in
// thousandths of a GPU, below which nodes count as equal. Chosen on openb's default workload: bench/RESULTS-pack.md.
var lookaheadWeights = weights{next: 9, filled: 1, parts: 2}

const lookaheadStep = 25

// Lookahead is Souk's own policy: FGD that also looks at the node filled up, and at who else needs the model. FGD takes
// eight free GPUs for usable as long as the CPU left is enough for the next task; so CPU runs out on nodes that still have
// GPUs. Lookahead measures fragmentation both ways, by what the next typical task could not use and by what is lost when
// that task has come as often as it fits, and rounds the decrease down to whole steps, so that nodes tie and the first of
// them fill up. And what few tasks can use, FGD counts as fragments to be used up; where those few have no other choice,
// a scarcity holds others off.
type Lookahead struct {
	fragments *fragmentation
	scarcity  map[string]int64
	// unit is a thousandth of a GPU in the integers of fragmentation.
	unit int64
}

// NewLookahead is for these nodes and tasks like the recent ones.
func NewLookahead(nodes []Node, recent []Task) *Lookahead {
	w := lookaheadWeights
	f := newFragmentation(TypicalOf(recent, typicalPercent), w)
	return &Lookahead{
		fragments: f,
		scarcity:  scarcityOf(nodes, TypicalOf(recent, 100)),
		unit:      (w.next + w.filled) * max(f.seen, 1),
	}
}

// Name is "lookahead".
func (*Lookahead) Name() string { return "lookahead" }

// Score is the decrease of fragmentation in steps, less half the model's scarcity for each GPU taken, rounded down. Without
// recent tasks it is 0.
func (p *Lookahead) Score(s *State, t Task) int64 {
	score, _ := p.best(s, t)
	return score
}

// GPU is the one of the best score, the first of equals.
func (p *Lookahead) GPU(s *State, t Task) int {
	_, gpu := p.best(s, t)
	return gpu
}

func (p *Lookahead) best(s *State, t Task) (score int64, gpu int) {
	gpu = -1
	step := lookaheadStep * p.unit
	held := p.scarcity[s.Model] * t.totalGPUMillis() * p.unit / 2000
	p.fragments.descent(s, t, func(g int, decrease int64) {
		at := floorDiv(decrease-held, step)
		if gpu < 0 || at > score {
			score, gpu = at, g
		}
	})
	return score, gpu
}

func floorDiv(a, b int64) int64 {
	if a%b < 0 {
		return a/b - 1
	}
	return a / b
}
