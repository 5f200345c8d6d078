package pack

// DotProduct takes the node whose free resources are least in line with the task's: the smaller the product of the two
// vectors (CPU and GPU, each as a share of the largest node's), the better. Scores are whole numbers from 0 to 100.
// After Grandl et al., "Multi-resource packing for cluster schedulers", SIGCOMM 2014, as FGD's authors turned it.
type DotProduct struct{ Largest Largest }

// Name is "dot product".
func (DotProduct) Name() string { return "dot product" }

// Score is 100 less half the product in percent.
func (p DotProduct) Score(s *State, t Task) int64 {
	c, g := p.Largest.CPUMillis*p.Largest.CPUMillis, p.Largest.GPUMillis*p.Largest.GPUMillis
	cpu := float64(s.FreeCPUMillis*t.CPUMillis) / float64(c)
	gpu := float64(s.TotalFreeGPUMillis()*t.totalGPUMillis()) / float64(g)
	return int64(100 * (1 - (cpu+gpu)/2))
}

// GPU is the one with the least left that is enough.
func (DotProduct) GPU(s *State, t Task) int { return tightestGPU(s, t) }
