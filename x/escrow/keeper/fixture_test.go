package keeper_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/keeper"
	"github.com/souk-network/souk/x/escrow/types"
)

const (
	second = time.Second
	// unit is a rate of one micro-denom a second.
	unit = uint64(3600)

	service = types.StreamKind_STREAM_KIND_SERVICE
	hold    = types.StreamKind_STREAM_KIND_HOLD
)

// quick are parameters with short epochs: 100 s, held back for two, and a runway of 10 s.
func quick() types.Params {
	return types.Params{
		MaxTickSeconds: 60, EpochSeconds: 100, HoldbackEpochs: 2, MinRunwaySeconds: 10, FeeBps: 200,
		Denoms:               []types.DenomParams{{Denom: "usouk", MinDeposit: math.NewInt(100)}},
		MaxDeadlinesPerBlock: 1000,
	}
}

// bench is a chain with the book of a small market above it.
type bench struct {
	*chain.Chain
	t    testing.TB
	book *book
}

// start returns a chain whose clock ticks, at second 1.
func start(t testing.TB, params types.Params, options ...chain.Option) *bench {
	t.Helper()
	options = append([]chain.Option{chain.WithStore("book"), chain.WithEscrowParams(params)}, options...)
	b := &bench{Chain: chain.New(t, options...), t: t}
	b.book = newBook(b.Chain)
	b.Escrow.SetHooks(b.book)
	b.Escrow.RegisterDeadlines(b.book)
	b.NextBlock(0)
	return b
}

// open opens an account of a name with micro-denom.
func (b *bench) open(name string, micro int64) uint64 {
	b.t.Helper()
	owner := b.Funded(name, chain.Coin(micro))
	var id uint64
	require.NoError(b.t, b.Try(func(ctx sdk.Context) (err error) {
		id, err = b.Escrow.OpenAccount(ctx, owner, chain.Coin(micro), nil)
		return err
	}))
	return id
}

// pay opens a stream to a name.
func (b *bench) pay(account uint64, payee string, rate uint64, kind types.StreamKind) uint64 {
	b.t.Helper()
	return b.opens(account, payee, rate, kind).Id
}

// opens is pay that returns the stream.
func (b *bench) opens(account uint64, payee string, rate uint64, kind types.StreamKind) types.Stream {
	b.t.Helper()
	var stream types.Stream
	require.NoError(b.t, b.Try(func(ctx sdk.Context) (err error) {
		stream, err = b.Escrow.OpenStream(ctx, account, 7, chain.Account(payee), rate, kind)
		return err
	}))
	return stream
}

// stop closes a stream now.
func (b *bench) stop(stream uint64) {
	b.t.Helper()
	require.NoError(b.t, b.Escrow.CloseStream(b.Ctx(), stream, b.Now()))
}

// account returns an account settled to now, with what is left and what was spent, in micro-denom.
func (b *bench) account(id uint64) *types.QueryAccountResponse {
	b.t.Helper()
	response, err := keeper.NewQueryServer(b.Escrow).Account(b.Ctx(), &types.QueryAccountRequest{Id: id})
	require.NoError(b.t, err)
	return response
}

func (b *bench) left(id uint64) int64  { b.t.Helper(); return b.account(id).Balance.Int64() }
func (b *bench) spent(id uint64) int64 { b.t.Helper(); return b.account(id).Spent.Int64() }

func (b *bench) earnings(payee string) *types.QueryEarningsResponse {
	b.t.Helper()
	response, err := keeper.NewQueryServer(b.Escrow).Earnings(b.Ctx(), &types.QueryEarningsRequest{
		Payee: b.Text(chain.Account(payee)), Denom: "usouk",
	})
	require.NoError(b.t, err)
	return response
}

func (b *bench) clock() types.Clock {
	b.t.Helper()
	clock, err := b.Escrow.Clock(b.Ctx())
	require.NoError(b.t, err)
	return clock
}

func (b *bench) genesis() *types.GenesisState {
	b.t.Helper()
	genesis, err := b.Escrow.ExportGenesis(b.Ctx())
	require.NoError(b.t, err)
	return genesis
}

// withdraw pays out what matured.
func (b *bench) withdraw(payee string) (net, fee int64) {
	b.t.Helper()
	require.NoError(b.t, b.Try(func(ctx sdk.Context) error {
		n, f, err := b.Escrow.WithdrawEarnings(ctx, chain.Account(payee), chain.Account(payee), "usouk")
		if err == nil {
			net, fee = n.Amount.Int64(), f.Amount.Int64()
		}
		return err
	}))
	return net, fee
}

// fails runs f as a transaction that must be refused with an error of the module and leave the state as it was.
func (b *bench) fails(want error, f func(ctx sdk.Context) error) {
	b.t.Helper()
	before := b.state()
	err := b.Try(f)
	require.ErrorIs(b.t, err, want)
	require.Equal(b.t, before, b.state())
}

// state is the exported state of all modules, as text.
func (b *bench) state() string {
	b.t.Helper()
	text, err := json.MarshalIndent(b.Export(), "", " ")
	require.NoError(b.t, err)
	return string(text)
}

// book is what a market keeps of escrow's money: holds that are released when their second comes. Money that ran out
// is noted in ended, streams that took the place of others in successors, accounts that were forgotten in pruned.
type book struct {
	types.Queue
	escrow *keeper.Keeper
	holds  collections.Map[uint64, string]
	next   collections.Sequence
	ended  collections.Map[uint64, uint64]

	successors collections.Map[uint64, uint64]
	pruned     collections.KeySet[uint64]

	// poison makes hooks and items of these ids fail: with an error if true, with a panic if false. Those of swaps are
	// streams that pause or resume.
	poisonStreams, poisonAccounts, poisonItems, poisonSwaps, poisonPruned map[uint64]bool
}

var (
	_ types.Hooks          = (*book)(nil)
	_ types.DeadlineSource = (*book)(nil)
)

func newBook(c *chain.Chain) *book {
	sb := collections.NewSchemaBuilder(c.StoreService("book"))
	b := &book{
		escrow: c.Escrow,
		holds:  collections.NewMap(sb, collections.NewPrefix(1), "holds", collections.Uint64Key, collections.StringValue),
		next:   collections.NewSequence(sb, collections.NewPrefix(2), "next"),
		ended:  collections.NewMap(sb, collections.NewPrefix(3), "ended", collections.Uint64Key, collections.Uint64Value),
		successors: collections.NewMap(sb, collections.NewPrefix(4), "successors", collections.Uint64Key,
			collections.Uint64Value),
		pruned: collections.NewKeySet(sb, collections.NewPrefix(5), "pruned", collections.Uint64Key),
	}
	b.Queue = types.Queue{Source: "book", Handle: b.handle, Keys: collections.NewKeySet(sb, collections.NewPrefix(0), "queue",
		collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key))}
	if _, err := sb.Build(); err != nil {
		panic(err)
	}
	return b
}

// hold reserves money in an account until a window is over.
func (b *book) hold(ctx context.Context, account, rate, window uint64) (uint64, error) {
	held, err := b.escrow.Hold(ctx, account, rate, window)
	if err != nil {
		return 0, err
	}
	now, err := b.escrow.Now(ctx)
	if err != nil {
		return 0, err
	}
	id, err := b.next.Next(ctx)
	if err != nil {
		return 0, err
	}
	entry := fmt.Sprintf("%d %d %s", account, now+window, held)
	return id, errors.Join(b.holds.Set(ctx, id, entry), b.Keys.Set(ctx, collections.Join(now+window, id)))
}

// release gives back what was held, once.
func (b *book) release(ctx context.Context, id uint64) error {
	entry, err := b.holds.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	var account, until uint64
	var grains string
	if _, err := fmt.Sscan(entry, &account, &until, &grains); err != nil {
		return err
	}
	held, ok := math.NewIntFromString(grains)
	if !ok {
		return fmt.Errorf("hold of %q", grains)
	}
	return errors.Join(b.escrow.Release(ctx, account, held), b.holds.Remove(ctx, id),
		b.Keys.Remove(ctx, collections.Join(until, id)))
}

func (b *book) AfterStreamExhausted(ctx context.Context, stream types.Stream, at uint64) error {
	if err := poisoned(b.poisonStreams, stream.Id); err != nil {
		return err
	}
	return b.ended.Set(ctx, stream.Id, at)
}

func (b *book) AfterAccountExhausted(ctx context.Context, account types.Account, _ uint64) error {
	if err := poisoned(b.poisonAccounts, account.Id); err != nil {
		return err
	}
	var ids []uint64
	err := b.holds.Walk(ctx, nil, func(id uint64, entry string) (bool, error) {
		var of uint64
		if _, err := fmt.Sscan(entry, &of); err != nil {
			return true, err
		}
		if of == account.Id {
			ids = append(ids, id)
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := b.release(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (b *book) AfterStreamPaused(ctx context.Context, service, hold types.Stream, at uint64) error {
	return b.swap(ctx, service, hold, at)
}

func (b *book) AfterStreamResumed(ctx context.Context, hold, service types.Stream, at uint64) error {
	return b.swap(ctx, hold, service, at)
}

// swap notes which stream took the place of which, after checking that both are what they should be.
func (b *book) swap(ctx context.Context, closed, opened types.Stream, at uint64) error {
	if err := poisoned(b.poisonSwaps, closed.Id); err != nil {
		return err
	}
	if closed.ClosedAt != at || opened.OpenedAt != at || closed.Kind == opened.Kind || closed.Ref != opened.Ref ||
		closed.Payee != opened.Payee || max(closed.Rate, closed.FullRate) != max(opened.Rate, opened.FullRate) {
		return fmt.Errorf("at %d %v took the place of %v", at, opened, closed)
	}
	return b.successors.Set(ctx, closed.Id, opened.Id)
}

// latest returns the stream that pays now in the place of one that was opened once.
func (b *book) latest(ctx context.Context, stream uint64) (uint64, error) {
	for {
		next, err := b.successors.Get(ctx, stream)
		if errors.Is(err, collections.ErrNotFound) {
			return stream, nil
		}
		if err != nil {
			return 0, err
		}
		stream = next
	}
}

func (b *book) AfterAccountPruned(ctx context.Context, account uint64) error {
	if err := poisoned(b.poisonPruned, account); err != nil {
		return err
	}
	return b.pruned.Set(ctx, account)
}

// handle releases a hold whose second has come.
func (b *book) handle(ctx context.Context, id uint64) error {
	if err := poisoned(b.poisonItems, id); err != nil {
		return err
	}
	return b.release(ctx, id)
}

var errPoison = errors.New("poison")

func poisoned(items map[uint64]bool, id uint64) error {
	fails, found := items[id]
	if !found {
		return nil
	}
	if !fails {
		panic(errPoison)
	}
	return errPoison
}
