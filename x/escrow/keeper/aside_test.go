package keeper_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/types"
)

// records opens a store of escrow under the keeper, to break what is in it.
func (b *bench) records(prefix collections.Prefix) collections.Map[uint64, []byte] {
	sb := collections.NewSchemaBuilder(b.StoreService(types.StoreKey))
	records := collections.NewMap(sb, prefix, "records", collections.Uint64Key, collections.BytesValue)
	_, err := sb.Build()
	require.NoError(b.t, err)
	return records
}

// earned is all that a name earned and did not withdraw, in micro-denom.
func (b *bench) earned(payee string) int64 {
	b.t.Helper()
	e := b.earnings(payee)
	return e.Accruing.Int64() + e.HeldBack.Int64() + e.Available.Int64()
}

func TestABrokenPotDoesNotStopTheQueueAndItsAccountEndsAtItsSecond(t *testing.T) {
	for name, wait := range map[string]time.Duration{"in the same epoch": 20 * second, "some epochs later": 290 * second} {
		t.Run(name, func(t *testing.T) {
			b := start(t, quick())
			bad, good := b.open("alice", 203), b.open("dave", 300)
			b.pay(bad, "bob", 5*unit, service) // until 21
			b.pay(bad, "carol", 5*unit, service)
			b.pay(good, "carol", 10*unit, service) // until 31
			pots, key := b.potStore(), collections.Join(chain.Account("bob"), "usouk")
			whole, err := pots.Get(b.Ctx(), key)
			require.NoError(t, err)
			require.NoError(t, pots.Set(b.Ctx(), key, []byte{0xff, 0xff}))
			b.Run(30*second, 5*second)
			b.Run(wait, 10*second)

			require.Equal(t, b.Now(), b.clock().Frontier, "time goes on")
			require.Equal(t, closedState, b.stored(good).State)
			require.Equal(t, uint64(21), b.stored(bad).ExhaustedAt)
			require.Equal(t, int64(3), b.left(bad), "it pays nothing any more")
			require.Equal(t, int64(100+300), b.earned("carol"), "nor does it pay others")
			require.NoError(t, b.Escrow.CheckBooks(b.Ctx()))
			retry := &types.MsgRetry{Authority: b.Authority, Source: types.AccountSource, Id: bad}
			require.Error(t, b.Deliver(retry), "still broken")

			require.NoError(t, pots.Set(b.Ctx(), key, whole))
			require.NoError(t, b.Deliver(retry))
			require.Equal(t, closedState, b.stored(bad).State)
			require.Equal(t, int64(3), b.Balance(chain.Account("alice")))
			require.Equal(t, int64(100), b.earned("bob"))
			b.AssertInvariants()
			b.NextBlock(60 * second)
			b.NextBlock(60 * second)
			require.Equal(t, int64(100), b.earned("bob"))
			require.Empty(t, b.genesis().Quarantine)
			b.AssertInvariants()
		})
	}
}

func TestABrokenRecordDoesNotStopTheQueue(t *testing.T) {
	for name, prefix := range map[string]collections.Prefix{
		"of an account": types.AccountsKey, "of a stream": types.OpenStreamsKey,
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, quick())
			bad, good := b.open("alice", 103), b.open("dave", 200)
			id := b.pay(bad, "bob", 5*unit, service) // until 21
			if prefix.Bytes()[0] == types.AccountsKey.Bytes()[0] {
				id = bad
			}
			b.pay(good, "carol", 5*unit, service) // until 41
			records := b.records(prefix)
			whole, err := records.Get(b.Ctx(), id)
			require.NoError(t, err)
			require.NoError(t, records.Set(b.Ctx(), id, []byte{0xff, 0xff}))
			b.Run(60*second, 10*second)
			require.Equal(t, b.Now(), b.clock().Frontier, "time goes on")
			require.Equal(t, closedState, b.stored(good).State)
			retry := &types.MsgRetry{Authority: b.Authority, Source: types.AccountSource, Id: bad}
			require.Error(t, b.Deliver(retry), "still broken")

			require.NoError(t, records.Set(b.Ctx(), id, whole))
			require.NoError(t, b.Escrow.CheckBooks(b.Ctx()))
			require.NoError(t, b.genesis().Validate(b.Addresses))
			again := chain.New(t, chain.WithState(b.Export()))
			require.Equal(t, b.Export(), again.Export())
			alice := b.Funded("alice", chain.Coin(5))
			b.fails(types.ErrBehind, func(ctx sdk.Context) error {
				_, err := b.Escrow.Deposit(ctx, bad, alice, chain.Coin(5), nil)
				return err
			})
			require.NoError(t, b.Deliver(retry))
			require.Equal(t, closedState, b.stored(bad).State)
			require.Equal(t, uint64(21), b.stored(bad).ExhaustedAt)
			require.Equal(t, int64(5+3), b.Balance(alice))
			require.Equal(t, int64(100), b.earned("bob"))
			require.Empty(t, b.genesis().Quarantine)
			b.AssertInvariants()
		})
	}
}

func TestAPotThatAMessageRollsLeavesQuarantine(t *testing.T) {
	b := start(t, quick())
	id := b.open("alice", 10_000)
	b.pay(id, "bob", unit, service)
	pots, key := b.potStore(), collections.Join(chain.Account("bob"), "usouk")
	whole, err := pots.Get(b.Ctx(), key)
	require.NoError(t, err)
	require.NoError(t, pots.Set(b.Ctx(), key, []byte{0xff, 0xff}))
	b.Run(120*second, 40*second)
	require.NoError(t, pots.Set(b.Ctx(), key, whole))
	require.Len(t, b.genesis().Quarantine, 1)
	b.pay(id, "bob", unit, hold)
	require.Empty(t, b.genesis().Quarantine)
	b.AssertInvariants()
}

func TestAHaltedDenomStillOpensWhatWasHeldForAStream(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 1_000)
	held, err := b.Escrow.Hold(b.Ctx(), id, unit, 5)
	require.NoError(t, err)
	b.halts(careful(), true)
	for name, nothing := range map[string]math.Int{"nothing": math.ZeroInt(), "no amount": {}} {
		b.fails(types.ErrHalted, func(ctx sdk.Context) error {
			_, err := b.Escrow.OpenHeldStream(ctx, id, 7, chain.Account("bob"), unit, service, nothing)
			require.Error(t, err, name)
			return err
		})
	}
	s, err := b.Escrow.OpenHeldStream(b.Ctx(), id, 7, chain.Account("bob"), unit, service, held)
	require.NoError(t, err)
	require.Equal(t, service, s.Kind)
	b.AssertInvariants()
}

func TestADenomThatIsStruckOutCountsAsHaltedAndPaysOut(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 1_000)
	paid := b.pay(id, "bob", unit, service)
	b.Run(350*second, 50*second)
	params := careful()
	params.Denoms = []types.DenomParams{{Denom: "uother", MinDeposit: math.OneInt()}}
	require.NoError(t, b.Deliver(&types.MsgUpdateParams{Authority: b.Authority, Params: params}))
	b.fails(types.ErrHalted, func(ctx sdk.Context) error { _, err := b.Escrow.Hold(ctx, id, 1, 1); return err })
	b.fails(types.ErrHalted, func(ctx sdk.Context) error {
		_, err := b.Escrow.OpenStream(ctx, id, 1, chain.Account("bob"), 1, hold)
		return err
	})
	b.fails(types.ErrHalted, func(ctx sdk.Context) error { _, err := b.Escrow.ReplaceStream(ctx, paid, 2*unit); return err })
	room, err := b.Escrow.RateRoom(b.Ctx(), id, 1)
	require.NoError(t, err)
	require.Zero(t, room)
	net, _ := b.withdraw("bob")
	require.Positive(t, net)
	b.ends(id)
	require.Equal(t, int64(650), b.Balance(chain.Account("alice")))
	b.AssertInvariants()
}

func TestAGenesisWhoseExhaustedAccountNothingFinishesIsRefused(t *testing.T) {
	genesis := lived(t).genesis()
	require.Len(t, genesis.Quarantine, 1)
	require.Equal(t, types.AccountSource, genesis.Quarantine[0].Source)
	genesis.Quarantine = nil
	require.ErrorContains(t, genesis.Validate(start(t, quick()).Addresses), "ran out and nothing would finish it")
}
