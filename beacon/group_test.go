package beacon_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/beacon"
)

func TestRoundAtIsTheFirstThatIsNotEarlier(t *testing.T) {
	group := beacon.Group{GenesisTime: 1000, PeriodSeconds: 30}
	for unixSeconds, round := range map[uint64]uint64{0: 1, 999: 1, 1000: 1, 1001: 2, 1029: 2, 1030: 2, 1031: 3, 1060: 3} {
		require.Equal(t, round, group.RoundAt(unixSeconds), "at %d", unixSeconds)
	}
	require.Equal(t, uint64(1000), beacon.Quicknet().RoundAt(1692803367+2997), "quicknet's round 1000 was due 999 periods after its genesis")
}

func TestRoundsAndTheirTimesAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		group := beacon.Group{
			GenesisTime:   rapid.Uint64Range(1, math.MaxInt64).Draw(t, "genesis"),
			PeriodSeconds: rapid.Uint64Range(1, math.MaxUint32).Draw(t, "period"),
		}
		at := rapid.Uint64().Draw(t, "at")
		round := group.RoundAt(at)
		due, err := group.TimeOf(round)
		if err != nil {
			require.ErrorIs(t, err, beacon.ErrRound)
			require.Greater(t, at, math.MaxUint64-group.PeriodSeconds, "only a time within a period of the last has no round")
			return
		}
		require.GreaterOrEqual(t, due, at)
		require.Equal(t, round, group.RoundAt(due))
		if round > 1 {
			before, err := group.TimeOf(round - 1)
			require.NoError(t, err)
			require.Less(t, before, at, "an earlier round would do")
		}
	})
}

func TestThereIsNoRoundZeroAndNoneBeyondTime(t *testing.T) {
	group := beacon.Quicknet()
	for _, round := range []uint64{0, math.MaxUint64, math.MaxUint64 / 2} {
		_, err := group.TimeOf(round)
		require.ErrorIs(t, err, beacon.ErrRound, "round %d", round)
	}
	_, err := beacon.Group{GenesisTime: math.MaxUint64, PeriodSeconds: 1}.TimeOf(2)
	require.ErrorIs(t, err, beacon.ErrRound)
	require.Zero(t, beacon.Group{GenesisTime: 1}.RoundAt(5), "without a period there are no rounds")
}

func TestGroupsThatCannotBeAreRefused(t *testing.T) {
	infinity := append([]byte{0xc0}, make([]byte, beacon.PublicKeySize-1)...)
	for name, change := range map[string]func(*beacon.Group){
		"no key":                      func(g *beacon.Group) { g.PublicKey = nil },
		"a key cut short":             func(g *beacon.Group) { g.PublicKey = g.PublicKey[:95] },
		"a key with a byte to spare":  func(g *beacon.Group) { g.PublicKey = append(bytes.Clone(g.PublicKey), 0) },
		"a key that is infinity":      func(g *beacon.Group) { g.PublicKey = infinity },
		"a key not marked compressed": func(g *beacon.Group) { g.PublicKey[0] &^= 0x80 },
		"a key off the curve":         func(g *beacon.Group) { g.PublicKey = offCurve(beacon.PublicKeySize) },
		"a key out of the subgroup":   func(g *beacon.Group) { g.PublicKey = strayG2(t) },
		"a key in another range":      func(g *beacon.Group) { g.PublicKey = beyondField(beacon.PublicKeySize) },
		"a signature for a key":       func(g *beacon.Group) { g.PublicKey = unhex(t, published[0].signature) },
		"no genesis":                  func(g *beacon.Group) { g.GenesisTime = 0 },
		"a genesis that is negative":  func(g *beacon.Group) { g.GenesisTime = 1 << 63 },
		"no period":                   func(g *beacon.Group) { g.PeriodSeconds = 0 },
		"a period of centuries":       func(g *beacon.Group) { g.PeriodSeconds = 1 << 32 },
	} {
		t.Run(name, func(t *testing.T) {
			group := beacon.Quicknet()
			change(&group)
			require.ErrorIs(t, group.Validate(), beacon.ErrGroup)
		})
	}
}
