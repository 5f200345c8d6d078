package client

import (
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Ledger keeps what was spent of a fee budget over restarts. Its writes must be durable when they return.
type Ledger interface {
	// Spent is what was reserved and not released since the window began; a zero time for no window.
	Spent() (since time.Time, spent sdk.Coins)
	// Reserve is called before the first broadcast of a transaction, in the window that began at since; an error keeps it from
	// being sent. What was reserved in another window is forgotten. What a kill leaves reserved counts as paid.
	Reserve(since time.Time, hash string, fee sdk.Coins) error
	// Release is called when it is certain that the fee was not taken.
	Release(hash string) error
}

// noLedger is of a budget for one process.
type noLedger struct{}

func (noLedger) Spent() (since time.Time, spent sdk.Coins)  { return time.Time{}, nil }
func (noLedger) Reserve(time.Time, string, sdk.Coins) error { return nil }
func (noLedger) Release(string) error                       { return nil }
