package tenant

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/client/book"
	"github.com/souk-network/souk/manifest"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func TestWhatBecomesOfAGroupIsSaidBeforeItIsPaid(t *testing.T) {
	disk := markettypes.Resources{SsdMib: 1024}
	quoted := markettypes.BidMode_BID_MODE_QUOTE
	for _, c := range []struct {
		name    string
		bid     markettypes.BidSpec
		several bool
		keepers []string
		want    string
	}{
		{"nobody holds the manifest", markettypes.BidSpec{}, false, nil, "if       its provider fails: it is placed anew and waits there for its manifest, until you run souk up or souk watch hands it over"},
		{"custodians hold it", markettypes.BidSpec{Name: "web"}, true, []string{"souk1a"}, "if       the provider of web fails: it is placed anew, and custodians hand its manifest to the new provider"},
		{"a standby is there", markettypes.BidSpec{Standbys: 1}, false, []string{"souk1a"}, "if       its provider fails: its standby takes over in the same block; without one, it is placed anew, and custodians hand its manifest to the new provider"},
		{"standbys of what is not replaced", markettypes.BidSpec{Standbys: 2, NoReplace: true, Unit: disk}, false, nil, "if       its provider fails: one of its standbys takes over in the same block; without one, it is not placed anew; its volumes stay behind: it begins with empty ones"},
		{"data that stays", markettypes.BidSpec{NoReplace: true, Unit: disk}, false, nil, "if       its provider fails: it is not placed anew; its volumes stay behind"},
		{"quotes", markettypes.BidSpec{Mode: quoted, Unit: disk}, false, []string{"souk1a"}, "if       its provider fails: it collects quotes again and waits until you accept one; its volumes stay behind: it begins with empty ones"},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, failsText(c.bid, c.several, c.keepers)) })
	}
}

func candidate(offer uint64, provider string, rate uint64) book.Candidate {
	return book.Candidate{Entry: markettypes.BookEntry{Offer: markettypes.Offer{Id: offer, Provider: provider}}, Replicas: 5, Rate: rate}
}

func TestThePlanCountsWhatStandsBy(t *testing.T) {
	g := groupPlan{
		bid: markettypes.BidSpec{Name: "web", Replicas: 2, Standbys: 2, Cap: 30_001}, standbyBps: 500,
		screening: book.Screening{Candidates: []book.Candidate{candidate(1, "a", 10_000), candidate(2, "b", 20_001)}},
	}
	g.serving = g.screening.Chosen(2)
	g.standing = g.screening.Standbys(g.serving, 2)
	p := &plan{denom: "usouk"}
	require.NoError(t, p.add(g))
	require.EqualValues(t, 20_000+1001, p.rate)
	require.EqualValues(t, 2*30_001+2*1501, p.capRate, "both standbys, though one is not found yet")
	rate, n := (&plan{groups: []groupPlan{g}}).standingRate()
	require.EqualValues(t, 1001, rate)
	require.Equal(t, 1, n)
	require.Contains(t, g.missingStandbys(), "1 of 2 standbys of web")
	rows := candidateRows(g, "usouk")
	require.Equal(t, []string{"CHOSEN", "STANDBY"}, []string{rows.Cells[0][0], rows.Cells[1][0]})
}

func TestAnOpenGroupGoesOnAsItFindsItsProviders(t *testing.T) {
	quoted := markettypes.BidSpec{Mode: markettypes.BidMode_BID_MODE_QUOTE}
	auction := markettypes.BidSpec{Mode: markettypes.BidMode_BID_MODE_AUCTION}
	for _, c := range []struct {
		name   string
		before markettypes.BidSpec
		demand manifest.Demand
		want   markettypes.BidMode
	}{
		{"the file says nothing", quoted, manifest.Demand{}, markettypes.BidMode_BID_MODE_QUOTE},
		{"the file says auction", quoted, manifest.Demand{Mode: manifest.Auction}, markettypes.BidMode_BID_MODE_UNSPECIFIED},
		{"standbys need an auction", quoted, manifest.Demand{Standbys: 1}, markettypes.BidMode_BID_MODE_UNSPECIFIED},
		{"the chain writes an auction out", auction, manifest.Demand{}, markettypes.BidMode_BID_MODE_AUCTION},
		{"the file says quotes", auction, manifest.Demand{Mode: manifest.Quote}, markettypes.BidMode_BID_MODE_QUOTE},
	} {
		t.Run(c.name, func(t *testing.T) {
			bid, ok := kept(c.before, inMode(c.before, c.demand))
			require.True(t, ok)
			require.Equal(t, c.want, bid.Mode)
		})
	}
}
