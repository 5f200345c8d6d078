package chain_test

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	few, many, most = 100, 10_000, 100_000 // live leases
	mostVariable    = "SOUK_LEASES"        // another number for the largest market

	rounds       = 5
	batch        = 50 // transactions of a block, leases of an acknowledgement
	epochSeconds = 60
	busyShops    = 20
)

// Names of what is measured, in the order of a round.
const (
	send        = "BankSend"
	create      = "CreateDeployment"
	ackOne      = "AckLeases_1"
	ackBatch    = "AckLeases_50"
	depositMore = "Deposit"
	closeAll    = "CloseDeployment"
	setPool     = "SetPool"
	postOffer   = "PostOffer"
	withdraw    = "Withdraw"
	nothing     = "EmptyBlock"
)

// BenchmarkMessage measures each message beside a bank send, on chains with few live leases, with many and with most. They
// take turns, message by message, so that a busy machine disturbs all alike.
func BenchmarkMessage(b *testing.B) {
	var markets []*trading
	for _, leases := range sizes(b) {
		markets = append(markets, newTrading(b, leases))
	}
	for range rounds {
		for _, step := range round() {
			for _, m := range markets {
				step.run(m)
			}
		}
	}
	for _, m := range markets {
		require.NoError(b, m.App.EscrowKeeper.AssertInvariants(m.Context()))
	}

	for _, name := range []string{send, create, ackOne, ackBatch, depositMore, closeAll, setPool, postOffer, withdraw} {
		reportMessage(b, name, markets)
	}
	largest := markets[len(markets)-1]
	b.Run(fmt.Sprintf("%s/%d_leases", nothing, largest.leases), func(b *testing.B) { largest.seen[nothing].report(b) })
	reportGrowth(b, nothing, markets)
	b.Run("LeaseBudget", func(b *testing.B) {
		whole := largest.seen[create].median(handler) + largest.seen[ackBatch].median(handler)/batch
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(whole-largest.clearingGas(), "handler-gas")
		b.ReportMetric(largest.clearingGas(), "clearing-gas")
		b.ReportMetric(largest.seen[closeAll].median(handler), "close-gas")
	})
}

// sizes are the numbers of live leases that are compared.
func sizes(b *testing.B) []int {
	b.Helper()
	text := os.Getenv(mostVariable)
	if text == "" {
		return []int{few, many, most}
	}
	largest, err := strconv.Atoi(text)
	require.NoError(b, err, mostVariable)
	require.Greater(b, largest, few, mostVariable)
	return []int{few, largest}
}

// reportMessage tells the figures of one message: at each size, and how they grow.
func reportMessage(b *testing.B, name string, markets []*trading) {
	for _, m := range markets {
		b.Run(fmt.Sprintf("%s/%d_leases", name, m.leases), func(b *testing.B) {
			s := m.seen[name]
			s.report(b)
			b.ReportMetric(s.median(gas), "gas")
			b.ReportMetric(s.median(handler), "handler-gas")
			b.ReportMetric(s.median(cpu), "cpu-ns/op")
			b.ReportMetric(s.median(cpu)/m.seen[send].median(cpu), "times-a-send")
		})
	}
	reportGrowth(b, name, markets)
}

// reportGrowth compares the largest market with the smallest: gas in percent, whichever way it went; processor time as the
// median of the ratios of blocks that were made one after the other.
func reportGrowth(b *testing.B, name string, markets []*trading) {
	small, large := markets[0].seen[name], markets[len(markets)-1].seen[name]
	b.Run(name+"/growth", func(b *testing.B) {
		ratios := make([]float64, len(small))
		for i := range small {
			ratios[i] = large[i].cpu / small[i].cpu
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(median(ratios), "times-time")
		if before := small.median(gas); before > 0 {
			b.ReportMetric(100*math.Abs(large.median(gas)/before-1), "%-gas")
		}
	})
}

// trading is a market on which rounds of messages are measured. All but one of its shops are full, so that the leases of a
// round are the last shop's, and are gone at its end.
type trading struct {
	*market
	leases  int
	seen    map[string]samples
	current []lease
	offers  []uint64
}

func newTrading(b *testing.B, leases int) *trading {
	units := make([]uint64, busyShops+1)
	for i := range busyShops {
		units[i] = uint64(leases / busyShops)
	}
	units[busyShops] = 10 * batch
	m := newMarket(b, size{
		tenants: batch, units: units,
		escrow: func(p *escrowtypes.Params) {
			p.EpochSeconds, p.HoldbackEpochs, p.MaxTickSeconds = epochSeconds, 1, epochSeconds
		},
		proof: trustProofs,
	})
	m.fill(leases)
	t := &trading{market: m, leases: leases, seen: map[string]samples{}}
	for _, step := range vouch(false) {
		step.run(t)
	}
	return t
}

// step is one block, or some that only lead to the next.
type step struct {
	name string // empty if it is not measured
	txs  func(*trading) []apptest.Tx
	then func(*trading, apptest.Block)
	wait time.Duration
}

func (s step) run(t *trading) {
	t.b.Helper()
	var txs []apptest.Tx
	if s.txs != nil {
		txs = s.txs(t)
	}
	block, seen := t.measure(max(second, s.wait), txs...)
	if s.name != "" {
		t.seen[s.name] = append(t.seen[s.name], seen)
	}
	if s.then != nil {
		s.then(t, block)
	}
}

// round is every message once, in an order that leaves the market as it was.
func round() []step {
	open := func(name string) step {
		return step{name: name, txs: (*trading).creates, then: (*trading).remember}
	}
	steps := []step{
		{name: send, txs: (*trading).sends},
		open(create),
		{name: ackOne, txs: func(t *trading) []apptest.Tx { return acks(t.current, 1) }},
		{name: depositMore, txs: (*trading).deposits},
		{name: closeAll, txs: (*trading).closes},
		open(""),
		{name: ackBatch, txs: func(t *trading) []apptest.Tx { return acks(t.current, batch) }},
		{txs: (*trading).closes},
		{name: setPool, txs: (*trading).setPools},
		{name: postOffer, txs: (*trading).postOffers, then: (*trading).rememberOffers},
		{txs: (*trading).withdrawOffers},
	}
	steps = append(steps, vouch(true)...)
	return append(
		steps,
		step{wait: epochSeconds * time.Second},
		step{wait: epochSeconds * time.Second},
		step{name: withdraw, txs: (*trading).withdrawals},
		step{name: nothing},
	)
}

func (t *trading) sends() []apptest.Tx {
	var txs []apptest.Tx
	for _, from := range t.tenants {
		txs = append(txs, t.send(from))
	}
	return txs
}

// send is a bank transfer from an account to a tenant.
func (m *market) send(from *apptest.Account) apptest.Tx {
	return apptest.Tx{Signer: from, Msgs: []sdk.Msg{&banktypes.MsgSend{
		FromAddress: from.String(), ToAddress: m.tenant(1).String(), Amount: sdk.NewCoins(sdk.NewInt64Coin(scope.Denom, micro)),
	}}}
}

func (t *trading) creates() []apptest.Tx {
	var txs []apptest.Tx
	for _, tenant := range t.tenants {
		txs = append(txs, t.create(tenant, deposit))
	}
	return txs
}

func (t *trading) remember(block apptest.Block) {
	t.current = t.leasesOf(block)
	require.Len(t.b, t.current, batch, "leases of the round")
}

func (t *trading) deposits() []apptest.Tx {
	var txs []apptest.Tx
	for _, l := range t.current {
		txs = append(txs, apptest.Tx{Signer: l.owner, Msgs: []sdk.Msg{&escrowtypes.MsgDeposit{
			Signer: l.owner.String(), Account: l.deployment, Amount: sdk.NewInt64Coin(scope.Denom, micro),
		}}})
	}
	return txs
}

func (t *trading) closes() []apptest.Tx {
	var txs []apptest.Tx
	for _, l := range t.current {
		txs = append(txs, apptest.Close(l.owner, l.deployment))
	}
	return txs
}

// busy are the shops whose leases make the market's size.
func (t *trading) busy() []apptest.Shop { return t.shops[:busyShops] }

func (t *trading) setPools() []apptest.Tx {
	var txs []apptest.Tx
	for _, shop := range t.busy() {
		txs = append(txs, apptest.Tx{Signer: shop.Agent, Msgs: []sdk.Msg{&markettypes.MsgSetPool{
			Signer: shop.Agent.String(), Provider: shop.Operator.String(), Id: 1,
			Total: apptest.Units(1), LargestUnit: apptest.Units(1),
		}}})
	}
	return txs
}

func (t *trading) postOffers() []apptest.Tx {
	var txs []apptest.Tx
	for _, shop := range t.busy() {
		txs = append(txs, apptest.Tx{Signer: shop.Agent, Msgs: []sdk.Msg{&markettypes.MsgPostOffer{
			Signer: shop.Agent.String(), Provider: shop.Operator.String(), Pool: 0,
			Asks:   []markettypes.Ask{{Denom: scope.Denom, Cpu: apptest.CPUAsk, Memory: apptest.MemoryAsk}},
			Labels: []markettypes.Label{{Key: "region", Value: "eu-west"}},
		}}})
	}
	return txs
}

func (t *trading) rememberOffers(block apptest.Block) {
	t.offers = nil
	for _, tx := range block.Txs {
		var posted markettypes.MsgPostOfferResponse
		t.Unpack(tx, &posted)
		t.offers = append(t.offers, posted.Offer)
	}
}

func (t *trading) withdrawOffers() []apptest.Tx {
	var txs []apptest.Tx
	for i, shop := range t.busy() {
		txs = append(txs, apptest.Tx{Signer: shop.Agent, Msgs: []sdk.Msg{&markettypes.MsgWithdrawOffer{
			Signer: shop.Agent.String(), Offer: t.offers[i],
		}}})
	}
	return txs
}

func (t *trading) withdrawals() []apptest.Tx {
	var txs []apptest.Tx
	for _, shop := range t.busy() {
		txs = append(txs, apptest.Tx{Signer: shop.Agent, Msgs: []sdk.Msg{&providertypes.MsgWithdraw{
			Signer: shop.Agent.String(), Provider: shop.Operator.String(), Denom: scope.Denom,
		}}})
	}
	return txs
}

// clearingGas is what a bid pays beforehand for its clearing.
func (m *market) clearingGas() float64 {
	params, err := m.App.MarketKeeper.Params(m.Context())
	require.NoError(m.b, err)
	return float64(params.ClearingGas)
}
