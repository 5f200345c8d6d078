package types

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
)

// AccountKeeper knows the module's own account.
type AccountKeeper interface {
	GetModuleAddress(name string) sdk.AccAddress
	GetModuleAccount(ctx context.Context, name string) sdk.ModuleAccountI
}

// BankKeeper moves bonds.
type BankKeeper interface {
	BlockedAddr(addr sdk.AccAddress) bool
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
	GetAllBalances(ctx context.Context, addr sdk.AccAddress) sdk.Coins
	SendCoinsFromAccountToModule(ctx context.Context, sender sdk.AccAddress, recipient string, coins sdk.Coins) error
	SendCoinsFromModuleToAccount(ctx context.Context, sender string, recipient sdk.AccAddress, coins sdk.Coins) error
	BurnCoins(ctx context.Context, module string, coins sdk.Coins) error
}

// CommunityPool receives half of what is slashed.
type CommunityPool interface {
	FundCommunityPool(ctx context.Context, coins sdk.Coins, sender sdk.AccAddress) error
}

// EscrowKeeper tells the time, knows the currencies, pays earnings and compensates tenants.
type EscrowKeeper interface {
	Now(ctx context.Context) (uint64, error)
	Clock(ctx context.Context) (escrowtypes.Clock, error)
	Params(ctx context.Context) (escrowtypes.Params, error)
	IsSettlementDenom(ctx context.Context, denom string) (bool, error)
	AddFunds(ctx context.Context, account uint64, amount sdk.Coin, fromModule string) error
	WithdrawEarnings(ctx context.Context, payee, recipient sdk.AccAddress, denom string) (net, fee sdk.Coin, err error)
}
