// Package types holds the protobuf types of x/escrow with their validation, errors, events and the interfaces that
// the module offers to those above it (Hooks, DeadlineSource, CreditPolicy) and asks of those below it.
// It knows no stores and no other module of Souk.
package types

import "cosmossdk.io/collections"

const (
	// ModuleName names the module and its account.
	ModuleName = "escrow"
	// StoreKey names the module's store.
	StoreKey = ModuleName
	// AccountSource names the queue of accounts that are due to be paused or to end, by account id.
	AccountSource = "escrow/account"
	// RetainedSource names the queue of what is forgotten once no claim can refer to it, by the id of a stream, or account x
	// 2^20 for a whole account.
	RetainedSource = "escrow/retained"
	// PotSource names pots in quarantine, by PotID. They are not due at a second: every sweep tries them again.
	PotSource = "escrow/pot"
	// EpochSource names closed epochs in quarantine of which the credit policy could not be told, by number. Every later close
	// of an epoch tries again.
	EpochSource = "escrow/epoch"
)

// Store prefixes. Records do not repeat in their value what their key says.
var (
	ParamsKey        = collections.NewPrefix(0)
	ClockKey         = collections.NewPrefix(1)
	NextAccountKey   = collections.NewPrefix(2)
	AccountsKey      = collections.NewPrefix(3)
	OwnersKey        = collections.NewPrefix(4)
	DueAccountsKey   = collections.NewPrefix(5)
	OpenStreamsKey   = collections.NewPrefix(6)
	ClosedStreamsKey = collections.NewPrefix(7)
	PotsKey          = collections.NewPrefix(8)
	EpochPotsKey     = collections.NewPrefix(9)
	DustKey          = collections.NewPrefix(10)
	QuarantineKey    = collections.NewPrefix(11)
	SweepKey         = collections.NewPrefix(12)
	RetainedKey      = collections.NewPrefix(13)
	UntoldEpochsKey  = collections.NewPrefix(14)
)
