// Package types holds the protobuf types of x/provider with their validation, errors, events, and the interfaces that
// the module asks of those below it. It knows no stores, no leases and no market.
package types

import "cosmossdk.io/collections"

const (
	// ModuleName names the module and its account, which holds all bonds.
	ModuleName = "provider"
	// StoreKey names the module's store.
	StoreKey = ModuleName
	// UnbondingSource names the queue of bond on its way back.
	UnbondingSource = "unbonding"
	// RotationSource names the queue of agents that take over.
	RotationSource = "rotation"
	// NativeDenom is the denom whose slashed half is burnt.
	NativeDenom = "usouk"
)

// Store prefixes.
var (
	ParamsKey       = collections.NewPrefix(0)
	ProvidersKey    = collections.NewPrefix(1)
	AgentsKey       = collections.NewPrefix(2)
	RequirementsKey = collections.NewPrefix(3)
	NextNumberKey   = collections.NewPrefix(4)
	UnbondingsKey   = collections.NewPrefix(5)
	// UnbondingsOfKey is the index of unbondings by (provider, second, id).
	UnbondingsOfKey   = collections.NewPrefix(6)
	UnbondingQueueKey = collections.NewPrefix(7)
	NextUnbondingKey  = collections.NewPrefix(8)
	RotationQueueKey  = collections.NewPrefix(9)
	NumbersKey        = collections.NewPrefix(10)
	AttestationsKey   = collections.NewPrefix(11)
	AttestationsByKey = collections.NewPrefix(12)
	RecordsKey        = collections.NewPrefix(13)
)
