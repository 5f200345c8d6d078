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
	first := sync.OnceFunc(checks.Unlock) // rapid has read the flag when it calls the property
	if err := flag.Set("rapid.checks", fmt.Sprint(n)); err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		first()
		property(rt)
	})
}

// mustHappen is what histories in which everything is foretold must have come to.
var mustHappen = append(everyKind(), "lease LEASE_STATE_CLOSED REASON_EXPIRED",
	"lease LEASE_STATE_CLOSED REASON_INSUFFICIENT_FUNDS", "lease LEASE_STATE_CLOSED REASON_POLICY",
	"lease LEASE_STATE_CLOSED REASON_PROVIDER_LEFT", "lease LEASE_STATE_CLOSED REASON_RECLAIMED",
	"lease LEASE_STATE_CLOSED REASON_TENANT", "lease LEASE_STATE_FAILED REASON_DECLINED",
	"lease LEASE_STATE_FAILED REASON_JAILED", "lease LEASE_STATE_FAILED REASON_NOT_ACKED",
	"lease LEASE_STATE_CLOSED REASON_NOT_NEEDED", "lease LEASE_STATE_FAILED REASON_TENANT_FAILOVER",
	"lease LEASE_STATE_FAILED REASON_UNREACHABLE", "bid expired", "bid returned", "replicas returned",
	"standby placed", "standby taken", "standby serves at once",
	"standby took over REASON_TENANT", "standby took over REASON_TENANT_FAILOVER",
	"standby took over REASON_JAILED", "standby took over REASON_UNREACHABLE", "standby took over REASON_NOT_ACKED",
	"standby took over REASON_PROVIDER_LEFT")

// foretell plays histories in the world, on a chain that processes all that is due in the block in which it is due, and on one
// that processes one deadline at a time: messages come in between.
func foretell(t *testing.T, percent int, begin func(*rapid.T, *player)) {
	t.Helper()
	t.Parallel()
	n, counts := found(t), tally{}
	everyHistory(t, percent, func(rt *rapid.T) {
		p := newPlayer(drawn{t, rt}, n, drawSettings(rt), false, true)
		begin(rt, p)
		for _, s := range drawHistory(rt) {
			p.play(s)
		}
		p.compareAll()
		p.finish()
		p.count(counts)
	})
	counts.report(t, histories(t, percent), mustHappen...)
}

// TestInEveryHistoryEverybodyHasWhatTheWorldSays lets the delayed chain catch up before the end of each block.
func TestInEveryHistoryEverybodyHasWhatTheWorldSays(t *testing.T) {
	foretell(t, 30, func(*rapid.T, *player) {})
}

// TestItDoesNotMatterHowManyBlocksItTakes lets the delayed chain stay behind over blocks, as long as no bid rests on either and no
// epoch ends: what is cleared, and when an epoch closes, is decided by blocks.
func TestItDoesNotMatterHowManyBlocksItTakes(t *testing.T) {
	foretell(t, 20, func(rt *rapid.T, p *player) { p.lags = rapid.SampledFrom([]bool{true}).Draw(rt, "lags") })
}

// TestNoWildHistoryBreaksAnInvariant plays histories in which governance changes also how many deadlines a block processes and
// when accounts are low. What everybody has then is not foretold; that all of it is accounted for is.
func TestNoWildHistoryBreaksAnInvariant(t *testing.T) {
	t.Parallel()
	n, counts := found(t), tally{}
	everyHistory(t, 40, func(rt *rapid.T) {
		s := drawSettings(rt)
		s.escrow.MaxDeadlinesPerBlock = rapid.SampledFrom([]uint32{1, 2, 7, 1000}).Draw(rt, "deadlines a block")
		p := newPlayer(drawn{t, rt}, n, s, true, false)
		for _, s := range drawHistory(rt) {
			p.play(s)
		}
		p.compareAll()
		p.finish()
		p.count(counts)
	})
	counts.report(t, histories(t, 40), everyKind()...)
}
