package containerd

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/agent/runtime"
)

// TestProcessorsAreGivenOnceAndOneStaysShared gives and takes processors at random.
func TestProcessorsAreGivenOnceAndOneStaysShared(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		online := make([]int, rapid.IntRange(1, 8).Draw(t, "processors"))
		for i := range online {
			online[i] = i
		}
		given := map[runtime.LeaseID][]int{}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			lease := rapid.Uint64Range(1, 4).Draw(t, "lease")
			had := given[lease]
			delete(given, lease)
			want := rapid.IntRange(0, 4).Draw(t, "want")
			got := pin(online, given, had, want)
			if len(got) > 0 {
				given[lease] = got
				require.Len(t, got, want)
			} else {
				require.True(t, want == 0 || want >= len(shared(online, given)))
			}
			if len(had) == want && len(got) == want {
				require.Equal(t, had, got, "what a lease has it keeps")
			}
			seen := map[int]bool{}
			for _, list := range given {
				for _, c := range list {
					require.False(t, seen[c], "given twice")
					seen[c] = true
				}
			}
			rest := shared(online, given)
			require.NotEmpty(t, rest)
			for _, c := range rest {
				require.False(t, seen[c])
			}
		}
	})
}

func TestListsOfProcessorsAreReadAndWritten(t *testing.T) {
	got, err := parseCPUs("0-2,5,7-8\n")
	require.NoError(t, err)
	require.True(t, slices.Equal([]int{0, 1, 2, 5, 7, 8}, got))
	require.Equal(t, "0,1,2,5,7,8", cpuList(got))
	_, err = parseCPUs("x")
	require.Error(t, err)
	require.Equal(t, 2, wholeCPUs(runtime.Workload{Services: []runtime.Service{{Replicas: 4, Resources: runtime.Resources{CPUMillis: 500}}}}))
	require.Zero(t, wholeCPUs(runtime.Workload{Services: []runtime.Service{{Replicas: 1, Resources: runtime.Resources{CPUMillis: 1500}}}}))
}
