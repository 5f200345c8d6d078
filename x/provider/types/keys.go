// Package types holds the protobuf types of x/provider with their validation, errors, events, and the interfaces that
// the module asks of those below it. It knows no stores, no leases and no market.
package types

import "cosmossdk.io/collections"

const (
	// ModuleName names the module and its account, which holds all bonds.
	ModuleName = "provider"
	// StoreKey names the module's store.
	StoreKey = ModuleName
	// NativeDenom is the denom whose slashed half is burnt.
	NativeDenom = "usouk"
)

// Store prefixes.
var (
	ParamsKey       = collections.NewPrefix(0)
	ProvidersKey    = collections.NewPrefix(1)
	AgentsKey       = collections.NewPrefix(2)
	RequirementsKey = collections.NewPrefix(3)
)
