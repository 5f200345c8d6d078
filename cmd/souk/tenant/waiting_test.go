package tenant

import (
	"testing"

	"github.com/stretchr/testify/require"

	markettypes "github.com/souk-network/souk/x/market/types"
)

func TestALeaseWithoutAManifestSaysWhoBringsIt(t *testing.T) {
	lease := func(id, bid, acked uint64, state markettypes.LeaseState) markettypes.Lease {
		return markettypes.Lease{Id: id, Bid: bid, AckedAt: acked, State: state}
	}
	active, ended := markettypes.LeaseState_LEASE_STATE_ACTIVE, markettypes.LeaseState_LEASE_STATE_FAILED
	own := lease(7, 1, 5, active)
	custodians := markettypes.Deployment{Custodians: []string{"souk1a"}}
	for _, c := range []struct {
		name  string
		d     markettypes.Deployment
		other markettypes.Lease
		want  string
	}{
		{"nobody", markettypes.Deployment{}, lease(8, 2, 5, active), "nobody holds it; run souk up, or souk watch"},
		{"whose lease ended", markettypes.Deployment{}, lease(8, 1, 5, ended), "nobody holds it; run souk up, or souk watch"},
		{"who has not accepted", markettypes.Deployment{}, lease(8, 1, 0, markettypes.LeaseState_LEASE_STATE_PENDING), "nobody holds it; run souk up, or souk watch"},
		{"another of the group", markettypes.Deployment{}, lease(8, 1, 5, active), "its provider fetches it from other providers of the group; if that takes long: souk up"},
		{"a custodian", custodians, lease(8, 2, 5, active), "its provider fetches it from custodians; if that takes long: souk up"},
		{"both", custodians, lease(8, 1, 5, markettypes.LeaseState_LEASE_STATE_LEAVING), "its provider fetches it from custodians or from other providers of the group"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, whoHolds(c.d, own, []markettypes.Lease{own, c.other}))
		})
	}
}

func TestABidSaysWhatItWaitsFor(t *testing.T) {
	open := markettypes.BidState_BID_STATE_OPEN
	spec := markettypes.BidSpec{Name: "web", Replicas: 3, Standbys: 2}
	quoted := spec
	quoted.Mode, quoted.Standbys = markettypes.BidMode_BID_MODE_QUOTE, 0
	for _, c := range []struct {
		name string
		bid  markettypes.Bid
		want string
	}{
		{"all is there", markettypes.Bid{Spec: spec, State: markettypes.BidState_BID_STATE_FILLED, Placed: 3, StandingBy: 2}, ""},
		{"replicas first", markettypes.Bid{Spec: spec, State: open, Placed: 1}, "2 replicas to be matched"},
		{"what was lost", markettypes.Bid{Spec: spec, State: open, Placed: 2, Returned: true}, "a replica to be placed anew, before others"},
		{"released ones are not missing", markettypes.Bid{Spec: spec, State: open, Placed: 2, Released: 1}, "2 standbys to be matched, at another provider in another zone"},
		{"then standbys", markettypes.Bid{Spec: spec, State: open, Placed: 3, StandingBy: 1}, "a standby to be matched, at another provider in another zone"},
		{"quotes", markettypes.Bid{Spec: quoted, State: open, Placed: 2}, "a replica to be served; souk quotes shop shows who would"},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, waitsFor("shop", c.bid)) })
	}
}

func TestWhatServesIsNotHeldUpByWhatStandsBy(t *testing.T) {
	bid := markettypes.Bid{
		Id: 1, Spec: markettypes.BidSpec{Name: "web", Replicas: 1, Standbys: 1}, State: markettypes.BidState_BID_STATE_OPEN, Placed: 1,
	}
	serving := markettypes.Lease{Id: 1, Bid: 1, State: markettypes.LeaseState_LEASE_STATE_ACTIVE, AckedAt: 5}
	standby := markettypes.Lease{Id: 2, Bid: 1, State: markettypes.LeaseState_LEASE_STATE_PENDING, Standby: true}
	d := &open{bids: []markettypes.Bid{bid}}
	active, text := progressOf(d, []markettypes.Lease{serving, standby})
	require.Empty(t, text)
	require.Equal(t, []markettypes.Lease{serving}, active)
	_, text = standbysOf(d, []markettypes.Lease{serving})
	require.Equal(t, "for a standby of web (0 of 1), at another provider in another zone", text)
	d.bids[0].State, d.bids[0].StandingBy = markettypes.BidState_BID_STATE_FILLED, 1
	_, text = standbysOf(d, []markettypes.Lease{serving, standby})
	require.Equal(t, "for a standby to be accepted", text)
	standby.State, standby.AckedAt = markettypes.LeaseState_LEASE_STATE_LEAVING, 6
	standing, text := standbysOf(d, []markettypes.Lease{serving, standby})
	require.Empty(t, text)
	require.Equal(t, []markettypes.Lease{standby}, standing)
}
