package e2e

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/devnet"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// A provider sells what it may want back at half the price, takes it back with notice, and the workload moves to another one.
func TestASpotLeaseIsReclaimedWithNoticeAndTheWorkloadMoves(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	operator := devnet.KeyOperator(1)
	var offered struct {
		Offer uint64 `json:"offer"`
	}
	m.mustJSONAs(t, operator, &offered, "provider", "offer", "post", "-y", "--spot", "--pool", "0", "--label", "region=us-east", "--allow", x.address,
		"--cpu", "0.005SOUK", "--memory", "0.001SOUK", "--disk", "0.0001SOUK", "--egress", "0.00002SOUK")
	withdraw := func() result {
		return m.run(t.Context(), operator, "provider", "offer", "withdraw", "-y", strconv.FormatUint(offered.Offer, 10))
	}
	withdrawn := false
	t.Cleanup(func() {
		if !withdrawn {
			withdraw()
		}
	})

	d := x.up(t, x.anywhere(t, service{name: "spot", terms: "class: spot\ncap: 0.01"}))
	run := answer(t, d)
	spot := x.serving(t, d)
	require.Equal(t, offered.Offer, spot.Offer, "the cheapest that the file takes")
	require.Equal(t, markettypes.LeaseClass_LEASE_CLASS_SPOT, spot.Class)

	r := withdraw()
	require.Zero(t, r.code, r.stderr)
	withdrawn = true
	before := m.clock(t).Now
	r = m.run(t.Context(), operator, "provider", "resign", "-y", "--reclaim", strconv.FormatUint(spot.Id, 10))
	require.Zero(t, r.code, r.stderr)
	noticed := x.leaseState(t, spot.Id)
	require.True(t, noticed.State.Live(), "it has notice")
	params, err := m.chain.Market.Params(t.Context(), &markettypes.QueryParamsRequest{})
	require.NoError(t, err)
	notice := uint64(params.Params.ReclaimNoticeSeconds)
	require.Equal(t, run, answer(t, d), "it serves meanwhile")

	var now markettypes.Lease
	await(t, time.Minute, "the workload has moved", func() error {
		leases := slices.DeleteFunc(x.live(t, d), func(l markettypes.Lease) bool { return l.Id == spot.Id || l.AckedAt == 0 })
		if len(leases) == 0 {
			return errors.New("no other lease")
		}
		now = leases[0]
		return nil
	})
	ended := x.awaitEnd(t, spot.Id)
	require.Equal(t, markettypes.Reason_REASON_RECLAIMED, ended.Reason)
	require.GreaterOrEqual(t, ended.ClosedAt, before+notice)
	require.NotEqual(t, spot.Offer, now.Offer)
	x.must(t, "up", "-y", x.path("spot")) // hands the manifest over
	await(t, time.Minute, "it serves", func() error {
		if r := x.do(t, "status", "spot"); r.code != 0 {
			return fmt.Errorf("%s", r.stderr)
		}
		return nil
	})
	require.True(t, x.conservation(t).Conserved)
	x.down(t, "spot")
	x.awaitGone(t, "spot")
}
