package containerd

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/agent/runtime"
)

func TestHealthCountsFailuresInARow(t *testing.T) {
	c := runtime.HealthCheck{Interval: 10 * time.Second, Retries: 2, StartPeriod: 30 * time.Second, StartInterval: time.Second}
	at := func(s int, ok bool) checkResult {
		return checkResult{began: noon.Add(time.Duration(s) * time.Second), ok: ok, output: fmt.Sprintf("at %d", s)}
	}
	s := healthState{health: runtime.HealthStarting}
	s = s.after(c, noon, at(1, false)).after(c, noon, at(29, false)).after(c, noon, at(2, false))
	require.Equal(t, healthState{health: runtime.HealthStarting, output: "at 2"}, s, "in the start period nothing counts")
	require.Equal(t, time.Second, s.next(c, noon, noon.Add(20*time.Second)))
	require.Equal(t, 10*time.Second, s.next(c, noon, noon.Add(30*time.Second)))
	s = s.after(c, noon, at(31, false))
	require.Equal(t, runtime.HealthStarting, s.health)
	require.Equal(t, runtime.HealthUnhealthy, s.after(c, noon, at(32, false)).health)
	s = s.after(c, noon, at(32, true))
	require.Equal(t, healthState{health: runtime.HealthHealthy}, s, "one success is enough")

	early := healthState{health: runtime.HealthStarting}.after(c, noon, at(1, true))
	require.Equal(t, 10*time.Second, early.next(c, noon, noon.Add(2*time.Second)), "started is started")
	early = early.after(c, noon, at(2, false)).after(c, noon, at(3, false))
	require.Equal(t, runtime.HealthUnhealthy, early.health, "after a success failures count, even in the start period")
}

func TestHealthAfterARestartOfTheAgent(t *testing.T) {
	c := runtime.HealthCheck{Interval: 10 * time.Second, Timeout: time.Second, Retries: 3}
	f := facts{revision: "r", task: taskRunning}
	old := history{Revision: "r", Good: "r", StartedAt: noon}
	s := firstState(c, old, f, noon.Add(time.Hour))
	require.Equal(t, runtime.HealthHealthy, s.health, "it does not begin again")
	require.Equal(t, runtime.HealthUnhealthy, s.after(c, noon, checkResult{began: noon.Add(time.Hour)}).health, "one look is enough")
	require.Equal(t, runtime.HealthStarting, firstState(c, old, f, noon.Add(time.Second)).health, "it was just started")
	require.Equal(t, runtime.HealthStarting, firstState(c, history{Revision: "r", Good: "old", StartedAt: noon}, f, noon.Add(time.Hour)).health, "it is on trial")
	require.Zero(t, firstCheck(c, noon, noon.Add(time.Hour)))
	require.Equal(t, 7*time.Second, firstCheck(c, noon, noon.Add(3*time.Second)))
}

func TestHealthChecksOfImagesAndServicesAreMerged(t *testing.T) {
	for config, want := range map[string]*runtime.HealthCheck{
		`{"config":{}}`: nil,
		`{"config":{"Healthcheck":{"Test":["NONE"]}}}`:              nil,
		`{"config":{"Healthcheck":{"Test":[]}}}`:                    nil,
		`{"config":{"Healthcheck":{"Test":["CMD"]}}}`:               nil,
		`{"config":{"Healthcheck":{"Test":["CMD-SHELL","a","b"]}}}`: nil,
		`{"config":{"Healthcheck":{"Test":["MAGIC","a"]}}}`:         nil,
		`not json`: nil,
		`{"config":{"Healthcheck":{"Test":["CMD","a","b"],"Interval":2000000000,"Retries":7}}}`: {Command: []string{"a", "b"}, Interval: 2 * time.Second, Retries: 7},
		`{"config":{"Healthcheck":{"Test":["CMD-SHELL","a && b"],"StartPeriod":1000000000,"StartInterval":500000000}}}`: {
			Command: []string{"/bin/sh", "-c", "a && b"}, StartPeriod: time.Second, StartInterval: 500 * time.Millisecond,
		},
	} {
		require.Equal(t, want, checkOfImage([]byte(config)), config)
	}
	image := &runtime.HealthCheck{Command: []string{"image"}, Interval: 2 * time.Second, Retries: 7}
	require.Nil(t, mergeCheck(nil, nil))
	require.Nil(t, mergeCheck(&runtime.HealthCheck{Disabled: true}, image))
	require.Nil(t, mergeCheck(&runtime.HealthCheck{Interval: time.Second}, nil), "nothing to run")
	require.Equal(t, &runtime.HealthCheck{Command: []string{"image"}, Interval: 2 * time.Second, Timeout: 30 * time.Second, Retries: 7}, mergeCheck(nil, image))
	require.Equal(t, &runtime.HealthCheck{Command: []string{"mine"}, Interval: 2 * time.Second, Timeout: time.Second, Retries: 7},
		mergeCheck(&runtime.HealthCheck{Command: []string{"mine"}, Timeout: time.Second}, image))
}

func TestHealthChecksOfImagesKeepTheBoundsOfServices(t *testing.T) {
	check := func(words []string, times time.Duration, retries uint32) *runtime.HealthCheck {
		return &runtime.HealthCheck{Command: words, Interval: times, Timeout: times, StartPeriod: times, StartInterval: times, Retries: retries}
	}
	for name, c := range map[string]struct {
		image *runtime.HealthCheck
		want  *runtime.HealthCheck
	}{
		"too often": {check([]string{"a"}, 1, 1), &runtime.HealthCheck{
			Command: []string{"a"}, Interval: minHealthInterval, Timeout: minHealthTimeout, StartPeriod: 1, StartInterval: minHealthTimeout, Retries: 1,
		}},
		"too long": {check([]string{"a"}, 1<<62, 1<<31), &runtime.HealthCheck{
			Command: []string{"a"}, Interval: maxHealthInterval, Timeout: maxHealthTimeout, StartPeriod: maxHealthInterval, StartInterval: maxHealthInterval, Retries: maxHealthRetries,
		}},
		"negative times": {check([]string{"a"}, -1, 1), &runtime.HealthCheck{
			Command: []string{"a"}, Interval: defaultHealthInterval, Timeout: defaultHealthTimeout, StartInterval: minHealthTimeout, Retries: 1,
		}},
		"too many words":  {check(make([]string, maxHealthWords+1), time.Second, 1), nil},
		"no program":      {check([]string{"", "a"}, time.Second, 1), nil},
		"a long argument": {check([]string{"a", strings.Repeat("x", maxArgBytes+1)}, time.Second, 1), nil},
		"a zero byte":     {check([]string{"a", "b\x00c"}, time.Second, 1), nil},
	} {
		got := mergeCheck(nil, c.image)
		require.Equal(t, c.want, got, name)
		require.NoError(t, validateHealth(runtime.Service{HealthCheck: got}), name)
		require.Equal(t, got, mergeCheck(&runtime.HealthCheck{}, c.image), name)
	}
}

func TestOutputOfHealthChecksIsBoundedAndPlain(t *testing.T) {
	var b boundedOutput
	n, err := b.Write([]byte("  \x1b[31mred\x1b[0m\tand\r\nmore\x00 \xff"))
	require.NoError(t, err)
	require.Equal(t, 27, n)
	require.Equal(t, "[31mred[0m\tand\nmore", b.text())
	for range 10 {
		n, err := b.Write([]byte(strings.Repeat("x", 1000)))
		require.NoError(t, err)
		require.Equal(t, 1000, n, "it takes all")
	}
	require.Len(t, b.kept, maxHealthOutput)
}

func TestReplicasTakeTurns(t *testing.T) {
	g := goal{revision: "new", workload: "w"}
	old := &standing{goal: g, history: history{Revision: "old", Good: "old"}, facts: facts{revision: "old"}}
	tried := &standing{goal: g, history: history{Revision: "new", Good: "old"}, facts: facts{revision: "new"}}
	proven := &standing{goal: g, history: history{Revision: "new", Good: "new"}, facts: facts{revision: "new"}}
	failed := &standing{goal: g, history: history{Revision: "old", Good: "old", Held: held{Revision: "new", Workload: "w"}}, facts: facts{revision: "old"}}
	broken := &standing{goal: g, history: history{Revision: "old"}, facts: facts{revision: "old"}}
	for name, c := range map[string]struct {
		replicas []*standing
		want     []bool
	}{
		"the first goes first":                    {[]*standing{old, old, old}, []bool{true, false, false}},
		"the others wait while it is tried":       {[]*standing{tried, old, old}, []bool{true, false, false}},
		"the next goes when it is proven":         {[]*standing{proven, old, old}, []bool{true, true, false}},
		"nobody goes when it has failed":          {[]*standing{failed, old, old}, []bool{true, false, false}},
		"what never worked need not be saved":     {[]*standing{broken, broken}, []bool{true, true}},
		"a later one that is tried is waited for": {[]*standing{old, tried}, []bool{false, false}},
		"nobody goes before all were looked at":   {[]*standing{old, nil}, []bool{false, false}},
		"one alone":                               {[]*standing{old}, []bool{true}},
	} {
		for i, want := range c.want {
			require.Equal(t, want, turn(c.replicas, i), "%s: %d", name, i)
		}
	}
}

func TestANewReplicaTakesWhatWorksInTheOthersOfItsService(t *testing.T) {
	g := goal{revision: "new", workload: "w"}
	failure := held{Revision: "new", Workload: "w", Error: "unwell", Class: runtime.ClassTenant}
	failed := &standing{goal: g, history: history{Revision: "old", Good: "old", GoodWorkload: "v", Held: failure}, facts: facts{revision: "old"}}
	tried := &standing{goal: g, history: history{Revision: "new", Good: "old"}, facts: facts{revision: "new"}}
	self := &standing{goal: g}

	h := history{}.orGoodOf(g, []*standing{failed, self})
	require.Equal(t, "old", g.target(h))
	require.Equal(t, failure, h.Held)
	require.Equal(t, "v", h.of("old", "w").Workload, "it counts for the workload that wanted it")
	own := history{Revision: "new", Running: true}.orGoodOf(g, []*standing{failed, self})
	next, _ := nextStep(g, own, facts{revision: "new", task: taskRunning}, trial{}, time.Now())
	require.Equal(t, stepStop, next, "it tried already")

	again := goal{revision: "new", workload: "x"}
	job := goal{revision: "new", workload: "w", job: true}
	for name, h := range map[string]history{
		"others try it":                  history{}.orGoodOf(g, []*standing{tried, self}),
		"others were not looked at":      history{}.orGoodOf(g, []*standing{nil, self}),
		"it is wanted anew":              history{}.orGoodOf(again, []*standing{{goal: again, history: failed.history}, self}),
		"it is a job":                    history{}.orGoodOf(job, []*standing{failed, self}),
		"it works here":                  history{Revision: "new", Good: "new"}.orGoodOf(g, []*standing{failed, self}),
		"what others have is the wanted": history{}.orGoodOf(goal{revision: "old", workload: "w"}, []*standing{failed, self}),
	} {
		require.Zero(t, h.Held, name)
	}
}

func TestDependenciesAreReadyOnlyInTheirWantedDefinition(t *testing.T) {
	g := goal{revision: "r", workload: "w"}
	on := func(c runtime.DependencyCondition) runtime.Dependency {
		return runtime.Dependency{Service: "db", Condition: c}
	}
	running := standing{goal: g, history: history{Revision: "r"}, facts: facts{revision: "r", task: taskRunning}}
	with := func(change func(*standing)) *standing {
		s := running
		change(&s)
		return &s
	}
	for name, c := range map[string]struct {
		d    runtime.Dependency
		s    *standing
		want bool
		why  string
	}{
		"it runs":           {on(runtime.DependencyStarted), &running, true, ""},
		"it has run":        {on(runtime.DependencyStarted), with(func(s *standing) { s.facts.task, s.history.Exits = taskNone, 1 }), true, ""},
		"it does not run":   {on(runtime.DependencyStarted), with(func(s *standing) { s.facts.task = taskNone }), false, "to start"},
		"an older one runs": {on(runtime.DependencyStarted), with(func(s *standing) { s.facts.revision, s.history.Revision = "old", "old" }), false, "to start"},
		"nobody looked":     {on(runtime.DependencyStarted), nil, false, "to start"},
		"the last good one stands in": {on(runtime.DependencyStarted), with(func(s *standing) {
			s.facts.revision, s.history = "old", history{Revision: "old", Good: "old", Held: held{Revision: "r", Workload: "w"}}
		}), true, ""},
		"it is well":                    {on(runtime.DependencyHealthy), with(func(s *standing) { s.checked, s.health = true, runtime.HealthHealthy }), true, ""},
		"it is starting":                {on(runtime.DependencyHealthy), with(func(s *standing) { s.checked, s.health = true, runtime.HealthStarting }), false, "to be healthy"},
		"nobody checks":                 {on(runtime.DependencyHealthy), &running, false, "neither its image nor its definition has a health check"},
		"it goes on":                    {on(runtime.DependencyCompleted), &running, false, "to complete"},
		"it is done":                    {on(runtime.DependencyCompleted), with(func(s *standing) { s.facts.task, s.history.Over = taskNone, true }), true, ""},
		"it failed":                     {on(runtime.DependencyCompleted), with(func(s *standing) { s.facts.task, s.history.Over, s.history.ExitCode = taskNone, true, 2 }), false, "exit code 2"},
		"it ended and is started again": {on(runtime.DependencyCompleted), with(func(s *standing) { s.facts.task, s.history.Exits = taskNone, 1 }), false, "to complete"},
	} {
		got, err := ready(c.d, []*standing{&running, c.s})
		if c.d.Condition != runtime.DependencyStarted {
			got, err = ready(c.d, []*standing{c.s})
		}
		require.Equal(t, c.want, got, name)
		if c.want {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, c.why, name)
		}
	}
}

func TestServicesStopBeforeWhatTheyDependOn(t *testing.T) {
	needs := func(name string, others ...string) runtime.Service {
		s := runtime.Service{Name: name}
		for _, o := range others {
			s.DependsOn = append(s.DependsOn, runtime.Dependency{Service: o, Condition: runtime.DependencyStarted})
		}
		return s
	}
	services := []runtime.Service{needs("db"), needs("app", "db", "cache"), needs("cache"), needs("web", "app")}
	require.Equal(t, [][]string{{"web"}, {"app"}, {"db", "cache"}}, stopLevels(services))
	require.Equal(t, [][]string{{"a", "b"}}, stopLevels([]runtime.Service{needs("a", "b"), needs("b", "a")}), "even a circle ends")
	require.NoError(t, validateOrder(services))
	require.ErrorContains(t, validateOrder([]runtime.Service{needs("a", "b"), needs("b", "c"), needs("c", "a")}), "depends on itself")
}

func TestDefinitionsChangeWithWhatNeedsAnotherContainer(t *testing.T) {
	base := func() runtime.Workload {
		return runtime.Workload{
			Lease: 1, Revision: "0001", Owner: "souk1alice", Copies: 1, Volumes: []runtime.Volume{{Name: "data", Class: "ssd", SizeMiB: 10}},
			Services: []runtime.Service{
				{Name: "web", Image: "hello:1", Replicas: 2, Resources: runtime.Resources{CPUMillis: 1, MemoryMiB: 8, DiskMiB: 1, EgressMbps: 5}},
				{Name: "db", Image: "db:1", Replicas: 1, Mounts: []runtime.Mount{{Target: "/data", Volume: "data"}}},
			},
		}
	}
	revisions := func(w runtime.Workload) []string {
		var list []string
		for _, u := range (record{Workload: w}).units() {
			list = append(list, u.revision)
		}
		return list
	}
	before := revisions(base())
	require.Equal(t, before[0], before[1], "replicas without volumes are alike")
	for name, c := range map[string]struct {
		change func(*runtime.Workload)
		differ []int
	}{
		"another workload": {func(w *runtime.Workload) { w.Revision = "0002" }, nil},
		"limits": {func(w *runtime.Workload) {
			w.Services[0].Resources = runtime.Resources{CPUMillis: 9, MemoryMiB: 9, DiskMiB: 9, PIDs: 9, EgressMbps: 9}
		}, nil},
		"no limit on egress": {func(w *runtime.Workload) { w.Services[0].Resources.EgressMbps = 0 }, []int{0, 1}},
		"policies": {func(w *runtime.Workload) {
			s := &w.Services[0]
			s.Restart, s.MaxRestarts, s.StopGraceSeconds, s.StopSignal = runtime.RestartNo, 3, 9, "SIGINT"
			s.HealthCheck, s.DependsOn = &runtime.HealthCheck{Disabled: true}, []runtime.Dependency{{Service: "db"}}
		}, nil},
		"ports":            {func(w *runtime.Workload) { w.Services[0].Ports = []runtime.Port{{Container: 1, Protocol: "tcp"}} }, nil},
		"environment":      {func(w *runtime.Workload) { w.Services[0].Env = []string{"A=1"} }, []int{0, 1}},
		"a secret":         {func(w *runtime.Workload) { w.Services[1].Files = []runtime.File{{Target: "/s", Content: []byte("1")}} }, []int{2}},
		"isolation":        {func(w *runtime.Workload) { w.Isolation = "gvisor" }, []int{0, 1, 2}},
		"a larger volume":  {func(w *runtime.Workload) { w.Volumes[0].SizeMiB = 20 }, nil},
		"a volume's class": {func(w *runtime.Workload) { w.Volumes[0].Class = "" }, []int{2}},
		"an unused volume": {func(w *runtime.Workload) { w.Volumes = append(w.Volumes, runtime.Volume{Name: "other"}) }, nil},
		"an init":          {func(w *runtime.Workload) { w.Services[0].Init = true }, []int{0, 1}},
		"a job":            {func(w *runtime.Workload) { w.Services[0].Job = true }, []int{0, 1}},
		"an address by name": {func(w *runtime.Workload) {
			w.Services[0].ExtraHosts = []runtime.HostAddress{{Name: "x", Address: netip.MustParseAddr("1.2.3.4")}}
		}, []int{0, 1}},
	} {
		w := base()
		c.change(&w)
		var differ []int
		for i, r := range revisions(w) {
			if r != before[i] {
				differ = append(differ, i)
			}
		}
		require.Equal(t, c.differ, differ, name)
	}
	scaled := base()
	scaled.Services[1].Replicas, scaled.Copies = 2, 2
	after := revisions(scaled)
	require.Equal(t, before[2], after[2])
	require.NotEqual(t, after[2], after[3], "each copy has volumes of its own")
}

// TestServicesKeepTheirNumbers plays random applies: a service has one number as long as it is there, and no two ever the
// same.
func TestServicesKeepTheirNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var rec record
		owners := map[int]string{}
		for range rapid.IntRange(1, 12).Draw(t, "applies") {
			names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), 1, 5, rapid.ID[string]).Draw(t, "services")
			slices.Sort(names)
			w := runtime.Workload{Lease: 1}
			for _, n := range names {
				w.Services = append(w.Services, runtime.Service{Name: n, Replicas: 1})
			}
			before := rec.Numbers
			next := record{Workload: w}
			next.Numbers, next.NextNumber = numbered(rec, w)
			for name, n := range next.Numbers {
				if had, ok := before[name]; ok && had != n {
					t.Fatalf("%s had %d, has %d", name, had, n)
				}
				if _, ok := before[name]; !ok {
					if _, used := owners[n]; used {
						t.Fatalf("%d is given twice", n)
					}
					owners[n] = name
				}
			}
			rec = next
			if len(rec.units()) != len(names) {
				t.Fatalf("%d units of %d services", len(rec.units()), len(names))
			}
		}
	})
}

func TestTheLimitOnEgressIsReadOffLimits(t *testing.T) {
	require.Equal(t, "7", egressOf(limitsOf(runtime.Resources{CPUMillis: 1, MemoryMiB: 8, EgressMbps: 7})))
	require.Equal(t, "0", egressOf(limitsOf(runtime.Resources{})))
	require.Empty(t, egressOf(""), "of a container from before limits were written down")
}

func TestListeningSocketsAreRead(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0
   2: 0200000A:1F92 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0
   3: 0200000A:1F93 0300000A:0050 01 00000000:00000000 00:00000000 00000000     0        0 1 1 0000000000000000 100 0 0 10 0
   4: 00000000000000000000000000000000:1F94 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1
   5: 00000000000000000000000001000000:1F95 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1
   6: 0000000000000000FFFF00000100007F:1F96 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1
   7: nonsense
`
	open := map[uint16]bool{}
	addOpenPorts(open, strings.NewReader(table))
	require.Equal(t, map[uint16]bool{8080: true, 8082: true, 8084: true}, open)
	require.Empty(t, openPorts(0))
}

func TestStatusReadsTheKernelOnceASecond(t *testing.T) {
	var s sights
	reads := 0
	open := func(uint32) map[uint16]bool { reads++; return map[uint16]bool{80: true} }
	ports := []runtime.Endpoint{
		{Port: runtime.Port{Container: 80, Protocol: "tcp"}}, {Port: runtime.Port{Container: 81, Protocol: "tcp"}}, {Port: runtime.Port{Container: 53, Protocol: "udp"}},
	}
	now := time.Now()
	silent := func(container string, pid uint32, after time.Duration) []uint16 {
		return silentPorts(ports, func() map[uint16]bool { return s.portsOf(container, pid, now.Add(after), open) })
	}
	for _, c := range []struct {
		container string
		pid       uint32
		after     time.Duration
		reads     int
	}{{"a", 1, 0, 1}, {"a", 1, seenFor - 1, 1}, {"a", 2, seenFor - 1, 2}, {"b", 3, seenFor - 1, 3}, {"b", 3, 2*seenFor - 2, 3}, {"b", 3, 2*seenFor - 1, 4}} {
		require.Equal(t, []uint16{81}, silent(c.container, c.pid, c.after))
		require.Equal(t, c.reads, reads, "%+v", c)
	}
	require.Len(t, s.open, 1, "what is gone is forgotten")
	require.Nil(t, silentPorts(ports[2:], func() map[uint16]bool { t.Fatal("nothing to look for"); return nil }))

	looks := 0
	look := func(w runtime.Workload) []runtime.VolumeStatus {
		looks++
		return make([]runtime.VolumeStatus, len(w.Volumes))
	}
	one := runtime.Workload{Revision: "1", Volumes: make([]runtime.Volume, 1)}
	two := runtime.Workload{Revision: "2", Volumes: make([]runtime.Volume, 2)}
	require.Len(t, s.volumesOf(one, now, look), 1)
	require.Len(t, s.volumesOf(one, now.Add(seenFor-1), look), 1)
	require.Equal(t, 1, looks)
	require.Len(t, s.volumesOf(two, now.Add(seenFor-1), look), 2)
	require.Len(t, s.volumesOf(two, now.Add(2*seenFor-1), look), 2)
	require.Equal(t, 3, looks)
}

func TestEventsReachReadersAndNobodyWaitsForThem(t *testing.T) {
	r := &Runtime{}
	r.ctx, r.cancel = t.Context(), func() {}
	slow := r.Watch(t.Context())
	for i := range heardEvents + 10 {
		r.events.send(runtime.Event{Lease: runtime.LeaseID(i)}) //nolint:gosec // small
	}
	require.Len(t, slow, heardEvents)
	require.EqualValues(t, 10, (<-slow).Lease, "the oldest were lost")
}
