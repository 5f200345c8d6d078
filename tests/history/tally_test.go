package history

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// tally counts what happened in histories, so that it is seen that they are worth something.
type tally map[string]int

func (c tally) note(kind string, accepted bool) {
	if accepted {
		c[kind]++
	} else {
		c["refused "+kind]++
	}
}

// report logs the counts, and fails when something that should happen never did in many histories.
func (c tally) report(t *testing.T, histories int, must ...string) {
	t.Helper()
	var lines []string
	for _, kind := range slices.Sorted(maps.Keys(c)) {
		lines = append(lines, fmt.Sprintf("%s %d", kind, c[kind]))
	}
	t.Logf("%d histories:\n%s", histories, strings.Join(lines, "\n"))
	if histories < 2000 {
		return
	}
	for _, kind := range must {
		if c[kind] == 0 {
			t.Errorf("%s never happened", kind)
		}
	}
}

// count adds what happened in a history: messages, and how leases and accounts ended.
func (p *player) count(counts tally) {
	for kind, n := range p.tally {
		counts[kind] += n
	}
	for _, event := range p.w.events {
		counts[event]++
	}
	for _, l := range p.w.leases {
		counts[fmt.Sprintf("lease %s %s", l.State, l.Reason)]++
	}
	for _, a := range p.w.accounts {
		counts.note("account exhausted", a.exhausted)
	}
}
