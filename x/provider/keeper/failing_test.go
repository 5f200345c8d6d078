package keeper_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	corestore "cosmossdk.io/core/store"

	"github.com/cosmos/cosmos-sdk/baseapp"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/keeper"
	"github.com/souk-network/souk/x/provider/types"
)

var errBelow = errors.New("below the keeper something failed")

// fuse burns out after so many calls of what lies below the keeper.
type fuse struct{ left int }

func (f *fuse) burn() error {
	f.left--
	if f.left < 0 {
		return errBelow
	}
	return nil
}

type failingStores struct {
	corestore.KVStoreService
	fuse *fuse
}

func (f failingStores) OpenKVStore(ctx context.Context) corestore.KVStore {
	return failingStore{f.KVStoreService.OpenKVStore(ctx), f.fuse}
}

type failingStore struct {
	corestore.KVStore
	fuse *fuse
}

func (f failingStore) Get(key []byte) ([]byte, error) {
	if err := f.fuse.burn(); err != nil {
		return nil, err
	}
	return f.KVStore.Get(key)
}

func (f failingStore) Has(key []byte) (bool, error) {
	if err := f.fuse.burn(); err != nil {
		return false, err
	}
	return f.KVStore.Has(key)
}

func (f failingStore) Set(key, value []byte) error {
	if err := f.fuse.burn(); err != nil {
		return err
	}
	return f.KVStore.Set(key, value)
}

func (f failingStore) Delete(key []byte) error {
	if err := f.fuse.burn(); err != nil {
		return err
	}
	return f.KVStore.Delete(key)
}

func (f failingStore) Iterator(start, end []byte) (corestore.Iterator, error) {
	if err := f.fuse.burn(); err != nil {
		return nil, err
	}
	return f.KVStore.Iterator(start, end)
}

type failingEscrow struct {
	types.EscrowKeeper
	fuse *fuse
}

func (f failingEscrow) Now(ctx context.Context) (uint64, error) {
	if err := f.fuse.burn(); err != nil {
		return 0, err
	}
	return f.EscrowKeeper.Now(ctx)
}

func (f failingEscrow) Clock(ctx context.Context) (escrowtypes.Clock, error) {
	if err := f.fuse.burn(); err != nil {
		return escrowtypes.Clock{}, err
	}
	return f.EscrowKeeper.Clock(ctx)
}

func (f failingEscrow) Params(ctx context.Context) (escrowtypes.Params, error) {
	if err := f.fuse.burn(); err != nil {
		return escrowtypes.Params{}, err
	}
	return f.EscrowKeeper.Params(ctx)
}

func (f failingEscrow) IsSettlementDenom(ctx context.Context, denom string) (bool, error) {
	if err := f.fuse.burn(); err != nil {
		return false, err
	}
	return f.EscrowKeeper.IsSettlementDenom(ctx, denom)
}

// failing is a keeper on the stores of a chain, of which all but so many uses fail.
func failing(b *bench) (*keeper.Keeper, *fuse) {
	f := &fuse{}
	return keeper.NewKeeper(b.Codec, failingStores{b.StoreService(types.StoreKey), f}, b.Addresses, b.Bank, b.Auth,
		failingEscrow{b.Escrow, f}, b.Distribution, b.Authority), f
}

// An error below the keeper is never dropped, wherever it comes: what is asked of the keeper fails too.
func TestNoErrorBelowIsDropped(t *testing.T) {
	b := lived(t)
	b.Fund(chain.Account("acme"), chain.Coin(500))
	b.earn(chain.Account("acme"), 1_000)
	k, f := failing(b)
	router := baseapp.NewMsgServiceRouter()
	router.SetInterfaceRegistry(b.Codec.InterfaceRegistry())
	types.RegisterMsgServer(router, keeper.NewMsgServer(k))
	q := keeper.NewQueryServer(k)
	acme := chain.Account("acme")

	actions := map[string]func(ctx sdk.Context) error{
		"authorize":   func(ctx sdk.Context) error { _, err := k.Authorize(ctx, b.name("acme"), b.name("acme")); return err },
		"by agent":    func(ctx sdk.Context) error { _, err := k.ProviderOfAgent(ctx, chain.Account("new")); return err },
		"by number":   func(ctx sdk.Context) error { _, err := k.ProviderByNumber(ctx, 1); return err },
		"bond of":     func(ctx sdk.Context) error { _, err := k.BondOf(ctx, acme); return err },
		"note":        func(ctx sdk.Context) error { return k.Note(ctx, acme, types.OutcomeFailed, 1) },
		"require":     func(ctx sdk.Context) error { return k.SetRequirement(ctx, acme, sdk.NewCoins(chain.Coin(9))) },
		"ask nothing": func(ctx sdk.Context) error { return k.SetRequirement(ctx, acme, nil) },
		"slash": func(ctx sdk.Context) error {
			_, err := k.SlashToPublic(ctx, chain.Account("leaving"), chain.Coin(29), "test")
			return err
		},
		"slash all": func(ctx sdk.Context) error {
			_, err := k.SlashToPublic(ctx, chain.Account("leaving"), chain.Coin(30), "test")
			return err
		},
		"jail":          func(ctx sdk.Context) error { return k.Jail(ctx, acme, 60, 9_999, "test") },
		"conserve":      func(ctx sdk.Context) error { return k.CheckConservation(ctx) },
		"assert":        func(ctx sdk.Context) error { return k.AssertInvariants(ctx) },
		"export":        func(ctx sdk.Context) error { _, err := k.ExportGenesis(ctx); return err },
		"due unbonding": func(ctx sdk.Context) error { _, err := k.UnbondingDeadlines().ProcessNext(ctx); return err },
		"due rotation":  func(ctx sdk.Context) error { return k.RotationDeadlines().Retry(ctx, 1) },
		"next deadline": func(ctx sdk.Context) error { _, _, err := k.UnbondingDeadlines().NextDeadline(ctx); return err },
		"import": func(ctx sdk.Context) error {
			left := f.left
			f.left = 1 << 30
			genesis, err := k.ExportGenesis(ctx)
			f.left = left
			if err != nil {
				return err
			}
			return k.InitGenesis(ctx, genesis)
		},
		"query params": func(ctx sdk.Context) error { _, err := q.Params(ctx, nil); return err },
		"query provider": func(ctx sdk.Context) error {
			_, err := q.Provider(ctx, &types.QueryProviderRequest{Operator: b.name("acme")})
			return err
		},
		"query providers": func(ctx sdk.Context) error { _, err := q.Providers(ctx, nil); return err },
		"query unbondings": func(ctx sdk.Context) error {
			_, err := q.Unbondings(ctx, &types.QueryUnbondingsRequest{Operator: b.name("acme")})
			return err
		},
		"query attestations": func(ctx sdk.Context) error {
			_, err := q.Attestations(ctx, &types.QueryAttestationsRequest{Operator: b.name("acme")})
			return err
		},
	}
	heir := b.registration("heir")
	heir.Agent = b.name("acme's agent")
	for name, msg := range map[string]sdk.Msg{
		"register": b.registration("fresh", chain.Coin(5)), "register again": b.registration("gone", chain.Coin(5)), "register with a freed agent": heir,
		"update": update(b, "acme", "second"), "bond": &types.MsgBond{Operator: b.name("acme"), Amount: chain.Coin(5)},
		"unbond": &types.MsgUnbond{Operator: b.name("acme"), Amount: chain.Coin(5)}, "rotate": rotate(b, "leaving", "next"),
		"maintain": &types.MsgDeclareMaintenance{Signer: b.name("acme"), Provider: b.name("acme"), From: 100, Until: 101},
		"leave":    b.leave("other"), "attest": attest(b, "second", "acme", 100), "revoke": revoke(b, "second", "acme"),
		"withdraw":      &types.MsgWithdraw{Signer: b.name("acme"), Provider: b.name("acme"), Denom: "usouk"},
		"update params": &types.MsgUpdateParams{Authority: b.Authority, Params: quick()}, "send to jail": b.jail("acme", 60, 100),
	} {
		actions[name] = func(ctx sdk.Context) error { _, err := router.Handler(msg)(ctx, msg); return err }
	}
	for name, act := range actions {
		t.Run(name, func(t *testing.T) {
			for calls := 0; ; calls++ {
				require.Less(t, calls, 1_000)
				ctx, _ := b.Ctx().CacheContext()
				f.left = calls
				err := act(ctx)
				if f.left >= 0 {
					require.NoError(t, err)
					require.Positive(t, calls)
					return
				}
				require.Error(t, err, "after %d calls", calls)
			}
		})
	}
}
