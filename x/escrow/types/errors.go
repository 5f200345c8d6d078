package types

import (
	"google.golang.org/grpc/codes"

	"cosmossdk.io/errors"
)

// Errors of the module. Code 1 is reserved by the SDK.
var (
	// ErrUnauthorized: only governance may do this.
	ErrUnauthorized = errors.Register(ModuleName, 2, "not the governance account")
	// ErrInvalidParams: parameters out of range.
	ErrInvalidParams = errors.Register(ModuleName, 3, "invalid parameters")
	// ErrInvalidAmount: an amount that is zero, negative or too large.
	ErrInvalidAmount = errors.Register(ModuleName, 4, "invalid amount")
	// ErrInvalidRate: a rate that is zero or too high.
	ErrInvalidRate = errors.Register(ModuleName, 5, "invalid rate")
	// ErrInvalidAddress: not an account that can receive coins.
	ErrInvalidAddress = errors.Register(ModuleName, 6, "invalid address")
	// ErrInvalidSecond: a second that lies in the future, or a span too long to be paid.
	ErrInvalidSecond = errors.Register(ModuleName, 7, "invalid second")
	// ErrInvalidKind: a stream kind that is not known.
	ErrInvalidKind = errors.Register(ModuleName, 8, "invalid stream kind")
	// ErrDenom: a denom that is not a settlement currency, or not the account's.
	ErrDenom = errors.Register(ModuleName, 9, "denom not accepted")
	// ErrAccountNotFound: no such account.
	ErrAccountNotFound = errors.RegisterWithGRPCCode(ModuleName, 10, codes.NotFound, "account not found")
	// ErrStreamNotFound: no such stream.
	ErrStreamNotFound = errors.RegisterWithGRPCCode(ModuleName, 11, codes.NotFound, "stream not found")
	// ErrAccountClosed: the account has refunded what was left.
	ErrAccountClosed = errors.Register(ModuleName, 12, "account is closed")
	// ErrExhausted: the account ran out of funds; a later deposit cannot revive it.
	ErrExhausted = errors.Register(ModuleName, 13, "account is exhausted")
	// ErrBehind: the account ran out of funds at a second whose deadlines are not processed yet.
	ErrBehind = errors.Register(ModuleName, 14, "account is due, try again in a few blocks")
	// ErrInsufficientFunds: the free balance does not suffice.
	ErrInsufficientFunds = errors.Register(ModuleName, 15, "insufficient funds in account")
	// ErrTooManyStreams: the account has as many streams as it may, or one was replaced as often as it may be.
	ErrTooManyStreams = errors.Register(ModuleName, 16, "too many streams")
	// ErrAccountBusy: streams are open or money is held.
	ErrAccountBusy = errors.Register(ModuleName, 17, "account is in use")
	// ErrInvalidHold: more is released than is held.
	ErrInvalidHold = errors.Register(ModuleName, 18, "invalid hold")
	// ErrNothingToWithdraw: no matured earnings of one micro-denom or more.
	ErrNothingToWithdraw = errors.Register(ModuleName, 19, "nothing to withdraw")
	// ErrNotQuarantined: no such item in quarantine.
	ErrNotQuarantined = errors.Register(ModuleName, 20, "item is not quarantined")
	// ErrUnknownSource: no such deadline source.
	ErrUnknownSource = errors.Register(ModuleName, 21, "unknown deadline source")
	// ErrInvalidGenesis: a genesis state that contradicts itself.
	ErrInvalidGenesis = errors.Register(ModuleName, 22, "invalid genesis")
	// ErrBroken: money is missing or an amount is negative.
	ErrBroken = errors.Register(ModuleName, 23, "books do not balance")
	// ErrEpochPot: no such epoch pot, or not at this stage: credited before, not credited yet, matured, or not matured yet.
	ErrEpochPot = errors.Register(ModuleName, 24, "epoch pot does not allow this")
	// ErrPanic: an item of a block hook panicked.
	ErrPanic = errors.Register(ModuleName, 25, "panic")
	// ErrInvalidRequest: a query without what it needs.
	ErrInvalidRequest = errors.RegisterWithGRPCCode(ModuleName, 26, codes.InvalidArgument, "invalid request")
	// ErrLow: the account's runway is low, so that it takes no new obligations.
	ErrLow = errors.Register(ModuleName, 27, "account is low on funds")
	// ErrHalted: governance has halted the denom.
	ErrHalted = errors.Register(ModuleName, 28, "denom is halted")
	// ErrGrant: no grant for this deposit, or one that does not allow it.
	ErrGrant = errors.Register(ModuleName, 29, "deposit is not granted")
	// ErrTooManyDeposits: the account has as many entries as it may.
	ErrTooManyDeposits = errors.Register(ModuleName, 30, "too many depositors")
	// ErrNothingDue: a deadline source was asked for an item that it does not have.
	ErrNothingDue = errors.Register(ModuleName, 31, "nothing is due")
)
