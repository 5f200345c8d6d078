package pack_test

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/pack"
)

var models = []string{"T4", "A100", "H100"}

func drawNodes(t *rapid.T) []pack.Node {
	n := rapid.IntRange(1, 6).Draw(t, "nodes")
	nodes := make([]pack.Node, n)
	for i := range nodes {
		nodes[i] = pack.Node{
			CPUMillis: rapid.Int64Range(0, 16).Draw(t, "cpu") * 1000,
			MemoryMiB: rapid.Int64Range(0, 16).Draw(t, "memory") * 1024,
			GPUs:      rapid.SampledFrom([]int{0, 1, 2, 4, 8, pack.MaxGPUs}).Draw(t, "gpus"),
		}
		if nodes[i].GPUs > 0 {
			nodes[i].Model = rapid.SampledFrom(models).Draw(t, "model")
		}
	}
	return nodes
}

func drawTask(t *rapid.T) pack.Task {
	task := pack.Task{
		CPUMillis: rapid.Int64Range(0, 8).Draw(t, "cpu") * 500,
		MemoryMiB: rapid.Int64Range(0, 8).Draw(t, "memory") * 512,
	}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 1:
		task.GPUs, task.GPUMillis = 1, rapid.SampledFrom([]int64{1, 160, 330, 470, 500, 810, 999}).Draw(t, "part")
	case 2:
		task.GPUs, task.GPUMillis = rapid.SampledFrom([]int{1, 2, 4, 8}).Draw(t, "whole"), pack.WholeGPU
	case 3:
		task.GPUs, task.GPUMillis = 1, pack.WholeGPU
		task.Models = rapid.SampledFrom([]string{"T4", "T4|A100", "H100", "|", "none"}).Draw(t, "models")
	}
	return task
}

func drawRecent(t *rapid.T) []pack.Task {
	var tasks []pack.Task
	for range rapid.IntRange(0, 12).Draw(t, "seen") {
		tasks = append(tasks, drawTask(t))
	}
	return tasks
}

func drawPolicy(t *rapid.T, nodes []pack.Node) pack.Policy {
	return rapid.SampledFrom(everyPolicy(nodes, drawRecent(t))).Draw(t, "policy")
}

func everyPolicy(nodes []pack.Node, recent []pack.Task) []pack.Policy {
	largest := pack.LargestOf(nodes)
	return []pack.Policy{
		pack.FirstFit{},
		pack.Random{Seed: 7},
		pack.BestFit{Largest: largest},
		pack.DotProduct{Largest: largest},
		pack.Packing{},
		pack.Clustering{Largest: largest},
		pack.NewFGD(recent), pack.NewLookahead(nodes, recent),
	}
}

// expectSound checks that what is free is what the placements leave, that nothing is sold twice, and that every task
// has what it asked for.
func expectSound(t *rapid.T, nodes []pack.Node, c *pack.Cluster) {
	type used struct {
		cpu, memory int64
		gpus        [pack.MaxGPUs]int64
		running     [pack.MaxGPUs + 1]int32
	}
	on := make([]used, len(nodes))
	for _, p := range c.Placements() {
		u, task := &on[p.Node], p.Task
		u.cpu += task.CPUMillis
		u.memory += task.MemoryMiB
		require.Len(t, p.GPUs, task.GPUs)
		sorted := slices.Clone(p.GPUs)
		slices.Sort(sorted)
		require.Len(t, slices.Compact(sorted), task.GPUs, "each GPU once")
		for _, g := range p.GPUs {
			require.Less(t, g, nodes[p.Node].GPUs)
			u.gpus[g] += task.GPUMillis
		}
		switch {
		case task.GPUs == 1 && task.GPUMillis < pack.WholeGPU:
			u.running[0]++
		case task.GPUs > 0:
			u.running[task.GPUs]++
		}
		switch task.Models {
		case "T4", "H100":
			require.Equal(t, task.Models, nodes[p.Node].Model)
		case "T4|A100":
			require.Contains(t, []string{"T4", "A100"}, nodes[p.Node].Model)
		case "none":
			t.Fatalf("no node has that model, but %+v runs", p)
		}
	}
	for i, n := range nodes {
		s := c.State(i)
		require.Equal(t, n.CPUMillis-on[i].cpu, s.FreeCPUMillis)
		require.Equal(t, n.MemoryMiB-on[i].memory, s.FreeMemoryMiB)
		require.GreaterOrEqual(t, s.FreeCPUMillis, int64(0))
		require.GreaterOrEqual(t, s.FreeMemoryMiB, int64(0))
		require.Equal(t, on[i].running, s.Running)
		for g := range n.GPUs {
			require.Equal(t, pack.WholeGPU-on[i].gpus[g], int64(s.FreeGPUMillis[g]))
			require.GreaterOrEqual(t, s.FreeGPUMillis[g], int32(0))
		}
	}
}

// fits says by itself whether any node could take the task.
func fits(nodes []pack.Node, c *pack.Cluster, down []bool, task pack.Task) bool {
	for i, n := range nodes {
		s := c.State(i)
		free := 0
		for g := range n.GPUs {
			if int64(s.FreeGPUMillis[g]) >= task.GPUMillis {
				free++
			}
		}
		model := task.Models == "" || task.Models == "|" || task.Models == n.Model || task.Models == "T4|A100" && (n.Model == "T4" || n.Model == "A100")
		if !down[i] && s.FreeCPUMillis >= task.CPUMillis && s.FreeMemoryMiB >= task.MemoryMiB && free >= task.GPUs && (model || task.GPUs == 0) {
			return true
		}
	}
	return false
}

func TestNothingIsSoldTwiceInAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t)
		c, err := pack.New(nodes, drawPolicy(t, nodes))
		require.NoError(t, err)
		down := make([]bool, len(nodes))
		t.Repeat(map[string]func(*rapid.T){
			"place": func(t *rapid.T) {
				task := drawTask(t)
				could := fits(nodes, c, down, task)
				node, gpus, found := c.Where(task)
				p, ok := c.Place(task)
				require.Equal(t, could, ok, "a task is placed if and only if a node has room")
				require.Equal(t, found, ok)
				if ok {
					require.Equal(t, node, p.Node, "Where tells what Place does")
					require.Equal(t, gpus, p.GPUs)
					require.False(t, down[node])
				}
			},
			"remove": func(t *rapid.T) {
				live := c.Placements()
				if len(live) == 0 {
					t.Skip("nothing runs")
				}
				id := live[rapid.IntRange(0, len(live)-1).Draw(t, "which")].ID
				require.NoError(t, c.Remove(id))
				require.ErrorIs(t, c.Remove(id), pack.ErrUnknown)
			},
			"lose": func(t *rapid.T) {
				node := rapid.IntRange(0, len(nodes)-1).Draw(t, "node")
				before := len(c.Placements())
				lost, err := c.Lose(node)
				require.NoError(t, err)
				require.Len(t, c.Placements(), before-len(lost))
				for _, p := range lost {
					require.Equal(t, node, p.Node)
				}
				down[node] = true
			},
			"restore": func(t *rapid.T) {
				node := rapid.IntRange(0, len(nodes)-1).Draw(t, "node")
				require.NoError(t, c.Restore(node))
				down[node] = false
			},
			"put": func(t *rapid.T) {
				node := rapid.IntRange(-1, len(nodes)).Draw(t, "node")
				gpus := rapid.SliceOfN(rapid.IntRange(-1, pack.MaxGPUs), 0, 3).Draw(t, "gpus")
				_, _ = c.Put(drawTask(t), node, gpus)
			},
			"use": func(t *rapid.T) { c.Use(drawPolicy(t, nodes)) },
			"":    func(t *rapid.T) { expectSound(t, nodes, c) },
		})
	})
}

func TestRemovingUndoesPlacing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t)
		policy := drawPolicy(t, nodes)
		if _, chance := policy.(pack.Random); chance {
			t.Skip("draws are not taken back")
		}
		c, err := pack.New(nodes, policy)
		require.NoError(t, err)
		for range rapid.IntRange(0, 10).Draw(t, "before") {
			c.Place(drawTask(t))
		}
		before, ran := states(c), c.Placements()
		probe := drawTask(t)
		node, gpus, ok := c.Where(probe)
		if p, placed := c.Place(drawTask(t)); placed {
			require.NotEqual(t, ran, c.Placements())
			require.NoError(t, c.Remove(p.ID))
		}
		require.Equal(t, before, states(c))
		require.Equal(t, ran, c.Placements())
		again, gpusAgain, okAgain := c.Where(probe)
		require.Equal(t, []any{node, gpus, ok}, []any{again, gpusAgain, okAgain})
	})
}

// A cluster keeps scores; one that was just cloned, or rebuilt from what runs, keeps none.
func TestKeptScoresChangeNoChoice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t)
		policy := drawPolicy(t, nodes)
		c, err := pack.New(nodes, policy)
		require.NoError(t, err)
		tasks := rapid.SliceOfN(rapid.Custom(drawTask), 1, 4).Draw(t, "tasks")
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			task := rapid.SampledFrom(tasks).Draw(t, "task")
			fresh := c.Clone()
			rebuilt, err := pack.New(nodes, policy)
			require.NoError(t, err)
			for _, p := range c.Placements() {
				_, err := rebuilt.Put(p.Task, p.Node, p.GPUs)
				require.NoError(t, err)
			}
			want, ok := fresh.Place(task)
			got, okToo := c.Place(task)
			require.Equal(t, ok, okToo)
			require.Equal(t, want, got)
			if _, chance := policy.(pack.Random); !chance {
				anew, _ := rebuilt.Place(task)
				require.Equal(t, []any{want.Node, want.GPUs}, []any{anew.Node, anew.GPUs})
			}
			if live := c.Placements(); len(live) > 0 && rapid.Bool().Draw(t, "remove") {
				require.NoError(t, c.Remove(live[0].ID))
			}
		}
	})
}

func TestCloneIsItsOwnCluster(t *testing.T) {
	nodes := []pack.Node{{CPUMillis: 4000, GPUs: 1}}
	c, err := pack.New(nodes, pack.FirstFit{})
	require.NoError(t, err)
	p, ok := c.Place(pack.Task{CPUMillis: 1000, GPUs: 1, GPUMillis: 400})
	require.True(t, ok)
	clone := c.Clone()
	require.NoError(t, clone.Remove(p.ID))
	_, ok = clone.Place(pack.Task{CPUMillis: 4000})
	require.True(t, ok)
	require.Equal(t, []pack.Placement{p}, c.Placements())
	require.Equal(t, int64(3000), c.State(0).FreeCPUMillis)
	p.GPUs[0] = 9
	require.Equal(t, 0, c.Placements()[0].GPUs[0], "a placement handed out is a copy")
}

// Clones share a policy; however many run at once, and whatever order a map gives, choices are the same.
func TestChoicesAreTheSameOnAnyNumberOfProcessors(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	var nodes []pack.Node
	for range 40 {
		nodes = append(nodes, pack.Node{CPUMillis: 1000 * (8 + chance.Int64N(64)), MemoryMiB: 1 << 18, GPUs: chance.IntN(9), Model: models[chance.IntN(3)]})
	}
	var tasks []pack.Task
	for range 600 {
		task := pack.Task{CPUMillis: 1000 * (1 + chance.Int64N(12)), GPUs: 1, GPUMillis: []int64{160, 330, 470, 810, 1000}[chance.IntN(5)]}
		if chance.IntN(8) == 0 {
			task = pack.Task{CPUMillis: 8000}
		}
		tasks = append(tasks, task)
	}
	history := func(policy pack.Policy) []pack.Placement {
		c, err := pack.New(nodes, policy)
		require.NoError(t, err)
		for i, task := range tasks {
			c.Place(task)
			if i%3 == 2 {
				_ = c.Remove(uint64(i / 3)) // may not have been placed
			}
		}
		_, err = c.Lose(3)
		require.NoError(t, err)
		return c.Placements()
	}
	fresh := func() []pack.Policy {
		shuffled := slices.Clone(tasks)
		rand.Shuffle(len(shuffled), reflect.Swapper(shuffled))
		return everyPolicy(nodes, shuffled)
	}
	for which, shared := range fresh() {
		want := history(fresh()[which])
		for _, processors := range []int{1, 4} {
			previous := runtime.GOMAXPROCS(processors)
			var wait sync.WaitGroup
			got := make([][]pack.Placement, 4)
			for i := range got {
				wait.Go(func() { got[i] = history(shared) })
			}
			wait.Wait()
			runtime.GOMAXPROCS(previous)
			for i := range got {
				require.Equal(t, want, got[i], "%s on %d processors", shared.Name(), processors)
			}
		}
	}
}

func TestNodesAndTasksThatMakeNoSenseAreRefused(t *testing.T) {
	for name, n := range map[string]pack.Node{
		"less than no CPU": {CPUMillis: -1}, "less than no memory": {MemoryMiB: -1},
		"less than no GPU": {GPUs: -1}, "too many GPUs": {GPUs: pack.MaxGPUs + 1},
	} {
		_, err := pack.New([]pack.Node{n}, pack.FirstFit{})
		require.ErrorIs(t, err, pack.ErrInvalid, name)
	}
	c, err := pack.New([]pack.Node{{CPUMillis: 1000, GPUs: 8}}, pack.FirstFit{})
	require.NoError(t, err)
	for name, task := range map[string]pack.Task{
		"less than no CPU": {CPUMillis: -1}, "less than no memory": {MemoryMiB: -1},
		"GPUs without a part": {GPUs: 1}, "a part without GPUs": {GPUMillis: 1}, "parts of two": {GPUs: 2, GPUMillis: 500},
		"more than a GPU of one": {GPUs: 1, GPUMillis: 1001}, "too many GPUs": {GPUs: pack.MaxGPUs + 1, GPUMillis: 1000},
		"less than no GPU": {GPUs: -1, GPUMillis: 1000}, "less than no part": {GPUs: 1, GPUMillis: -5},
	} {
		require.ErrorIs(t, task.Validate(), pack.ErrInvalid, name)
		_, ok := c.Place(task)
		require.False(t, ok, name)
		_, _, ok = c.Where(task)
		require.False(t, ok, name)
		_, err := c.Put(task, 0, nil)
		require.ErrorIs(t, err, pack.ErrInvalid, name)
	}
	half := pack.Task{GPUs: 1, GPUMillis: 600}
	_, err = c.Put(half, 0, []int{3})
	require.NoError(t, err)
	for name, gpus := range map[string][]int{"is full": {3}, "is not there": {8}, "is not named": nil, "is one too many": {1, 2}} {
		_, err = c.Put(half, 0, gpus)
		require.ErrorIs(t, err, pack.ErrNoRoom, name)
	}
	_, err = c.Put(pack.Task{GPUs: 2, GPUMillis: 1000}, 0, []int{1, 1})
	require.ErrorIs(t, err, pack.ErrNoRoom)
	_, err = c.Put(half, 1, []int{0})
	require.ErrorIs(t, err, pack.ErrUnknown)
	_, err = c.Lose(1)
	require.ErrorIs(t, err, pack.ErrUnknown)
	require.ErrorIs(t, c.Restore(-1), pack.ErrUnknown)
}

func TestPlacingTogetherBeginsWithTheHardest(t *testing.T) {
	c, err := pack.New([]pack.Node{{CPUMillis: 10_000, GPUs: 2}}, pack.FirstFit{})
	require.NoError(t, err)
	small, large := pack.Task{GPUs: 1, GPUMillis: 100}, pack.Task{GPUs: 2, GPUMillis: 1000}
	placed := c.PlaceAll([]pack.Task{small, large, small})
	require.Nil(t, placed[0])
	require.NotNil(t, placed[1])
	require.Nil(t, placed[2])
}

func states(c *pack.Cluster) []pack.State {
	list := make([]pack.State, c.Nodes())
	for i := range list {
		list[i] = c.State(i)
	}
	return list
}
