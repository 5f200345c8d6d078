package history

import (
	"flag"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

var checks sync.Mutex

// everyHistory checks a property of so many histories.
func everyHistory(t *testing.T, percent int, property func(*rapid.T)) {
	t.Helper()
	n := histories(t, percent)
	checks.Lock()
	if err := flag.Set("rapid.checks", fmt.Sprint(n)); err != nil {
		t.Fatal(err)
	}
	checks.Unlock()
	rapid.Check(t, property)
}

// TestInEveryHistoryEverybodyHasWhatTheWorldSays plays histories in the world, on a chain that processes all that is due in
// the block in which it is due, and on one that processes one deadline a block.
func TestInEveryHistoryEverybodyHasWhatTheWorldSays(t *testing.T) {
	n, counts := found(t), tally{}
	everyHistory(t, 60, func(rt *rapid.T) {
		p := newPlayer(drawn{t, rt}, n, drawSettings(rt), false, true)
		p.lags = rapid.Bool().Draw(rt, "lags")
		for _, s := range drawHistory(rt) {
			p.play(s)
		}
		p.compareAll()
		p.count(counts)
	})
	counts.report(t, histories(t, 60))
}
