package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// stake is all that can still be taken from the cast's provider.
func (c *cast) stake() int64 {
	c.t.Helper()
	atStake, err := c.App.ProviderKeeper.AtStake(c.Context(), c.operator.Address)
	require.NoError(c.t, err)
	return atStake.AmountOf(scope.Denom).Int64()
}

// TestNothingInTheBlockOfTheOffenceSavesTheStake has a provider take its bond back, change its agent and leave, in each order,
// in the very block at whose end it is jailed: what it had at stake before is what the jail takes its share of.
func TestNothingInTheBlockOfTheOffenceSavesTheStake(t *testing.T) {
	for _, order := range orders("unbond", "rotate", "leave") {
		for _, bps := range []uint32{5_000, providertypes.WholeBps} {
			t.Run(fmt.Sprintf("%s, %d bps", strings.Join(order, ", "), bps), func(t *testing.T) {
				c := newCast(t, 10)
				account := c.deployAll(2, deposit)[0]
				lease, before := c.Work(c.shop)[0].Lease.Id, c.stake()
				msgs := map[string]sdk.Msg{
					"unbond": &providertypes.MsgUnbond{Operator: c.operator.String(), Amount: sdk.NewInt64Coin(scope.Denom, before/2)},
					"rotate": &providertypes.MsgRotateAgent{Operator: c.operator.String(), Agent: c.newcomer.String()},
					"leave":  &providertypes.MsgDeregister{Operator: c.operator.String()},
				}
				jail := c.Vote(c.jails(c.shop, bps))
				holds := c.has(c.operator)
				var txs []apptest.Tx
				for _, name := range order {
					txs = append(txs, apptest.Tx{Signer: c.operator, Msgs: []sdk.Msg{msgs[name]}})
				}
				for _, result := range c.Deliver(time.Second, txs...).Txs {
					require.Zero(t, result.Code, result.Log)
				}
				jailed := c.now()
				require.NoError(t, c.Enacted(jail))
				require.Equal(t, before-before*int64(bps)/providertypes.WholeBps, c.stake())
				require.Equal(t, holds, c.has(c.operator), "nothing has come back")

				c.Deliver(time.Second)
				require.Empty(t, c.Work(c.shop))
				require.Equal(t, markettypes.Reason_REASON_JAILED, c.lease(lease).Reason)
				require.Equal(t, jailed, c.lease(lease).ClosedAt)
				unjail := c.Deliver(time.Second, apptest.Tx{Signer: c.operator, Msgs: []sdk.Msg{
					&providertypes.MsgUnjail{Operator: c.operator.String()},
				}}).Txs[0]
				require.NotZero(t, unjail.Code)
				again := c.Deliver(time.Second, apptest.Create(c.stranger, "again", 1, deposit)).Txs[0]
				require.Zero(t, again.Code, again.Log)
				require.Empty(t, c.Work(c.shop), "no new lease")
				require.Equal(t, fundedState, c.account(account).State, "the tenant's money is safe")
				c.sound()
			})
		}
	}
}

// TestAProviderThatDeclinesItsOwnTenantLosesHalf plays a provider who sees a slash coming and moves bond to a tenant of its
// own, by not taking that tenant's leases. Half of what moves is gone, and its offer is soon suspended.
func TestAProviderThatDeclinesItsOwnTenantLosesHalf(t *testing.T) {
	const replicas, limit = 100, 3
	c := newCast(t, (limit+1)*replicas)
	sham, before := c.has(c.newcomer), c.stake()
	var txs []apptest.Tx
	for i := range limit + 1 {
		txs = append(txs, apptest.Create(c.newcomer, fmt.Sprintf("sham-%d", i), replicas, deposit))
	}
	shams := c.created(c.Deliver(time.Second, txs...))
	pending := c.Pending(c.shop)
	require.Len(t, pending, limit+1)

	jail := c.Vote(c.jails(c.shop, providertypes.WholeBps))
	decline := c.Deliver(time.Second, apptest.Tx{Signer: c.agent, Msgs: []sdk.Msg{&markettypes.MsgAckLeases{
		Signer: c.agent.String(), Provider: c.operator.String(), Decline: pending[:limit],
	}}}).Txs[0]
	require.Zero(t, decline.Code, decline.Log)
	c.accepted(decline)
	require.NoError(t, c.Enacted(jail))
	require.Zero(t, c.stake(), "all that was left was taken in the same block")
	response, err := markettypes.NewQueryClient(c.Conn()).Offer(t.Context(), &markettypes.QueryOfferRequest{Id: c.shop.Offer})
	require.NoError(t, err)
	require.Equal(t, markettypes.OfferState_OFFER_STATE_SUSPENDED, response.Offer.State)

	c.Deliver(time.Second)
	txs = nil
	for _, id := range shams {
		txs = append(txs, apptest.Close(c.newcomer, id))
	}
	for _, result := range c.Deliver(time.Second, txs...).Txs {
		require.Zero(t, result.Code, result.Log)
	}
	moved := int64(limit * replicas * apptest.UnitRate)
	require.Equal(t, sham+moved/2, c.has(c.newcomer), "an hour of each lease left the bond, half an hour arrived")
	require.Less(t, moved, before/100, "and that is little of a bond of 30 hours")
	c.sound()
}
