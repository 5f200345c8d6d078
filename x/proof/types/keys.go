// Package types holds the protobuf types of x/proof with their validation, errors, events, the interfaces that the module asks
// of those below it, and the arithmetic by which audits are drawn and leaves are checked: the chain and agents must agree on it
// to the bit. It knows no stores.
package types

import "cosmossdk.io/collections"

const (
	// ModuleName names the module and its account, which holds the bonds of forced openings.
	ModuleName = "proof"
	// StoreKey names the module's store.
	StoreKey = ModuleName
	// EpochSource names the queue of what an epoch comes to: its seed, the end of the late window, its end here.
	EpochSource = "proof/epoch"
	// OpenSource names the queue of audits that must be answered, by commitment.
	OpenSource = "proof/open"
	// ForcedSource names the queue of leaves that were asked for, by request.
	ForcedSource = "proof/forced"
	// JailSource names the queue of providers whose leases failed too often, by their number.
	JailSource = "proof/jail"
	// NativeDenom is the denom of bonds that count for the turnout of an epoch.
	NativeDenom = "usouk"
)

// Store prefixes.
var (
	ParamsKey = collections.NewPrefix(0)

	EpochsKey     = collections.NewPrefix(1)
	DrawingKey    = collections.NewPrefix(2)
	TurnoutsKey   = collections.NewPrefix(3)
	EpochQueueKey = collections.NewPrefix(4)

	NextCommitmentKey = collections.NewPrefix(5)
	CommitmentsKey    = collections.NewPrefix(6)
	// CommitmentsOfKey is the index of commitments by (provider, epoch).
	CommitmentsOfKey = collections.NewPrefix(7)
	// CommitmentsInKey is the index of commitments by (epoch, id).
	CommitmentsInKey = collections.NewPrefix(8)
	OpenQueueKey     = collections.NewPrefix(9)

	// AwaitingEpochsKey is the index of epochs that wait for a round, by (round, epoch).
	AwaitingEpochsKey = collections.NewPrefix(10)
	// AwaitingLateKey is the index of late commitments that wait for a round, by (round, id); of those whose round is not named yet by (0, id).
	AwaitingLateKey = collections.NewPrefix(11)
	// LateDueKey is the same by (second at which block hashes draw them, id).
	LateDueKey     = collections.NewPrefix(12)
	RoundsKey      = collections.NewPrefix(13)
	RipeRoundsKey  = collections.NewPrefix(14)
	BlockHashesKey = collections.NewPrefix(15)

	// ExpectedKey is by (epoch, number of the provider).
	ExpectedKey = collections.NewPrefix(16)
	// ExpectedOfKey is the index of the same by (provider, epoch).
	ExpectedOfKey = collections.NewPrefix(17)

	NextFaultKey = collections.NewPrefix(18)
	FaultsKey    = collections.NewPrefix(19)
	FaultsOfKey  = collections.NewPrefix(20)
	StandingsKey = collections.NewPrefix(21)
	JailQueueKey = collections.NewPrefix(22)

	NextForcedKey = collections.NewPrefix(23)
	ForcedKey     = collections.NewPrefix(24)
	ForcedOfKey   = collections.NewPrefix(25)
	// ForcedForKey is the index of forced openings by (lease, epoch).
	ForcedForKey   = collections.NewPrefix(26)
	ForcedQueueKey = collections.NewPrefix(27)
	ForcedBondsKey = collections.NewPrefix(28)

	// ClaimsKey and PostedKey are by (epoch, lease).
	ClaimsKey = collections.NewPrefix(29)
	PostedKey = collections.NewPrefix(30)
)
