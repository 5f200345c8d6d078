package pack_test

import (
	"encoding/csv"
	"math"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/pack"
)

// The authors of FGD published, with their simulator (github.com/hkust-adsl/kubernetes-scheduler-simulator), what share
// of all GPUs each policy had allocated when so many percent of them had been asked for: 3 workloads of the openb trace
// here, 6 policies, seeds 42 to 51. What follows takes the same arrivals.

// percents of all GPUs asked for at which allocation is compared.
var percents = []int{80, 90, 100, 110, 120, 130}

// openb is the cluster and one workload of the trace.
type openb struct {
	nodes []pack.Node
	tasks []pack.Task
	runs  []run // as the authors published them
}

// run is one row of the published results.
type run struct {
	policy     string
	seed       int64
	allocation map[int]float64
}

// table reads a CSV file of the folder openb as rows of named fields.
func table(tb testing.TB, name string) []map[string]string {
	tb.Helper()
	root := os.Getenv("SOUK_DATA")
	if root == "" {
		tb.Skip("SOUK_DATA is not set: needs openb of Alibaba's cluster-trace-gpu-v2023, and the results of hkust-adsl/kubernetes-scheduler-simulator")
	}
	f, err := os.Open(filepath.Join(root, "openb", name+".csv"))
	require.NoError(tb, err)
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	require.NoError(tb, err)
	rows := make([]map[string]string, 0, len(lines))
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, field := range line {
			row[lines[0][i]] = field
		}
		rows = append(rows, row)
	}
	return rows
}

func loadOpenb(tb testing.TB, workload string) openb {
	tb.Helper()
	integer := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		require.NoError(tb, err)
		return n
	}
	var o openb
	for _, row := range table(tb, "openb_node_list_gpu_node") {
		o.nodes = append(o.nodes, pack.Node{
			Name: row["sn"], CPUMillis: integer(row["cpu_milli"]), MemoryMiB: integer(row["memory_mib"]),
			GPUs: int(integer(row["gpu"])), Model: row["model"],
		})
	}
	for _, row := range table(tb, "openb_pod_list_"+workload) {
		t := pack.Task{
			CPUMillis: integer(row["cpu_milli"]), MemoryMiB: integer(row["memory_mib"]),
			GPUs: int(integer(row["num_gpu"])), GPUMillis: integer(row["gpu_milli"]), Models: row["gpu_spec"],
		}
		if t.GPUs == 0 {
			t.GPUMillis, t.Models = 0, ""
		}
		require.NoError(tb, t.Validate())
		o.tasks = append(o.tasks, t)
	}
	for _, row := range table(tb, "expected_allocation_percent") {
		if row["workload"] != "openb_pod_list_"+workload {
			continue
		}
		r := run{policy: row["sc_policy"], seed: integer(row["seed"]), allocation: map[int]float64{}}
		for _, at := range percents {
			v, err := strconv.ParseFloat(row[strconv.Itoa(at)], 64)
			require.NoError(tb, err)
			r.allocation[at] = v
		}
		o.runs = append(o.runs, r)
	}
	return o
}

// published are the authors' runs of one policy.
func (o openb) published(policy string) []run {
	return slices.DeleteFunc(slices.Clone(o.runs), func(r run) bool { return r.policy != policy })
}

// informerDraws is how many numbers the simulator's Kubernetes client takes from the shared source of chance, one for
// each resource that it watches, before the nodes are put in order. Found by trying: with 10, and no other number from 0
// to 60, all runs agree.
const informerDraws = 10

// arrive puts nodes and tasks in the order in which the simulator takes them: the trace's tasks shuffled, then tasks
// drawn from it until 130 % of all GPUs are asked for; nodes in any order, which decides ties.
func (o openb) arrive(seed int64) ([]pack.Node, []pack.Task) {
	chance := rand.New(rand.NewSource(seed))
	chance.Int() // the simulator logs one
	tasks := slices.Clone(o.tasks)
	chance.Shuffle(len(tasks), func(i, j int) { tasks[i], tasks[j] = tasks[j], tasks[i] })
	var asked int64
	for _, t := range tasks {
		asked += gpuMillis(t)
	}
	for {
		t := o.tasks[chance.Intn(len(o.tasks))]
		// The simulator forgets how many GPUs the last task wants.
		if float64(asked+t.GPUMillis) > 1.3*float64(capacity(o.nodes)) {
			break
		}
		asked += gpuMillis(t)
		tasks = append(tasks, t)
	}
	for range informerDraws {
		chance.Float64()
	}
	nodes := make([]pack.Node, len(o.nodes))
	for i, at := range chance.Perm(len(nodes)) {
		nodes[at] = o.nodes[i]
	}
	return nodes, tasks
}

func gpuMillis(t pack.Task) int64 { return int64(t.GPUs) * t.GPUMillis }

// capacity is that of all GPUs, in thousandths of one.
func capacity(nodes []pack.Node) int64 {
	var sum int64
	for _, n := range nodes {
		sum += int64(n.GPUs) * pack.WholeGPU
	}
	return sum
}

// allocation is the mean share of all GPUs that is allocated, in percent, while arrivals round to each percent of them;
// rounded where the authors round.
func allocation(tb testing.TB, nodes []pack.Node, tasks []pack.Task, policy pack.Policy) map[int]float64 {
	tb.Helper()
	c, err := pack.New(nodes, policy)
	require.NoError(tb, err)
	all := float64(capacity(nodes))
	var arrived, used int64
	sums, counts := map[int]float64{}, map[int]float64{}
	for _, t := range tasks {
		arrived += gpuMillis(t)
		if _, ok := c.Place(t); ok {
			used += gpuMillis(t)
		}
		at := int(math.RoundToEven(100 * float64(arrived) / all))
		sums[at] += math.Round(10000*float64(used)/all) / 100
		counts[at]++
	}
	for at := range sums {
		sums[at] = math.Round(100*sums[at]/counts[at]) / 100
	}
	return sums
}

// replaced loses every twentieth node, from the one given on, of a cluster at 90 % load, and places what ran there at
// once on the others.
func replaced(tb testing.TB, nodes []pack.Node, tasks []pack.Task, policy pack.Policy, from int) (ok, lost int) {
	tb.Helper()
	c, err := pack.New(nodes, policy)
	require.NoError(tb, err)
	var arrived int64
	for _, t := range tasks {
		if arrived += gpuMillis(t); 10*arrived > 9*capacity(nodes) {
			break
		}
		c.Place(t)
	}
	var orphans []pack.Task
	for node := from % 20; node < len(nodes); node += 20 {
		placements, err := c.Lose(node)
		require.NoError(tb, err)
		for _, p := range placements {
			orphans = append(orphans, p.Task)
		}
	}
	for _, p := range c.PlaceAll(orphans) {
		if p != nil {
			ok++
		}
	}
	return ok, len(orphans)
}

// baseline is a policy that the authors measured.
type baseline struct {
	name string // in their table
	make func(o openb) pack.Policy
}

var baselines = []baseline{
	{"02-DotProd", func(o openb) pack.Policy { return pack.DotProduct{Largest: pack.LargestOf(o.nodes)} }},
	{"03-GpuClustering", func(o openb) pack.Policy { return pack.Clustering{Largest: pack.LargestOf(o.nodes)} }},
	{"04-GpuPacking", func(openb) pack.Policy { return pack.Packing{} }},
	{"05-BestFit", func(o openb) pack.Policy { return pack.BestFit{Largest: pack.LargestOf(o.nodes)} }},
	{"06-FGD", func(o openb) pack.Policy { return pack.NewFGD(o.tasks) }},
}

// All runs of the default workload come out as published, to the hundredth of a point. (Of the other two, all but three
// of 100; there the rounding of the authors' floating-point sums decides, and BenchmarkOpenb compares the means.)
func TestOpenbIsPackedAsTheAuthorsDid(t *testing.T) {
	for workload, seeds := range map[string]int{"default": 10, "gpushare40": 2, "gpuspec33": 2} {
		o := loadOpenb(t, workload)
		for _, b := range baselines {
			t.Run(workload+"/"+b.name, func(t *testing.T) {
				policy := b.make(o)
				for _, r := range o.published(b.name)[:seeds] {
					nodes, tasks := o.arrive(r.seed)
					got := allocation(t, nodes, tasks, policy)
					for _, at := range percents {
						require.InDelta(t, r.allocation[at], got[at], 0.005, "seed %d at %d %%", r.seed, at)
					}
				}
			})
		}
	}
}

// The authors' random choices depend on the timing of their threads. One run scatters by 0.3 points.
func TestOpenbIsPackedAtRandomAboutAsTheAuthorsDid(t *testing.T) {
	o := loadOpenb(t, "default")
	r := o.published("01-Random")[0]
	nodes, tasks := o.arrive(r.seed)
	mean := map[int]float64{}
	const runs = 4
	for seed := range uint64(runs) {
		for at, v := range allocation(t, nodes, tasks, pack.Random{Seed: seed}) {
			mean[at] += v / runs
		}
	}
	for _, at := range percents {
		require.InDelta(t, r.allocation[at], mean[at], 1, "at %d %%", at)
	}
}

func TestLookaheadAllocatesMoreOfOpenbThanFGD(t *testing.T) {
	o := loadOpenb(t, "default")
	policy := pack.NewLookahead(o.nodes, o.tasks)
	for _, r := range o.published("06-FGD")[:2] {
		nodes, tasks := o.arrive(r.seed)
		got := allocation(t, nodes, tasks, policy)
		require.GreaterOrEqual(t, got[80], r.allocation[80], "nothing is turned away early")
		require.Greater(t, got[100], r.allocation[100]+0.4)
		require.Greater(t, got[130], r.allocation[130]+0.4)
		ok, lost := replaced(t, nodes, tasks, policy, int(r.seed))
		require.Greater(t, lost, 300)
		require.GreaterOrEqual(t, float64(ok), 0.995*float64(lost))
	}
}

func TestSelectiveDeclinesOnlyWhenLittleIsFreeAndAllocatesMore(t *testing.T) {
	o := loadOpenb(t, "default")
	policy := pack.NewSelective(o.nodes, o.tasks)
	for _, r := range o.published("06-FGD")[:2] {
		nodes, tasks := o.arrive(r.seed)
		got := allocation(t, nodes, tasks, policy)
		require.GreaterOrEqual(t, got[80], r.allocation[80], "nothing is turned away early")
		require.GreaterOrEqual(t, got[100], 95.6)
		require.GreaterOrEqual(t, got[130], 96.0)
		ok, lost := replaced(t, nodes, tasks, policy, int(r.seed))
		require.GreaterOrEqual(t, float64(ok), 0.995*float64(lost), "what ran before is not declined")
	}
}

func TestLookaheadKeepsScarceModelsForThoseThatNameThem(t *testing.T) {
	o := loadOpenb(t, "gpuspec33")
	policy := pack.NewLookahead(o.nodes, o.tasks)
	for _, r := range o.published("06-FGD")[:2] {
		nodes, tasks := o.arrive(r.seed)
		got := allocation(t, nodes, tasks, policy)
		require.Greater(t, got[80], r.allocation[80]+4)
		require.Greater(t, got[100], r.allocation[100]+5)
		require.Greater(t, got[130], r.allocation[130])
	}
}
