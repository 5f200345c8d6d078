package keeper_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/types"
)

// bench is a chain on which usouk and ibc coins settle.
type bench struct {
	*chain.Chain
	t testing.TB
}

const ibcDenom = "ibc/27394FB092D2ECCD56123C74F36E4C1F926001CEADA9CA97EA622B25F41E5EB2"

func start(t testing.TB, options ...chain.Option) *bench {
	t.Helper()
	params := escrowtypes.DefaultParams()
	params.EpochSeconds, params.HoldbackEpochs = 10, 0
	params.Denoms = []escrowtypes.DenomParams{
		{Denom: ibcDenom, MinDeposit: math.NewInt(1)}, {Denom: "usouk", MinDeposit: math.NewInt(1)},
	}
	options = append([]chain.Option{chain.WithEscrowParams(params)}, options...)
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
		account, err := b.Escrow.OpenAccount(ctx, tenant, chain.Coin(micro))
		if err != nil {
			return err
		}
		_, err = b.Escrow.OpenStream(ctx, account, 1, operator, uint64(micro)*360, escrowtypes.StreamKind_STREAM_KIND_SERVICE)
		return err
	}))
	b.Run(30*time.Second, 10*time.Second)
}
