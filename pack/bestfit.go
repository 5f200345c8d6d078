package pack

// Largest is the most that any node of a cluster has; some policies measure against it.
type Largest struct {
	CPUMillis int64
	GPUMillis int64
}

// LargestOf finds it. What no node has counts as 1, so that it can be divided by.
func LargestOf(nodes []Node) Largest {
	l := Largest{CPUMillis: 1, GPUMillis: 1}
	for _, n := range nodes {
		l.CPUMillis = max(l.CPUMillis, n.CPUMillis)
		l.GPUMillis = max(l.GPUMillis, int64(n.GPUs)*WholeGPU)
	}
	return l
}

// BestFit takes the node on which least is left over: CPU and GPU, each as a share of the largest node's, weigh the
// same. Scores are whole numbers from 0 to 100.
type BestFit struct{ Largest Largest }

// Name is "best fit".
func (BestFit) Name() string { return "best fit" }

// Score is 100 for a node that the task fills, and 0 for the largest one if it stays empty.
func (p BestFit) Score(s *State, t Task) int64 {
	cpu := s.FreeCPUMillis - t.CPUMillis
	gpu := s.TotalFreeGPUMillis() - t.totalGPUMillis()
	c, g := p.Largest.CPUMillis, p.Largest.GPUMillis
	return 100 * (2*c*g - cpu*g - gpu*c) / (2 * c * g)
}

// GPU is the one with the least left that is enough.
func (BestFit) GPU(s *State, t Task) int { return tightestGPU(s, t) }
