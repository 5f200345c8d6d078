// Package apptest runs the whole application inside a test or a benchmark: real modules, real signatures, real stores, but
// blocks made on demand at times the caller chooses. Everything is derived from fixed keys and a fixed genesis time, so two
// chains given the same blocks have the same state.
//
// It knows the application from outside only: transactions, blocks, queries.
package apptest

import (
	"crypto/sha256"
	"encoding/json"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/baseapp"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app"
	"github.com/souk-network/souk/app/scope"
)

// ChainID is the id of every chain in this package, unless Options say otherwise.
const ChainID = "souk-test-1"

// GenesisTime is the time of a chain before its first block, unless Options say otherwise.
var GenesisTime = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// Options change what New starts. The zero value is a chain with four funded accounts.
type Options struct {
	// ChainID is the constant of that name if empty. Chains that know each other need different ones.
	ChainID string
	// Accounts is the number of funded accounts, 4 if zero.
	Accounts int
	// Funds is what each account has at genesis, 1,000,000 SOUK if nil.
	Funds sdk.Coins
	// Genesis edits the state before the chain starts; state maps module names to their genesis.
	Genesis func(cdc codec.JSONCodec, state map[string]json.RawMessage)
	// Time is the genesis time.
	Time time.Time
	// Settings stand for app.toml and flags, for example {"block-executor": "block-stm"}.
	Settings map[string]any
	// DB keeps the state; in memory if nil.
	DB dbm.DB
	// Logger receives the application's log; discarded if nil.
	Logger log.Logger
	// Exported starts the chain from an exported state instead of a new genesis; Accounts are then those of the chain it was
	// exported from, and Funds and Genesis are not used.
	Exported *Exported
}

// Chain is an application with one validator, between two blocks.
type Chain struct {
	// App is the application; its keepers may be read through Context.
	App *app.App
	// Accounts are the funded accounts, in the same order with the same keys on every chain.
	Accounts []*Account
	// Validator is the account that operates the only validator.
	Validator *Account
	// Height and Time are those of the last block.
	Height int64
	Time   time.Time

	t         testing.TB
	opts      Options
	consensus validatorKey
	// before is the application hash before the last block.
	before []byte
	// proposals counts those that Vote made.
	proposals uint64
}

// New starts a chain. It has no block yet: the first Deliver makes block 1.
func New(t testing.TB, opts Options) *Chain {
	t.Helper()
	scope.Set()
	opts = opts.withDefaults()

	chain := newChain(t, opts)
	t.Cleanup(func() { require.NoError(t, chain.App.Close()) })
	chain.initialize()
	return chain
}

func newChain(t testing.TB, opts Options) *Chain {
	return &Chain{
		App:       opts.open(),
		Accounts:  newAccounts(opts.Accounts),
		Validator: newAccount("validator"),
		Time:      opts.Time,
		t:         t,
		opts:      opts,
		consensus: newValidatorKey(),
	}
}

// open builds the application over the state in the database.
func (o Options) open() *app.App {
	return app.New(o.Logger, o.DB, settings(o.Settings), baseapp.SetChainID(o.ChainID))
}

// Restart replaces the application by a new one that starts from the committed state, as after a crash.
func (c *Chain) Restart() {
	c.t.Helper()
	c.App = c.opts.open()
	require.Equal(c.t, c.Height, c.App.LastBlockHeight(), "height of the committed state")
}

func (o Options) withDefaults() Options {
	if o.ChainID == "" {
		o.ChainID = ChainID
	}
	if o.Accounts == 0 {
		o.Accounts = 4
	}
	if o.Funds == nil {
		o.Funds = sdk.NewCoins(sdk.NewInt64Coin(scope.Denom, 1_000_000_000_000))
	}
	if o.Time.IsZero() {
		o.Time = GenesisTime
	}
	if o.DB == nil {
		o.DB = dbm.NewMemDB()
	}
	if o.Logger == nil {
		o.Logger = log.NewNopLogger()
	}
	return o
}

// settings are options as app.toml would give them.
type settings map[string]any

// Get returns the setting, nil if there is none.
func (s settings) Get(key string) any {
	value, ok := s[key]
	if !ok {
		return nil
	}
	return value
}

// Block is what one block did.
type Block struct {
	Height  int64
	Time    time.Time
	Txs     []*abci.ExecTxResult
	Events  []abci.Event
	AppHash []byte
}

// Deliver makes a block that is step later than the last one and holds the transactions, in this order. Transactions may
// fail: the results tell.
func (c *Chain) Deliver(step time.Duration, txs ...Tx) Block {
	c.t.Helper()
	return c.DeliverBytes(step, c.Sign(txs...)...)
}

// DeliverBytes is Deliver for transactions that were signed before, so that a benchmark can leave signing out.
func (c *Chain) DeliverBytes(step time.Duration, txs ...[]byte) Block {
	c.t.Helper()
	before := c.App.LastCommitID().Hash
	response := c.Finalize(step, txs...)
	_, err := c.App.Commit()
	require.NoError(c.t, err, "commit block %d", c.Height+1)

	c.before = before
	c.Height++
	c.Time = c.Time.Add(step)
	return Block{
		Height: c.Height, Time: c.Time,
		Txs: response.TxResults, Events: response.Events, AppHash: response.AppHash,
	}
}

// Finalize runs the next block without committing it.
func (c *Chain) Finalize(step time.Duration, txs ...[]byte) *abci.ResponseFinalizeBlock {
	c.t.Helper()
	response, err := c.App.FinalizeBlock(c.proposal(step, txs))
	require.NoError(c.t, err, "finalize block %d", c.Height+1)
	return response
}

// Must makes a block with one transaction that has to succeed, and returns its result.
func (c *Chain) Must(step time.Duration, signer *Account, msgs ...sdk.Msg) *abci.ExecTxResult {
	c.t.Helper()
	result := c.Deliver(step, Tx{Signer: signer, Msgs: msgs}).Txs[0]
	require.Zero(c.t, result.Code, "%s %d: %s", result.Codespace, result.Code, result.Log)
	return result
}

// Propose asks the application, as a validator that received the proposal would, whether it accepts a block that is step
// later than the last one and holds the transactions. It makes no block.
func (c *Chain) Propose(step time.Duration, txs ...[]byte) bool {
	c.t.Helper()
	block := c.proposal(step, txs)
	response, err := c.App.ProcessProposal(&abci.RequestProcessProposal{
		Txs: block.Txs, ProposedLastCommit: block.DecidedLastCommit, Hash: block.Hash, Height: block.Height,
		Time: block.Time, ProposerAddress: block.ProposerAddress,
	})
	require.NoError(c.t, err)
	return response.IsAccepted()
}

// proposal is the next block as CometBFT would hand it over, signed by the only validator.
func (c *Chain) proposal(step time.Duration, txs [][]byte) *abci.RequestFinalizeBlock {
	var last abci.CommitInfo
	if c.Height > 0 {
		last.Votes = []abci.VoteInfo{c.consensus.vote()}
	}
	digest := sha256.New()
	for _, tx := range txs {
		digest.Write(tx)
	}
	return &abci.RequestFinalizeBlock{
		Txs: txs, DecidedLastCommit: last, Hash: digest.Sum(nil), Height: c.Height + 1, Time: c.Time.Add(step),
		ProposerAddress: c.consensus.address(),
	}
}

// Context returns a context that reads the state after the last block, or the genesis state if there is none.
func (c *Chain) Context() sdk.Context {
	committed := c.App.LastBlockHeight() > 0
	return c.App.NewContext(committed).WithBlockHeight(c.Height).WithBlockTime(c.Time)
}
