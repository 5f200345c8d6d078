package keeper

import (
	"context"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// AccountKeeper knows the module's own account.
type AccountKeeper interface {
	GetModuleAddress(name string) sdk.AccAddress
	GetModuleAccount(ctx context.Context, name string) sdk.ModuleAccountI
}

// BankKeeper moves the bonds of forced openings, and what is paid for rounds.
type BankKeeper interface {
	GetBalance(ctx context.Context, addr sdk.AccAddress, denom string) sdk.Coin
	SendCoinsFromAccountToModule(ctx context.Context, sender sdk.AccAddress, recipient string, coins sdk.Coins) error
	SendCoinsFromModuleToAccount(ctx context.Context, sender string, recipient sdk.AccAddress, coins sdk.Coins) error
}

// EscrowKeeper tells the time, knows what was earned and by which streams, and books what is proven.
type EscrowKeeper interface {
	// Now returns the whole service second.
	Now(ctx context.Context) (uint64, error)
	// Clock returns the running epoch.
	Clock(ctx context.Context) (escrowtypes.Clock, error)
	// Params returns the length of epochs and the hold-back.
	Params(ctx context.Context) (escrowtypes.Params, error)
	// EpochPot returns what a payee earned in an epoch that has closed, rolled up to now if it was not; ErrEpochPot if nothing.
	EpochPot(ctx context.Context, payee sdk.AccAddress, denom string, epoch uint64) (escrowtypes.EpochPot, error)
	// Due returns what the SERVICE streams of a lease, the given one and those before it, paid in a span of seconds.
	Due(ctx context.Context, stream, from, until uint64) (escrowtypes.Due, error)
	// Credit splits the service accrual of an epoch pot, once: proven grains are payable, the rest is refundable.
	Credit(ctx context.Context, payee sdk.AccAddress, denom string, epoch uint64, proven math.Int) error
	// Forfeit takes all that is not paid yet of an epoch pot from its payee, and returns how many grains.
	Forfeit(ctx context.Context, payee sdk.AccAddress, denom string, epoch uint64) (grains math.Int, err error)
	// SettleForfeited gives what nobody has claimed of a forfeited epoch pot to the public, once it has matured.
	SettleForfeited(ctx context.Context, payee sdk.AccAddress, denom string, epoch uint64) error
	// Refund gives grains of an epoch pot that has not matured back to an account that had paid into it, as far as they are
	// there, and returns how many.
	Refund(
		ctx context.Context, payee sdk.AccAddress, denom string, epoch, account uint64, grains math.Int,
	) (paid math.Int, err error)
}

// ProviderKeeper knows who provides, what they have at stake and how they are judged. Providers are named by their operators.
type ProviderKeeper interface {
	// GetProvider returns a provider.
	GetProvider(ctx context.Context, operator sdk.AccAddress) (providertypes.Provider, error)
	// ProviderByNumber returns the operator of a provider by its number.
	ProviderByNumber(ctx context.Context, number uint64) (sdk.AccAddress, error)
	// Authorize returns the provider if the signer is its operator or its agent.
	Authorize(ctx context.Context, signer, operator string) (providertypes.Provider, error)
	// BondOf returns what a provider has at stake, without what is unbonding.
	BondOf(ctx context.Context, operator sdk.AccAddress) (sdk.Coins, error)
	// SetReputation notes how well a provider proves, in parts per million.
	SetReputation(ctx context.Context, operator sdk.AccAddress, ppm uint32) error
	// SlashShare takes a share of all that a provider has at stake, for the public.
	SlashShare(ctx context.Context, operator sdk.AccAddress, bps uint32, reason string) (slashed sdk.Coins, err error)
	// SlashToAccount moves what is at stake, as much as there is of the amount, into a tenant's account.
	SlashToAccount(
		ctx context.Context, operator sdk.AccAddress, amount sdk.Coin, account uint64, reason string,
	) (slashed sdk.Coin, err error)
	// Jail ends the leases of a provider, and keeps it from new ones for so many seconds.
	Jail(ctx context.Context, operator sdk.AccAddress, seconds uint64, slashBps uint32, reason string) error
}

// MarketKeeper knows the leases and whose they are.
type MarketKeeper interface {
	// Lease returns a lease, ended ones too until nothing can be claimed of them.
	Lease(ctx context.Context, id uint64) (markettypes.Lease, error)
	// Deployment returns a deployment, closed ones too as long as a lease of it is kept.
	Deployment(ctx context.Context, id uint64) (markettypes.Deployment, error)
	// LeasesOf returns a page of all leases of a provider that are kept, by id.
	LeasesOf(
		ctx context.Context, operator sdk.AccAddress, page *query.PageRequest,
	) ([]markettypes.Lease, *query.PageResponse, error)
}
