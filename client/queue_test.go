package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
)

// memoryJournal keeps intents and the order of what happened.
type memoryJournal struct {
	mu      sync.Mutex
	pending map[string]Intent
	begun   []Intent
	fail    error
}

func newMemoryJournal() *memoryJournal { return &memoryJournal{pending: map[string]Intent{}} }

func (j *memoryJournal) Begin(i Intent) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fail != nil {
		return j.fail
	}
	j.pending[i.Hash] = i
	j.begun = append(j.begun, i)
	return nil
}

func (j *memoryJournal) End(hash string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.pending, hash)
	return nil
}

func (j *memoryJournal) Pending() ([]Intent, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []Intent
	for _, i := range j.begun {
		if _, ok := j.pending[i.Hash]; ok {
			out = append(out, i)
		}
	}
	return out, nil
}

func (j *memoryJournal) has(hash string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, ok := j.pending[hash]
	return ok
}

// bench is a queue on a fake chain.
type bench struct {
	t       *testing.T
	chain   *fakeChain
	signer  *signer
	journal *memoryJournal
	queue   *Queue
}

var prices = sdk.NewDecCoins(sdk.NewDecCoinFromDec("usouk", mustDec("0.025")))

// inBubble runs a test in a bubble of time: waiting costs nothing.
func inBubble(t *testing.T, cfg QueueConfig, test func(b *bench)) {
	t.Helper()
	encoding, err := NewEncoding()
	require.NoError(t, err)
	signer := testSigner(t, encoding)
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, chain: newFakeChain(encoding), signer: signer, journal: newMemoryJournal()}
		ctx, cancel := context.WithCancel(b.t.Context())
		go b.chain.run(ctx)
		cfg.Journal = b.journal
		b.queue = startQueue(b.chain, signer, prices, cfg)
		test(b)
		b.queue.Close()
		cancel()
		synctest.Wait()
	})
}

func (b *bench) msg(id int64) sdk.Msg {
	return &banktypes.MsgSend{
		FromAddress: b.signer.address, ToAddress: b.signer.address, Amount: sdk.NewCoins(sdk.NewInt64Coin("usouk", id)),
	}
}

func (b *bench) pay(id int64) (Receipt, error) {
	ctx, cancel := context.WithTimeout(b.t.Context(), 10*time.Minute)
	defer cancel()
	return b.queue.Do(ctx, Request{Msgs: []sdk.Msg{b.msg(id)}, Note: fmt.Sprint("pay ", id)})
}

func TestATransactionIsSimulatedSignedAndAwaited(t *testing.T) {
	inBubble(t, QueueConfig{}, func(b *bench) {
		b.chain.gasUsed = 200_000
		receipt, err := b.pay(5)
		require.NoError(t, err)
		require.Equal(t, 1, b.chain.times(5))
		require.EqualValues(t, 260_000, receipt.GasWanted, "simulated gas x 1.3")
		require.Equal(t, "6500usouk", receipt.Fee.String())
		require.Positive(t, receipt.Height)
		require.NoError(t, receipt.Response(0, &banktypes.MsgSendResponse{}))
		require.Error(t, receipt.Response(0, &banktypes.MsgMultiSendResponse{}))
		require.Error(t, receipt.Response(1, &banktypes.MsgSendResponse{}))
	})
}

func TestTheIntentIsJournalledBeforeAnybodySeesTheTransaction(t *testing.T) {
	inBubble(t, QueueConfig{}, func(b *bench) {
		b.chain.onSend = func(hash string) { require.True(t, b.journal.has(hash)) }
		receipt, err := b.pay(1)
		require.NoError(t, err)
		require.Equal(t, []string{"pay 1"}, b.journal.begun[0].Notes)
		require.Equal(t, receipt.Hash, b.journal.begun[0].Hash)
		require.False(t, b.journal.has(receipt.Hash), "the outcome is certain")
	})
}

func TestNothingIsSentThatCanNotBeJournalled(t *testing.T) {
	inBubble(t, QueueConfig{}, func(b *bench) {
		b.journal.fail = errors.New("disk full")
		_, err := b.pay(1)
		require.ErrorContains(t, err, "disk full")
		require.Zero(t, b.chain.count("broadcast"))
	})
}

func TestWhatIsAskedForMeanwhileGoesIntoOneTransaction(t *testing.T) {
	inBubble(t, QueueConfig{MaxMessages: 4}, func(b *bench) {
		var wait sync.WaitGroup
		for id := range int64(9) {
			wait.Go(func() {
				receipt, err := b.pay(id + 1)
				require.NoError(t, err)
				require.NoError(t, receipt.Response(0, &banktypes.MsgSendResponse{}))
				require.Error(t, receipt.Response(1, &banktypes.MsgSendResponse{}), "only one's own responses")
			})
		}
		wait.Wait()
		for id := range int64(9) {
			require.Equal(t, 1, b.chain.times(id+1))
		}
		require.Less(t, len(b.journal.begun), 9)
		for _, intent := range b.journal.begun {
			require.LessOrEqual(t, len(intent.Notes), 4)
		}
	})
}

func TestARequestAloneGetsATransactionOfItsOwn(t *testing.T) {
	inBubble(t, QueueConfig{}, func(b *bench) {
		var wait sync.WaitGroup
		for id := range int64(4) {
			wait.Go(func() {
				_, err := b.queue.Do(b.t.Context(), Request{Msgs: []sdk.Msg{b.msg(id + 1)}, Alone: true, Note: "alone"})
				require.NoError(t, err)
			})
		}
		wait.Wait()
		require.Len(t, b.journal.begun, 4)
	})
}

func TestARequestThatMustNotComeLaterSaysSoInItsTransaction(t *testing.T) {
	inBubble(t, QueueConfig{}, func(b *bench) {
		before := time.Now().Add(20 * time.Second).UTC()
		ask := func(id int64) error {
			_, err := b.queue.Do(b.t.Context(), Request{Msgs: []sdk.Msg{b.msg(id)}, Before: before})
			return err
		}
		require.NoError(t, ask(1))
		first := b.journal.begun[0]
		tx, _, _ := b.chain.decode(first.Tx)
		timed, ok := tx.(sdk.TxWithTimeoutTimeStamp)
		require.True(t, ok)
		require.True(t, before.Equal(timed.GetTimeoutTimeStamp()))
		require.True(t, before.Equal(first.Before), "a later process knows it, too")

		b.chain.mu.Lock()
		b.chain.script = slices.Repeat([]trouble{noAnswer}, 200)
		b.chain.mu.Unlock()
		require.ErrorIs(t, ask(2), ErrTooLate, "the node came back too late")
		b.chain.mu.Lock()
		b.chain.script = nil
		b.chain.mu.Unlock()
		require.ErrorIs(t, ask(3), ErrTooLate)
		_, err := b.pay(4)
		require.NoError(t, err)
		require.Zero(t, b.chain.times(2)+b.chain.times(3))
	})
}

// A transaction that no block takes is given up when the chain's time has passed its last, long before its last height; what waits
// with it for the queue is not refused.
func TestARequestThatNoBlockTakesInTimeIsGivenUpWhenItIsTooLate(t *testing.T) {
	inBubble(t, QueueConfig{}, func(b *bench) {
		b.chain.mu.Lock()
		b.chain.crowded = true
		b.chain.mu.Unlock()
		began := time.Now()
		var wait sync.WaitGroup
		var late error
		wait.Go(func() {
			_, late = b.queue.Do(b.t.Context(), Request{Msgs: []sdk.Msg{b.msg(1)}, Before: began.Add(10 * time.Second)})
		})
		wait.Go(func() {
			_, err := b.pay(2)
			require.NoError(t, err)
		})
		time.Sleep(9 * time.Second)
		b.chain.mu.Lock()
		require.NotEmpty(t, b.chain.mempool)
		b.chain.mu.Unlock()
		time.Sleep(2 * time.Second)
		b.chain.mu.Lock()
		b.chain.crowded = false
		b.chain.mu.Unlock()
		wait.Wait()
		require.ErrorIs(t, late, ErrTooLate)
		require.Zero(t, b.chain.times(1))
		require.Equal(t, 1, b.chain.times(2))
		require.Less(t, time.Since(began), 30*time.Second, "the last height would come after a minute")
	})
}

func TestARequestThatIsTooLateIsNotSentAgainByTheNextProcess(t *testing.T) {
	inBubble(t, QueueConfig{}, func(b *bench) {
		b.chain.mu.Lock()
		b.chain.crowded = true
		b.chain.mu.Unlock()
		ctx, kill := context.WithTimeout(b.t.Context(), 2*time.Second)
		defer kill()
		_, err := b.queue.Do(ctx, Request{Msgs: []sdk.Msg{b.msg(1)}, Before: time.Now().Add(5 * time.Second)})
		require.ErrorIs(t, err, ErrOutcomeUnknown)
		b.queue.Close()
		b.chain.mu.Lock()
		b.chain.mempool = map[string][]byte{} // the node was killed, too
		b.chain.crowded = false
		b.chain.mu.Unlock()
		time.Sleep(5 * time.Second)
		began := time.Now()
		next := startQueue(b.chain, b.signer, prices, QueueConfig{Journal: b.journal})
		defer next.Close()
		_, err = next.Send(b.t.Context(), b.msg(2))
		require.NoError(t, err)
		require.Zero(t, b.chain.times(1))
		require.Less(t, time.Since(began), 30*time.Second)
	})
}

func TestOneBadRequestDoesNotSpoilTheOthers(t *testing.T) {
	inBubble(t, QueueConfig{}, func(b *bench) {
		b.chain.refuse[3] = true
		var wait sync.WaitGroup
		errs := make([]error, 6)
		for id := range errs {
			wait.Go(func() { _, errs[id] = b.pay(int64(id + 1)) })
		}
		wait.Wait()
		for i, err := range errs {
			id := int64(i + 1)
			if id == 3 {
				require.ErrorIs(t, err, sdkerrors.ErrInsufficientFunds)
				require.Zero(t, b.chain.times(3))
				continue
			}
			require.NoError(t, err)
			require.Equal(t, 1, b.chain.times(id))
		}
	})
}

func TestTroubleThatIsOvercome(t *testing.T) {
	// The calls of one payment: account, simulate, height, broadcast, then height and included until it is found.
	tests := []struct {
		name   string
		script []trouble
	}{
		{"the node is down at first", []trouble{noAnswer, noAnswer, noAnswer}},
		{"the node goes away after the account was read", []trouble{fine, noAnswer}},
		{"the mempool is full", []trouble{fine, fine, fine, full}},
		{"the broadcast is lost", []trouble{fine, fine, fine, noAnswer}},
		{"the reply to the broadcast is lost", []trouble{fine, fine, fine, lostReply}},
		{"the node forgets the transaction", []trouble{fine, fine, fine, fine, forget}},
		{"the account was used from elsewhere", []trouble{outside, fine}},
		{"the account is used from elsewhere before the broadcast", []trouble{fine, fine, outside}},
		{"the account is used from elsewhere after the broadcast", []trouble{fine, fine, fine, lostReply, outside}},
		{
			"the reply is lost, nobody answers until the bytes are old, and they are refused then",
			append([]trouble{fine, fine, fine, lostReply}, slices.Repeat([]trouble{noAnswer}, 40)...),
		},
		{"looking it up fails", []trouble{fine, fine, fine, fine, noAnswer, noAnswer, fine, noAnswer}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, QueueConfig{}, func(b *bench) {
				b.chain.script = slices.Clone(tt.script)
				_, err := b.pay(9)
				require.NoError(t, err)
				require.Equal(t, 1, b.chain.times(9))
			})
		})
	}
}

func TestATransactionThatRunsOutOfGasGetsMore(t *testing.T) {
	inBubble(t, QueueConfig{}, func(b *bench) {
		b.chain.hungry[4] = 140_000
		receipt, err := b.pay(4)
		require.NoError(t, err)
		require.Equal(t, 1, b.chain.times(4))
		require.GreaterOrEqual(t, receipt.GasWanted, int64(140_000))
	})
	inBubble(t, QueueConfig{}, func(b *bench) {
		b.chain.hungry[4] = 1 << 40
		_, err := b.pay(4)
		require.ErrorIs(t, err, sdkerrors.ErrOutOfGas)
	})
}

func TestARefusalIsATypedErrorWithTheChainsWords(t *testing.T) {
	inBubble(t, QueueConfig{}, func(b *bench) {
		b.chain.refuse[2] = true
		_, err := b.pay(2)
		require.ErrorIs(t, err, sdkerrors.ErrInsufficientFunds)
		require.ErrorContains(t, err, "payment refused")
		require.Zero(t, b.chain.count("broadcast"))
	})
}

func TestACallerThatLeavesIsToldWhatIsNotKnown(t *testing.T) {
	inBubble(t, QueueConfig{}, func(b *bench) {
		ctx, cancel := context.WithTimeout(b.t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := b.queue.Send(ctx, b.msg(1))
		require.ErrorIs(t, err, ErrOutcomeUnknown)
		time.Sleep(5 * time.Second)
		require.Equal(t, 1, b.chain.times(1), "it took place all the same")
		_, err = b.pay(2)
		require.NoError(t, err, "the queue goes on")
	})
}

func TestACallerThatLeavesWhileTheNodeIsDownPaysNothing(t *testing.T) {
	inBubble(t, QueueConfig{}, func(b *bench) {
		b.chain.script = slices.Repeat([]trouble{noAnswer}, 20)
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		_, err := b.queue.Send(ctx, b.msg(1))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, ErrOutcomeUnknown)
		time.Sleep(10 * time.Minute)
		require.Zero(t, b.chain.times(1))
	})
}

func TestAPartOfTheFeeBudgetIsKeptForWhatIsUrgent(t *testing.T) {
	fee := func(n int64) sdk.Coins { return sdk.NewCoins(sdk.NewInt64Coin("usouk", n)) }
	inBubble(t, QueueConfig{FeeBudget: fee(10_000), FeeReserve: fee(2500)}, func(b *bench) {
		for id := range int64(3) {
			_, err := b.pay(id + 1)
			require.NoError(t, err)
		}
		_, err := b.pay(4)
		require.ErrorIs(t, err, ErrFeeBudget)
		require.ErrorContains(t, err, "2500usouk are kept")
		urgent := Request{Msgs: []sdk.Msg{b.msg(5)}, Urgent: true}
		_, err = b.queue.Do(b.t.Context(), urgent)
		require.NoError(t, err)
		_, err = b.queue.Do(b.t.Context(), urgent)
		require.ErrorIs(t, err, ErrFeeBudget, "the reserve ends, too")
	})
	require.False(t, isUrgent([]*pending{{Request: Request{Urgent: true}}, {}}), "what is not urgent does not come along")
}

func TestFeesStayWithinTheirLimits(t *testing.T) {
	fee := func(n int64) sdk.Coins { return sdk.NewCoins(sdk.NewInt64Coin("usouk", n)) }
	inBubble(t, QueueConfig{MaxFee: fee(2499)}, func(b *bench) {
		_, err := b.pay(1)
		require.ErrorIs(t, err, ErrFeeBudget)
		require.Zero(t, b.chain.count("broadcast"))
	})
	inBubble(t, QueueConfig{FeeBudget: fee(5100)}, func(b *bench) {
		for id := range int64(2) {
			_, err := b.pay(id + 1)
			require.NoError(t, err)
		}
		_, err := b.pay(3)
		require.ErrorIs(t, err, ErrFeeBudget)
		require.ErrorContains(t, err, "5000usouk of 5100usouk")
	})
	var paid, spent []string
	note := func(fee, all sdk.Coins) { paid, spent = append(paid, fee.String()), append(spent, all.String()) }
	inBubble(t, QueueConfig{FeeBudget: fee(2600), FeeWindow: 24 * time.Hour, OnFees: note}, func(b *bench) {
		_, err := b.pay(1)
		require.NoError(t, err)
		_, err = b.pay(2)
		require.ErrorIs(t, err, ErrFeeBudget)
		time.Sleep(24 * time.Hour)
		_, err = b.pay(2)
		require.NoError(t, err, "a day later")
	})
	require.Equal(t, []string{"", "2500usouk", "", "2500usouk"}, paid)
	require.Equal(t, []string{"", "2500usouk", "", "2500usouk"}, spent)
}

// memoryLedger is a ledger that outlives queues.
type memoryLedger struct {
	since time.Time
	fees  map[string]sdk.Coins
}

func (l *memoryLedger) Spent() (since time.Time, spent sdk.Coins) {
	for _, f := range l.fees {
		spent = spent.Add(f...)
	}
	return l.since, spent
}

func (l *memoryLedger) Reserve(since time.Time, hash string, fee sdk.Coins) error {
	if !l.since.Equal(since) {
		l.since, l.fees = since, map[string]sdk.Coins{}
	}
	l.fees[hash] = fee
	return nil
}

func (l *memoryLedger) Release(hash string) error {
	delete(l.fees, hash)
	return nil
}

func TestARestartDoesNotRenewTheFeeBudget(t *testing.T) {
	fee := func(n int64) sdk.Coins { return sdk.NewCoins(sdk.NewInt64Coin("usouk", n)) }
	ledger := &memoryLedger{}
	cfg := QueueConfig{FeeBudget: fee(5100), FeeWindow: 24 * time.Hour, Ledger: ledger}
	inBubble(t, cfg, func(b *bench) {
		_, err := b.pay(1)
		require.NoError(t, err)
		again := func() {
			b.queue.Close()
			cfg.Journal = b.journal
			b.queue = startQueue(b.chain, b.signer, prices, cfg)
		}
		again()
		b.chain.mu.Lock()
		b.chain.script = []trouble{fine, fine, outside, fine} // a sequence that is no more: refused, and sent anew
		b.chain.mu.Unlock()
		_, err = b.pay(3)
		require.NoError(t, err)
		_, spent := ledger.Spent()
		require.Equal(t, "5000usouk", spent.String(), "what was refused before a block costs nothing")
		again()
		_, err = b.pay(4)
		require.ErrorIs(t, err, ErrFeeBudget)
		time.Sleep(24 * time.Hour)
		again()
		_, err = b.pay(4)
		require.NoError(t, err, "a day later")
		_, spent = ledger.Spent()
		require.Equal(t, "2500usouk", spent.String())
	})
}

// The process is killed at every call of the node in turn; the next one settles the journal and pays what is left to pay.
func TestAKilledQueueNeverPaysTwice(t *testing.T) {
	for calls := range 12 {
		inBubble(t, QueueConfig{}, func(b *bench) {
			var seen int
			b.chain.script = nil
			ctx, kill := context.WithCancel(b.t.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				_, _ = b.queue.Do(ctx, Request{Msgs: []sdk.Msg{b.msg(7)}, Note: "pay 7"})
			}()
			for ; seen < calls; seen++ {
				time.Sleep(90 * time.Millisecond)
			}
			b.queue.Close()
			kill()
			<-done

			intents, err := b.journal.Pending()
			require.NoError(t, err)
			next := startQueue(b.chain, b.signer, prices, QueueConfig{Journal: b.journal})
			defer next.Close()
			_, err = next.Send(b.t.Context(), b.msg(8)) // made after the journal is settled
			require.NoError(t, err)
			require.LessOrEqual(t, b.chain.times(7), 1)
			if len(intents) > 0 {
				require.Equal(t, 1, b.chain.times(7), "what was journalled is seen through")
			}
			left, err := b.journal.Pending()
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

func TestWhateverGoesWrongNothingIsPaidTwice(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		script := make([]trouble, rapid.IntRange(0, 60).Draw(r, "length"))
		for i := range script {
			script[i] = trouble(rapid.IntRange(0, int(troubles)-1).Draw(r, "trouble"))
		}
		payments := rapid.IntRange(1, 5).Draw(r, "payments")
		refused := rapid.IntRange(0, 6).Draw(r, "refused")
		patience := time.Duration(rapid.IntRange(1, 300).Draw(r, "patience")) * time.Second
		inBubble(t, QueueConfig{TimeoutBlocks: 5}, func(b *bench) {
			b.chain.script = script
			b.chain.refuse[int64(refused)] = true
			errs := make([]error, payments)
			var wait sync.WaitGroup
			for i := range errs {
				wait.Go(func() {
					ctx, cancel := context.WithTimeout(b.t.Context(), patience)
					defer cancel()
					_, errs[i] = b.queue.Send(ctx, b.msg(int64(i+1)))
				})
			}
			wait.Wait()
			time.Sleep(5 * time.Minute) // whatever is on its way arrives
			for i, err := range errs {
				times := b.chain.times(int64(i + 1))
				switch {
				case err == nil:
					require.Equal(t, 1, times, "payment %d of %v", i+1, script)
				case errors.Is(err, ErrOutcomeUnknown):
					require.LessOrEqual(t, times, 1, "payment %d of %v", i+1, script)
				default:
					require.Zero(t, times, "payment %d of %v failed with %v", i+1, script, err)
				}
			}
		})
	})
}
