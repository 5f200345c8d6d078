package types

import (
	"context"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// EscrowKeeper keeps the time and the tenants' money. A lease is the ref of its stream.
type EscrowKeeper interface {
	// Now returns the whole service second.
	Now(ctx context.Context) (uint64, error)
	// Params returns the parameters in force.
	Params(ctx context.Context) (escrowtypes.Params, error)
	// IsSettlementDenom tells whether accounts may hold a denom.
	IsSettlementDenom(ctx context.Context, denom string) (bool, error)
	// OpenAccount takes the deposit from the owner, or from a granter who allowed it, and returns the id of a new account.
	OpenAccount(ctx context.Context, owner sdk.AccAddress, deposit sdk.Coin, granter sdk.AccAddress) (account uint64, err error)
	// EndAccount closes the open streams of an account now, and refunds what is left. Nothing may be held.
	EndAccount(ctx context.Context, account uint64) (refunded sdk.Coin, err error)
	// Hold reserves what a lease of this rate needs until it is acknowledged, in grains.
	Hold(ctx context.Context, account, ratePerHour, ackWindowSeconds uint64) (heldGrains math.Int, err error)
	// RateRoom returns the highest rate that Hold would reserve now; each Hold takes its rate off it.
	RateRoom(ctx context.Context, account, ackWindowSeconds uint64) (ratePerHour uint64, err error)
	// Release gives back what Hold reserved.
	Release(ctx context.Context, account uint64, heldGrains math.Int) error
	// PayHold pays once for capacity that was kept free, at most the free balance.
	PayHold(ctx context.Context, account, ref uint64, payee sdk.AccAddress, ratePerHour, seconds uint64) error
	// OpenHeldStream gives back what Hold reserved and pays from now on.
	OpenHeldStream(ctx context.Context, account, ref uint64, payee sdk.AccAddress, ratePerHour uint64, kind escrowtypes.StreamKind, held math.Int) (stream escrowtypes.Stream, err error)
	// CloseStream stops a stream at a second that is not in the future.
	CloseStream(ctx context.Context, stream, at uint64) error
	// ServeStream closes the hold stream of a standby now and opens a service stream of a rate in its place, paused if the
	// account is low.
	ServeStream(ctx context.Context, stream, ratePerHour uint64) (escrowtypes.Stream, error)
	// ReplaceStream closes a stream now and opens one of another rate in its place, paused if it was.
	ReplaceStream(ctx context.Context, stream, ratePerHour uint64) (escrowtypes.Stream, error)
	// TryResume resumes what is paused of an account that can pay for it again.
	TryResume(ctx context.Context, account uint64) (resumed bool, err error)
	// RetainUntil returns the second from which nothing that closes now can be claimed any more.
	RetainUntil(ctx context.Context) (second uint64, err error)
	// Account returns an account as of its last touch.
	Account(ctx context.Context, id uint64) (escrowtypes.Account, error)
	// Stream returns a stream, open or closed.
	Stream(ctx context.Context, id uint64) (escrowtypes.Stream, error)
}

// BankKeeper moves what a challenger pays.
type BankKeeper interface {
	SendCoins(ctx context.Context, from, to sdk.AccAddress, amount sdk.Coins) error
}

// ProviderKeeper knows who provides, and what they have at stake. Providers are named by their operators.
type ProviderKeeper interface {
	// GetProvider returns a provider.
	GetProvider(ctx context.Context, operator sdk.AccAddress) (providertypes.Provider, error)
	// ProviderByNumber returns the operator of a provider by its number.
	ProviderByNumber(ctx context.Context, number uint64) (sdk.AccAddress, error)
	// Authorize returns the provider if the signer is its operator or its agent.
	Authorize(ctx context.Context, signer, operator string) (providertypes.Provider, error)
	// ProviderOfAgent returns the provider for which an account works.
	ProviderOfAgent(ctx context.Context, agent sdk.AccAddress) (providertypes.Provider, error)
	// AttestationsOf returns what auditors say of a provider, expired attestations included.
	AttestationsOf(ctx context.Context, operator sdk.AccAddress) ([]providertypes.Attestation, error)
	// BondOf returns what a provider has at stake.
	BondOf(ctx context.Context, operator sdk.AccAddress) (sdk.Coins, error)
	// SetRequirement tells what a provider must have at stake.
	SetRequirement(ctx context.Context, operator sdk.AccAddress, coins sdk.Coins) error
	// GetParams returns the hours of lease rates and of free capacity that must be bonded.
	GetParams(ctx context.Context) (providertypes.Params, error)
	// SlashToAccount moves bond, as much as there is of the amount, into a tenant's account.
	SlashToAccount(
		ctx context.Context, operator sdk.AccAddress, amount sdk.Coin, account uint64, reason string,
	) (slashed sdk.Coin, err error)
	// SlashToPublic takes bond, as much as there is of the amount: a part is burnt, the rest goes to the community pool.
	SlashToPublic(ctx context.Context, operator sdk.AccAddress, amount sdk.Coin, reason string) (slashed sdk.Coin, err error)
	// Note counts leases of a provider that began or ended in a way.
	Note(ctx context.Context, operator sdk.AccAddress, outcome providertypes.Outcome, n uint64) error
}
