package tenant

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/souk-network/souk/client/checkup"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"
	"gopkg.in/yaml.v3"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func numbers(list []int) stream[int] {
	return func(_ context.Context, each func(int) error) error {
		for _, n := range list {
			if err := each(n); err != nil {
				return err
			}
		}
		return nil
	}
}

func second(n int) time.Time { return time.Unix(int64(n), 0) }

func TestSeveralStreamsAreReadInTheOrderOfTheirTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lists := rapid.SliceOfN(rapid.SliceOf(rapid.IntRange(0, 50)), 0, 5).Draw(t, "lists")
		var streams []stream[int]
		var all []int
		for _, list := range lists {
			slices.Sort(list)
			all = append(all, list...)
			streams = append(streams, numbers(list))
		}
		slices.Sort(all)
		for _, follow := range []bool{false, true} {
			var got []int
			require.NoError(t, merge(context.Background(), streams, follow, second, func(n int) error {
				got = append(got, n)
				return nil
			}))
			if follow { // as they come
				slices.Sort(got)
			}
			require.Equal(t, all, got)
		}
	})
}

func TestAStreamThatFailsEndsTheOthers(t *testing.T) {
	broken := errors.New("the provider is gone")
	endless := func(ctx context.Context, each func(int) error) error {
		for n := 0; ; n++ {
			if err := each(n); err != nil {
				return err
			}
		}
	}
	fails := func(context.Context, func(int) error) error { return broken }
	for _, follow := range []bool{false, true} {
		n := 0
		err := merge(t.Context(), []stream[int]{endless, fails}, follow, second, func(int) error { n++; return nil })
		require.ErrorIs(t, err, broken)
		full := errors.New("the disk is full")
		err = merge(t.Context(), []stream[int]{endless}, follow, second, func(int) error { return full })
		require.ErrorIs(t, err, full)
	}
}

func TestTargetsAreDeploymentsOrTheirServices(t *testing.T) {
	for text, want := range map[string]target{"shop": {"shop", ""}, "shop/web": {"shop", "web"}} {
		got, err := parseTarget(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, text, got.String())
	}
	for _, text := range []string{"", "/", "shop/", "/web", "Shop", "a/b/c", "a b", "../x", strings.Repeat("a", 64)} {
		_, err := parseTarget(text)
		require.Error(t, err, text)
	}
	g, n, err := parseReplicas("shop/web=12")
	require.NoError(t, err)
	require.Equal(t, target{"shop", "web"}, g)
	require.EqualValues(t, 12, n)
}

func usage(boot string, at int64, cpu uint64, replicas ...*api.ReplicaUsage) []sample {
	return []sample{{deployment: "shop", lease: 7, millis: 1500, usage: &api.UsageResponse{
		Time: timestamppb.New(time.Unix(at, 0)), BootId: boot, Total: &api.Usage{CpuNanos: cpu, EgressBytes: cpu / 1000, MemoryBytes: 5}, Replicas: replicas,
	}}}
}

func TestWhatIsUsedIsARateBetweenTwoMeasurements(t *testing.T) {
	web := func(cpu uint64) *api.ReplicaUsage {
		return &api.ReplicaUsage{Service: "web", Usage: &api.Usage{CpuNanos: cpu}}
	}
	db := &api.ReplicaUsage{Service: "db", Usage: &api.Usage{CpuNanos: 9e9, MemoryBytes: 3}}
	items := usageSince(usage("boot", 100, 1e9, web(8e8)), usage("boot", 102, 3e9, web(5e8), db), "")
	require.Len(t, items, 3)
	require.Equal(t, []string{"", "db", "web"}, []string{items[0].Service, items[1].Service, items[2].Service}, "the lease before its services")
	require.InDelta(t, 100, items[0].CPU, 1e-9, "2 s of processor in 2 s")
	require.InDelta(t, 150, items[0].CPULimit, 1e-9)
	require.InDelta(t, 1e6, items[0].Egress, 1e-9)
	require.Zero(t, items[1].CPU, "it was not there before")
	require.EqualValues(t, 3, items[1].Memory)
	require.Zero(t, items[2].CPU, "its counter belongs to another run")

	again := usageSince(usage("boot", 100, 1e9), usage("other boot", 102, 3e9), "")
	require.Zero(t, again[0].CPU, "counters begin anew with the machine")
	only := usageSince(usage("boot", 100, 1e9, web(1)), usage("boot", 102, 3e9, web(2)), "web")
	require.Len(t, only, 1)
	require.NotPanics(t, func() { usageRows(items) })
}

func TestBytesAreWrittenWithAUnit(t *testing.T) {
	for n, want := range map[float64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 1 << 30: "1 GiB", 5 << 40: "5.0 TiB"} {
		require.Equal(t, want, bytesText(n))
	}
}

func TestAnUpdateThatIsHeldBackNamesTheReplicaAndTheCause(t *testing.T) {
	require.NoError(t, heldBack(&api.StatusResponse{Replicas: []*api.ReplicaStatus{{Service: "web"}}}))
	err := heldBack(&api.StatusResponse{Replicas: []*api.ReplicaStatus{
		{Service: "db"}, {Service: "web", Replica: 1, HeldBack: true, Error: "exited with code 1\x1b[2J"}, {Service: "x", HeldBack: true},
	}})
	require.EqualError(t, err, "web-1: exited with code 1[2J; x-0: the new revision did not come up")
}

func TestAContainerIsWellWhenItDoesWhatItShould(t *testing.T) {
	zero, one := int32(0), int32(1)
	for name, c := range map[string]struct {
		of   containerView
		want bool
	}{
		"running":                         {containerView{Phase: "running"}, true},
		"running and healthy":             {containerView{Phase: "running", Health: "healthy"}, true},
		"running and not healthy":         {containerView{Phase: "running", Health: "unhealthy"}, false},
		"running and not yet healthy":     {containerView{Phase: "running", Health: "starting"}, false},
		"a job that ended well":           {containerView{Phase: "exited", Job: true, ExitCode: &zero}, true},
		"a job that ended badly":          {containerView{Phase: "exited", Job: true, ExitCode: &one}, false},
		"what was before a failed update": {containerView{Phase: "running", HeldBack: true}, false},
		"pulling":                         {containerView{Phase: "pulling"}, false},
	} {
		require.Equal(t, c.want, c.of.well(), name)
	}
}

func TestALeaseTellsItsTurningPointsAndWhyItEnded(t *testing.T) {
	at := func(s uint64) time.Time { return time.Unix(int64(s), 0) }
	l := markettypes.Lease{Id: 7, Provider: "p", CreatedAt: 1, AckedAt: 2, ClosedAt: 9, State: markettypes.LeaseState_LEASE_STATE_CLOSED, Reason: markettypes.Reason_REASON_INSUFFICIENT_FUNDS}
	all := leaseEvents(l, 0, at)
	require.Len(t, all, 3)
	require.Equal(t, "its money ran out", all[2].Message)
	require.Equal(t, at(9), all[2].Time)
	require.ErrorContains(t, endOf([]markettypes.Lease{l}), "lease 7 ended: its money ran out")
	for reason := range markettypes.Reason_name {
		require.NotContains(t, reasonText(markettypes.Reason(reason)), "_")
	}
}

func TestNoSecretOfAManifestIsPrinted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := func(label string) string { return "zz" + rapid.StringMatching(`[a-y0-9]{12}`).Draw(t, label) }
		env, file, password, salt := secret("env"), secret("file"), secret("password"), secret("salt")
		p := &manifest.Project{Name: "shop", Groups: []*manifestpb.Group{{
			Name: "main", Salt: []byte(salt), Services: []*manifestpb.Service{{
				Name: "web", Image: &manifestpb.Image{Reference: "a/b:1", Username: "robot", Password: password},
				Environment: []*manifestpb.EnvironmentVariable{{Name: "TOKEN", Value: env}},
				Files:       []*manifestpb.File{{Target: "/run/secrets/x", Content: []byte(file), Mode: 0o444}},
				Resources:   &manifestpb.Resources{CpuMillis: 500},
			}},
		}}}
		node, err := manifestNode(p)
		require.NoError(t, err)
		text, err := yamlText(node)
		require.NoError(t, err)
		for _, s := range []string{env, file, password, salt} {
			require.NotContains(t, text, s)
		}
		require.Contains(t, text, "TOKEN")
		var back map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(text), &back))
		require.Contains(t, text, "mode: 0o444")
		require.Contains(t, text, "cpu_millis: 500")
		require.Equal(t, env, p.Groups[0].Services[0].Environment[0].Value, "the project keeps it")
	})
}

func TestTheClockIsJudgedByTheLastBlock(t *testing.T) {
	for age, want := range map[time.Duration]checkup.Result{
		-time.Minute: checkup.Failed, -10 * time.Second: checkup.OK, time.Second: checkup.OK, 50 * time.Second: checkup.OK, 2 * time.Minute: checkup.Failed,
	} {
		result, try, _ := judgeClock(age)
		require.Equal(t, want, result, age)
		require.Equal(t, want == checkup.Failed, try != "")
	}
}
