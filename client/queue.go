package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/cosmos/gogoproto/proto"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/scope"
)

// QueueConfig says for whom and how a queue sends.
type QueueConfig struct {
	Keyring keyring.Keyring
	Key     string // name of the account's key in the keyring

	// FeeGranter, when not empty, is the account that pays the fees, which granted them to this one.
	FeeGranter string

	GasFactor     float64 // gas limit over simulated gas; 1.3 when 0
	MinGas        uint64  // least gas limit; 100,000 when 0
	MaxMessages   int     // messages in one transaction; 16 when 0
	TimeoutBlocks int64   // blocks until a transaction that was not included is given up; 60 when 0

	// MaxFee, when not empty, is the most that one transaction may cost.
	MaxFee sdk.Coins
	// FeeBudget, when not empty, is the most that all transactions of this queue may cost within FeeWindow.
	FeeBudget sdk.Coins
	FeeWindow time.Duration // after it the budget is whole again; 0 for never
	// Ledger keeps what was spent of it over restarts. Nil for one process.
	Ledger Ledger
	// FeeReserve is the part of FeeBudget that only urgent requests may use.
	FeeReserve sdk.Coins
	// OnFees is told each fee that was paid, and what is spent within the window; also when a window begins. It must return
	// at once. Nil for nobody.
	OnFees func(paid, spent sdk.Coins)

	Journal Journal      // nil keeps no intents: for programs that ask again themselves
	Log     *slog.Logger // nil is silent
}

// Request is a set of messages that take effect together.
type Request struct {
	Msgs  []sdk.Msg
	Note  string // kept with the intent in the journal
	Alone bool   // not together with other requests in one transaction
	// Urgent requests may use all of the fee budget; together with others in one transaction they count as those.
	Urgent bool
	// Before, when not zero, is the time of the chain after which no block may contain the request. It is tried again up to
	// then, also by a later process, and refused with ErrTooLate afterwards: whoever asks makes it anew.
	Before time.Time
}

// Receipt is a transaction that took place.
type Receipt struct {
	Hash      string
	Height    int64
	GasUsed   int64
	GasWanted int64
	Fee       sdk.Coins // of the whole transaction
	responses []*codectypes.Any
}

// Response decodes the answer to the i-th message of the request.
func (r Receipt) Response(i int, into proto.Message) error {
	if i < 0 || i >= len(r.responses) {
		return fmt.Errorf("transaction %s has no response %d", r.Hash, i)
	}
	packed := r.responses[i]
	if want := "/" + proto.MessageName(into); packed.TypeUrl != want {
		return fmt.Errorf("response %d of %s is a %s, not a %s", i, r.Hash, packed.TypeUrl, want)
	}
	return proto.Unmarshal(packed.Value, into)
}

// Responses is how many messages the request had.
func (r Receipt) Responses() int { return len(r.responses) }

// Queue sends the transactions of one account, one at a time, with what was asked for meanwhile batched into the next. No
// other program should send for the account at the same time; if one does, the queue recovers the sequence.
type Queue struct {
	node   node
	signer *signer
	prices sdk.DecCoins
	cfg    QueueConfig
	log    *slog.Logger

	requests chan *pending
	stop     context.CancelFunc
	done     chan struct{}
	closed   sync.Once

	// Owned by the worker.
	known      bool // number and sequence are
	number     uint64
	sequence   uint64
	spent      sdk.Coins // since spentSince
	spentSince time.Time
	warned     map[bool]bool // that the budget is used up: of urgent requests, of others
}

// pending is a request with somebody who waits for it.
type pending struct {
	Request
	ctx    context.Context
	answer chan result
	// sent is true once a transaction with it may be on its way.
	sent   bool
	sentMu sync.Mutex
	// answered by the worker, which owns it.
	answered bool
}

type result struct {
	receipt Receipt
	err     error
}

// NewQueue makes the queue of an account and starts it; Close stops it.
func NewQueue(c *Client, cfg QueueConfig) (*Queue, error) {
	s, err := newSigner(c.Encoding, c.Config.ChainID, cfg.Keyring, cfg.Key)
	if err != nil {
		return nil, err
	}
	if cfg.FeeGranter != "" {
		if s.granter, err = scope.AddressCodec().StringToBytes(cfg.FeeGranter); err != nil {
			return nil, fmt.Errorf("fee granter %q: %w", cfg.FeeGranter, err)
		}
	}
	return startQueue(c, s, c.Config.GasPrices, cfg), nil
}

func startQueue(n node, s *signer, prices sdk.DecCoins, cfg QueueConfig) *Queue {
	setDefaults(&cfg)
	ctx, cancel := context.WithCancel(context.Background())
	q := &Queue{
		node: n, signer: s, prices: prices, cfg: cfg, log: cfg.Log.With("account", s.address),
		requests: make(chan *pending), stop: cancel, done: make(chan struct{}),
	}
	q.spentSince, q.spent = cfg.Ledger.Spent()
	q.warned = map[bool]bool{}
	go q.work(ctx)
	return q
}

func setDefaults(cfg *QueueConfig) {
	if cfg.GasFactor == 0 {
		cfg.GasFactor = 1.3
	}
	if cfg.MinGas == 0 {
		cfg.MinGas = 100_000
	}
	if cfg.MaxMessages == 0 {
		cfg.MaxMessages = 16
	}
	if cfg.TimeoutBlocks == 0 {
		cfg.TimeoutBlocks = 60
	}
	if cfg.Ledger == nil {
		cfg.Ledger = noLedger{}
	}
	if cfg.OnFees == nil {
		cfg.OnFees = func(sdk.Coins, sdk.Coins) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
}

// Address is the account that the queue sends for.
func (q *Queue) Address() string { return q.signer.address }

// Close stops the queue. A transaction on its way stays in the journal.
func (q *Queue) Close() {
	q.closed.Do(q.stop)
	<-q.done
}

// Send asks for messages to take effect together and waits until they did. See Do.
func (q *Queue) Send(ctx context.Context, msgs ...sdk.Msg) (Receipt, error) {
	return q.Do(ctx, Request{Msgs: msgs})
}

// Do waits until the request took effect, was refused for good (a *ChainError, or what kept it from being made), or ctx
// ended. While the node is away it waits. ErrOutcomeUnknown says that ctx ended with a transaction on its way.
func (q *Queue) Do(ctx context.Context, r Request) (Receipt, error) {
	if len(r.Msgs) == 0 {
		return Receipt{}, errors.New("a transaction needs a message")
	}
	p := &pending{Request: r, ctx: ctx, answer: make(chan result, 1)}
	select {
	case q.requests <- p:
	case <-ctx.Done():
		return Receipt{}, fmt.Errorf("wait for the transaction queue: %w", ctx.Err())
	case <-q.done:
		return Receipt{}, ErrQueueClosed
	}
	select {
	case res := <-p.answer:
		return res.receipt, res.err
	case <-ctx.Done():
	case <-q.done:
	}
	select {
	case res := <-p.answer: // both at once: the answer is worth more
		return res.receipt, res.err
	default:
	}
	if p.wasSent() {
		return Receipt{}, errors.Join(ErrOutcomeUnknown, ctx.Err())
	}
	if err := ctx.Err(); err != nil {
		return Receipt{}, fmt.Errorf("the transaction was not sent: %w", err)
	}
	return Receipt{}, ErrQueueClosed
}

func (p *pending) wasSent() bool {
	p.sentMu.Lock()
	defer p.sentMu.Unlock()
	return p.sent
}

// markSent claims the request for a transaction; false when its caller has left.
func (p *pending) markSent() bool {
	p.sentMu.Lock()
	defer p.sentMu.Unlock()
	if p.ctx.Err() != nil {
		return false
	}
	p.sent = true
	return true
}

func (p *pending) unmarkSent() {
	p.sentMu.Lock()
	defer p.sentMu.Unlock()
	p.sent = false
}

func (q *Queue) work(ctx context.Context) {
	defer close(q.done)
	if err := q.settleJournal(ctx); err != nil {
		q.log.Error("intents of the last run could not be settled", "error", err)
	}
	var next *pending // taken, but for the transaction after this one
	for {
		first := next
		if first == nil {
			select {
			case <-ctx.Done():
				return
			case first = <-q.requests:
			}
		}
		var batch []*pending
		batch, next = q.fill(first)
		q.process(ctx, batch)
	}
}

// fill adds the requests that wait already, as long as one transaction takes them.
func (q *Queue) fill(first *pending) (batch []*pending, next *pending) {
	batch = []*pending{first}
	count := len(first.Msgs)
	for !first.Alone {
		select {
		case p := <-q.requests:
			if p.Alone || count+len(p.Msgs) > q.cfg.MaxMessages {
				return batch, p
			}
			batch = append(batch, p)
			count += len(p.Msgs)
		default:
			return batch, nil
		}
	}
	return batch, nil
}

// settleJournal learns the outcome of what an earlier process sent, so that the first sequence is right and nothing that
// took place is done again.
func (q *Queue) settleJournal(ctx context.Context) error {
	if q.cfg.Journal == nil {
		return nil
	}
	intents, err := q.cfg.Journal.Pending()
	if err != nil {
		return fmt.Errorf("read pending intents: %w", err)
	}
	for _, intent := range intents {
		if intent.Account != q.signer.address {
			continue
		}
		in, err := q.deliver(ctx, intent, true)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		q.log.Info("intent of the last run settled", "hash", intent.Hash, "height", in.height, "error", err)
		if err := q.cfg.Journal.End(intent.Hash); err != nil {
			return fmt.Errorf("end intent %s: %w", intent.Hash, err)
		}
	}
	return nil
}

// Outcome finds out what became of an intent, sending its very bytes again if need be: the way to resume after
// ErrOutcomeUnknown or a crash. The receipt is set when it took place, a *ChainError when it was refused; an error of
// neither kind means that ctx ended first.
func Outcome(ctx context.Context, c *Client, intent Intent) (Receipt, error) {
	q := &Queue{node: c, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	in, err := q.deliver(ctx, intent, true)
	if err != nil {
		return Receipt{}, err
	}
	return receiptOf(intent.Hash, in, nil), nil
}

func receiptOf(hash string, in inclusion, fee sdk.Coins) Receipt {
	return Receipt{
		Hash: hash, Height: in.height, GasUsed: in.gasUsed, GasWanted: in.gasWanted, Fee: fee, responses: in.responses,
	}
}

// sleep waits d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
