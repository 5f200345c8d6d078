package pack

import (
	"fmt"
	"slices"
)

// Place puts the task where the policy wants it. It is false if no node has room, or if the policy declines the task.
func (c *Cluster) Place(t Task) (Placement, bool) {
	if t.Validate() != nil {
		return Placement{}, false
	}
	return c.place(t, true)
}

// place puts a valid task; one that ran before may not be declined.
func (c *Cluster) place(t Task, mayDecline bool) (Placement, bool) {
	node := c.choose(t)
	if node < 0 || mayDecline && c.declines(t, node) {
		return Placement{}, false
	}
	return c.settle(t, node, c.chooseGPUs(&c.nodes[node], t)), true
}

func (c *Cluster) declines(t Task, node int) bool {
	choosy, ok := c.policy.(declining)
	if !ok {
		return false
	}
	var free, all int64
	for i := range c.nodes {
		if !c.down[i] {
			free += c.nodes[i].TotalFreeGPUMillis()
			all += int64(c.nodes[i].GPUs) * WholeGPU
		}
	}
	return choosy.declines(t, c.score(node, t), free, all)
}

// Where says where Place would put the task, and changes nothing.
func (c *Cluster) Where(t Task) (node int, gpus []int, ok bool) {
	if t.Validate() != nil {
		return 0, nil, false
	}
	draws := c.draws
	defer func() { c.draws = draws }()
	if node = c.choose(t); node < 0 || c.declines(t, node) {
		return 0, nil, false
	}
	return node, c.chooseGPUs(&c.nodes[node], t), true
}

// Put records a task that runs already, as after a restart. It wraps [ErrNoRoom] if it cannot be there.
func (c *Cluster) Put(t Task, node int, gpus []int) (Placement, error) {
	if err := t.Validate(); err != nil {
		return Placement{}, err
	}
	if err := c.checkNode(node); err != nil {
		return Placement{}, err
	}
	s := &c.nodes[node]
	if c.down[node] || !s.HasRoom(t) || !t.accepts(s.Model) || len(gpus) != t.GPUs {
		return Placement{}, fmt.Errorf("%w on node %q for %+v on GPUs %v", ErrNoRoom, s.Name, t, gpus)
	}
	for i, g := range gpus {
		if g < 0 || g >= s.GPUs || int64(s.FreeGPUMillis[g]) < t.GPUMillis || slices.Contains(gpus[:i], g) {
			return Placement{}, fmt.Errorf("%w on GPU %d of node %q for %+v", ErrNoRoom, g, s.Name, t)
		}
	}
	return c.settle(t, node, slices.Clone(gpus)), nil
}

func (c *Cluster) settle(t Task, node int, gpus []int) Placement {
	c.nodes[node].take(t, gpus)
	c.touch(node)
	c.lastID++
	p := Placement{ID: c.lastID, Task: t, Node: node, GPUs: gpus}
	c.live[p.ID] = p
	return p.copy()
}

// choose is the first node of the best score, or -1.
func (c *Cluster) choose(t Task) int {
	sh := c.shape(t)
	best, at := int64(noRoom), -1
	for i, changed := range c.changed {
		if changed > sh.at {
			sh.scores[i] = c.score(i, t)
		}
		if sh.scores[i] > best {
			best, at = sh.scores[i], i
		}
	}
	sh.at = c.changes
	if chance, ok := c.policy.(drawing); ok && at >= 0 {
		return c.drawNode(chance, sh)
	}
	return at
}

func (c *Cluster) score(node int, t Task) int64 {
	s := &c.nodes[node]
	if c.down[node] || !s.HasRoom(t) || !t.accepts(s.Model) {
		return noRoom
	}
	return c.policy.Score(s, t)
}

// shape finds the scores kept for the task, or begins to keep them.
func (c *Cluster) shape(t Task) *shape {
	if sh, ok := c.shapes[t]; ok {
		return sh
	}
	if len(c.shapes) >= maxShapes {
		clear(c.shapes)
	}
	sh := &shape{scores: make([]int64, len(c.nodes))}
	c.shapes[t] = sh
	return sh
}

func (c *Cluster) drawNode(chance drawing, sh *shape) int {
	var fitting []int
	for i, score := range sh.scores {
		if score != noRoom {
			fitting = append(fitting, i)
		}
	}
	c.draws++
	return fitting[chance.drawNode(c.draws, len(fitting))]
}

// chooseGPUs picks the GPUs on a node that has room for the task.
func (c *Cluster) chooseGPUs(s *State, t Task) []int {
	if t.shares() {
		if chance, ok := c.policy.(drawing); ok {
			return []int{c.drawGPU(chance, s, t)}
		}
		return []int{c.policy.GPU(s, t)}
	}
	var gpus []int
	for g := 0; g < s.GPUs && len(gpus) < t.GPUs; g++ {
		if s.FreeGPUMillis[g] == WholeGPU {
			gpus = append(gpus, g)
		}
	}
	return gpus
}

func (c *Cluster) drawGPU(chance drawing, s *State, t Task) int {
	var fitting []int
	for g := range s.GPUs {
		if int64(s.FreeGPUMillis[g]) >= t.GPUMillis {
			fitting = append(fitting, g)
		}
	}
	c.draws++
	return fitting[chance.drawGPU(c.draws, len(fitting))]
}
