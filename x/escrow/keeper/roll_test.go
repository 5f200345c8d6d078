package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/keeper"
	"github.com/souk-network/souk/x/escrow/types"
)

// potStore opens the store of pots under the keeper, to break what is in it.
func (b *bench) potStore() collections.Map[collections.Pair[sdk.AccAddress, string], []byte] {
	sb := collections.NewSchemaBuilder(b.StoreService(types.StoreKey))
	pots := collections.NewMap(sb, types.PotsKey, "pots", collections.PairKeyCodec(sdk.AccAddressKey, collections.StringKey),
		collections.BytesValue)
	_, err := sb.Build()
	require.NoError(b.t, err)
	return pots
}

func TestABrokenPotIsSetAsideAndTheChainGoesOn(t *testing.T) {
	for name, spoil := range map[string]func(b *bench, whole []byte) []byte{
		"that cannot be read": func(*bench, []byte) []byte { return []byte{0xff, 0xff} },
		"that earned less than nothing": func(b *bench, whole []byte) []byte {
			var pot types.Pot
			require.NoError(b.t, b.Codec.(codec.BinaryCodec).Unmarshal(whole, &pot))
			pot.Running.Service.Intercept = math.NewInt(-1 << 40)
			return b.Codec.MustMarshal(&pot)
		},
		"that makes the arithmetic panic": func(b *bench, whole []byte) []byte {
			var pot types.Pot
			require.NoError(b.t, b.Codec.(codec.BinaryCodec).Unmarshal(whole, &pot))
			pot.Running.Service.Slope = power(255)
			return b.Codec.MustMarshal(&pot)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, quick())
			id := b.open("alice", 1_000_000)
			for _, payee := range []string{"a", "b", "c", "d"} {
				b.pay(id, payee, unit, service)
			}
			key := collections.Join(chain.Account("b"), "usouk")
			pots := b.potStore()
			whole, err := pots.Get(b.Ctx(), key)
			require.NoError(t, err)
			require.NoError(t, pots.Set(b.Ctx(), key, spoil(b, whole)))
			b.Run(250*second, 50*second)
			require.Equal(t, uint64(3), b.clock().Epoch)
			for _, payee := range []string{"a", "c", "d"} {
				require.Equal(t, int64(200), b.earnings(payee).HeldBack.Int64(), payee)
			}
			list, err := keeper.NewQueryServer(b.Escrow).Quarantine(b.Ctx(), &types.QueryQuarantineRequest{})
			require.NoError(t, err)
			require.Len(t, list.Items, 1)
			require.Equal(t, types.PotSource, list.Items[0].Source)
			retry := &types.MsgRetry{Authority: b.Authority, Source: types.PotSource, Id: list.Items[0].Id}
			require.Error(t, b.Deliver(retry))

			// Mended, it is rolled out of all its epochs at once: by hand, or by the next sweep.
			require.NoError(t, pots.Set(b.Ctx(), key, whole))
			if name == "that cannot be read" {
				b.NextBlock(60 * second)
				require.ErrorIs(t, b.Deliver(retry), types.ErrNotQuarantined)
			} else {
				require.NoError(t, b.Deliver(retry))
				b.NextBlock(60 * second)
			}
			require.Empty(t, b.genesis().Quarantine)
			require.Equal(t, []int64{300, 10},
				[]int64{b.earnings("b").HeldBack.Int64(), b.earnings("b").Accruing.Int64()})
			b.AssertInvariants()
		})
	}
}

func TestAPotThatIsGoneNeedsNoRetry(t *testing.T) {
	b := start(t, quick())
	genesis := b.genesis()
	genesis.Quarantine = []types.Quarantined{{Source: types.PotSource, Id: 7}}
	state := b.Export()
	state[types.ModuleName] = b.Codec.MustMarshalJSON(genesis)
	again := &bench{Chain: chain.New(t, chain.WithState(state)), t: t}
	require.NoError(t, again.Deliver(&types.MsgRetry{Authority: again.Authority, Source: types.PotSource, Id: 7}))
	require.Empty(t, again.genesis().Quarantine)
}

func TestEpochLengthsChangeWithPotsInFlight(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 1_000_000)
	b.pay(id, "bob", 10*unit, service)
	b.pay(id, "bob", unit, hold)
	for i, seconds := range []uint32{1, 500, 7, 3, 100, 1, 1, 60} {
		params := careful()
		params.EpochSeconds, params.MaxDeadlinesPerBlock = seconds, uint32(1+i%3)
		require.NoError(t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
		b.pay(id, "carol", unit, service)
		b.Run(130*second, 13*second)
		b.AssertInvariants()
	}
	earned := func(payee string) int64 {
		e := b.earnings(payee)
		return e.Accruing.Int64() + e.HeldBack.Int64() + e.Available.Int64()
	}
	require.Equal(t, int64(11*8*130), earned("bob"))
	require.Equal(t, int64(130*(8+7+6+5+4+3+2+1)), earned("carol"))
}
