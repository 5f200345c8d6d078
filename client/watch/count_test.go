package watch_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/client/watch"
)

type look struct {
	at uint64
	is watch.Service
}

func counted(from uint64, looks ...look) watch.Count {
	c := watch.Count{From: from}
	for _, l := range looks {
		c = c.Look(l.at, l.is, 15)
	}
	return c
}

func TestOnlyWhatWasSeenDownAtBothEndsIsDown(t *testing.T) {
	for _, c := range []struct {
		name  string
		count watch.Count
		want  watch.Word
		down  uint64
	}{
		{"nothing was looked at", watch.Count{From: 50}, watch.Word{}, 0},
		{"one look judges what was before it as up", counted(50, look{140, watch.Down}), watch.Word{Up: 40, Until: 140}, 0},
		{"two looks that see it down", counted(50, look{140, watch.Down}, look{145, watch.Down}), watch.Word{Up: 40, Until: 145}, 5},
		{"down for one look only", counted(50, look{140, watch.Up}, look{145, watch.Down}, look{150, watch.Up}), watch.Word{Up: 50, Until: 150}, 0},
		{"nobody looked for long", counted(50, look{120, watch.Down}, look{160, watch.Down}), watch.Word{Up: 60, Until: 160}, 0},
		{"it could not look in between", counted(50, look{120, watch.Down}, look{125, watch.Unknown}, look{130, watch.Down}), watch.Word{Up: 30, Until: 130}, 0},
		{"it can not look any more", counted(50, look{120, watch.Up}, look{190, watch.Unknown}), watch.Word{Up: 20, Until: 120}, 0},
		{"down from before the epoch on", counted(50, look{95, watch.Down}, look{105, watch.Down}), watch.Word{Up: 0, Until: 105}, 5},
		{"down beyond its end", counted(50, look{195, watch.Down}, look{205, watch.Down}), watch.Word{Up: 95, Until: 200}, 5},
		{"it began in the epoch", counted(150, look{160, watch.Down}, look{170, watch.Down}), watch.Word{Up: 10, Until: 170}, 10},
		{"it began after it", counted(250, look{260, watch.Down}, look{270, watch.Down}), watch.Word{}, 0},
		{"it was paused", counted(50, look{140, watch.Idle}, look{150, watch.Idle}), watch.Word{Up: 40, Until: 150}, 0},
		{"it ended while it was down", counted(50, look{140, watch.Down}, look{150, watch.Down}).Ended(150, 180), watch.Word{Up: 40, Until: 180}, 10},
		{"it ended before", counted(50, look{60, watch.Up}).Ended(90, 120), watch.Word{}, 0},
		{"another node is behind", counted(50, look{140, watch.Up}, look{130, watch.Down}, look{145, watch.Down}), watch.Word{Up: 45, Until: 145}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			word, down := c.count.Word(100, 200)
			require.Equal(t, c.want, word)
			require.Equal(t, c.down, down)
		})
	}
}

func TestAWordIsOneThatTheChainTakesAndNeverTakesBackUpTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := watch.Count{From: rapid.Uint64Range(1, 250).Draw(t, "from")}
		at, before := uint64(90), watch.Word{}
		for range rapid.IntRange(1, 60).Draw(t, "looks") {
			at += rapid.Uint64Range(0, 20).Draw(t, "pause")
			old := c
			c = c.Look(at, watch.Service(rapid.IntRange(0, 3).Draw(t, "is")), 15)
			word, down := c.Word(100, 200)
			if word.Until == 0 {
				continue
			}
			require.True(t, word.Until > 100 && word.Until <= 200)
			require.LessOrEqual(t, word.Up+down, word.Until-100)
			require.GreaterOrEqual(t, word.Until, before.Until)
			if before.Until != 0 {
				require.LessOrEqual(t, word.Allows(200), before.Allows(200), "what it allows only falls")
			}
			again, _ := old.Look(at, watch.Unknown, 15).Word(100, 200)
			require.LessOrEqual(t, again.Until, word.Until)
			kept, _ := c.Forget(100).Word(100, 200)
			require.Equal(t, word, kept)
			before = word
		}
	})
}
