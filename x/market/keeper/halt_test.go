package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

func TestALeaseThatIsPendingWhenItsDenomIsHaltedCanStillBeAcknowledged(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	id := b.deploys("alice", "web", 10_000, want("web", 2, 5000))
	b.tick(second)
	lease, bond := b.lease(id), b.bond("p")
	require.Equal(t, types.LeaseState_LEASE_STATE_PENDING, lease.State)

	params := quickEscrow()
	for i := range params.Denoms {
		params.Denoms[i].Halted = true
	}
	require.NoError(t, b.Deliver(&escrowtypes.MsgUpdateParams{Authority: b.Authority, Params: params}))
	require.Equal(t, []string{""}, b.acks("p", lease.Id))
	b.tick((window + 1) * second)
	b.check()
	require.Equal(t, types.LeaseState_LEASE_STATE_ACTIVE, b.lease(id).State)
	require.Equal(t, bond, b.bond("p"), "it did nothing wrong")
}
