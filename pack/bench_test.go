package pack_test

import (
	"math"
	"strings"
	"testing"

	"github.com/souk-network/souk/pack"
)

var workloads = []string{"default", "gpushare40", "gpuspec33"}

// BenchmarkOpenb replays all published runs with each policy: mean allocation over the ten seeds at 100 and 130 % of
// arrivals, and how far the means are from the authors' at the worst of six points. ns/op is one task's placement.
func BenchmarkOpenb(b *testing.B) {
	for _, workload := range workloads {
		b.Run(workload, func(b *testing.B) {
			o := loadOpenb(b, workload)
			for _, base := range baselines {
				policy := base.make(o)
				b.Run(slug(policy), func(b *testing.B) { replayAll(b, o, policies(policy), base.name) })
			}
			b.Run("random", func(b *testing.B) { replayAll(b, o, randoms(20), "01-Random") })
			b.Run("first_fit", func(b *testing.B) { replayAll(b, o, policies(pack.FirstFit{}), "") })
			b.Run("lookahead", func(b *testing.B) { replayAll(b, o, policies(pack.NewLookahead(o.nodes, o.tasks)), "") })
			b.Run("selective", func(b *testing.B) { replayAll(b, o, policies(pack.NewSelective(o.nodes, o.tasks)), "") })
		})
	}
}

// BenchmarkOpenbWithoutCPULimits gives each node of the default workload all the CPU and memory that anything could ask
// for: what remains is how parts of GPUs add up.
func BenchmarkOpenbWithoutCPULimits(b *testing.B) {
	o := loadOpenb(b, "default")
	for i := range o.nodes {
		o.nodes[i].CPUMillis, o.nodes[i].MemoryMiB = 1e8, 1e8
	}
	for _, policy := range []pack.Policy{pack.Packing{}, pack.NewFGD(o.tasks), pack.NewLookahead(o.nodes, o.tasks)} {
		b.Run(slug(policy), func(b *testing.B) { replayAll(b, o, policies(policy), "") })
	}
}

// BenchmarkOpenbFailover loses 5 % of the nodes at 90 % load, ten seeds.
func BenchmarkOpenbFailover(b *testing.B) {
	for _, workload := range workloads {
		b.Run(workload, func(b *testing.B) {
			o := loadOpenb(b, workload)
			for _, policy := range []pack.Policy{
				pack.BestFit{Largest: pack.LargestOf(o.nodes)},
				pack.FirstFit{},
				pack.NewFGD(o.tasks), pack.NewLookahead(o.nodes, o.tasks), pack.NewSelective(o.nodes, o.tasks),
			} {
				b.Run(slug(policy), func(b *testing.B) {
					var all, again int
					for b.Loop() {
						all, again = 0, 0
						for _, r := range o.published("06-FGD") {
							nodes, tasks := o.arrive(r.seed)
							ok, lost := replaced(b, nodes, tasks, policy, int(r.seed))
							again, all = again+ok, all+lost
						}
					}
					b.ReportMetric(100*float64(again)/float64(all), "%-replaced")
				})
			}
		})
	}
}

// BenchmarkOpenbDeclined counts the tasks that Selective turns away although a node has room, ten seeds.
func BenchmarkOpenbDeclined(b *testing.B) {
	for _, workload := range workloads {
		b.Run(workload, func(b *testing.B) {
			o := loadOpenb(b, workload)
			policy := pack.NewSelective(o.nodes, o.tasks)
			var all, declined int
			for b.Loop() {
				all, declined = 0, 0
				for _, r := range o.published("06-FGD") {
					nodes, tasks := o.arrive(r.seed)
					c, err := pack.New(nodes, policy)
					if err != nil {
						b.Fatal(err)
					}
					for _, t := range tasks {
						all++
						if _, ok := c.Place(t); ok {
							continue
						}
						c.Use(policy.Lookahead)
						if _, _, ok := c.Where(t); ok {
							declined++
						}
						c.Use(policy)
					}
				}
			}
			b.ReportMetric(100*float64(declined)/float64(all), "%-declined")
		})
	}
}

func slug(p pack.Policy) string { return strings.ReplaceAll(p.Name(), " ", "_") }

func policies(p pack.Policy) []pack.Policy { return []pack.Policy{p} }

func randoms(n uint64) []pack.Policy {
	var list []pack.Policy
	for seed := range n {
		list = append(list, pack.Random{Seed: seed})
	}
	return list
}

// replayAll replays the ten seeds with each of the policies, and compares the means with the authors' unless it is not
// said which of theirs.
func replayAll(b *testing.B, o openb, with []pack.Policy, authors string) {
	b.Helper()
	seeds := o.published("06-FGD")
	var mean map[int]float64
	var placed int
	for b.Loop() {
		mean, placed = map[int]float64{}, 0
		for _, r := range seeds {
			nodes, tasks := o.arrive(r.seed)
			for _, policy := range with {
				placed += len(tasks)
				for at, v := range allocation(b, nodes, tasks, policy) {
					mean[at] += v / float64(len(seeds)*len(with))
				}
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(placed)/float64(b.N), "ns/op")
	b.ReportMetric(mean[80], "%-at-80")
	b.ReportMetric(mean[100], "%-at-100")
	b.ReportMetric(mean[130], "%-at-130")
	if authors == "" {
		return
	}
	worst := 0.0
	for _, at := range percents {
		theirs := 0.0
		for _, r := range o.published(authors) {
			theirs += r.allocation[at] / float64(len(seeds))
		}
		worst = math.Max(worst, math.Abs(theirs-mean[at]))
	}
	b.ReportMetric(worst, "points-from-authors")
}
