package keeper_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/keeper"
	"github.com/souk-network/souk/x/escrow/types"
)

var errFault = errors.New("the disk is at fault")

// faulty is the store of escrow; its n-th operation from now fails.
type faulty struct {
	corestore.KVStoreService
	left int // operations until one fails; 0 for none
	hit  bool
}

func (f *faulty) OpenKVStore(ctx context.Context) corestore.KVStore {
	return faultyStore{f.KVStoreService.OpenKVStore(ctx), f}
}

func (f *faulty) fail() error {
	if f.left == 0 {
		return nil
	}
	if f.left--; f.left > 0 {
		return nil
	}
	f.hit = true
	return errFault
}

type faultyStore struct {
	corestore.KVStore
	faulty *faulty
}

func (s faultyStore) Get(key []byte) ([]byte, error) {
	if err := s.faulty.fail(); err != nil {
		return nil, err
	}
	return s.KVStore.Get(key)
}

func (s faultyStore) Has(key []byte) (bool, error) {
	if err := s.faulty.fail(); err != nil {
		return false, err
	}
	return s.KVStore.Has(key)
}

func (s faultyStore) Set(key, value []byte) error {
	if err := s.faulty.fail(); err != nil {
		return err
	}
	return s.KVStore.Set(key, value)
}

func (s faultyStore) Delete(key []byte) error {
	if err := s.faulty.fail(); err != nil {
		return err
	}
	return s.KVStore.Delete(key)
}

func (s faultyStore) Iterator(start, end []byte) (corestore.Iterator, error) {
	if err := s.faulty.fail(); err != nil {
		return nil, err
	}
	return s.KVStore.Iterator(start, end)
}

func (s faultyStore) ReverseIterator(start, end []byte) (corestore.Iterator, error) {
	if err := s.faulty.fail(); err != nil {
		return nil, err
	}
	return s.KVStore.ReverseIterator(start, end)
}

// onFaultyDisk puts a keeper over the same store that can be made to fail.
func (b *bench) onFaultyDisk() (*keeper.Keeper, *faulty) {
	disk := &faulty{KVStoreService: b.StoreService(types.StoreKey)}
	k := keeper.NewKeeper(b.Codec, disk, b.Addresses, b.Bank, b.Auth, b.Distribution, b.Authz, b.Authority)
	return k, disk
}

// troubled is a chain with a funded, a low and an exhausted account, and one without streams; with earnings that have
// matured, and a grant.
func troubled(t *testing.T) *bench {
	b := start(t, careful(), chain.WithModuleAccount("treasury"))
	b.Fund(uncle, chain.Coin(10_000))
	rich, poor, bad := b.open("alice", 100_000), b.open("dave", 4_500), b.open("erin", 100)
	b.open("frank", 1_000)
	b.grants(5_000, 0)
	require.NoError(t, b.Deliver(b.grantedDeposit(rich, 300)))
	for _, payee := range []string{"bob", "carol"} {
		b.pay(rich, payee, unit, service)
		b.pay(poor, payee, 5*unit, service)
	}
	poison := b.pay(bad, "bob", 10*unit, hold)
	b.book.poisonStreams = map[uint64]bool{poison: true}
	b.Run(450*second, 50*second)
	require.Equal(t, low, b.stored(poor).State)
	require.Equal(t, uint64(11), b.stored(bad).ExhaustedAt)
	require.NoError(t, b.Bank.SendCoinsFromAccountToModule(b.Ctx(), b.Funded("rich", chain.Coin(10_000)), "treasury",
		sdk.NewCoins(chain.Coin(10_000))))
	return b
}

// TestNoErrorOfTheStoreIsDropped lets, for everything that can be asked of the keeper, every operation of its store fail
// once: the error must come back each time, and what is asked must succeed when none fails.
func TestNoErrorOfTheStoreIsDropped(t *testing.T) {
	b := troubled(t)
	k, disk := b.onFaultyDisk()
	alice := b.Funded("alice", chain.Coin(10_000))
	bob := chain.Account("bob")
	messages, queries := keeper.NewMsgServer(k), keeper.NewQueryServer(k)
	held, err := b.Escrow.Hold(b.Ctx(), 1, unit, 20)
	require.NoError(t, err)
	const rich, poor, bad, idle = 1, 2, 3, 4
	paused := b.now(types.StreamID(poor, 1)).Id
	for name, f := range map[string]func(ctx sdk.Context) error{
		"open account": func(ctx sdk.Context) error {
			_, err := k.OpenAccount(ctx, alice, chain.Coin(500), nil)
			return err
		},
		"deposit": func(ctx sdk.Context) error {
			_, err := messages.Deposit(ctx, &types.MsgDeposit{Signer: b.Text(alice), Account: rich, Amount: chain.Coin(5)})
			return err
		},
		"granted deposit": func(ctx sdk.Context) error {
			_, err := messages.Deposit(ctx, b.grantedDeposit(rich, 5))
			return err
		},
		"resume": func(ctx sdk.Context) error {
			_, err := k.Deposit(ctx, poor, alice, chain.Coin(5_000), nil)
			return err
		},
		"add funds": func(ctx sdk.Context) error { return k.AddFunds(ctx, poor, chain.Coin(5_000), "treasury") },
		"try resume": func(ctx sdk.Context) error {
			if err := b.Escrow.CloseStream(ctx, b.now(types.StreamID(poor, 2)).Id, b.Now()); err != nil {
				return err
			}
			if _, err := b.Escrow.ReplaceStream(ctx, paused, 1); err != nil {
				return err
			}
			resumed, err := k.TryResume(ctx, poor)
			if err == nil && !resumed {
				return errors.New("not resumed")
			}
			return err
		},
		"hold":      func(ctx sdk.Context) error { _, err := k.Hold(ctx, rich, unit, 20); return err },
		"rate room": func(ctx sdk.Context) error { _, err := k.RateRoom(ctx, rich, 20); return err },
		"release":   func(ctx sdk.Context) error { return k.Release(ctx, rich, held) },
		"open stream": func(ctx sdk.Context) error {
			_, err := k.OpenHeldStream(ctx, rich, 1, bob, unit, service, held)
			return err
		},
		"open paused stream": func(ctx sdk.Context) error {
			_, err := k.OpenStream(ctx, poor, 1, bob, unit, service)
			return err
		},
		"replace stream": func(ctx sdk.Context) error {
			_, err := k.ReplaceStream(ctx, types.StreamID(rich, 1), 2*unit)
			return err
		},
		"close stream":         func(ctx sdk.Context) error { return k.CloseStream(ctx, types.StreamID(rich, 1), b.Now()) },
		"close stopped stream": func(ctx sdk.Context) error { return k.CloseStream(ctx, types.StreamID(bad, 1), b.Now()) },
		"close closed stream":  func(ctx sdk.Context) error { return k.CloseStream(ctx, types.StreamID(poor, 1), b.Now()) },
		"read stream":          func(ctx sdk.Context) error { _, err := k.Stream(ctx, types.StreamID(poor, 1)); return err },
		"pay hold":             func(ctx sdk.Context) error { return k.PayHold(ctx, rich, 1, bob, unit, 20) },
		"end account":          func(ctx sdk.Context) error { _, err := k.EndAccount(ctx, poor); return err },
		"close account":        func(ctx sdk.Context) error { _, err := k.CloseAccount(ctx, idle); return err },
		"withdraw": func(ctx sdk.Context) error {
			_, _, err := k.WithdrawEarnings(ctx, bob, bob, "usouk")
			return err
		},
		"retain until":      func(ctx sdk.Context) error { _, err := k.RetainUntil(ctx); return err },
		"settlement denoms": func(ctx sdk.Context) error { _, err := k.IsSettlementDenom(ctx, "usouk"); return err },
		"update parameters": func(ctx sdk.Context) error {
			_, err := messages.UpdateParams(ctx, &types.MsgUpdateParams{Authority: b.Authority, Params: careful()})
			return err
		},
		"retry": func(ctx sdk.Context) error {
			_, err := messages.Retry(ctx, &types.MsgRetry{Authority: b.Authority, Source: types.AccountSource, Id: bad})
			return err
		},
		"export":     func(ctx sdk.Context) error { _, err := k.ExportGenesis(ctx); return err },
		"invariants": func(ctx sdk.Context) error { return k.AssertInvariants(ctx) },
		"query parameters": func(ctx sdk.Context) error {
			_, err := queries.Params(ctx, &types.QueryParamsRequest{})
			return err
		},
		"query clock": func(ctx sdk.Context) error { _, err := queries.Clock(ctx, &types.QueryClockRequest{}); return err },
		"query account": func(ctx sdk.Context) error {
			_, err := queries.Account(ctx, &types.QueryAccountRequest{Id: rich})
			return err
		},
		"query accounts": func(ctx sdk.Context) error {
			_, err := queries.Accounts(ctx, &types.QueryAccountsRequest{Owner: b.Text(alice), Pagination: &query.PageRequest{}})
			return err
		},
		"query runway": func(ctx sdk.Context) error {
			_, err := queries.Runway(ctx, &types.QueryRunwayRequest{Id: poor})
			return err
		},
		"query streams": func(ctx sdk.Context) error {
			_, err := queries.Streams(ctx, &types.QueryStreamsRequest{Account: rich})
			return err
		},
		"query earnings": func(ctx sdk.Context) error {
			_, err := queries.Earnings(ctx, &types.QueryEarningsRequest{Payee: b.Text(bob), Denom: "usouk"})
			return err
		},
		"query conservation": func(ctx sdk.Context) error {
			_, err := queries.Conservation(ctx, &types.QueryConservationRequest{Denom: "usouk"})
			return err
		},
		"query quarantine": func(ctx sdk.Context) error {
			_, err := queries.Quarantine(ctx, &types.QueryQuarantineRequest{})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			disk.left = 0
			cache, _ := b.Ctx().CacheContext()
			require.NoError(t, f(cache), "when nothing fails")
			for n := 1; ; n++ {
				disk.left, disk.hit = n, false
				cache, _ := b.Ctx().CacheContext()
				err := f(cache)
				if !disk.hit {
					require.NoError(t, err)
					require.Greater(t, n, 1, "it never used the store")
					return
				}
				require.ErrorContains(t, err, errFault.Error(), "operation %d", n)
			}
		})
	}
}

// TestAFaultInABlockLosesNoMoney lets every operation of the store fail once in a block that has everything to do: pause,
// exhaust, forget, close the epoch. The block fails as a whole, or what failed is set aside and the books still balance.
func TestAFaultInABlockLosesNoMoney(t *testing.T) {
	b := troubled(t)
	b.ends(4)
	b.pay(b.open("gina", 4_300), "bob", 10*unit, service) // low 31 s before the end of what follows
	b.pay(b.open("hugo", 100), "carol", 5*unit, hold)
	b.Run(360*second, 60*second)
	k, disk := b.onFaultyDisk()
	good := b.Escrow
	set := 0
	for n := 1; ; n++ {
		disk.left, disk.hit = n, false
		cache, _ := b.Ctx().CacheContext()
		later := cache.WithBlockTime(cache.BlockTime().Add(60 * second))
		err := k.BeginBlock(later)
		if !disk.hit {
			require.NoError(t, err)
			require.Greater(t, n, 50)
			break
		}
		if err != nil {
			require.ErrorContains(t, err, errFault.Error())
			continue
		}
		set++
		require.NoError(t, good.AssertInvariants(later), "operation %d", n)
	}
	require.Greater(t, set, 20)
}

// TestAFaultOnImportIsNoChain refuses a genesis of which anything could not be written.
func TestAFaultOnImportIsNoChain(t *testing.T) {
	b := troubled(t)
	genesis := b.genesis()
	k, disk := b.onFaultyDisk()
	for n := 1; ; n++ {
		disk.left, disk.hit = n, false
		cache, _ := b.Ctx().CacheContext()
		err := k.InitGenesis(cache, genesis)
		if !disk.hit {
			require.NoError(t, err)
			require.Greater(t, n, 50)
			return
		}
		require.ErrorContains(t, err, errFault.Error(), "operation %d", n)
	}
}

// TestAPolicyThatFailsLeavesThePotPending is that no fault above escrow costs a payee money.
func TestAPolicyThatFailsLeavesThePotPending(t *testing.T) {
	b := start(t, quick())
	b.Escrow.SetCreditPolicy(failing{})
	b.pay(b.open("alice", 10_000), "bob", 10*unit, service)
	b.Run(110*second, 55*second)
	require.Equal(t, int64(1_000), b.earnings("bob").HeldBack.Int64())
	require.NoError(t, b.Escrow.Credit(b.Ctx(), chain.Account("bob"), "usouk", 1, math.NewInt(900*3600)))
	k, disk := b.onFaultyDisk()
	for n := 1; n <= 2; n++ {
		disk.left = n
		require.ErrorIs(t, k.Credit(b.Ctx(), chain.Account("bob"), "usouk", 1, math.OneInt()), map[int]error{
			1: errFault, 2: types.ErrEpochPot,
		}[n])
	}
	b.AssertInvariants()
}

type failing struct{}

func (failing) CheckParams(context.Context, types.Params) error { return nil }

func (failing) OnEpochClosed(context.Context, types.Epoch) error { return errors.New("no beacon") }

func (failing) OnEpochPot(context.Context, types.EpochPot) (math.Int, bool, error) {
	return math.Int{}, false, errFault
}
