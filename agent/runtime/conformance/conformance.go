// Package conformance is the suite that every runtime must pass. It always runs two runtimes at once, as two providers
// on one host, with equal lease ids, and looks at workloads from outside: over HTTP, at what Status, List and Logs
// tell. It must not know any engine.
package conformance

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

// Patience is how long the suite waits for a condition; on a slow machine SOUK_PATIENCE multiplies it.
var Patience = slowly(40 * time.Second)

// slowly stretches a time by what SOUK_PATIENCE says.
func slowly(d time.Duration) time.Duration {
	times, err := strconv.Atoi(os.Getenv("SOUK_PATIENCE"))
	if err != nil || times < 1 {
		return d
	}
	return time.Duration(times) * d
}

// Two accounts that own workloads and images.
const (
	alice = "souk1alice"
	bob   = "souk1bob"
)

// testCase is one thing that every runtime must do.
type testCase struct {
	name string
	run  func(*testing.T, pair)
	long bool   // too slow for make test: runs when SOUK_LONG is set
	need string // one of Capabilities.Limits, without which it is skipped
}

// cases lists what each part of the suite brings, in the order in which it runs.
func cases() []testCase {
	return slices.Concat(basicCases, lifecycleCases, networkCases, storageCases, isolationCases)
}

// Run runs the suite. start gives two new runtimes of two providers on one host, which it purges when the test ends.
func Run(t *testing.T, start func(t *testing.T) (a, b runtime.Runtime)) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			if c.long && os.Getenv("SOUK_LONG") == "" {
				t.Skip("takes long: make test-runtime runs it")
			}
			a, b := start(t)
			if c.need != "" && !enforces(t, a, c.need) {
				t.Skipf("the runtime does not enforce %q here", c.need)
			}
			c.run(t, pair{a: a, b: b})
		})
	}
}

type pair struct{ a, b runtime.Runtime }

// isolation is the class of workloads that name none.
func isolation(t testing.TB, r runtime.Runtime) string {
	t.Helper()
	c, err := r.Probe(context.Background())
	require.NoError(t, err)
	require.NotEmpty(t, c.Isolation)
	return c.Isolation[0]
}

// enforces tells whether a runtime enforces a limit on this host.
func enforces(t testing.TB, r runtime.Runtime, limit string) bool {
	t.Helper()
	c, err := r.Probe(context.Background())
	require.NoError(t, err)
	return slices.Contains(c.Limits, limit)
}

func (p pair) each() []runtime.Runtime { return []runtime.Runtime{p.a, p.b} }

// Workload is a small service with an HTTP port; change adapts it.
func Workload(lease runtime.LeaseID, image string, change ...func(*runtime.Service)) runtime.Workload {
	s := runtime.Service{
		Name: "web", Image: image, Replicas: 1, Ports: []runtime.Port{{Container: 8080, Protocol: "tcp", Name: "http"}},
		Resources: runtime.Resources{CPUMillis: 500, MemoryMiB: 64, DiskMiB: 32, PIDs: 64}, StopGraceSeconds: 2,
	}
	for _, c := range change {
		c(&s)
	}
	return runtime.Workload{Lease: lease, Revision: revision(1), Owner: alice, Services: []runtime.Service{s}}
}

func revision(n int) string { return fmt.Sprintf("%064x", n) }

// Eventually waits until look succeeds, and fails with what it said last when it does not.
func Eventually(t testing.TB, what string, look func() error) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for {
		err := look()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Replica waits until a replica is as the check wants it.
func Replica(t testing.TB, r runtime.Runtime, lease runtime.LeaseID, replica int, check func(runtime.ReplicaStatus) bool) runtime.ReplicaStatus {
	t.Helper()
	var got runtime.ReplicaStatus
	Eventually(t, "replica", func() error {
		s, err := r.Status(context.Background(), lease)
		if err != nil {
			return err
		}
		if replica >= len(s.Replicas) {
			return fmt.Errorf("%d replicas", len(s.Replicas))
		}
		if got = s.Replicas[replica]; !check(got) {
			return fmt.Errorf("it is %+v", got)
		}
		return nil
	})
	return got
}

func running(s runtime.ReplicaStatus) bool {
	return s.Phase == runtime.PhaseRunning && len(s.Endpoints) > 0
}

// Running waits until the first replica runs.
func Running(t testing.TB, r runtime.Runtime, lease runtime.LeaseID) runtime.ReplicaStatus {
	t.Helper()
	return Replica(t, r, lease, 0, running)
}

// Get asks a replica for a path and waits for an answer; what the program refused has status 418.
func Get(t testing.TB, s runtime.ReplicaStatus, path string, values ...string) (status int, text string) {
	t.Helper()
	query := url.Values{}
	for i := 0; i < len(values); i += 2 {
		query.Set(values[i], values[i+1])
	}
	address := fmt.Sprintf("http://%s%s?%s", s.Endpoints[0].Address, path, query.Encode())
	Eventually(t, "GET "+path, func() error {
		var err error
		status, text, err = fetch(address)
		return err
	})
	return status, text
}

func fetch(address string) (int, string, error) {
	client := http.Client{Timeout: slowly(10 * time.Second), Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(address)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// tell waits until the program serves, asks once and does not wait for an answer: for requests that end it.
func tell(t testing.TB, s runtime.ReplicaStatus, path string) {
	t.Helper()
	Get(t, s, "/")
	_, _, _ = fetch(fmt.Sprintf("http://%s%s", s.Endpoints[0].Address, path))
}

// Gone waits until nothing of a lease exists.
func Gone(t testing.TB, r runtime.Runtime, lease runtime.LeaseID) {
	t.Helper()
	Eventually(t, "removal", func() error {
		list, err := r.List(context.Background())
		require.NoError(t, err)
		for _, o := range list {
			if o.Lease == lease {
				return fmt.Errorf("lease %d still exists: %+v", lease, o)
			}
		}
		return nil
	})
}

func apply(t testing.TB, r runtime.Runtime, w runtime.Workload) {
	t.Helper()
	began := time.Now()
	require.NoError(t, r.Apply(context.Background(), w))
	require.Less(t, time.Since(began), slowly(2*time.Second), "Apply only records")
}

func contains(t testing.TB, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		require.True(t, strings.Contains(text, want), "%q does not contain %q", text, want)
	}
}
