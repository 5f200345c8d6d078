package client

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	sdkmath "cosmossdk.io/math"
	"github.com/cenkalti/backoff/v5"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/internal/failpoint"
)

const (
	// lookEvery is how often an accepted transaction is looked for in the blocks.
	lookEvery = 250 * time.Millisecond
	// resendEvery is how often its bytes are sent again meanwhile: a node that restarts forgets its mempool.
	resendEvery = 5 * time.Second
	// indexGrace is how long the index may lag behind a block, in blocks.
	indexGrace = 3
	// gasRetries is how often a transaction that ran out of gas is given more.
	gasRetries = 3
	// sequenceRetries bounds how often the sequence is fetched anew for one transaction.
	sequenceRetries = 10
)

// process brings a batch to its end: every request in it is answered, unless the queue stops.
func (q *Queue) process(ctx context.Context, batch []*pending) {
	wait := newRetryWait()
	factor, gasTries, sequenceTries := q.cfg.GasFactor, 0, 0
	for ctx.Err() == nil {
		batch = stillWanted(batch)
		if len(batch) == 0 {
			return
		}
		err := q.attempt(ctx, batch, factor)
		if err == nil || ctx.Err() != nil {
			return
		}
		switch kind := classify(err); {
		case errors.Is(err, errBatchChanged):
		case kind == classSequence && sequenceTries < sequenceRetries:
			sequenceTries++
			q.known = false
			if sequenceTries > 1 {
				sleep(ctx, wait.NextBackOff())
			}
		case kind == classGas && gasTries < gasRetries:
			gasTries++
			factor *= 1.5
		case kind == classTransient || kind == classExpired:
			q.known = false
			q.log.Warn("transaction not sent, will try again", "error", err)
			sleep(ctx, wait.NextBackOff())
		case len(batch) > 1:
			// One request spoils the others: each gets a transaction of its own.
			for _, p := range batch {
				q.process(ctx, []*pending{p})
			}
			return
		default:
			batch[0].answer <- result{err: err}
			return
		}
	}
}

// attempt makes one transaction of the batch and sees it through. Nil means that all are answered; with any error it is
// certain that the transaction did not take effect.
func (q *Queue) attempt(ctx context.Context, batch []*pending, factor float64) error {
	d, err := q.prepare(ctx, batch, factor)
	if err != nil {
		return err
	}
	tx, hash, err := q.signer.sign(ctx, d)
	if err != nil {
		return err
	}
	intent := Intent{
		Hash: hash, Tx: tx, Account: q.signer.address, Sequence: d.sequence, TimeoutHeight: d.timeoutHeight, Before: d.before,
		Notes: notes(batch), At: time.Now().UTC(),
	}
	for _, p := range batch {
		if !p.markSent() {
			unmark(batch)
			return errBatchChanged
		}
	}
	if err := q.begin(intent, d.fee); err != nil {
		unmark(batch)
		return err
	}
	in, err := q.deliver(ctx, intent, false)
	if ctx.Err() != nil {
		return ctx.Err() // the intent stays in the journal
	}
	if endErr := q.end(hash); endErr != nil {
		q.log.Error("outcome could not be journalled", "hash", hash, "error", endErr)
	}
	q.book(d, in, hash)
	if err != nil {
		unmark(batch)
		return err
	}
	q.log.Info("transaction included", "hash", hash, "height", in.height, "messages", len(d.msgs), "gas_used", in.gasUsed, "fee", d.fee)
	answer(batch, hash, in, d.fee)
	return nil
}

// errBatchChanged makes process look again at who still waits.
var errBatchChanged = errors.New("a caller left")

// prepare drafts the transaction: sequence, simulated gas, fee and last block.
func (q *Queue) prepare(ctx context.Context, batch []*pending, factor float64) (draft, error) {
	if !q.known {
		number, sequence, err := q.node.account(ctx, q.signer.address)
		if err != nil {
			return draft{}, err
		}
		q.number, q.sequence, q.known = number, sequence, true
	}
	d := draft{msgs: messages(batch), number: q.number, sequence: q.sequence}
	raw, err := q.signer.unsigned(d)
	if err != nil {
		return draft{}, err
	}
	used, err := q.node.simulate(ctx, raw)
	if err != nil {
		return draft{}, fmt.Errorf("simulate: %w", err)
	}
	last, err := q.node.tip(ctx)
	if err != nil {
		return draft{}, fmt.Errorf("ask for the height: %w", err)
	}
	if refuseLate(batch, last.time) {
		return draft{}, errBatchChanged
	}
	d.timeoutHeight, d.before = last.height+q.cfg.TimeoutBlocks, earliest(batch)
	d.gas = max(q.cfg.MinGas, uint64(math.Ceil(float64(used)*factor)))
	d.fee = feeOf(d.gas, q.prices)
	return d, q.afford(d.fee, isUrgent(batch))
}

// feeOf is gas at the first price, rounded up; nothing when there is no price.
func feeOf(gas uint64, prices sdk.DecCoins) sdk.Coins {
	if len(prices) == 0 {
		return sdk.Coins{}
	}
	amount := prices[0].Amount.MulInt(sdkmath.NewIntFromUint64(gas)).Ceil().RoundInt()
	return sdk.NewCoins(sdk.NewCoin(prices[0].Denom, amount))
}

// afford refuses a fee above the limits.
func (q *Queue) afford(fee sdk.Coins, urgent bool) error {
	if limit := q.cfg.MaxFee; !limit.Empty() && !limit.IsAllGTE(fee) {
		return fault.New("the transaction is too expensive",
			fmt.Errorf("%w: it would cost %s, the limit is %s", ErrFeeBudget, fee, limit), "raise the fee limit or lower the gas price")
	}
	return q.withinBudget(fee, urgent)
}

func (q *Queue) withinBudget(fee sdk.Coins, urgent bool) error {
	now := time.Now()
	if q.spentSince.IsZero() || q.cfg.FeeWindow > 0 && now.Sub(q.spentSince) >= q.cfg.FeeWindow {
		q.spent, q.spentSince, q.warned = nil, now, map[bool]bool{}
		q.cfg.OnFees(nil, nil)
	}
	budget, reserve := q.cfg.FeeBudget, q.cfg.FeeReserve
	if urgent {
		reserve = nil
	}
	if budget.Empty() || budget.IsAllGTE(q.spent.Add(fee...).Add(reserve...)) {
		return nil
	}
	if !q.warned[urgent] {
		q.warned[urgent] = true
		q.log.Warn("the fee budget is used up: nothing more is sent", "spent", q.spent, "budget", budget, "window", q.cfg.FeeWindow,
			"kept_for_what_is_urgent", reserve)
	}
	if !reserve.Empty() {
		return fault.New("no more transactions are paid but urgent ones",
			fmt.Errorf("%w: %s of %s are spent, the next would cost %s, and %s are kept", ErrFeeBudget, q.spent, budget, fee, reserve), "raise the fee budget")
	}
	return fault.New("no more transactions are paid",
		fmt.Errorf("%w: %s of %s are spent, the next would cost %s", ErrFeeBudget, q.spent, budget, fee), "raise the fee budget")
}

// earliest is the first time after which some request of a batch must not take effect; zero for never.
func earliest(batch []*pending) (before time.Time) {
	for _, p := range batch {
		if !p.Before.IsZero() && (before.IsZero() || p.Before.Before(before)) {
			before = p.Before
		}
	}
	return before
}

// refuseLate answers the requests that no block can take in time any more: the chain's time only grows.
func refuseLate(batch []*pending, now time.Time) (some bool) {
	for _, p := range batch {
		if !p.Before.IsZero() && now.After(p.Before) {
			p.answer <- result{err: fmt.Errorf("%w: it was to be in a block until %s, the last is of %s", ErrTooLate,
				p.Before.Format(time.RFC3339Nano), now.Format(time.RFC3339Nano))}
			p.answered, some = true, true
		}
	}
	return some
}

// isUrgent tells whether every request of a batch is.
func isUrgent(batch []*pending) bool {
	return !slices.ContainsFunc(batch, func(p *pending) bool { return !p.Urgent })
}

// book moves the sequence and the spent fees on after a transaction's end.
func (q *Queue) book(d draft, in inclusion, hash string) {
	if in.height == 0 {
		q.known = false // refused or expired: ask the chain where the account stands
		if err := q.cfg.Ledger.Release(hash); err != nil {
			q.log.Error("a fee that was not taken could not be written down, and counts", "hash", hash, "error", err)
		}
		return
	}
	q.sequence = d.sequence + 1
	q.spent = q.spent.Add(d.fee...)
	q.cfg.OnFees(d.fee, q.spent)
}

// deliver broadcasts a transaction and follows it to its end. The error is a *ChainError when the chain refused it, before a
// block (height 0) or in one, or of class expired when no block can contain it any more; ctx ending is the only other one.
// doubtful says that somebody may have sent it before: then a refusal alone proves nothing.
func (q *Queue) deliver(ctx context.Context, intent Intent, doubtful bool) (inclusion, error) {
	if doubtful {
		if in, done, err := q.look(ctx, &intent); done {
			return in, err
		}
	}
	for ctx.Err() == nil {
		err := q.node.broadcast(ctx, intent.Tx)
		failpoint.Hit("transaction/broadcast")
		var refused *ChainError
		switch {
		case err == nil:
			doubtful = true
		case errors.As(err, &refused) && !errors.Is(err, sdkerrors.ErrTxInMempoolCache):
			if !doubtful {
				return inclusion{}, refused
			}
		default: // no reply, or it was sent before
			doubtful = true
			q.log.Debug("no clear answer to a broadcast", "hash", intent.Hash, "error", err)
		}
		if in, done, err := q.watch(ctx, &intent); done {
			return in, err
		}
	}
	return inclusion{}, ctx.Err()
}

// watch looks for the transaction for resendEvery.
func (q *Queue) watch(ctx context.Context, intent *Intent) (inclusion, bool, error) {
	deadline := time.Now().Add(resendEvery)
	for ctx.Err() == nil && time.Now().Before(deadline) {
		sleep(ctx, lookEvery)
		if in, done, err := q.look(ctx, intent); done {
			return in, true, err
		}
	}
	return inclusion{}, false, nil
}

// look asks once whether the transaction has come to its end, and notes an earlier last block that it learns of.
func (q *Queue) look(ctx context.Context, intent *Intent) (in inclusion, done bool, err error) {
	// The height is asked for before the transaction: what is not found afterwards was in no block up to that height.
	last, tipErr := q.node.tip(ctx)
	if tipErr == nil && !intent.Before.IsZero() && last.time.After(intent.Before) {
		intent.TimeoutHeight = min(intent.TimeoutHeight, last.height-1) // this block is too late already
	}
	in, err = q.node.included(ctx, intent.Hash)
	switch {
	case err == nil && in.code == 0:
		return in, true, nil
	case err == nil:
		return in, true, &ChainError{Hash: intent.Hash, Height: in.height, Codespace: in.codespace, Code: in.code, Log: in.log}
	case errors.Is(err, errTxNotFound) && tipErr == nil && last.height > intent.TimeoutHeight+indexGrace:
		return inclusion{}, true, errExpired(*intent)
	}
	return inclusion{}, false, nil
}

// errExpired says that no block can contain the transaction any more.
func errExpired(intent Intent) error {
	e := sdkerrors.ErrTxTimeoutHeight
	return &ChainError{
		Hash: intent.Hash, Codespace: e.Codespace(), Code: e.ABCICode(),
		Log: fmt.Sprintf("not included up to block %d, its last", intent.TimeoutHeight),
	}
}

func (q *Queue) begin(intent Intent, fee sdk.Coins) error {
	if err := q.cfg.Ledger.Reserve(q.spentSince, intent.Hash, fee); err != nil {
		return fmt.Errorf("write down the fee before the transaction is sent: %w", err)
	}
	if q.cfg.Journal == nil {
		return nil
	}
	if err := q.cfg.Journal.Begin(intent); err != nil {
		return fmt.Errorf("journal the transaction before it is sent: %w", err)
	}
	return nil
}

func (q *Queue) end(hash string) error {
	if q.cfg.Journal == nil {
		return nil
	}
	return q.cfg.Journal.End(hash)
}

func stillWanted(batch []*pending) []*pending {
	var out []*pending
	for _, p := range batch {
		if p.ctx.Err() == nil && !p.answered {
			out = append(out, p)
		}
	}
	return out
}

func unmark(batch []*pending) {
	for _, p := range batch {
		p.unmarkSent()
	}
}

func notes(batch []*pending) []string {
	var out []string
	for _, p := range batch {
		if p.Note != "" {
			out = append(out, p.Note)
		}
	}
	return out
}

func messages(batch []*pending) []sdk.Msg {
	var out []sdk.Msg
	for _, p := range batch {
		out = append(out, p.Msgs...)
	}
	return out
}

// answer gives each request its own part of the responses.
func answer(batch []*pending, hash string, in inclusion, fee sdk.Coins) {
	at := 0
	for _, p := range batch {
		receipt := receiptOf(hash, in, fee)
		receipt.responses = in.responses[min(at, len(in.responses)):min(at+len(p.Msgs), len(in.responses))]
		at += len(p.Msgs)
		p.answer <- result{receipt: receipt}
	}
}

func newRetryWait() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = 200 * time.Millisecond
	b.MaxInterval = 5 * time.Second
	return b
}
