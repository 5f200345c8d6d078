package containerd

import (
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
