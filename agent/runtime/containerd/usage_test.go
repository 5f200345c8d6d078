package containerd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestCountersGrowOverWhateverBeginsAnew runs sources that grow, end, come back and are lost between readings. What a
// source did after its last reading may be missed; nothing else is, nothing counts twice and no total shrinks.
func TestCountersGrowOverWhateverBeginsAnew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type source struct{ identity, value, read uint64 }
		sources := map[string]*source{"a": {}, "b": {}}
		var c carry
		var counted, identities, before uint64
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "source")
			s := sources[name]
			switch rapid.SampledFrom([]string{"begin", "grow", "end", "read", "reopen"}).Draw(t, "step") {
			case "begin":
				identities++
				*s = source{identity: identities}
			case "grow":
				if s.identity != 0 {
					s.value += rapid.Uint64Range(0, 1000).Draw(t, "by")
				}
			case "end":
				*s = source{}
			case "read":
				c.add([]reading{{counterCPU, name, s.identity, s.value}})
				counted += s.value - s.read
				s.read = s.value
			case "reopen":
				c.changed = false
			}
			total := c.total(counterCPU)
			require.GreaterOrEqual(t, total, before)
			require.Equal(t, counted, total)
			before = total
		}
	})
}

func TestASourceThatSaysLessHasBegunAnew(t *testing.T) {
	var c carry
	c.add([]reading{{counterEgress, "net", 7, 100}})
	c.add([]reading{{counterEgress, "net", 7, 30}})
	require.EqualValues(t, 130, c.total(counterEgress))
	require.Zero(t, c.total(counterIngress))
}

// What cannot be read is not a counter that began anew at nothing: it would count all of it once more when it can be read again.
func TestAGroupThatCannotBeReadTellsNothing(t *testing.T) {
	for name, read := range map[string]func(dir string) groupUsage{
		"on cgroup v1": func(dir string) groupUsage { return readGroupV1(dir, dir, dir, dir) },
		"on cgroup v2": readGroupV2,
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "group")
			require.Zero(t, read(dir).identity)
			require.NoError(t, os.Mkdir(dir, 0o700))
			require.Zero(t, read(dir).identity)
			write := func(file, text string) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
			}
			write("cpuacct.usage", "5000\n")
			write("cpu.stat", "usage_usec 5\n")
			require.Zero(t, read(dir).throttled, "nothing is throttled")
			require.NotZero(t, read(dir).identity)
			write("cpu.stat", "usage_usec 5\nthrottled_time 7\nthrottled_usec 7\n")
			whole := read(dir)
			require.NotZero(t, whole.throttled)
			require.EqualValues(t, 5000, whole.cpuNanos)
			write("cpuacct.usage", "")
			write("cpu.stat", "")
			torn := read(dir)
			require.Zero(t, torn.identity+torn.throttled)

			var c carry
			for _, g := range []groupUsage{whole, torn, whole} {
				c.add([]reading{{counterCPU, "lease", g.identity, g.cpuNanos}})
			}
			require.EqualValues(t, 5000, c.total(counterCPU))
		})
	}
	require.Zero(t, sameGroup(1, 2, true), "it was replaced while it was read")
}

// A sample that was told is not taken back when what it was made of is lost, as when the file of another make is read.
func TestATotalThatWasToldIsNeverLess(t *testing.T) {
	c := carry{Last: map[string]map[string]last{}, Ended: map[string]uint64{}, Told: map[string]uint64{counterEgress: 100}}
	c.add([]reading{{counterEgress, "network", 1, 30}})
	require.EqualValues(t, 100, c.total(counterEgress))
	c.add([]reading{{counterEgress, "network", 1, 130}})
	require.EqualValues(t, 130, c.total(counterEgress))
}
