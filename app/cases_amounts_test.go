package app_test

import (
	gomath "math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// power is 2 to the exponent.
func power(exponent uint) math.Int {
	return math.NewIntFromBigInt(new(big.Int).Lsh(big.NewInt(1), exponent))
}

func coin(amount math.Int) sdk.Coin { return sdk.NewCoin(scope.Denom, amount) }

// newRichCast is newCast with people who have more than any message may move.
func newRichCast(t *testing.T, units uint64) *cast {
	t.Helper()
	chain := apptest.New(t, apptest.Options{
		Accounts: 6, Funds: sdk.NewCoins(coin(power(100))),
		Genesis: caseGenesis(func(p *escrowtypes.Params) { p.PauseRunwaySeconds = 0 }),
	})
	a := chain.Accounts
	c := &cast{operator: a[0], agent: a[1], tenant: a[2], stranger: a[3], manager: a[4], newcomer: a[5], Chain: chain, t: t}
	c.Deliver(time.Second)
	c.shop = c.OpenShop(time.Second, c.operator, c.agent, units, bond)
	c.Must(time.Second, c.operator, &providertypes.MsgBond{Operator: c.operator.String(), Amount: coin(power(95))})
	return c
}

// offers posts another offer of the shop, in a region of its own.
func (c *cast) offers(region string, ask markettypes.Ask) {
	c.t.Helper()
	c.Must(time.Second, c.agent, &markettypes.MsgPostOffer{
		Signer: c.agent.String(), Provider: c.operator.String(), Pool: 0, Asks: []markettypes.Ask{ask},
		Labels: []markettypes.Label{{Key: "region", Value: region}},
	})
}

// in is a deployment in a region at a cap.
func in(owner *apptest.Account, name, region string, replicas uint32, limit uint64, deposit math.Int) apptest.Tx {
	tx := apptest.Create(owner, name, replicas, 1)
	msg := tx.Msgs[0].(*markettypes.MsgCreateDeployment)
	msg.Bids[0].Requirements[0].Values = []string{region}
	msg.Bids[0].Cap, msg.Deposit = limit, coin(deposit)
	return tx
}

// TestTheLargestAmountsAreExact runs a lease at the highest rate from the largest deposit, and a thousand replicas of it
// that nobody could count.
func TestTheLargestAmountsAreExact(t *testing.T) {
	const highest = gomath.MaxInt64 // micro-denom an hour
	c := newRichCast(t, 1000)
	c.offers("gold", markettypes.Ask{Denom: scope.Denom, Cpu: 1 << 62, Memory: 1<<62 - 1})
	largest := power(96).SubRaw(1)
	before := c.Balance(c.tenant, scope.Denom)
	block := c.Deliver(time.Second, in(c.tenant, "one", "gold", 1, highest, largest),
		in(c.tenant, "thousand", "gold", 1000, highest, largest))
	ids := c.created(block)
	require.Len(t, c.Work(c.shop), 1, "a rate that does not fit makes no lease")
	require.Equal(t, uint64(highest), c.Work(c.shop)[0].Lease.Rate)
	c.sound()
	c.acks()
	since := c.now()
	c.Deliver(17 * time.Second)
	c.sound()
	require.NotZero(t, c.Deliver(time.Second, apptest.Tx{Signer: c.stranger, Msgs: []sdk.Msg{&escrowtypes.MsgDeposit{
		Signer: c.stranger.String(), Account: ids[0], Amount: coin(power(96)),
	}}}).Txs[0].Code)
	for i, result := range c.Deliver(time.Second, apptest.Close(c.tenant, ids[0]), apptest.Close(c.tenant, ids[1])).Txs {
		require.Zero(t, result.Code, "%d: %s", i, result.Log)
	}
	grains := math.NewIntFromUint64(highest).Mul(math.NewIntFromUint64(c.now() - since))
	spent := grains.AddRaw(3599).QuoRaw(3600)
	require.Equal(t, before.Sub(spent), c.Balance(c.tenant, scope.Denom))
	response, err := escrowtypes.NewQueryClient(c.Conn()).Earnings(t.Context(),
		&escrowtypes.QueryEarningsRequest{Payee: c.operator.String(), Denom: scope.Denom})
	require.NoError(t, err)
	earned := response.Accruing.Add(response.HeldBack).Add(response.Available)
	require.True(t, spent.Sub(earned).LTE(math.NewInt(3)), "rounded down once an entry: %s of %s", earned, spent)
	c.sound()
}

// TestAmountsBeyondTheLargestAreRefused sends every amount that is one too large.
func TestAmountsBeyondTheLargestAreRefused(t *testing.T) {
	c := newRichCast(t, 10)
	one := math.OneInt()
	create := func(change func(*markettypes.MsgCreateDeployment)) apptest.Tx {
		tx := apptest.Create(c.tenant, "web", 1, deposit)
		change(tx.Msgs[0].(*markettypes.MsgCreateDeployment))
		return tx
	}
	for name, tx := range map[string]apptest.Tx{
		"deposit":  in(c.tenant, "web", "eu-west", 1, 1, power(96)),
		"cap":      in(c.tenant, "web", "eu-west", 1, 1<<63, one),
		"replicas": in(c.tenant, "web", "eu-west", 1001, 1, one),
		"unit": create(func(m *markettypes.MsgCreateDeployment) {
			m.Bids[0].Unit.CpuMillis = 1<<40 + 1
		}),
		"lifetime": create(func(m *markettypes.MsgCreateDeployment) { m.Bids[0].LifetimeSeconds = gomath.MaxUint64 }),
		"term":     create(func(m *markettypes.MsgCreateDeployment) { m.Bids[0].LeaseSeconds = gomath.MaxUint64 }),
		"ask": {Signer: c.agent, Msgs: []sdk.Msg{&markettypes.MsgPostOffer{
			Signer: c.agent.String(), Provider: c.operator.String(),
			Asks: []markettypes.Ask{{Denom: scope.Denom, Cpu: 1 << 63, Memory: 1}},
		}}},
		"expiry": {Signer: c.operator, Msgs: []sdk.Msg{&providertypes.MsgDeclareMaintenance{
			Signer: c.operator.String(), Provider: c.operator.String(), From: gomath.MaxUint64 - 1, Until: gomath.MaxUint64,
		}}},
		"bond": {Signer: c.operator, Msgs: []sdk.Msg{&providertypes.MsgBond{
			Operator: c.operator.String(), Amount: coin(power(101)),
		}}},
	} {
		t.Run(name, func(t *testing.T) {
			result := c.Deliver(time.Second, tx).Txs[0]
			require.NotZero(t, result.Code)
			require.NotContains(t, result.Log, "panic")
			c.sound()
		})
	}
}

// TestAThousandReplicasAndASingleGrainAreExact runs the largest lease at an ordinary price, and the smallest at the lowest:
// one grain a second.
func TestAThousandReplicasAndASingleGrainAreExact(t *testing.T) {
	c := newRichCast(t, 1001)
	c.offers("cheap", markettypes.Ask{Denom: scope.Denom, Cpu: 1})
	large, small := c.Balance(c.tenant, scope.Denom), c.Balance(c.newcomer, scope.Denom)
	ids := c.created(c.Deliver(time.Second, apptest.Create(c.tenant, "large", 1000, 100*deposit),
		in(c.newcomer, "small", "cheap", 1, 1, math.NewInt(100))))
	require.Len(t, c.Pending(c.shop), 2)
	c.acks()
	since := c.now()
	for range 6 {
		c.Deliver(time.Second)
		c.sound()
	}
	for _, result := range c.Deliver(
		time.Second, apptest.Close(c.tenant, ids[0]), apptest.Close(c.newcomer, ids[1])).Txs {
		require.Zero(t, result.Code, result.Log)
	}
	require.Equal(t, uint64(7), c.now()-since)
	require.Equal(t, large.SubRaw(7*1000*perSecond), c.Balance(c.tenant, scope.Denom))
	require.Equal(t, small.SubRaw(1), c.Balance(c.newcomer, scope.Denom), "a micro-denom is 3600 grains")
	for range 5 { // the rest is dust once the accounts are forgotten
		c.Deliver(20 * time.Second)
	}
	books, err := escrowtypes.NewQueryClient(c.Conn()).Conservation(t.Context(),
		&escrowtypes.QueryConservationRequest{Denom: scope.Denom})
	require.NoError(t, err)
	require.Equal(t, int64(3600-7), books.Dust.Int64())
	require.Equal(t, int64(7*1000*perSecond), c.earned(c.operator))
	c.sound()
}
