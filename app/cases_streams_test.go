package app_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// earned is what a provider has earned, held back or not, in micro-denom, rounded down.
func (c *cast) earned(operator *apptest.Account) int64 {
	c.t.Helper()
	response, err := escrowtypes.NewQueryClient(c.Conn()).Earnings(c.t.Context(),
		&escrowtypes.QueryEarningsRequest{Payee: operator.String(), Denom: scope.Denom})
	require.NoError(c.t, err)
	return response.Accruing.Add(response.HeldBack).Add(response.Available).Int64()
}

// TestALeaseThatOpensLaterInADeploymentIsSettledExactly scales a deployment up while it runs: the second lease is paid from its own
// acknowledgement on, to the second.
func TestALeaseThatOpensLaterInADeploymentIsSettledExactly(t *testing.T) {
	c := newCast(t, 10)
	before := c.has(c.tenant)
	id := c.deployAll(1, deposit)[0]
	first := c.now()
	c.Deliver(17 * time.Second)

	result := c.Deliver(time.Second, c.update(c.tenant, id, 4, "more")).Txs[0]
	require.Zero(t, result.Code, result.Log)
	c.Deliver(5 * time.Second)
	c.acks()
	second := c.now()
	require.Equal(t, uint64(24), second-first)
	require.Len(t, c.Work(c.shop), 2)
	require.Equal(t, uint32(3), c.Work(c.shop)[1].Lease.Replicas)
	c.sound()
	for range 3 {
		c.Deliver(20 * time.Second)
		c.sound()
	}

	require.Zero(t, c.Deliver(time.Second, apptest.Close(c.tenant, id)).Txs[0].Code)
	spent := perSecond * (int64(c.now()-first) + 3*int64(c.now()-second))
	require.Equal(t, before-spent, c.has(c.tenant))
	require.Equal(t, spent, c.earned(c.operator), "not a micro-denom is lost on the way")
	c.sound()
}

// TestTwoHundredAndFiftySixStreamsEndTogether lets the money of a deployment with 256 leases, of different rates at eight
// providers, run out. All of them stop at the same second, so that each provider got its share to the second.
func TestTwoHundredAndFiftySixStreamsEndTogether(t *testing.T) {
	const shops, bids, runs, over = 8, 32, 100, 77
	chain := apptest.New(t, apptest.Options{
		Accounts: 1 + 2*shops,
		Genesis: func(cdc codec.JSONCodec, state map[string]json.RawMessage) {
			caseGenesis(func(p *escrowtypes.Params) { p.PauseRunwaySeconds, p.MinRunwaySeconds = 0, 1 })(cdc, state)
			apptest.PatientProofs(cdc, state)
		},
	})
	c := &cast{Chain: chain, t: t, tenant: chain.Accounts[0]}
	c.Deliver(time.Second)
	var all []apptest.Shop
	for i := range shops {
		all = append(all, c.OpenShop(time.Second, chain.Accounts[1+2*i], chain.Accounts[2+2*i], 1000, bond))
	}

	var units int64 // of one provider, a lease of each bid
	create := apptest.Create(c.tenant, "wide", shops, 1)
	create.Gas = 20_000_000
	msg := create.Msgs[0].(*markettypes.MsgCreateDeployment)
	spec := msg.Bids[0]
	msg.Bids = nil
	for i := range bids {
		spec.Name, spec.Unit = fmt.Sprintf("web-%d", i), apptest.Units(uint64(1+i%3))
		spec.Cap, spec.MaxPerProvider = 4*apptest.UnitRate, 1
		msg.Bids = append(msg.Bids, spec)
		units += int64(1 + i%3)
	}
	rate := shops * units * perSecond
	msg.Deposit = sdk.NewInt64Coin(scope.Denom, rate*runs+over)
	id := c.created(c.Deliver(time.Second, create))[0]
	var txs []apptest.Tx
	for _, shop := range all {
		pending := c.Pending(shop)
		require.Len(t, pending, bids)
		tx := shop.Ack(pending...)
		tx.Gas = 4_000_000
		txs = append(txs, tx)
	}
	for _, result := range c.Deliver(time.Second, txs...).Txs {
		require.Zero(t, result.Code, result.Log)
		c.accepted(result)
	}
	since, tenant := c.now(), c.has(c.tenant)
	require.Equal(t, uint32(escrowtypes.MaxStreams), c.account(id).Streams)
	require.Equal(t, since+runs, c.account(id).ZeroAt)

	c.until(since + runs)
	c.sound()
	c.Deliver(20 * time.Second) // late on purpose
	require.Equal(t, since+runs, c.account(id).ExhaustedAt)
	require.Equal(t, tenant+over, c.has(c.tenant), "what does not pay all of them for a second pays none")
	for i, shop := range all {
		require.Empty(t, c.Work(shop))
		require.Equal(t, units*perSecond*runs, c.earned(shop.Operator), "provider %d", i)
	}
	c.sound()

	var paid int64
	for _, shop := range all {
		c.Prove(shop, func(txs ...apptest.Tx) apptest.Block { return c.Deliver(time.Second, txs...) }, scope.Denom)
	}
	for range 20 {
		c.Deliver(20 * time.Second)
	}
	for _, shop := range all {
		var got providertypes.MsgWithdrawResponse
		c.Unpack(c.Must(time.Second, shop.Operator, withdraws(shop, shop.Operator).Msgs...), &got)
		paid += got.Amount.Amount.Add(got.Fee.Amount).Int64()
	}
	require.Equal(t, rate*runs, paid)
	c.sound()
}
