package history

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
