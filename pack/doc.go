/*
Package pack decides which of a provider's nodes takes a workload, and which GPUs
of it. It is pure and deterministic: what it knows is the nodes, what runs on
them, and a [Policy]. It knows nothing of the chain, of leases or of Kubernetes;
an agent turns its nodes into [Node]s and its replicas into [Task]s.

# Usage

	policy := pack.NewLookahead(nodes, recentTasks)
	cluster, err := pack.New(nodes, policy)
	placement, ok := cluster.Place(task)      // placement.Node, placement.GPUs
	node, gpus, ok := cluster.Where(task)     // the same, and nothing is changed
	err = cluster.Remove(placement.ID)
	placement, err = cluster.Put(task, 3, []int{0}) // runs there already, as after a restart
	lost, err := cluster.Lose(3)              // what ran on a node that is gone
	placements := cluster.PlaceAll(tasks)     // together, the hardest first
	trial := cluster.Clone()                  // to try things on
	cluster.Use(policy)                       // as the workload changes

A cluster is for one goroutine; clones of it, which share the policy, may run in
others.

# What fits

A node has CPU, memory and up to [MaxGPUs] GPUs of one model, each of which has
1000 thousandths to give. A task takes CPU, memory and either no GPU, a part of
one GPU (1 to 999 thousandths), or some whole GPUs of one node; it may name the
models that will do. It fits where all of that is free. No policy changes what
fits: a task is placed if and only if a node has room for it, but for Selective,
which declines some of those that come new.

# How a node is chosen

The policy gives each node with room a whole score for the task. The highest wins;
of equal ones, the node that comes first in the list given to [New]. So order is
part of the outcome: names in order give the figures below. For a task that takes
a part of a GPU the policy also names the GPU; whole GPUs are the first free ones.

A score depends on the task and the node's own state alone. So it is kept, for each
different task, until the node changes, and a choice costs one look at each node's
kept score: a few microseconds for a thousand nodes. Keeping changes no choice.

# The policies

[Lookahead] and [Selective] are Souk's own: the first is what an agent should
use, the second for one whom much more is asked of than it has. The others are those
that its authors compared FGD with, and first fit; they take scores, rounding and
order of ties from the authors' simulator.

	FirstFit     the first node with room
	Random       any node with room, and any of its GPUs
	BestFit      least CPU and GPU left over
	DotProduct   free resources least in line with the task's
	Packing      GPUs in use before free ones, nodes in use before empty ones
	Clustering   tasks of one kind together
	FGD          least growth of fragmentation
	Lookahead    least growth of fragmentation, next and when filled up
	Selective    the same; when less than a tenth of the GPUs is free, tasks with
	             GPUs whose best node has a score below 0 are declined

Fragmentation is what the typical task cannot use of a node's free GPUs. With m
from the typical tasks, seen with frequency p_m (the most frequent kinds that make
up 95 % of all, by CPU, GPUs and models):

	F(node) = sum of F_m(node) x p_m

	F_m(node) = all that is free on its GPUs       if m does not fit, or needs no GPU
	            what is free on those GPUs that     otherwise
	            have less than m needs of one

FGD's score is floor(100 x logistic(decrease of F in GPUs)). Lookahead's is
floor((decrease of L - H) / 0.025 GPU), where kinds that take a part of a GPU count
twice in p_m and

	L(node) = sum of p_m x (0.9 x F_m(node) + 0.1 x G_m(node))

	G_m(node) = what would be free on its GPUs once m had come as often as it fits

	H = GPUs the task takes x 1/2 x scarcity of the node's model

	scarcity = sum over kinds that name models, this among them, of what they ask
	           for over the GPUs that will do for them; over what all kinds ask
	           for over all GPUs

The second term sees what FGD cannot: that a node whose GPUs are free, but whose
CPU is enough for half of them, has lost half. H sees that a model is needed by
others who have no choice: FGD takes what few tasks can use for fragments, and
uses it up first. Rounding is not a detail: it makes
nodes tie, and that the first of them is taken keeps the later ones whole for
large tasks. FGD with exact scores allocates 94.2 % where it allocates 95.2 %
with rounded ones.

Amounts are integers, in thousandths of a GPU times tasks seen. Floating-point
numbers only lay out FGD's hundred steps once, and are in DotProduct's score.

# What is measured

`make bench-pack` replays the authors' runs (openb_test.go says how arrivals are
taken) and holds the means against bench/targets.json; bench/RESULTS-pack.md has
the figures. Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing
Workloads with Fragmentation Gradient Descent", USENIX ATC 2023.
*/
package pack
