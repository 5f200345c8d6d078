package pack

import (
	"math"
	"sort"
)

// FGD is fragmentation gradient descent: it takes the node, and the GPU on it, where fragmentation grows least. Weng et
// al., "Beware of fragmentation: scheduling GPU-sharing workloads with fragmentation gradient descent", USENIX ATC 2023.
// As its authors built it, the growth is squeezed into a whole score from 0 to 100; many nodes tie, and that the first
// of them is taken is much of its strength.
type FGD struct {
	fragments *fragmentation
	// steps[k] is the least decrease of fragmentation that scores k+1.
	steps [99]int64
}

// NewFGD is for tasks like the recent ones.
func NewFGD(recent []Task) *FGD {
	p := &FGD{fragments: newFragmentation(TypicalOf(recent, typicalPercent), weights{next: 1, parts: 1})}
	for k := range p.steps {
		x := float64(k+1) / 100
		p.steps[k] = int64(math.Ceil(WholeGPU * float64(p.fragments.seen) * math.Log(x/(1-x))))
	}
	return p
}

// Name is "FGD".
func (*FGD) Name() string { return "FGD" }

// Score is 50 if fragmentation stays as it is, and more if it falls: 100 times the logistic function of the decrease in
// GPUs, rounded down.
func (p *FGD) Score(s *State, t Task) int64 {
	score, _ := p.best(s, t)
	return score
}

// GPU is the one of the best score, the first of equals.
func (p *FGD) GPU(s *State, t Task) int {
	_, gpu := p.best(s, t)
	return gpu
}

func (p *FGD) best(s *State, t Task) (score int64, gpu int) {
	gpu = -1
	p.fragments.descent(s, t, func(g int, decrease int64) {
		at := int64(sort.Search(len(p.steps), func(k int) bool { return p.steps[k] > decrease }))
		if gpu < 0 || at > score {
			score, gpu = at, g
		}
	})
	return score, gpu
}
