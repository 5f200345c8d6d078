package types

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Hooks tell the module above what has changed at a provider, and ask it what bond it wants. An error of any of them
// refuses what caused the call.
type Hooks interface {
	// AfterBonded is called when a provider has put more at stake.
	AfterBonded(ctx context.Context, operator sdk.AccAddress) error
	// AfterJailed is called once a provider is jailed, slashed already: its leases end at that second. It is not called when
	// the time of one that is jailed is made longer.
	AfterJailed(ctx context.Context, operator sdk.AccAddress, number, at uint64) error
	// AfterUnjailed is called when a provider may take leases again.
	AfterUnjailed(ctx context.Context, operator sdk.AccAddress) error
	// AfterLeaving is called once a provider takes no new leases for good: those that it has end after notice.
	AfterLeaving(ctx context.Context, operator sdk.AccAddress, number, at uint64) error
	// AfterAttested is called when an auditor has said something of a provider, or what was said has been dropped.
	AfterAttested(ctx context.Context, operator sdk.AccAddress) error
	// AfterReputed is called when the reputation of a provider has risen.
	AfterReputed(ctx context.Context, operator sdk.AccAddress) error
	// Required returns the bond that a provider must hold at present, by denom.
	Required(ctx context.Context, operator sdk.AccAddress) (sdk.Coins, error)
}
