package pack

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// fragmentOfPaper is F_m(n) as the paper defines it, in thousandths of a GPU, written without regard to speed.
func fragmentOfPaper(s State, m Task) int64 {
	enough, free, small := 0, int64(0), int64(0)
	for g := range s.GPUs {
		left := int64(s.FreeGPUMillis[g])
		free += left
		if left >= m.GPUMillis {
			enough++
		} else {
			small += left
		}
	}
	if m.GPUs == 0 || enough < m.GPUs || s.FreeCPUMillis < m.CPUMillis || !m.accepts(s.Model) {
		return free
	}
	return small
}

// lostWhenFull places the task, tightest GPU first, as long as it fits, and tells what is left.
func lostWhenFull(s State, m Task) int64 {
	if m.GPUs == 0 || !m.accepts(s.Model) {
		return s.TotalFreeGPUMillis()
	}
	for m.MemoryMiB = 0; s.HasRoom(m); {
		var gpus []int
		for g := 0; g < s.GPUs && len(gpus) < m.GPUs; g++ {
			if int64(s.FreeGPUMillis[g]) >= m.GPUMillis {
				gpus = append(gpus, g)
			}
		}
		if s.take(m, gpus); m.CPUMillis == 0 && m.totalGPUMillis() == 0 {
			break
		}
	}
	return s.TotalFreeGPUMillis()
}

func TestFragmentationIsThePapers(t *testing.T) {
	gpus := rapid.Custom(func(t *rapid.T) State {
		s := newState(Node{GPUs: rapid.IntRange(0, MaxGPUs).Draw(t, "gpus"), Model: rapid.SampledFrom([]string{"T4", "H100"}).Draw(t, "model"), CPUMillis: 64_000})
		s.FreeCPUMillis = rapid.Int64Range(0, 64_000).Draw(t, "cpu")
		for g := range s.GPUs {
			s.FreeGPUMillis[g] = rapid.SampledFrom([]int32{0, 60, 190, 350, 530, 1000}).Draw(t, "free")
		}
		return s
	})
	kind := rapid.Custom(func(t *rapid.T) Typical {
		k := Typical{Task: Task{CPUMillis: rapid.Int64Range(0, 20_000).Draw(t, "cpu")}, Count: rapid.Int64Range(1, 100).Draw(t, "count")}
		if n := rapid.SampledFrom([]int{0, 1, 1, 1, 2, 8}).Draw(t, "gpus"); n > 0 {
			k.Task.GPUs, k.Task.GPUMillis = n, WholeGPU
			if n == 1 {
				k.Task.GPUMillis = rapid.SampledFrom([]int64{160, 190, 470, 810, 1000}).Draw(t, "part")
			}
			k.Task.Models = rapid.SampledFrom([]string{"", "T4"}).Draw(t, "models")
		}
		return k
	})
	rapid.Check(t, func(t *rapid.T) {
		kinds := rapid.SliceOfN(kind, 0, 6).Draw(t, "kinds")
		next, both := newFragmentation(kinds, weights{next: 1, parts: 1}), newFragmentation(kinds, weights{next: 9, filled: 1, parts: 2})
		for range 4 { // so that what was measured is also found again
			s := gpus.Draw(t, "state")
			var paper, ahead int64
			for _, k := range kinds {
				count, one := k.Count, fragmentOfPaper(s, k.Task)
				paper += count * one
				if k.Task.GPUs == 1 && k.Task.GPUMillis < WholeGPU {
					count *= 2
				}
				ahead += count * (9*one + lostWhenFull(s, k.Task))
			}
			for range 2 {
				require.Equal(t, paper, next.of(s.Model, s.FreeCPUMillis, &s.FreeGPUMillis))
				require.Equal(t, ahead, both.of(s.Model, s.FreeCPUMillis, &s.FreeGPUMillis))
			}
		}
	})
}

func TestTypicalTasksAreTheMostFrequentOnes(t *testing.T) {
	a, b, c := Task{CPUMillis: 1}, Task{CPUMillis: 2}, Task{CPUMillis: 3}
	var tasks []Task
	for range 90 {
		tasks = append(tasks, a)
	}
	for range 5 {
		b.MemoryMiB++ // does not make a kind
		tasks = append(tasks, b, c)
	}
	b.MemoryMiB = 0
	require.Equal(t, []Typical{{a, 90}, {c, 5}}, TypicalOf(tasks, 95), "of equals the larger first, and no more than it takes")
	require.Equal(t, []Typical{{a, 90}, {c, 5}, {b, 5}}, TypicalOf(tasks, 100))
	require.Equal(t, []Typical{{a, 90}}, TypicalOf(tasks, 90))
	require.Empty(t, TypicalOf(nil, 95))
}

// Without history there is nothing to go by: the first node with room, never a division by nothing.
func TestPoliciesWithoutHistoryTakeTheFirstNode(t *testing.T) {
	nodes := []Node{{CPUMillis: 1000, GPUs: 1}, {CPUMillis: 4000, GPUs: 2}, {CPUMillis: 4000, GPUs: 2}}
	for _, policy := range []Policy{NewFGD(nil), NewLookahead(nodes, nil)} {
		c, err := New(nodes, policy)
		require.NoError(t, err)
		p, ok := c.Place(Task{CPUMillis: 2000, GPUs: 1, GPUMillis: 500})
		require.True(t, ok)
		require.Equal(t, 1, p.Node)
	}
}

func TestScarceIsWhatTheyNameWhoHaveNoOtherChoice(t *testing.T) {
	nodes := []Node{{GPUs: 2, Model: "T4"}, {GPUs: 2, Model: "A100"}, {GPUs: 4, Model: "H100"}, {CPUMillis: 1000}}
	whole := func(models string, count int64) Typical {
		return Typical{Task: Task{GPUs: 1, GPUMillis: WholeGPU, Models: models}, Count: count}
	}
	// 8 of 8 GPUs are asked for; by name 1 of 2 T4, and 3 of the 6 A100 and H100, half of each.
	got := scarcityOf(nodes, []Typical{whole("", 4), whole("T4", 1), whole("A100|H100", 3), {Task: Task{CPUMillis: 9}, Count: 9}})
	require.Equal(t, map[string]int64{"T4": 500, "A100": 500, "H100": 500}, got)
	require.Empty(t, scarcityOf(nodes, []Typical{whole("", 4), whole("T4|A100|H100", 4), whole("none", 4)}))
	require.Empty(t, scarcityOf(nodes, nil))
	require.Empty(t, scarcityOf(nil, []Typical{whole("T4", 4)}))
}

// One T4 that a tenth of the tasks need, sixteen H100 that four tenths need: FGD counts the T4 as what fewer can use.
func TestTasksThatNameNoModelLeaveScarceOnesToThoseThatDo(t *testing.T) {
	nodes := []Node{{CPUMillis: 4000, GPUs: 1, Model: "T4"}}
	for range 16 {
		nodes = append(nodes, Node{CPUMillis: 4000, GPUs: 1, Model: "H100"})
	}
	anyModel := Task{CPUMillis: 1000, GPUs: 1, GPUMillis: WholeGPU}
	t4, h100 := anyModel, anyModel
	t4.Models, h100.Models = "T4", "H100"
	recent := []Task{t4, h100, h100, h100, h100, anyModel, anyModel, anyModel, anyModel, anyModel}
	for _, test := range []struct {
		policy Policy
		model  string
	}{{NewFGD(recent), "T4"}, {NewLookahead(nodes, recent), "H100"}} {
		c, err := New(nodes, test.policy)
		require.NoError(t, err)
		p, ok := c.Place(anyModel)
		require.True(t, ok)
		require.Equal(t, test.model, nodes[p.Node].Model, test.policy.Name())
	}
}
