package keeper_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/provider/types"
)

func TestAProviderRegistersWithItsBond(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(500), sdk.NewInt64Coin(ibcDenom, 7))
	provider := b.provider(operator)
	require.Equal(t, types.Lifecycle_LIFECYCLE_ACTIVE, provider.Lifecycle)
	require.Equal(t, b.Text(chain.Account("acme's purse")), provider.Payout)
	require.Equal(t, uint64(1), provider.RegisteredAt)
	bond, err := b.Provider.BondOf(b.Ctx(), operator)
	require.NoError(t, err)
	require.Equal(t, "7"+ibcDenom+",500usouk", bond.String())
	require.Equal(t, int64(0), b.Balance(operator))
	byAgent, err := b.Provider.ProviderOfAgent(b.Ctx(), chain.Account("acme's agent"))
	require.NoError(t, err)
	require.Equal(t, provider, byAgent)
	b.AssertInvariants()
}

func TestAProviderMayRegisterWithoutBondAndWithoutPurse(t *testing.T) {
	b := start(t)
	msg := b.registration("acme")
	msg.Payout, msg.Info = "", types.Info{}
	require.NoError(t, b.Deliver(msg))
	require.Equal(t, msg.Operator, b.provider(chain.Account("acme")).Payout)
}

func TestNobodyRegistersTwiceOrWithTheAgentOfAnother(t *testing.T) {
	b := start(t)
	b.register("acme", chain.Coin(500))
	again := b.registration("acme")
	again.Agent = b.Text(chain.Account("another agent"))
	b.refused(types.ErrExists, again)
	other := b.registration("other")
	other.Agent = b.registration("acme").Agent
	b.refused(types.ErrAgentTaken, other)
	require.ErrorIs(t, b.Deliver(b.registration("third"), b.registration("third")), types.ErrExists, "twice in one transaction")
}

// spoiled messages, by what is wrong with them.
var badDescriptions = map[string]struct {
	spoil func(gateway *string, keys *[][]byte, info *types.Info)
	want  error
}{
	"no gateway":           {func(g *string, _ *[][]byte, _ *types.Info) { *g = "" }, types.ErrInvalidGateway},
	"a plain gateway":      {func(g *string, _ *[][]byte, _ *types.Info) { *g = "http://acme.example" }, types.ErrInvalidGateway},
	"a gateway of no host": {func(g *string, _ *[][]byte, _ *types.Info) { *g = "https://:8443" }, types.ErrInvalidGateway},
	"a gateway with a name and password": {
		func(g *string, _ *[][]byte, _ *types.Info) { *g = "https://me:secret@acme.example" }, types.ErrInvalidGateway,
	},
	"a gateway with a query":    {func(g *string, _ *[][]byte, _ *types.Info) { *g = "https://acme.example?a=b" }, types.ErrInvalidGateway},
	"a gateway with a fragment": {func(g *string, _ *[][]byte, _ *types.Info) { *g = "https://acme.example#a" }, types.ErrInvalidGateway},
	"a gateway with controls":   {func(g *string, _ *[][]byte, _ *types.Info) { *g = "https://acme.example/\x1b[2J" }, types.ErrInvalidGateway},
	"an endless gateway": {
		func(g *string, _ *[][]byte, _ *types.Info) { *g = "https://" + strings.Repeat("a", 300) }, types.ErrInvalidGateway,
	},
	"no TLS key":       {func(_ *string, k *[][]byte, _ *types.Info) { *k = nil }, types.ErrInvalidTLSKeys},
	"three TLS keys":   {func(_ *string, k *[][]byte, _ *types.Info) { *k = [][]byte{key(1), key(2), key(3)} }, types.ErrInvalidTLSKeys},
	"a TLS key twice":  {func(_ *string, k *[][]byte, _ *types.Info) { *k = [][]byte{key(1), key(1)} }, types.ErrInvalidTLSKeys},
	"a short TLS key":  {func(_ *string, k *[][]byte, _ *types.Info) { *k = [][]byte{{1, 2}} }, types.ErrInvalidTLSKeys},
	"a long TLS key":   {func(_ *string, k *[][]byte, _ *types.Info) { *k = [][]byte{make([]byte, 1<<20)} }, types.ErrInvalidTLSKeys},
	"an endless name":  {func(_ *string, _ *[][]byte, i *types.Info) { i.Name = strings.Repeat("a", 65) }, types.ErrInvalidInfo},
	"an endless site":  {func(_ *string, _ *[][]byte, i *types.Info) { i.Website = strings.Repeat("a", 257) }, types.ErrInvalidInfo},
	"endless contacts": {func(_ *string, _ *[][]byte, i *types.Info) { i.Contact = strings.Repeat("a", 257) }, types.ErrInvalidInfo},
	"escape sequences": {func(_ *string, _ *[][]byte, i *types.Info) { i.Name = "acme\x1b[31m" }, types.ErrInvalidInfo},
	"a name that is not text": {
		func(_ *string, _ *[][]byte, i *types.Info) { i.Name = "acme\xff" }, types.ErrInvalidInfo,
	},
}

func TestARegistrationThatMakesNoSenseIsRefused(t *testing.T) {
	b := start(t)
	b.Fund(chain.Account("acme"), chain.Coin(500))
	for name, c := range badDescriptions {
		t.Run(name, func(t *testing.T) {
			b.t = t
			msg := b.registration("acme")
			c.spoil(&msg.GatewayUri, &msg.TlsKeys, &msg.Info)
			b.refused(c.want, msg)
		})
	}
	escrow := b.Text(authtypes.NewModuleAddress("escrow"))
	huge := math.NewIntFromBigInt(math.OneInt().BigInt().Lsh(math.OneInt().BigInt(), 255))
	for name, c := range map[string]struct {
		spoil func(msg *types.MsgRegister)
		want  error
	}{
		"no operator":             {func(m *types.MsgRegister) { m.Operator = "" }, types.ErrInvalidAddress},
		"a module as operator":    {func(m *types.MsgRegister) { m.Operator = escrow }, types.ErrInvalidAddress},
		"an operator in capitals": {func(m *types.MsgRegister) { m.Operator = strings.ToUpper(m.Operator) }, types.ErrInvalidAddress},
		"an agent in capitals":    {func(m *types.MsgRegister) { m.Agent = strings.ToUpper(m.Agent) }, types.ErrInvalidAddress},
		"no agent":                {func(m *types.MsgRegister) { m.Agent = "" }, types.ErrInvalidAddress},
		"an agent of another net": {func(m *types.MsgRegister) { m.Agent = "cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xu" }, types.ErrInvalidAddress},
		"a purse that is none":    {func(m *types.MsgRegister) { m.Payout = "purse" }, types.ErrInvalidAddress},
		"a module as purse":       {func(m *types.MsgRegister) { m.Payout = escrow }, types.ErrInvalidAddress},
		"a bond of nothing":       {func(m *types.MsgRegister) { m.Bond = sdk.Coins{chain.Coin(0)} }, types.ErrInvalidBond},
		"a negative bond": {func(m *types.MsgRegister) {
			m.Bond = sdk.Coins{{Denom: "usouk", Amount: math.NewInt(-1)}}
		}, types.ErrInvalidBond},
		"a bond that is not set":   {func(m *types.MsgRegister) { m.Bond = sdk.Coins{{Denom: "usouk"}} }, types.ErrInvalidBond},
		"a bond of 2^255":          {func(m *types.MsgRegister) { m.Bond = sdk.Coins{{Denom: "usouk", Amount: huge}} }, types.ErrInvalidBond},
		"a bond in unknown coins":  {func(m *types.MsgRegister) { m.Bond = sdk.NewCoins(sdk.NewInt64Coin("uother", 1)) }, types.ErrInvalidBond},
		"a bond in one coin twice": {func(m *types.MsgRegister) { m.Bond = sdk.Coins{chain.Coin(1), chain.Coin(1)} }, types.ErrInvalidBond},
		"a bond in endless coins":  {func(m *types.MsgRegister) { m.Bond = make(sdk.Coins, 17) }, types.ErrInvalidBond},
		"a bond it does not have":  {func(m *types.MsgRegister) { m.Bond = sdk.NewCoins(chain.Coin(501)) }, sdkerrors.ErrInsufficientFunds},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			msg := b.registration("acme")
			c.spoil(msg)
			b.refused(c.want, msg)
		})
	}
}

func TestAProviderUpdatesWhatItSaysOfItself(t *testing.T) {
	b := start(t)
	operator := b.register("acme", chain.Coin(500))
	update := &types.MsgUpdate{
		Operator: b.Text(operator), Payout: "", GatewayUri: "https://new.example/gateway", TlsKeys: [][]byte{key(2), key(3)},
		Info: types.Info{Name: "Ácme"},
	}
	require.NoError(t, b.Deliver(update))
	provider := b.provider(operator)
	require.Equal(t, b.Text(operator), provider.Payout)
	require.Equal(t, update.GatewayUri, provider.GatewayUri)
	require.Equal(t, update.TlsKeys, provider.TlsKeys)
	require.Equal(t, update.Info, provider.Info)
	require.Equal(t, "500usouk", provider.Bond.String(), "the bond stays")
	require.Equal(t, b.Text(chain.Account("acme's agent")), provider.Agent, "and the agent")

	for name, c := range badDescriptions {
		t.Run(name, func(t *testing.T) {
			b.t = t
			msg := *update
			c.spoil(&msg.GatewayUri, &msg.TlsKeys, &msg.Info)
			b.refused(c.want, &msg)
		})
	}
	b.t = t
	stranger := *update
	stranger.Operator = b.Text(chain.Account("stranger"))
	b.refused(types.ErrNotFound, &stranger)
	stranger.Operator = b.Text(chain.Account("acme's agent"))
	b.refused(types.ErrNotFound, &stranger)
	stranger.Operator = ""
	b.refused(types.ErrInvalidAddress, &stranger)
}

func TestOnlyOperatorAndAgentActForAProvider(t *testing.T) {
	b := start(t)
	acme, other := b.Text(b.register("acme")), b.Text(b.register("other"))
	agent := b.Text(chain.Account("acme's agent"))
	for _, signer := range []string{acme, agent} {
		provider, err := b.Provider.Authorize(b.Ctx(), signer, acme)
		require.NoError(t, err)
		require.Equal(t, acme, provider.Operator)
	}
	for _, signer := range []string{other, b.Text(chain.Account("other's agent")), "", strings.Repeat("x", 1<<16)} {
		_, err := b.Provider.Authorize(b.Ctx(), signer, acme)
		require.ErrorIs(t, err, types.ErrUnauthorized)
		require.Less(t, len(err.Error()), 1_000)
	}
	_, err := b.Provider.Authorize(b.Ctx(), acme, agent)
	require.ErrorIs(t, err, types.ErrNotFound)
	_, err = b.Provider.Authorize(b.Ctx(), acme, "")
	require.ErrorIs(t, err, types.ErrInvalidAddress)
}
