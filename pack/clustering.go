package pack

// Clustering keeps tasks of one kind together: those that take a part of a GPU, and those of each number of whole GPUs.
// After Xiao et al., "Gandiva: introspective cluster scheduling for deep learning", OSDI 2018.
type Clustering struct{ Largest Largest }

// Name is "GPU clustering".
func (Clustering) Name() string { return "GPU clustering" }

// Score has four bands of 25: nodes that run this kind only, those that run it among others, those that run nothing on
// their GPUs, the rest. Within a band fuller nodes score more. A task without GPUs scores 0 everywhere.
func (p Clustering) Score(s *State, t Task) int64 {
	if t.GPUs == 0 {
		return 0
	}
	kinds := 0
	for _, n := range s.Running {
		if n > 0 {
			kinds++
		}
	}
	same := s.Running[t.kind()] > 0
	band := int64(0)
	switch {
	case same && kinds == 1:
		band = 75
	case same:
		band = 50
	case kinds == 0:
		band = 25
	}
	return band + 25*(p.Largest.GPUMillis-s.TotalFreeGPUMillis())/p.Largest.GPUMillis
}

// GPU is the one with the least left that is enough.
func (Clustering) GPU(s *State, t Task) int { return tightestGPU(s, t) }
