package types

import (
	"google.golang.org/grpc/codes"

	"cosmossdk.io/errors"
)

// Errors of the module. Code 1 is reserved by the SDK.
var (
	// ErrUnauthorized: the signer may not do this.
	ErrUnauthorized = errors.Register(ModuleName, 2, "unauthorized")
	// ErrInvalidParams: parameters out of range.
	ErrInvalidParams = errors.Register(ModuleName, 3, "invalid parameters")
	// ErrInvalidAddress: not an account.
	ErrInvalidAddress = errors.Register(ModuleName, 4, "invalid address")
	// ErrInvalidRequest: a query without what it needs.
	ErrInvalidRequest = errors.RegisterWithGRPCCode(ModuleName, 5, codes.InvalidArgument, "invalid request")
	// ErrInvalidRoots: no roots, too many, not sorted, or not of a tree.
	ErrInvalidRoots = errors.Register(ModuleName, 6, "invalid roots")
	// ErrInvalidOpening: it does not show what was drawn or asked for, or more than was due.
	ErrInvalidOpening = errors.Register(ModuleName, 7, "invalid opening")
	// ErrInvalidReceipt: malformed, badly signed, or about something else.
	ErrInvalidReceipt = errors.Register(ModuleName, 8, "invalid receipt")
	// ErrInvalidSignature: a beacon round that its group did not sign.
	ErrInvalidSignature = errors.Register(ModuleName, 9, "invalid beacon signature")
	// ErrInvalidGenesis: a genesis state that contradicts itself.
	ErrInvalidGenesis = errors.Register(ModuleName, 10, "invalid genesis")
	// ErrBroken: the module's records contradict each other.
	ErrBroken = errors.Register(ModuleName, 11, "broken records")
	// ErrEpochNotFound: the epoch has not closed yet, or its pots have matured long ago.
	ErrEpochNotFound = errors.RegisterWithGRPCCode(ModuleName, 12, codes.NotFound, "epoch not found")
	// ErrCommitmentNotFound: the provider has not committed to the epoch.
	ErrCommitmentNotFound = errors.RegisterWithGRPCCode(ModuleName, 13, codes.NotFound, "commitment not found")
	// ErrForcedNotFound: no such request, or it is answered.
	ErrForcedNotFound = errors.RegisterWithGRPCCode(ModuleName, 14, codes.NotFound, "forced opening not found")
	// ErrCommitted: an epoch is committed to once.
	ErrCommitted = errors.Register(ModuleName, 15, "committed already")
	// ErrTooLate: the time for this is over.
	ErrTooLate = errors.Register(ModuleName, 16, "too late")
	// ErrTooEarly: the time for this has not come.
	ErrTooEarly = errors.Register(ModuleName, 17, "too early")
	// ErrNoPot: nothing was earned in that denom.
	ErrNoPot = errors.Register(ModuleName, 18, "nothing was earned")
	// ErrBeyondAccrual: more is claimed than accrued.
	ErrBeyondAccrual = errors.Register(ModuleName, 19, "more than accrued")
	// ErrNotAudited: no openings are awaited.
	ErrNotAudited = errors.Register(ModuleName, 20, "not audited")
	// ErrOpened: the openings of that denom are posted.
	ErrOpened = errors.Register(ModuleName, 21, "opened already")
	// ErrNotAwaited: nothing is drawn by that round.
	ErrNotAwaited = errors.Register(ModuleName, 22, "round is not awaited")
	// ErrKnown: somebody else has posted that round.
	ErrKnown = errors.Register(ModuleName, 23, "round is known")
	// ErrUndecided: the epoch's pot is not credited yet.
	ErrUndecided = errors.Register(ModuleName, 24, "not decided yet")
	// ErrNothing: there is nothing left to pay back.
	ErrNothing = errors.Register(ModuleName, 25, "nothing to refund")
	// ErrNotProven: the commitment is not proven, so that its leaves are of no use.
	ErrNotProven = errors.Register(ModuleName, 26, "not proven")
	// ErrUnproven: nothing counts as proven of that lease any more.
	ErrUnproven = errors.Register(ModuleName, 27, "withheld already")
	// ErrForced: the leaf is asked for already.
	ErrForced = errors.Register(ModuleName, 28, "asked for already")
	// ErrStaleReceipt: one of the same or a higher seq is on the chain.
	ErrStaleReceipt = errors.Register(ModuleName, 30, "receipt is not newer")
	// ErrInvalidAnswers: no answers, too many, or one that shows not exactly one thing.
	ErrInvalidAnswers = errors.Register(ModuleName, 31, "invalid answers")
	// ErrDisowned: an epoch is taken back once in probation_epochs.
	ErrDisowned = errors.Register(ModuleName, 32, "disowned too lately")
)
