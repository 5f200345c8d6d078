package types

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Hooks tell the module above that a provider can do more than before.
type Hooks interface {
	// AfterBonded is called when a provider has put more at stake. An error refuses the bond.
	AfterBonded(ctx context.Context, operator sdk.AccAddress) error
}
