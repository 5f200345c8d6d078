package keeper_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/keeper"
	"github.com/souk-network/souk/x/provider/types"
)

// bench is a chain on which usouk and ibc coins settle.
type bench struct {
	*chain.Chain
	t testing.TB
}

const ibcDenom = "ibc/27394FB092D2ECCD56123C74F36E4C1F926001CEADA9CA97EA622B25F41E5EB2"

// quickEscrow has epochs of 10 seconds, pays without delay and pauses nothing.
func quickEscrow() escrowtypes.Params {
	params := escrowtypes.DefaultParams()
	params.EpochSeconds, params.HoldbackEpochs, params.MaxTickSeconds = 10, 0, 3600
	params.PauseRunwaySeconds = 0
	params.Denoms = []escrowtypes.DenomParams{
		{Denom: ibcDenom, MinDeposit: math.NewInt(1)}, {Denom: "usouk", MinDeposit: math.NewInt(1)},
	}
	return params
}

// quick has an unbonding time of 100 seconds, and maintenance of 50 seconds in 1000 after a notice of 20.
func quick() types.Params {
	params := types.DefaultParams()
	params.UnbondingSeconds = 100
	params.MaintenanceNoticeSeconds, params.MaintenanceQuotaSeconds, params.MaintenancePeriodSeconds = 20, 50, 1000
	return params
}

// start opens a chain without a market, at second 1.
func start(t testing.TB, options ...chain.Option) *bench {
	t.Helper()
	genesis := types.DefaultGenesis()
	genesis.Params = quick()
	options = append([]chain.Option{
		chain.WithEscrowParams(quickEscrow()), chain.WithGenesis(types.ModuleName, chain.JSON(genesis)),
	}, options...)
	b := &bench{Chain: chain.New(t, options...), t: t}
	b.NextBlock(0)
	return b
}

func key(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }

// registration of a name, with an agent of its own and a bond that the name has got.
func (b *bench) registration(name string, bond ...sdk.Coin) *types.MsgRegister {
	b.t.Helper()
	operator := chain.Account(name)
	if len(bond) > 0 {
		b.Fund(operator, bond...)
	}
	return &types.MsgRegister{
		Operator: b.Text(operator), Agent: b.Text(chain.Account(name + "'s agent")), Payout: b.Text(chain.Account(name + "'s purse")),
		GatewayUri: "https://" + name + ".example:8443", TlsKeys: [][]byte{key(1)},
		Info: types.Info{Name: name, Website: "https://example.com", Contact: "ops@example.com"}, Bond: sdk.NewCoins(bond...),
	}
}

// register makes a name a provider.
func (b *bench) register(name string, bond ...sdk.Coin) sdk.AccAddress {
	b.t.Helper()
	require.NoError(b.t, b.Deliver(b.registration(name, bond...)))
	return chain.Account(name)
}

func (b *bench) provider(operator sdk.AccAddress) types.Provider {
	b.t.Helper()
	provider, err := b.Provider.GetProvider(b.Ctx(), operator)
	require.NoError(b.t, err)
	return provider
}

// refused delivers a message that must be refused with an error of the module and change nothing.
func (b *bench) refused(want error, message sdk.Msg) {
	b.t.Helper()
	before := b.state()
	require.ErrorIs(b.t, b.Deliver(message), want)
	require.Equal(b.t, before, b.state())
}

func (b *bench) state() string {
	b.t.Helper()
	text, err := json.MarshalIndent(b.Export(), "", " ")
	require.NoError(b.t, err)
	return string(text)
}

// earn lets a tenant pay a provider so many micro-denom, until they can be withdrawn.
func (b *bench) earn(operator sdk.AccAddress, micro int64) {
	b.t.Helper()
	tenant := b.Funded("tenant", chain.Coin(micro))
	require.NoError(b.t, b.Try(func(ctx sdk.Context) error {
		account, err := b.Escrow.OpenAccount(ctx, tenant, chain.Coin(micro), nil)
		if err != nil {
			return err
		}
		_, err = b.Escrow.OpenStream(ctx, account, 1, operator, uint64(micro)*360, escrowtypes.StreamKind_STREAM_KIND_SERVICE)
		return err
	}))
	b.Run(30*time.Second, 10*time.Second)
}

// market stands above the module: it notes what it hears and asks for bond.
type market struct {
	b     *bench
	heard []string
	asks  map[string]sdk.Coins
	err   error
}

// startUnder opens a chain with a market that hears of everything.
func startUnder(t testing.TB, options ...chain.Option) (*bench, *market) {
	t.Helper()
	b := start(t, options...)
	m := &market{b: b, asks: make(map[string]sdk.Coins)}
	b.Provider.SetHooks(m)
	return b, m
}

func (m *market) hear(format string, args ...any) error {
	m.heard = append(m.heard, fmt.Sprintf(format, args...))
	return m.err
}

func (m *market) AfterBonded(_ context.Context, operator sdk.AccAddress) error {
	return m.hear("bonded %s", m.b.Text(operator))
}

func (m *market) AfterJailed(_ context.Context, operator sdk.AccAddress, number, at uint64) error {
	return m.hear("jailed %s, %d, at %d", m.b.Text(operator), number, at)
}

func (m *market) AfterUnjailed(_ context.Context, operator sdk.AccAddress) error {
	return m.hear("unjailed %s", m.b.Text(operator))
}

func (m *market) AfterLeaving(_ context.Context, operator sdk.AccAddress, number, at uint64) error {
	return m.hear("leaving %s, %d, at %d", m.b.Text(operator), number, at)
}

func (m *market) AfterAttested(_ context.Context, operator sdk.AccAddress) error {
	return m.hear("attested %s", m.b.Text(operator))
}

func (m *market) AfterReputed(_ context.Context, operator sdk.AccAddress) error {
	return m.hear("reputed %s", m.b.Text(operator))
}

func (m *market) Required(_ context.Context, operator sdk.AccAddress) (sdk.Coins, error) {
	return m.asks[m.b.Text(operator)], m.err
}

// pass lets seconds pass in one block.
func (b *bench) pass(seconds int64) {
	b.t.Helper()
	b.NextBlock(time.Duration(seconds) * time.Second)
	b.AssertInvariants()
}

// name returns the address of a name as text.
func (b *bench) name(name string) string { return b.Text(chain.Account(name)) }

// agrees delivers a message that must be accepted, and checks the books.
func (b *bench) agrees(messages ...sdk.Msg) {
	b.t.Helper()
	require.NoError(b.t, b.Deliver(messages...))
	b.AssertInvariants()
}

// unbond starts to take bond back, and returns its id.
func (b *bench) unbond(name string, coin sdk.Coin) uint64 {
	b.t.Helper()
	response, err := chain.Send[types.MsgUnbondResponse](b.Chain, &types.MsgUnbond{Operator: b.name(name), Amount: coin})
	require.NoError(b.t, err)
	b.AssertInvariants()
	return response.Unbonding
}

// unbondings returns what is on its way back to a name, as text.
func (b *bench) unbondings(name string) []string {
	b.t.Helper()
	response, err := keeper.NewQueryServer(b.Provider).Unbondings(b.Ctx(), &types.QueryUnbondingsRequest{Operator: b.name(name)})
	require.NoError(b.t, err)
	shown := []string{}
	for _, u := range response.Unbondings {
		require.Equal(b.t, b.name(name), u.Provider)
		shown = append(shown, fmt.Sprintf("%d: %s at %d", u.Id, u.Amount, u.CompletesAt))
	}
	return shown
}

// saw tells that the last transaction or block emitted a typed event.
func (b *bench) saw(want proto.Message) {
	b.t.Helper()
	var seen []string
	for _, event := range b.Events {
		got, err := sdk.ParseTypedEvent(abci.Event(event))
		if err == nil {
			seen = append(seen, fmt.Sprintf("%T %s", got, got))
		}
	}
	require.Contains(b.t, seen, fmt.Sprintf("%T %s", want, want))
}
