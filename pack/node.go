package pack

import "fmt"

// Node is a machine as it is when nothing runs on it.
type Node struct {
	Name      string
	CPUMillis int64
	MemoryMiB int64
	// GPUs are all of one Model.
	GPUs  int
	Model string
}

// Validate says what is wrong with the node, if anything is.
func (n Node) Validate() error {
	switch {
	case n.CPUMillis < 0 || n.MemoryMiB < 0 || n.GPUs < 0:
		return fmt.Errorf("%w: node %q has less than nothing", ErrInvalid, n.Name)
	case n.GPUs > MaxGPUs:
		return fmt.Errorf("%w: node %q has %d GPUs, %d are the most", ErrInvalid, n.Name, n.GPUs, MaxGPUs)
	}
	return nil
}

// State is a node and what is free on it: all that a policy may look at.
type State struct {
	Node
	FreeCPUMillis int64
	FreeMemoryMiB int64
	// FreeGPUMillis has one number for each of the node's GPUs; those beyond Node.GPUs are 0.
	FreeGPUMillis [MaxGPUs]int32
	// Running counts the tasks by how many GPUs each takes: at 0 those that take a part of one, at k those of k whole
	// ones. Tasks without GPUs are not counted.
	Running [MaxGPUs + 1]int32
}

func newState(n Node) State {
	s := State{Node: n, FreeCPUMillis: n.CPUMillis, FreeMemoryMiB: n.MemoryMiB}
	for i := range n.GPUs {
		s.FreeGPUMillis[i] = WholeGPU
	}
	return s
}

// TotalFreeGPUMillis is what is free of all GPUs together.
func (s *State) TotalFreeGPUMillis() int64 {
	var total int64
	for i := range s.GPUs {
		total += int64(s.FreeGPUMillis[i])
	}
	return total
}

// FreeGPUs counts the GPUs of which at least millis are free.
func (s *State) FreeGPUs(millis int64) int {
	count := 0
	for i := range s.GPUs {
		if int64(s.FreeGPUMillis[i]) >= millis {
			count++
		}
	}
	return count
}

// HasRoom says whether the task fits beside what runs already, models aside.
func (s *State) HasRoom(t Task) bool {
	return s.FreeCPUMillis >= t.CPUMillis && s.FreeMemoryMiB >= t.MemoryMiB &&
		(t.GPUs == 0 || s.FreeGPUs(t.GPUMillis) >= t.GPUs)
}

// take and give change what is free by the task; the caller has checked that it fits, or ran.
func (s *State) take(t Task, gpus []int) { s.move(t, gpus, 1) }

func (s *State) give(t Task, gpus []int) { s.move(t, gpus, -1) }

func (s *State) move(t Task, gpus []int, sign int64) {
	s.FreeCPUMillis -= sign * t.CPUMillis
	s.FreeMemoryMiB -= sign * t.MemoryMiB
	for _, g := range gpus {
		s.FreeGPUMillis[g] -= int32(sign * t.GPUMillis)
	}
	if t.GPUs > 0 {
		s.Running[t.kind()] += int32(sign)
	}
}

// kind is the task's index in State.Running.
func (t Task) kind() int {
	if t.shares() {
		return 0
	}
	return t.GPUs
}
