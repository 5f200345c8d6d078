package agent

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/workload"
)

func TestAllLeasesOfABidAreLookedAtInOrder(t *testing.T) {
	status := statusText("souk-test", "1", "false")
	a := newAgent(t, &status)
	a.leases = map[uint64]workload.Lease{
		9: {ID: 9, Bid: 2, Standby: true}, 3: {ID: 3, Bid: 2, Active: true}, 4: {ID: 4, Bid: 2}, 5: {ID: 5, Bid: 1, Active: true}, 7: {ID: 7, Bid: 2, Paused: true},
	}
	for range 20 {
		var ids []uint64
		for _, l := range a.OfBid(2) {
			ids = append(ids, l.ID)
		}
		require.Equal(t, []uint64{3, 7, 9}, ids)
	}
}

func TestAGroupIsGivenOnlyForWhatTheChainSaysNow(t *testing.T) {
	status := statusText("souk-test", "1", "false")
	a := newAgent(t, &status) // nobody answers for the chain
	a.claims.of = map[claimKey]claimed{{"souk1agent", 7}: {custody.Claim{Deployment: 5}, time.Now()}}
	claim, err := a.Claim(t.Context(), "souk1agent", 7, false)
	require.NoError(t, err)
	require.EqualValues(t, 5, claim.Deployment)
	_, err = a.Claim(t.Context(), "souk1agent", 7, true)
	require.Error(t, err)
}
