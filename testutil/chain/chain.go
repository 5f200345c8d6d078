// Package chain puts the SDK's auth, bank, staking and distribution and Souk's own modules over a real multistore, for
// tests of keepers: real coins move, real blocks begin, end and are committed. It has no consensus, no signatures and no
// fees, and does not import the application, so that a test of one module links quickly.
package chain

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"
	"time"

	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/core/address"
	"cosmossdk.io/core/appmodule"
	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/runtime"
	"github.com/cosmos/cosmos-sdk/store/v2"
	storetypes "github.com/cosmos/cosmos-sdk/store/v2/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	authkeeper "github.com/cosmos/cosmos-sdk/x/auth/keeper"
	authzkeeper "github.com/cosmos/cosmos-sdk/x/authz/keeper"
	bankkeeper "github.com/cosmos/cosmos-sdk/x/bank/keeper"
	distrkeeper "github.com/cosmos/cosmos-sdk/x/distribution/keeper"
	stakingkeeper "github.com/cosmos/cosmos-sdk/x/staking/keeper"

	"github.com/souk-network/souk/app/scope"
	escrowkeeper "github.com/souk-network/souk/x/escrow/keeper"
	providerkeeper "github.com/souk-network/souk/x/provider/keeper"
)

// ID is the chain's id.
const ID = "souk-test-1"

// start is the time of the first block.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Chain is a chain at some block. It is used by one test, in one goroutine.
type Chain struct {
	Auth         authkeeper.AccountKeeper
	Authz        authzkeeper.Keeper
	Bank         bankkeeper.BaseKeeper
	Staking      *stakingkeeper.Keeper
	Distribution distrkeeper.Keeper
	Escrow       *escrowkeeper.Keeper
	Provider     *providerkeeper.Keeper

	// Codec knows all messages of the chain.
	Codec codec.Codec
	// Addresses converts addresses to text and back.
	Addresses address.Codec
	// Authority is the governance account.
	Authority string
	// GasUsed is what the last Deliver used in handlers.
	GasUsed uint64
	// Events are those of the last Deliver or, after NextBlock, of the block's begin and of the end of the block before.
	Events sdk.Events

	t        testing.TB
	registry codectypes.InterfaceRegistry
	store    storetypes.CommitMultiStore
	block    storetypes.CacheMultiStore
	branch   bool // never commits
	header   cmtproto.Header
	keys     map[string]*storetypes.KVStoreKey
	modules  []module.AppModule
	router   *baseapp.MsgServiceRouter
}

// New starts a chain at its first block, with the default genesis of every module unless an option says otherwise.
func New(t testing.TB, options ...Option) *Chain {
	t.Helper()
	scope.Set()
	settings := newSettings(options)
	c := &Chain{t: t, Addresses: scope.AddressCodec(), header: cmtproto.Header{ChainID: ID, Height: 1, Time: start}}
	c.setCodec()
	c.setStore(settings)
	c.setKeepers(settings)
	c.setModules(settings)
	c.initGenesis(settings)
	return c
}

func (c *Chain) setStore(settings settings) {
	names := append(append([]string{}, storeNames...), settings.stores...)
	c.keys = storetypes.NewKVStoreKeys(names...)
	c.store = store.NewCommitMultiStore(dbm.NewMemDB(), log.NewNopLogger())
	kind := storetypes.StoreTypeIAVL
	if settings.plain {
		kind = storetypes.StoreTypeDB
	}
	for _, name := range names {
		c.store.MountStoreWithDB(c.keys[name], kind, nil)
	}
	require.NoError(c.t, c.store.LoadLatestVersion())
	c.block = c.store.CacheMultiStore()
}

// StoreService returns the store of a module, for its keeper.
func (c *Chain) StoreService(name string) corestore.KVStoreService {
	require.Contains(c.t, c.keys, name, "store not mounted")
	return runtime.NewKVStoreService(c.keys[name])
}

// Ctx returns a context on the state of the present block. What is written through it stays. The hash of the block is
// made up from its height.
func (c *Chain) Ctx() sdk.Context {
	hash := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(ID), uint64(c.header.Height)))
	return sdk.NewContext(c.block, c.header, false, log.NewNopLogger()).
		WithHeaderHash(hash[:]).
		WithGasMeter(storetypes.NewInfiniteGasMeter()).
		WithBlockGasMeter(storetypes.NewInfiniteGasMeter()).
		WithEventManager(sdk.NewEventManager())
}

// Time returns the time of the present block.
func (c *Chain) Time() time.Time { return c.header.Time }

// NextBlock ends and commits the present block, and begins one that is later by elapsed.
func (c *Chain) NextBlock(elapsed time.Duration) {
	c.t.Helper()
	ended := c.EndBlock()
	c.Advance(elapsed)
	c.Events = slices.Concat(ended, c.BeginBlock())
}

// EndBlock runs what modules do at the end of the present block, and returns its events. NextBlock does that; a test that
// calls it by itself decides what happens between the halves.
func (c *Chain) EndBlock() sdk.Events {
	c.t.Helper()
	ctx := c.Ctx()
	for _, m := range c.modules {
		if ender, ok := m.(appmodule.HasEndBlocker); ok {
			require.NoError(c.t, ender.EndBlock(ctx), "end block of %s", m.Name())
		}
	}
	return ctx.EventManager().Events()
}

// BeginBlock runs what modules do at the beginning of the present block, and returns its events. Running it again lets no
// time pass, but goes on with what is due.
func (c *Chain) BeginBlock() sdk.Events {
	c.t.Helper()
	ctx := c.Ctx()
	for _, m := range c.modules {
		if beginner, ok := m.(appmodule.HasBeginBlocker); ok {
			require.NoError(c.t, beginner.BeginBlock(ctx), "begin block of %s", m.Name())
		}
	}
	return ctx.EventManager().Events()
}

// Advance makes the present block the next one, later by elapsed, without running anything at the end of the one or at the
// beginning of the other.
func (c *Chain) Advance(elapsed time.Duration) {
	if !c.branch {
		c.block.Write()
		c.store.Commit()
		c.block = c.store.CacheMultiStore()
	}
	c.header.Height++
	c.header.Time = c.header.Time.Add(elapsed)
}

// Branch returns a chain that goes on by itself from the present state of this one, and reports to t. It is cheap: nothing
// of it is ever committed. While branches are in use this chain must stand still; branches of one chain share a goroutine.
func (c *Chain) Branch(t testing.TB) *Chain {
	branch := *c
	branch.t, branch.branch, branch.block = t, true, c.block.CacheMultiStore()
	branch.Events, branch.GasUsed = nil, 0
	return &branch
}

// Run lets time pass in blocks of the given length.
func (c *Chain) Run(total, block time.Duration) {
	c.t.Helper()
	for passed := time.Duration(0); passed < total; passed += block {
		c.NextBlock(min(block, total-passed))
	}
}

// Try calls f in a cache context, and keeps what it wrote only if it succeeds, as a transaction does. It measures gas.
func (c *Chain) Try(f func(ctx sdk.Context) error) error {
	ctx := c.Ctx()
	cache, write := ctx.CacheContext()
	err := f(cache)
	c.GasUsed = ctx.GasMeter().GasConsumed()
	c.Events = nil
	if err == nil {
		write()
		c.Events = ctx.EventManager().Events()
	}
	return err
}

// Deliver routes messages to their handlers as one transaction: all of them, or none.
func (c *Chain) Deliver(messages ...sdk.Msg) error {
	c.t.Helper()
	return c.Try(func(ctx sdk.Context) error {
		for _, message := range messages {
			if _, err := c.handle(ctx, message); err != nil {
				return err
			}
		}
		return nil
	})
}

// Send delivers one message and returns the answer of its handler.
func Send[Response any](c *Chain, message sdk.Msg) (*Response, error) {
	c.t.Helper()
	answer, err := c.Answer(message)
	if err != nil {
		return nil, err
	}
	response, ok := answer.(*Response)
	require.True(c.t, ok, "answer is a %T", answer)
	return response, nil
}

// Answer is Send for a message whose type is not known beforehand.
func (c *Chain) Answer(message sdk.Msg) (answer any, err error) {
	c.t.Helper()
	err = c.Try(func(ctx sdk.Context) error {
		result, err := c.handle(ctx, message)
		if err != nil {
			return err
		}
		require.Len(c.t, result.MsgResponses, 1)
		answer = result.MsgResponses[0].GetCachedValue()
		return nil
	})
	return answer, err
}

func (c *Chain) handle(ctx sdk.Context, message sdk.Msg) (*sdk.Result, error) {
	c.t.Helper()
	handler := c.router.Handler(message)
	require.NotNil(c.t, handler, "no handler for %T", message)
	result, err := handler(ctx, message)
	if err == nil {
		for _, event := range result.Events {
			ctx.EventManager().EmitEvent(sdk.Event(event))
		}
	}
	return result, err
}

// Export returns the genesis of every module, in JSON.
func (c *Chain) Export() map[string]json.RawMessage {
	c.t.Helper()
	state := make(map[string]json.RawMessage)
	for _, m := range c.modules {
		if exporter, ok := m.(genesisExporter); ok {
			state[m.Name()] = exporter.ExportGenesis(c.Ctx(), c.Codec)
		}
	}
	return state
}
