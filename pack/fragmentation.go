package pack

import (
	"slices"
	"sort"
	"sync"
)

// maxKnown bounds how many measured states are kept for one GPU model.
const maxKnown = 1 << 18

// fragmentation measures how much of a node's free GPUs the typical task cannot use: the sum over typical tasks m of
// how often m is seen times what m leaves unusable, in thousandths of a GPU times tasks seen. Nothing is rounded.
//
// It counts m in two ways, with a weight for each, and kinds that take a part of a GPU with one more. Next: one m comes, and what it cannot use is all that is free if m
// does not fit or needs no GPU, else what is free on those GPUs that have less than m needs of one; this is F of Weng
// et al., USENIX ATC 2023, section 3. Filled: m comes until no more fit, and what is then free is lost; this sees that
// eight free GPUs with CPU for five tasks are five.
type fragmentation struct {
	weights
	kinds []Typical // counts weighted
	seen  int64     // the sum of all weighted counts
	// cpus are the CPU requests of the kinds, sorted: to what comes next, amounts between two of them are alike.
	cpus []int64

	mu     sync.Mutex // clones of a cluster share their policy
	models map[string]*modelFragments
}

// weights say how much each way of counting is worth, and what a kind that takes a part of a GPU is counted for.
type weights struct{ next, filled, parts int64 }

// modelFragments keeps what was measured of nodes with GPUs of one model.
type modelFragments struct {
	usable []bool // by kind: this model will do
	known  map[fragmentKey]int64
}

// fragmentKey says all of a node's state that matters: what is free on the GPUs, most first, and of CPU.
type fragmentKey struct {
	gpus [MaxGPUs]int32
	cpu  int64
}

func newFragmentation(typical []Typical, w weights) *fragmentation {
	f := &fragmentation{weights: w, models: map[string]*modelFragments{}}
	for _, k := range typical {
		if k.Task.shares() {
			k.Count *= w.parts
		}
		f.kinds = append(f.kinds, k)
		f.seen += k.Count
		f.cpus = append(f.cpus, k.Task.CPUMillis)
	}
	slices.Sort(f.cpus)
	f.cpus = slices.Compact(f.cpus)
	return f
}

// of measures what is free: cpuMillis, and gpus on a node with GPUs of the model.
func (f *fragmentation) of(model string, cpuMillis int64, gpus *[MaxGPUs]int32) int64 {
	key := fragmentKey{gpus: *gpus, cpu: f.alike(cpuMillis)}
	sortDown(&key.gpus)
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.model(model)
	if amount, ok := m.known[key]; ok {
		return amount
	}
	if len(m.known) >= maxKnown {
		clear(m.known)
	}
	amount := f.measure(m, cpuMillis, &key.gpus)
	m.known[key] = amount
	return amount
}

// alike is a number that amounts of CPU have in common if they measure the same.
func (f *fragmentation) alike(cpuMillis int64) int64 {
	if f.filled > 0 {
		return cpuMillis
	}
	return int64(sort.Search(len(f.cpus), func(i int) bool { return f.cpus[i] > cpuMillis }))
}

// measure sums over the kinds; gpus are sorted, most free first.
func (f *fragmentation) measure(m *modelFragments, cpuMillis int64, gpus *[MaxGPUs]int32) int64 {
	var free, amount int64
	for _, g := range gpus {
		free += int64(g)
	}
	for i, k := range f.kinds {
		t := k.Task
		lost := (f.next + f.filled) * free
		if t.GPUs > 0 && m.usable[i] && t.CPUMillis <= cpuMillis && int64(gpus[t.GPUs-1]) >= t.GPUMillis {
			lost = f.next * unusable(t, gpus)
			if f.filled > 0 {
				lost += f.filled * (free - copies(t, cpuMillis, gpus)*t.totalGPUMillis())
			}
		}
		amount += k.Count * lost
	}
	return amount
}

// unusable is what is free on GPUs that have less than the task needs of one.
func unusable(t Task, gpus *[MaxGPUs]int32) int64 {
	var sum int64
	for g := MaxGPUs - 1; g >= 0 && int64(gpus[g]) < t.GPUMillis; g-- {
		sum += int64(gpus[g])
	}
	return sum
}

// copies is how often the task fits at once.
func copies(t Task, cpuMillis int64, gpus *[MaxGPUs]int32) int64 {
	var count int64
	for _, g := range gpus {
		count += int64(g) / t.GPUMillis
	}
	count /= int64(t.GPUs)
	if t.CPUMillis > 0 {
		count = min(count, cpuMillis/t.CPUMillis)
	}
	return count
}

func (f *fragmentation) model(name string) *modelFragments {
	if m, ok := f.models[name]; ok {
		return m
	}
	m := &modelFragments{known: map[fragmentKey]int64{}}
	for _, k := range f.kinds {
		m.usable = append(m.usable, k.Task.accepts(name))
	}
	f.models[name] = m
	return m
}

// descent calls visit with each way in which the node could serve the task and the decrease of fragmentation that it
// would bring. There is one way, told as GPU 0, unless the task takes a part of one GPU.
func (f *fragmentation) descent(s *State, t Task, visit func(gpu int, decrease int64)) {
	before := f.of(s.Model, s.FreeCPUMillis, &s.FreeGPUMillis)
	after := s.FreeGPUMillis
	cpu := s.FreeCPUMillis - t.CPUMillis
	if !t.shares() {
		left := t.GPUs
		for g := 0; g < s.GPUs && left > 0; g++ {
			if after[g] == WholeGPU {
				after[g] = 0
				left--
			}
		}
		visit(0, before-f.of(s.Model, cpu, &after))
		return
	}
	for g := range s.GPUs {
		if int64(after[g]) < t.GPUMillis {
			continue
		}
		after[g] -= int32(t.GPUMillis)
		visit(g, before-f.of(s.Model, cpu, &after))
		after[g] += int32(t.GPUMillis)
	}
}

// sortDown sorts a few numbers, largest first.
func sortDown(v *[MaxGPUs]int32) {
	for i := 1; i < len(v); i++ {
		for j := i; j > 0 && v[j] > v[j-1]; j-- {
			v[j], v[j-1] = v[j-1], v[j]
		}
	}
}
