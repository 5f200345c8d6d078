package book

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	markettypes "github.com/souk-network/souk/x/market/types"
)

func at(provider, zone string, replicas uint32) Candidate {
	offer := markettypes.Offer{Provider: provider}
	if zone != "" {
		offer.Labels = []markettypes.Label{{Key: markettypes.ZoneLabel, Value: zone}}
	}
	return Candidate{Entry: markettypes.BookEntry{Offer: offer}, Replicas: replicas}
}

func TestAStandbyIsElsewhereThanWhatServes(t *testing.T) {
	all := Screening{Candidates: []Candidate{at("a", "z1", 1), at("b", "z1", 9), at("a", "z2", 9), at("c", "", 9), at("c", "z3", 9), at("d", "z2", 9)}}
	names := func(list []Candidate) (out []string) {
		for _, c := range list {
			out = append(out, c.Entry.Offer.Provider+"/"+c.Entry.Offer.Zone())
		}
		return out
	}
	for _, c := range []struct {
		name               string
		replicas, standbys uint32
		serving, standing  []string
	}{
		{"none is asked for", 1, 0, []string{"a/z1"}, nil},
		{"the cheapest beyond provider and zone", 1, 1, []string{"a/z1"}, []string{"c/"}},
		{"each at another provider", 1, 2, []string{"a/z1"}, []string{"c/", "d/z2"}},
		{"fewer than are asked for", 1, 8, []string{"a/z1"}, []string{"c/", "d/z2"}},
		{"beside two providers of one zone", 2, 1, []string{"a/z1", "b/z1"}, []string{"c/"}},
		{"more replicas than all can take", 99, 1, []string{"a/z1", "b/z1", "a/z2", "c/", "c/z3", "d/z2"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			serving := all.Chosen(c.replicas)
			require.Equal(t, c.serving, names(serving))
			require.Equal(t, c.standing, names(all.Standbys(serving, c.standbys)))
		})
	}
}

func TestTheRateOfAStandbyIsItsShareRoundedUp(t *testing.T) {
	require.Zero(t, StandbyRate(0, 500))
	require.EqualValues(t, 1, StandbyRate(1, 500))
	require.EqualValues(t, 501, StandbyRate(10_001, 500))
	rapid.Check(t, func(t *rapid.T) {
		rate, share := rapid.Uint64().Draw(t, "rate"), rapid.Uint32Range(0, fullShare).Draw(t, "share")
		want := new(big.Int).Mul(new(big.Int).SetUint64(rate), big.NewInt(int64(share)))
		want.Add(want, big.NewInt(fullShare-1)).Div(want, big.NewInt(fullShare))
		if want.Uint64() != StandbyRate(rate, share) || !want.IsUint64() {
			t.Fatalf("%d of %d: %d, want %s", share, rate, StandbyRate(rate, share), want)
		}
	})
}
