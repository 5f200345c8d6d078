package agent

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/agent/watch"
	"github.com/souk-network/souk/agent/workload"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func TestOnlyWhatIsReallyKeptIsWatchedForCustodyAndStandbysComeFirst(t *testing.T) {
	status := statusText("souk-test", "1", "false")
	a := newAgent(t, &status)
	hash, envelope := groupOf(t, 'a')
	other, _ := groupOf(t, 'b')
	named := func(id uint64, wanted []byte) custody.Deployment {
		return custody.Deployment{ID: id, Owner: "souk1owner", Hash: wanted}
	}
	a.custodian.known = map[uint64]custody.Deployment{1: named(1, hash), 2: named(2, hash), 3: named(3, other)}
	for _, id := range []uint64{1, 3, 4} { // nothing of 2, an old revision of 3, and 4 names somebody else
		require.NoError(t, a.store.PutKept(id, "souk1owner", named(id, hash).Revision(), "web", envelope, func([]store.Kept) error { return nil }))
	}
	a.leases = map[uint64]workload.Lease{70: {ID: 70, Deployment: 5, Bid: 9, Owner: "souk1other", Standby: true}, 71: {ID: 71, Deployment: 6}}
	w := &watching{Agent: a, served: map[uint64]served{
		1: {leases: []markettypes.Lease{{Id: 10, Bid: 1, Provider: "A", State: markettypes.LeaseState_LEASE_STATE_ACTIVE}}},
		5: {leases: []markettypes.Lease{{Id: 50, Bid: 9, Provider: "B", State: markettypes.LeaseState_LEASE_STATE_ACTIVE}}},
	}}
	interests, err := w.interests()
	require.NoError(t, err)
	require.Equal(t, map[uint64]interest{
		1: {custody: true, owner: "souk1owner"}, 5: {owner: "souk1other", standbys: map[uint64]uint64{9: 70}},
	}, interests)
	targets, standbys := w.targets(interests)
	require.Equal(t, []watch.Target{
		{Lease: 50, Provider: "B", Standby: true, Owner: "souk1other"}, {Lease: 10, Provider: "A", Owner: "souk1owner"},
	}, targets)
	require.Equal(t, map[uint64]uint64{50: 70}, standbys)
}
