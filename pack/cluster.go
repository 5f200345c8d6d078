package pack

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// maxShapes bounds how many different tasks have their scores kept.
const maxShapes = 1024

// ErrUnknown is wrapped by errors about a placement or a node that the cluster does not have.
var ErrUnknown = errors.New("unknown")

// ErrNoRoom is wrapped by errors that say that something does not fit where it was told to be.
var ErrNoRoom = errors.New("no room")

// Placement is a task on its node.
type Placement struct {
	ID   uint64
	Task Task
	// Node is an index into the nodes that the cluster was made of, GPUs are indices of the node's.
	Node int
	GPUs []int
}

// Cluster is a provider's nodes and what runs on them. It is not safe for use by several goroutines; Clone is.
type Cluster struct {
	policy Policy
	nodes  []State
	// changed has, for each node, the number of the change that touched it last.
	changed []uint64
	changes uint64
	down    []bool
	live    map[uint64]Placement
	lastID  uint64
	draws   uint64
	shapes  map[Task]*shape
}

// shape keeps the scores of equal tasks on all nodes.
type shape struct {
	scores []int64
	// at is the change up to which the scores are right.
	at uint64
}

// noRoom is the score of a node that cannot take the task.
const noRoom = -1 << 63

// New makes a cluster of empty nodes. Earlier nodes win ties.
func New(nodes []Node, policy Policy) (*Cluster, error) {
	c := &Cluster{
		policy:  policy,
		nodes:   make([]State, len(nodes)),
		changed: make([]uint64, len(nodes)),
		changes: 1,
		down:    make([]bool, len(nodes)),
		live:    map[uint64]Placement{},
		shapes:  map[Task]*shape{},
	}
	for i, n := range nodes {
		if err := n.Validate(); err != nil {
			return nil, err
		}
		c.nodes[i] = newState(n)
		c.changed[i] = c.changes
	}
	return c, nil
}

// Clone is a copy to try things on: nothing done to one is seen in the other.
func (c *Cluster) Clone() *Cluster {
	clone := *c
	clone.nodes = slices.Clone(c.nodes)
	clone.changed = slices.Clone(c.changed)
	clone.down = slices.Clone(c.down)
	clone.live = maps.Clone(c.live)
	clone.shapes = map[Task]*shape{}
	return &clone
}

// Use changes the policy for what is placed from now on.
func (c *Cluster) Use(policy Policy) {
	c.policy = policy
	c.shapes = map[Task]*shape{}
}

// Nodes is how many nodes the cluster was made of.
func (c *Cluster) Nodes() int { return len(c.nodes) }

// State is what is free on a node now.
func (c *Cluster) State(node int) State { return c.nodes[node] }

// Placements lists what runs, in the order in which it was placed.
func (c *Cluster) Placements() []Placement {
	list := make([]Placement, 0, len(c.live))
	for _, id := range slices.Sorted(maps.Keys(c.live)) {
		list = append(list, c.live[id].copy())
	}
	return list
}

func (p Placement) copy() Placement {
	p.GPUs = slices.Clone(p.GPUs)
	return p
}

// touch notes that the node is not what it was.
func (c *Cluster) touch(node int) {
	c.changes++
	c.changed[node] = c.changes
}

func (c *Cluster) checkNode(node int) error {
	if node < 0 || node >= len(c.nodes) {
		return fmt.Errorf("%w node %d of %d", ErrUnknown, node, len(c.nodes))
	}
	return nil
}
