package history

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// TestAProviderThatLeavesOffersNothingMore: it could, and the free capacity that nobody was served of then held its bond.
func TestAProviderThatLeavesOffersNothingMore(t *testing.T) {
	n := found(t).branch(t)
	operator := n.names["provider-0"]
	require.NoError(t, n.Deliver(&providertypes.MsgDeregister{Operator: operator}))
	n.NextBlock(time.Second)
	err := n.Deliver(n.postOffer(0, 0, hourly))
	require.ErrorIs(t, err, providertypes.ErrLifecycle)
	for _, c := range bothCoins(bonded) {
		require.NoError(t, n.Deliver(&providertypes.MsgUnbond{Operator: operator, Amount: c}))
	}
	n.check(t)
	left := n.export(t)
	require.Equal(t, markettypes.OfferState_OFFER_STATE_WITHDRAWN, left.market.Offers[0].State)
}

// TestALowAccountWaitsForWhatIsDueInItsOwnSecond: with a part of a second processed, a deposit found a lease still running that
// ends in that second, so that what it paid for did not resume; with all of it processed, it did.
func TestALowAccountWaitsForWhatIsDueInItsOwnSecond(t *testing.T) {
	n := found(t)
	s := settings{escrowParams(), markettypes.DefaultParams(), providertypes.DefaultParams()}
	s.market.AckWindowSeconds, s.escrow.PauseRunwaySeconds = 10, 10
	p := newPlayer(t, n, s, false, true)
	create := func(tenant string, micro int64, seconds ...uint64) {
		m := &markettypes.MsgCreateDeployment{Owner: n.names[tenant], Name: "d", ManifestHash: hash(1), Deposit: coin(stable, micro)}
		for i, s := range seconds {
			m.Bids = append(m.Bids, markettypes.BidSpec{
				Name: fmt.Sprintf("group-%d", i), Unit: units(1), Replicas: 1, Cap: hourly + 9, LeaseSeconds: s,
			})
		}
		p.must(m)
	}
	p.block(time.Second, false)
	create("tenant-0", 44, 30, 0)
	p.block(time.Second, false)
	for _, l := range p.w.leases {
		p.must(&markettypes.MsgAckLeases{Signer: l.Provider, Provider: l.Provider, Accept: []uint64{l.Id}})
	}
	low, end := p.w.accounts[0], p.w.leases[0].EndsAt
	p.block(time.Duration(end-10-p.w.now)*time.Second, false)
	create("tenant-1", 4000, 0, 0)
	p.block(time.Duration(10)*time.Second, false)

	// Two acknowledgements are late in the second in which the lease ends; the slow chain has processed one of them.
	require.Equal(t, end, p.w.now)
	require.True(t, low.low)
	require.False(t, p.slow.caughtUp(t))
	deposit := &escrowtypes.MsgDeposit{Signer: low.owner, Account: low.id, Amount: coin(stable, 21-low.free()/grains)}
	require.ErrorIs(t, p.slow.Deliver(deposit), escrowtypes.ErrBehind)
	p.must(deposit)
	require.False(t, low.low)
	p.block(time.Second, false)
	p.finish()
}
