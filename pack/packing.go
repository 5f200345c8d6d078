package pack

// Packing fills GPUs that are begun before it begins free ones, and nodes that are begun before empty ones.
type Packing struct{}

// Name is "GPU packing".
func (Packing) Name() string { return "GPU packing" }

// Score has three bands: 50 to 100 for GPUs that others use already, the less is free of them the more; 33 to 50 if the
// task must begin free GPUs; below if the whole node has no GPU in use. A task without GPUs scores 0 everywhere.
func (Packing) Score(s *State, t Task) int64 {
	if t.GPUs == 0 {
		return 0
	}
	whole := s.FreeGPUs(WholeGPU)
	if whole == s.GPUs {
		return max(33-int64(whole), int64(whole))
	}
	if !t.shares() {
		return max(50-int64(t.GPUs), 33)
	}
	free := s.FreeGPUMillis[tightestGPU(s, t)]
	if free == WholeGPU {
		return 49
	}
	return 100 - int64(free)/10/10
}

// GPU is the one with the least left that is enough.
func (Packing) GPU(s *State, t Task) int { return tightestGPU(s, t) }
