package types

import (
	"context"

	"cosmossdk.io/math"
)

// Hooks tell the module above what becomes of accounts and their streams: that money ran out or is low, that it suffices
// again, that an account is forgotten. On exhaustion of an account at second T the streams are all closed at T, then
// AfterStreamExhausted is called for each, then AfterAccountExhausted; that one must release what is held and may not leave
// streams open. Then escrow refunds the remainder. In a block hook an error or a panic undoes the whole item and puts it into
// quarantine: with the streams stopped at T all the same if the account has run out, else as it was. In a message it fails
// the message.
type Hooks interface {
	// AfterStreamExhausted tells that a stream closed at a second because its account has run out.
	AfterStreamExhausted(ctx context.Context, stream Stream, at uint64) error
	// AfterAccountExhausted tells that an account has run out at a second, after the same was told of all its streams.
	AfterAccountExhausted(ctx context.Context, account Account, at uint64) error
	// AfterStreamPaused tells that a low account closed a service stream at a second and opened a hold stream in its place.
	AfterStreamPaused(ctx context.Context, service, hold Stream, at uint64) error
	// AfterStreamResumed tells that the hold stream of a pause closed at a second and a service stream opened in its place.
	AfterStreamResumed(ctx context.Context, hold, service Stream, at uint64) error
	// AfterAccountPruned tells that a closed account was forgotten, with its streams: nothing can be claimed of it any more.
	AfterAccountPruned(ctx context.Context, account uint64) error
}

// DeadlineSource is a queue of items that are due at a second. Escrow processes the items of all sources in the order
// of time, and ties in the order of registration, each in its own cache context.
type DeadlineSource interface {
	// Name is unique and at most 32 bytes long.
	Name() string
	// NextDeadline returns the second of the first item; ok is false when there is none.
	NextDeadline(ctx context.Context) (second uint64, ok bool, err error)
	// ProcessNext handles exactly the first item and takes it out of the queue. During the call the keeper's Now is the
	// second of the item, however late it is processed.
	ProcessNext(ctx context.Context) (id uint64, err error)
	// Quarantine takes the first item out of the queue without processing it.
	Quarantine(ctx context.Context) (id uint64, err error)
	// Retry processes an item that was quarantined, at the present second.
	Retry(ctx context.Context, id uint64) error
}

// CreditPolicy decides what of an epoch's service accrual was proven. Its calls are isolated: an error or a panic undoes what
// the call did, is logged, and leaves the chain going.
type CreditPolicy interface {
	// OnEpochClosed is called once for every epoch, when it has closed and before OnEpochPot is called for it. If it fails, the
	// epoch goes into quarantine and is told again when later epochs close, or by MsgRetry: so it may come after the pots of
	// its epoch, and after later epochs.
	OnEpochClosed(ctx context.Context, epoch Epoch) error
	// OnEpochPot is called once for every epoch pot when it is made. It returns the grains of service that are proven, or
	// decided = false to leave the pot pending until the policy calls the keeper's Credit or Forfeit: also when it fails, and what a
	// policy answers for an epoch that it was not told of. Hold accrual is always paid.
	OnEpochPot(ctx context.Context, pot EpochPot) (proven math.Int, decided bool, err error)
	// CheckParams refuses parameters under which pots would mature before the policy can decide about them. It is asked before
	// governance replaces those of now, and tells the reason.
	CheckParams(ctx context.Context, params Params) error
}
