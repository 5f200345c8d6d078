package meter_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/agent/meter"
)

func replicas(runs ...string) (out []meter.Replica) {
	for i, run := range runs {
		out = append(out, meter.Replica{Name: fmt.Sprintf("web/%d", i), Run: run, Up: run != ""})
	}
	return out
}

func TestTimeBetweenLooksCountsAsTheFirstOfThemSaw(t *testing.T) {
	for name, c := range map[string]struct {
		looks [][]string // one every 10 s from second 100 on; an empty run is down
		want  uint64
	}{
		"always up":                               {[][]string{{"a"}, {"a"}, {"a"}}, 20},
		"never up":                                {[][]string{{""}, {""}, {""}}, 0},
		"down at the second look":                 {[][]string{{"a"}, {""}, {""}}, 10},
		"up again in another run":                 {[][]string{{"a"}, {""}, {"b"}, {"b"}}, 20},
		"half of the replicas":                    {[][]string{{"a", ""}, {"a", ""}}, 5},
		"shares are added up before they are cut": {[][]string{{"a", "", ""}, {"a", "", ""}, {"a", "", ""}, {"a", "", ""}}, 10},
		"one that nobody has brought work to":     {[][]string{{}, {}}, 10},
		"a restart that no look saw":              {[][]string{{"a"}, {"b"}}, 10},
		"only one look":                           {[][]string{{"a"}}, 0},
		"more replicas from the second look on":   {[][]string{{"a"}, {"a", ""}, {"a", ""}}, 15},
		"fewer replicas from the second look on":  {[][]string{{"a", ""}, {"a"}, {"a"}}, 15},
		"up, then nothing is wanted, then up":     {[][]string{{"a"}, {}, {"a"}, {"a"}}, 30},
	} {
		t.Run(name, func(t *testing.T) {
			var r meter.Record
			for i, runs := range c.looks {
				r.Look(uint64(100+10*i), replicas(runs...), 15)
			}
			require.Equal(t, c.want, r.UpSeconds(0, 1000))
		})
	}
}

func TestAcrossATimeWithoutLooksOnlyTheSameRunCounts(t *testing.T) {
	for name, c := range map[string]struct {
		before, after []string
		want          uint64
	}{
		"the same run":           {[]string{"a"}, []string{"a"}, 100},
		"another run":            {[]string{"a"}, []string{"b"}, 0},
		"down after it":          {[]string{"a"}, []string{""}, 0},
		"down before it":         {[]string{""}, []string{"a"}, 0},
		"one of two was started": {[]string{"a", "b"}, []string{"a", "c"}, 50},
	} {
		t.Run(name, func(t *testing.T) {
			var r meter.Record
			r.Look(100, replicas(c.before...), 15)
			r.Look(200, replicas(c.after...), 15)
			require.Equal(t, c.want, r.UpSeconds(0, 1000))
		})
	}
}

func TestPartsOfTimeAreCountedAlone(t *testing.T) {
	var r meter.Record
	for at := uint64(100); at <= 200; at++ {
		run := "a"
		if at >= 130 && at < 160 {
			run = ""
		}
		r.Look(at, replicas(run), 15)
	}
	require.Equal(t, uint64(70), r.UpSeconds(0, 1000))
	require.Equal(t, uint64(30), r.UpSeconds(100, 150))
	require.Equal(t, uint64(40), r.UpSeconds(150, 250))
	require.Zero(t, r.UpSeconds(130, 160))
	require.Len(t, r.Spans, 2, "only changes take room")
	r.Forget(140)
	require.Equal(t, uint64(40), r.UpSeconds(0, 1000))
}

func TestALookThatIsNotLaterChangesNothingOfThePast(t *testing.T) {
	var r meter.Record
	r.Look(100, replicas("a"), 15)
	r.Look(110, replicas("a"), 15)
	r.Look(105, replicas(""), 15)
	require.Equal(t, uint64(10), r.UpSeconds(0, 1000))
	r.Look(110, replicas(""), 15)
	r.Look(120, replicas("a"), 15)
	require.Equal(t, uint64(10), r.UpSeconds(0, 1000), "down from the look at the same second on")
}

// TestUpSecondsAreThoseOfACountSecondBySecond compares with a plain count.
func TestUpSecondsAreThoseOfACountSecondBySecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r meter.Record
		up := map[uint64]bool{}
		at, last, lastRun := uint64(50), uint64(0), ""
		for range rapid.IntRange(1, 400).Draw(t, "looks") {
			at += rapid.Uint64Range(0, 25).Draw(t, "pause")
			run := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "run")
			if last != 0 && lastRun != "" && (at-last <= 15 || run == lastRun) {
				for second := last; second < at; second++ {
					up[second] = true
				}
			}
			r.Look(at, replicas(run), 15)
			last, lastRun = at, run
		}
		from := rapid.Uint64Range(0, at).Draw(t, "from")
		var want uint64
		for second := range up {
			if second >= from {
				want++
			}
		}
		got := r.UpSeconds(from, at+10)
		require.LessOrEqual(t, len(r.Spans), meter.MaxSpans)
		if len(r.Spans) < meter.MaxSpans {
			require.Equal(t, want, got)
		}
		require.LessOrEqual(t, r.UpSeconds(0, at+10), at)
	})
}

// TestWhatIsHeldCountsAsWhatWasLookedAt leaves out looks that saw the same as the one before.
func TestWhatIsHeldCountsAsWhatWasLookedAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all, some meter.Record
		at := uint64(50)
		for range rapid.IntRange(1, 100).Draw(t, "looks") {
			at += rapid.Uint64Range(0, 15).Draw(t, "pause")
			seen := replicas(rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "run"))
			before := all
			all.Look(at, seen, 15)
			if before.At != 0 && all.SameSight(before) {
				continue
			}
			some.Hold(before.At)
			some.Look(at, seen, 15)
		}
		some.Hold(all.At)
		require.Equal(t, all.UpSeconds(0, at), some.UpSeconds(0, at))
		require.Equal(t, all.At, some.At)
		require.Equal(t, all.IsDown(), some.IsDown())
	})
}

func TestALedgerAddsUpByEpoch(t *testing.T) {
	var l meter.Ledger
	l.Add(100, 1, meter.Sample{Boot: "a", CPUNanos: 50, EgressBytes: 5, MemoryBytes: 2}) // where it begins
	l.Add(110, 1, meter.Sample{Boot: "a", CPUNanos: 70, EgressBytes: 8, MemoryBytes: 3})
	l.Add(120, 2, meter.Sample{Boot: "a", CPUNanos: 75, EgressBytes: 8, MemoryBytes: 3})
	l.Add(130, 2, meter.Sample{Boot: "a", CPUNanos: 5, EgressBytes: 9}) // a counter began anew
	l.Add(140, 2, meter.Sample{Boot: "b", CPUNanos: 7, EgressBytes: 10})
	require.Equal(t, meter.Used{CPUNanos: 25, EgressBytes: 3, MemorySeconds: 50}, l.Epochs[1])
	require.Equal(t, meter.Used{CPUNanos: 12, EgressBytes: 11, MemorySeconds: 30}, l.Epochs[2])
	l.Forget(2)
	require.NotContains(t, l.Epochs, uint64(1))
}
