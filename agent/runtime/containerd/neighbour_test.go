package containerd_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/runtime/conformance"
	"github.com/souk-network/souk/agent/runtime/containerd"
)

const (
	quiet   = runtime.LeaseID(1) // the neighbour, with a processor of its own
	abuser  = runtime.LeaseID(2) // forks, fills its disk and shared memory, takes terminals
	glutton = runtime.LeaseID(3) // takes memory until it is killed, again and again
)

// BenchmarkNeighbour measures how much longer a small server's slowest answers take while two other leases do all that
// they can to harm it.
func BenchmarkNeighbour(b *testing.B) {
	needRoot(b)
	if len(processors(b)) < 2 {
		b.Skip("one processor cannot be shared and owned")
	}
	c := config(b, "souk1one", stateDir(b))
	c.PinCPUs = true
	r := open(b, c)
	conformance.Push(b, r.Images(), owner, "hello", "1", helloImage(b))
	require.NoError(b, r.Apply(b.Context(), conformance.Workload(quiet, "hello:1", func(s *runtime.Service) { s.Resources.CPUMillis = 1000 })))
	server := conformance.Running(b, r, quiet)
	own := ownProcessor(b, r)
	stayOn(b, own)

	var ratios, alone, beside []float64
	for range 3 {
		calm := p99(b, server)
		abuse(b, r)
		troubled := p99(b, server)
		for _, lease := range []runtime.LeaseID{abuser, glutton} {
			require.NoError(b, r.Remove(b.Context(), lease))
			conformance.Gone(b, r, lease)
		}
		alone, beside, ratios = append(alone, calm), append(beside, troubled), append(ratios, troubled/calm)
	}
	after := conformance.Running(b, r, quiet)
	require.Zero(b, after.Exits, "the neighbour lives")
	require.Equal(b, server.StartedAt, after.StartedAt)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(alone)*1e3, "us-p99-alone")
	b.ReportMetric(median(beside)*1e3, "us-p99-beside-abuse")
	b.ReportMetric(median(ratios), "times-p99")
}

func abuse(b *testing.B, r *containerd.Runtime) {
	b.Helper()
	for lease, kinds := range map[runtime.LeaseID]string{abuser: "fork,shm,disk,terminals", glutton: "memory"} {
		w := conformance.Workload(lease, "hello:1", func(s *runtime.Service) {
			s.Command, s.Ports, s.Resources.CPUMillis = []string{"abuse", kinds}, nil, 500
		})
		require.NoError(b, r.Apply(b.Context(), w))
		conformance.Replica(b, r, lease, 0, func(s runtime.ReplicaStatus) bool { return s.Running != "" || s.Exits > 0 })
	}
	conformance.Eventually(b, "the abuse", func() error {
		u, err := r.Usage(context.Background(), abuser)
		if err == nil && u.Total.PIDs < 60 {
			err = fmt.Errorf("%d processes", u.Total.PIDs)
		}
		return err
	})
	conformance.Replica(b, r, glutton, 0, func(s runtime.ReplicaStatus) bool { return s.OOMKilled })
}

// p99 is the time, in milliseconds, within which 99 of 100 answers of a server come, one asked after the other.
func p99(b *testing.B, s runtime.ReplicaStatus) float64 {
	b.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	var took []float64
	for range 3000 {
		began := time.Now()
		resp, err := client.Get("http://" + s.Endpoints[0].Address.String() + "/")
		require.NoError(b, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(b, err)
		require.NoError(b, resp.Body.Close())
		took = append(took, float64(time.Since(began))/float64(time.Millisecond))
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

func processors(t testing.TB) []string {
	t.Helper()
	list, err := filepath.Glob("/sys/devices/system/cpu/cpu[0-9]*")
	require.NoError(t, err)
	return list
}

// ownProcessor reads which processor the neighbour has for itself.
func ownProcessor(t testing.TB, r *containerd.Runtime) int {
	t.Helper()
	tops, err := instance.Cgroups(r.Instance())
	require.NoError(t, err)
	for _, top := range tops {
		found, err := filepath.Glob(filepath.Join(top, strconv.FormatUint(quiet, 10), "*", "cpuset.cpus"))
		require.NoError(t, err)
		for _, file := range found {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var own int
			n, err := fmt.Sscanf(string(text), "%d\n", &own)
			require.NoError(t, err, "%q is not one processor", text)
			require.Equal(t, 1, n)
			return own
		}
	}
	t.Skip("the kernel does not give groups processors of their own")
	return 0
}

// stayOn keeps this process on one processor: who asks the server is not to wait for one that others use.
func stayOn(t testing.TB, processor int) {
	t.Helper()
	var before, only unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &before))
	only.Set(processor)
	set := func(to *unix.CPUSet) {
		threads, err := os.ReadDir("/proc/self/task")
		require.NoError(t, err)
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			require.NoError(t, err)
			_ = unix.SchedSetaffinity(id, to) // it may have ended
		}
	}
	set(&only)
	t.Cleanup(func() { set(&before) })
}

func TestWholeProcessorsBelongToOneLease(t *testing.T) {
	needRoot(t)
	if len(processors(t)) < 2 {
		t.Skip("one processor cannot be shared and owned")
	}
	c := config(t, "souk1one", stateDir(t))
	c.PinCPUs = true
	r := open(t, c)
	conformance.Push(t, r.Images(), owner, "hello", "1", helloImage(t))
	require.NoError(t, r.Apply(t.Context(), conformance.Workload(2, "hello:1")))
	sharing := conformance.Running(t, r, 2)
	require.NoError(t, r.Apply(t.Context(), conformance.Workload(quiet, "hello:1", func(s *runtime.Service) { s.Resources.CPUMillis = 1000 })))
	owning := conformance.Running(t, r, quiet)
	own := ownProcessor(t, r)
	allowed := func(s runtime.ReplicaStatus) string {
		_, status := conformance.Get(t, s, "/read", "path", "/proc/self/status")
		_, after, _ := strings.Cut(status, "Cpus_allowed_list:\t")
		list, _, _ := strings.Cut(after, "\n")
		return list
	}
	require.Equal(t, strconv.Itoa(own), allowed(owning))
	conformance.Eventually(t, "the other lease leaves it", func() error {
		if list := allowed(sharing); list == "" || isIn(t, own, list) {
			return fmt.Errorf("it may use %s", list)
		}
		return nil
	})
	require.NoError(t, r.Remove(t.Context(), quiet))
	conformance.Gone(t, r, quiet)
	conformance.Eventually(t, "it is given back", func() error {
		if list := allowed(sharing); list != "0-"+strconv.Itoa(len(processors(t))-1) {
			return fmt.Errorf("it may use %s", list)
		}
		return nil
	})
}

// isIn tells whether a list such as "0-3,7" has a processor.
func isIn(t testing.TB, processor int, list string) bool {
	t.Helper()
	for part := range strings.SplitSeq(list, ",") {
		from, to, ranged := strings.Cut(part, "-")
		if !ranged {
			to = from
		}
		first, err := strconv.Atoi(from)
		require.NoError(t, err)
		last, err := strconv.Atoi(to)
		require.NoError(t, err)
		if first <= processor && processor <= last {
			return true
		}
	}
	return false
}
