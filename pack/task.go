package pack

import (
	"errors"
	"fmt"
	"strings"
)

// WholeGPU is what a GPU has to give, in thousandths.
const WholeGPU = 1000

// MaxGPUs is the most GPUs that a node may have.
const MaxGPUs = 16

// ErrInvalid is wrapped by all errors that say that a node or a task makes no sense.
var ErrInvalid = errors.New("invalid")

// Task is what one unit of a workload asks of one node. Tasks that are equal are treated alike.
type Task struct {
	CPUMillis int64
	MemoryMiB int64
	// GPUs is how many GPUs it takes, and GPUMillis how much of each: WholeGPU, or less of a single one. Both are 0
	// for a task without.
	GPUs      int
	GPUMillis int64
	// Models are the GPU models that will do, joined by "|". Empty: any.
	Models string
}

// Validate says what is wrong with the task, if anything is.
func (t Task) Validate() error {
	switch {
	case t.CPUMillis < 0 || t.MemoryMiB < 0 || t.GPUMillis < 0 || t.GPUs < 0:
		return fmt.Errorf("%w: a task asks for less than nothing: %+v", ErrInvalid, t)
	case t.GPUs > MaxGPUs:
		return fmt.Errorf("%w: a task asks for %d GPUs of one node, %d are the most", ErrInvalid, t.GPUs, MaxGPUs)
	case t.GPUMillis > WholeGPU:
		return fmt.Errorf("%w: a task asks for %d thousandths of a GPU", ErrInvalid, t.GPUMillis)
	case t.GPUs > 0 && t.GPUMillis == 0, t.GPUs == 0 && t.GPUMillis > 0:
		return fmt.Errorf("%w: a task asks for %d GPUs of %d thousandths", ErrInvalid, t.GPUs, t.GPUMillis)
	case t.GPUs > 1 && t.GPUMillis < WholeGPU:
		return fmt.Errorf("%w: a task asks for parts of %d GPUs, a part is of one", ErrInvalid, t.GPUs)
	}
	return nil
}

// shares says that the task takes a part of one GPU.
func (t Task) shares() bool { return t.GPUs == 1 && t.GPUMillis < WholeGPU }

// totalGPUMillis is what the task takes of all its GPUs together.
func (t Task) totalGPUMillis() int64 { return int64(t.GPUs) * t.GPUMillis }

// accepts says whether GPUs of the model will do. A task without GPUs takes any node.
func (t Task) accepts(model string) bool {
	if t.GPUs == 0 {
		return true
	}
	named := false
	for m := range strings.SplitSeq(t.Models, "|") {
		if m == "" {
			continue
		}
		if m == model {
			return true
		}
		named = true
	}
	return !named
}
