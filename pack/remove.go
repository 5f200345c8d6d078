package pack

import (
	"cmp"
	"fmt"
	"slices"
)

// Remove takes a placed task off its node.
func (c *Cluster) Remove(id uint64) error {
	p, ok := c.live[id]
	if !ok {
		return fmt.Errorf("remove: %w placement %d", ErrUnknown, id)
	}
	delete(c.live, id)
	c.nodes[p.Node].give(p.Task, p.GPUs)
	c.touch(p.Node)
	return nil
}

// Lose takes a node out of the cluster and hands back what ran on it, in the order in which it was placed. Nothing is
// placed there until Restore.
func (c *Cluster) Lose(node int) ([]Placement, error) {
	if err := c.checkNode(node); err != nil {
		return nil, fmt.Errorf("lose: %w", err)
	}
	c.down[node] = true
	c.touch(node)
	var lost []Placement
	for id, p := range c.live {
		if p.Node == node {
			lost = append(lost, p)
			delete(c.live, id)
			c.nodes[node].give(p.Task, p.GPUs)
		}
	}
	slices.SortFunc(lost, func(a, b Placement) int { return cmp.Compare(a.ID, b.ID) })
	return lost, nil
}

// Restore gives a lost node back, empty.
func (c *Cluster) Restore(node int) error {
	if err := c.checkNode(node); err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	c.down[node] = false
	c.touch(node)
	return nil
}

// PlaceAll places tasks that ran before together, the hardest first: those of most GPUs, then of the largest part of one,
// then of most CPU and memory. None is declined. The result has one entry a task, in the order given; where it is nil, no
// node had room.
func (c *Cluster) PlaceAll(tasks []Task) []*Placement {
	order := make([]int, len(tasks))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := tasks[i], tasks[j]
		return cmp.Or(
			cmp.Compare(b.totalGPUMillis(), a.totalGPUMillis()),
			cmp.Compare(b.CPUMillis, a.CPUMillis),
			cmp.Compare(b.MemoryMiB, a.MemoryMiB),
		)
	})
	placed := make([]*Placement, len(tasks))
	for _, i := range order {
		if tasks[i].Validate() != nil {
			continue
		}
		if p, ok := c.place(tasks[i], false); ok {
			placed[i] = &p
		}
	}
	return placed
}
