package reconcile

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write what is decided into the histories")

// Each file of testdata is a history: sections "round N" describe the world line by line, sections "plan N" the decision.
func TestHistories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			for i := range archive.Files {
				round, isRound := strings.CutPrefix(archive.Files[i].Name, "round ")
				if !isRound {
					continue
				}
				require.Less(t, i+1, len(archive.Files), "round %s has no plan", round)
				want := &archive.Files[i+1]
				require.True(t, strings.HasPrefix(want.Name, "plan "+strings.TrimSuffix(strings.Fields(round)[0], ":")), "after round %s comes %q", round, want.Name)
				got := format(Plan(parse(t, string(archive.Files[i].Data))))
				if *update {
					want.Data = []byte(got)
					continue
				}
				require.Equal(t, strings.TrimSpace(string(want.Data)), strings.TrimSpace(got), "round %s", round)
			}
			if *update {
				require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
			}
		})
	}
}

func format(plan []Action) string {
	var b strings.Builder
	for _, a := range plan {
		fmt.Fprintf(&b, "%s %d: %s\n", a.Kind, a.Lease, a.Why)
	}
	return b.String()
}

// parse reads lines such as:
//
//	now 100 margin 10
//	node cpu=4000 mem=8192
//	lease 7 pending cpu=500 mem=256 x2 ackby=160 rev=aa
//	manifest 7 rev=aa run=aa2 missing=hello:1 broken
//	workload 7 rev=aa removing orphan overdue paused
//	reserved 7 cpu=500 mem=256 x2
//	lease 8 standby cpu=500 mem=256 rev=aa answerby=170
//	answering 7
//	living 7
//	fetching 7
//	prepared 8 run=aa2
func parse(t *testing.T, text string) Input {
	t.Helper()
	in := Input{}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		l := line{t: t, words: words}
		switch words[0] {
		case "now":
			in.Now, in.AckMargin = number(t, words[1]), number(t, words[3])
		case "node":
			in.Nodes = append(in.Nodes, l.vector())
		case "lease":
			in.Leases = append(in.Leases, Lease{
				ID: l.id(), State: State(words[2]), Unit: l.vector(), Replicas: l.replicas(),
				AckBy: number(t, l.value("ackby", "0")), AnswerBy: number(t, l.value("answerby", "0")), Revision: l.value("rev", ""),
			})
		case "manifest":
			m := Manifest{Lease: l.id(), Revision: l.value("rev", ""), Broken: l.has("broken")}
			m.Run = l.value("run", m.Revision)
			if missing := l.value("missing", ""); missing != "" {
				m.Missing = []string{missing}
			}
			in.Manifests = append(in.Manifests, m)
		case "workload":
			in.Workloads = append(in.Workloads, Workload{
				Lease: l.id(), Revision: l.value("rev", ""), Recorded: !l.has("orphan"), Removing: l.has("removing"),
				Overdue: l.has("overdue"), Paused: l.has("paused"),
			})
		case "reserved":
			in.Reservations = append(in.Reservations, Reservation{Lease: l.id(), Unit: l.vector(), Replicas: l.replicas()})
		case "answering":
			in.Answering = append(in.Answering, l.id())
		case "living":
			in.Living = append(in.Living, l.id())
		case "fetching":
			in.Fetching = append(in.Fetching, l.id())
		case "prepared":
			in.Prepared = append(in.Prepared, Prepared{Lease: l.id(), Run: l.value("run", "")})
		default:
			t.Fatalf("what is %q?", words[0])
		}
	}
	return in
}

type line struct {
	t     *testing.T
	words []string
}

func (l line) id() uint64        { return number(l.t, l.words[1]) }
func (l line) has(w string) bool { return slices.Contains(l.words, w) }

func (l line) value(key, otherwise string) string {
	for _, w := range l.words {
		if v, ok := strings.CutPrefix(w, key+"="); ok {
			return v
		}
	}
	return otherwise
}

func (l line) vector() Vector {
	return Vector{number(l.t, l.value("cpu", "0")), number(l.t, l.value("mem", "0")), number(l.t, l.value("disk", "0"))}
}

func (l line) replicas() uint32 {
	for _, w := range l.words {
		if n, ok := strings.CutPrefix(w, "x"); ok {
			return uint32(number(l.t, n))
		}
	}
	return 1
}

func number(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	require.NoError(t, err)
	return n
}

func TestThePlanDoesNotDependOnTheOrderOfItsInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawWorld(t)
		want := Plan(in)
		seed := rapid.Uint64().Draw(t, "seed")
		r := rand.New(rand.NewPCG(seed, seed))
		shuffle(r, in.Leases)
		shuffle(r, in.Manifests)
		shuffle(r, in.Workloads)
		shuffle(r, in.Reservations)
		shuffle(r, in.Answering)
		shuffle(r, in.Living)
		shuffle(r, in.Fetching)
		shuffle(r, in.Prepared)
		require.Equal(t, want, Plan(in))
	})
}

func TestNothingIsAcceptedBeyondWhatIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawWorld(t)
		accepted := map[uint64]bool{}
		for _, a := range Plan(in) {
			if a.Kind == Accept {
				accepted[a.Lease] = true
			}
		}
		if len(accepted) == 0 {
			return
		}
		var used, total Vector
		add := func(to *Vector, unit Vector, times uint64) {
			for d := range unit {
				to[d] += unit[d] * times
			}
		}
		for _, node := range in.Nodes {
			add(&total, node, 1)
		}
		for _, l := range in.Leases {
			if accepted[l.ID] {
				add(&used, l.Unit, uint64(l.Replicas))
			}
		}
		for d := range used {
			require.LessOrEqual(t, used[d], total[d])
		}
	})
}

// A perfect executor does what a plan says; then nothing is left to do.
func TestPlansConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawWorld(t)
		for range 8 {
			plan := Plan(in)
			if len(plan) == 0 {
				assertConverged(t, in)
				return
			}
			in = do(in, plan)
		}
		t.Fatalf("still busy after 8 rounds: %v", Plan(in))
	})
}

func do(in Input, plan []Action) Input {
	for _, a := range plan {
		switch a.Kind {
		case Remove:
			in.Workloads = slices.DeleteFunc(in.Workloads, func(w Workload) bool { return w.Lease == a.Lease })
		case Pause:
			in.Workloads[slices.IndexFunc(in.Workloads, func(w Workload) bool { return w.Lease == a.Lease })].Paused = true
		case DropManifest:
			in.Manifests = slices.DeleteFunc(in.Manifests, func(m Manifest) bool { return m.Lease == a.Lease })
		case Reserve:
			l := in.Leases[slices.IndexFunc(in.Leases, func(l Lease) bool { return l.ID == a.Lease })]
			in.Reservations = slices.DeleteFunc(in.Reservations, func(r Reservation) bool { return r.Lease == a.Lease })
			in.Reservations = append(in.Reservations, Reservation{l.ID, l.Unit, l.Replicas})
		case Accept:
			i := slices.IndexFunc(in.Leases, func(l Lease) bool { return l.ID == a.Lease })
			in.Leases[i].State = Active
		case Decline:
			in.Leases = slices.DeleteFunc(in.Leases, func(l Lease) bool { return l.ID == a.Lease })
		case Apply:
			m := in.Manifests[slices.IndexFunc(in.Manifests, func(m Manifest) bool { return m.Lease == a.Lease })]
			in.Workloads = slices.DeleteFunc(in.Workloads, func(w Workload) bool { return w.Lease == a.Lease })
			in.Workloads = append(in.Workloads, Workload{Lease: m.Lease, Revision: m.Run, Recorded: true})
		case Live:
			in.Leases[slices.IndexFunc(in.Leases, func(l Lease) bool { return l.ID == a.Lease })].AnswerBy = 0
		case Fetch:
			l := in.Leases[slices.IndexFunc(in.Leases, func(l Lease) bool { return l.ID == a.Lease })]
			in.Manifests = slices.DeleteFunc(in.Manifests, func(m Manifest) bool { return m.Lease == a.Lease })
			in.Manifests = append(in.Manifests, Manifest{Lease: l.ID, Revision: l.Revision, Run: "run1"})
		case Prepare:
			m := in.Manifests[slices.IndexFunc(in.Manifests, func(m Manifest) bool { return m.Lease == a.Lease })]
			in.Prepared = slices.DeleteFunc(in.Prepared, func(p Prepared) bool { return p.Lease == a.Lease })
			in.Prepared = append(in.Prepared, Prepared{Lease: a.Lease, Run: m.Run})
		case Release:
			in.Reservations = slices.DeleteFunc(in.Reservations, func(r Reservation) bool { return r.Lease == a.Lease })
		}
	}
	// What was on its way arrives, and what is being removed is gone.
	in.Workloads = slices.DeleteFunc(in.Workloads, func(w Workload) bool { return w.Removing })
	in.Answering, in.Living, in.Fetching = nil, nil, nil
	return in
}

func assertConverged(t *rapid.T, in Input) {
	live, paused := map[uint64]bool{}, map[uint64]bool{}
	for _, l := range in.Leases {
		live[l.ID], paused[l.ID] = true, l.State == Paused
		assertReady(t, in, l)
	}
	for _, w := range in.Workloads {
		fits := slices.ContainsFunc(in.Manifests, func(m Manifest) bool { return m.Lease == w.Lease && m.Run == w.Revision })
		require.True(t, live[w.Lease] || w.Removing, "workload %d is an orphan", w.Lease)
		require.False(t, (paused[w.Lease] && !w.Paused || w.Overdue && !fits && !paused[w.Lease]) && !w.Removing, "workload %d takes what nobody pays for", w.Lease)
	}
	for _, m := range in.Manifests {
		require.True(t, live[m.Lease], "manifest %d outlived its lease", m.Lease)
	}
	for _, r := range in.Reservations {
		exists := slices.ContainsFunc(in.Workloads, func(w Workload) bool { return w.Lease == r.Lease })
		require.True(t, live[r.Lease] || exists, "reservation %d leaks", r.Lease)
	}
}

// assertReady makes sure that a lease has what it is to run, and a standby all of it and nothing that runs.
func assertReady(t *rapid.T, in Input, l Lease) {
	i := slices.IndexFunc(in.Manifests, func(m Manifest) bool { return m.Lease == l.ID && m.Revision == l.Revision })
	require.True(t, l.State == Pending || i >= 0 || slices.Contains(in.Fetching, l.ID), "lease %d waits for its manifest and nobody asks", l.ID)
	require.True(t, l.AnswerBy <= in.Now || slices.Contains(in.Living, l.ID), "a challenge of lease %d is not answered", l.ID)
	if l.State != Standby {
		return
	}
	require.False(t, slices.ContainsFunc(in.Workloads, func(w Workload) bool { return w.Lease == l.ID && !w.Removing }), "standby %d runs", l.ID)
	if i >= 0 && len(in.Manifests[i].Missing) == 0 && !in.Manifests[i].Broken {
		require.Contains(t, in.Prepared, Prepared{Lease: l.ID, Run: in.Manifests[i].Run}, "standby %d is not ready", l.ID)
	}
}

func drawWorld(t *rapid.T) Input {
	in := Input{Now: 100, AckMargin: 10}
	for range rapid.IntRange(0, 3).Draw(t, "nodes") {
		in.Nodes = append(in.Nodes, drawVector(t, 4000))
	}
	for id := uint64(1); id <= 8; id++ {
		unit, replicas := drawVector(t, 3000), rapid.Uint32Range(1, 3).Draw(t, "replicas")
		switch rapid.SampledFrom([]string{"no", "pending", "active", "paused", "standby"}).Draw(t, "lease") {
		case "pending":
			in.Leases = append(in.Leases, Lease{
				ID: id, State: Pending, Unit: unit, Replicas: replicas, Revision: "aa",
				AckBy: rapid.Uint64Range(90, 160).Draw(t, "ackby"),
			})
		case "active":
			in.Leases = append(in.Leases, Lease{
				ID: id, State: Active, Unit: unit, Replicas: replicas, Revision: "aa", AnswerBy: rapid.SampledFrom([]uint64{0, 90, 130}).Draw(t, "answerby"),
			})
		case "standby":
			in.Leases = append(in.Leases, Lease{
				ID: id, State: Standby, Unit: unit, Replicas: 1, Revision: "aa", AnswerBy: rapid.SampledFrom([]uint64{0, 130}).Draw(t, "answerby"),
			})
			if rapid.Bool().Draw(t, "prepared") {
				in.Prepared = append(in.Prepared, Prepared{Lease: id, Run: "run1"})
			}
		case "paused":
			in.Leases = append(in.Leases, Lease{ID: id, State: Paused, Unit: unit, Replicas: replicas, Revision: "aa"})
		}
		if rapid.Bool().Draw(t, "manifest") {
			in.Manifests = append(in.Manifests, Manifest{
				Lease: id, Revision: rapid.SampledFrom([]string{"aa", "bb"}).Draw(t, "rev"),
				Run: rapid.SampledFrom([]string{"run1", "run2"}).Draw(t, "run"),
			})
		}
		if rapid.Bool().Draw(t, "workload") {
			in.Workloads = append(in.Workloads, Workload{
				Lease: id, Revision: rapid.SampledFrom([]string{"run1", "run2"}).Draw(t, "rev"),
				Recorded: rapid.Bool().Draw(t, "recorded"), Removing: rapid.Bool().Draw(t, "removing"),
				Overdue: rapid.Bool().Draw(t, "overdue"), Paused: rapid.Bool().Draw(t, "paused"),
			})
		}
		if rapid.Bool().Draw(t, "reserved") {
			in.Reservations = append(in.Reservations, Reservation{id, unit, replicas + rapid.Uint32Range(0, 1).Draw(t, "more")})
		}
		if rapid.Bool().Draw(t, "answering") {
			in.Answering = append(in.Answering, id)
		}
		if rapid.Bool().Draw(t, "fetching") {
			in.Fetching = append(in.Fetching, id)
		}
		if rapid.Bool().Draw(t, "living") {
			in.Living = append(in.Living, id)
		}
	}
	return in
}

func drawVector(t *rapid.T, most uint64) Vector {
	return Vector{rapid.Uint64Range(1, most).Draw(t, "cpu"), rapid.Uint64Range(1, most).Draw(t, "mem")}
}

func shuffle[T any](r *rand.Rand, s []T) {
	r.Shuffle(len(s), func(i, j int) { s[i], s[j] = s[j], s[i] })
}
