package pack

// FirstFit takes the first node with room.
type FirstFit struct{}

// Name is "first fit".
func (FirstFit) Name() string { return "first fit" }

// Score is the same for all.
func (FirstFit) Score(*State, Task) int64 { return 0 }

// GPU is the one with the least left that is enough.
func (FirstFit) GPU(s *State, t Task) int { return tightestGPU(s, t) }
