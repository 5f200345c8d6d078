// Package scope holds the names every Souk program must agree on before it does anything else: the address prefix, the
// native denom, and the Cosmos SDK's process-wide configuration. It is imported by the node, the command line, the
// agent's chain client and by tests, so it must not import the application or any module of it.
package scope

import (
	"fmt"
	"os"
	"sync"

	"cosmossdk.io/core/address"

	addresscodec "github.com/cosmos/cosmos-sdk/codec/address"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

const (
	// AppName is the name in version output, in the genesis file and of the keyring service.
	AppName = "souk"

	// AccountPrefix is the bech32 prefix of account addresses: souk1....
	AccountPrefix = "souk"
	// ValidatorPrefix is the bech32 prefix of validator operator addresses.
	ValidatorPrefix = AccountPrefix + "valoper"
	// ConsensusPrefix is the bech32 prefix of consensus addresses.
	ConsensusPrefix = AccountPrefix + "valcons"

	// Denom is the native denom of stake and fees; 10^DisplayExponent of it are one DisplayDenom.
	Denom = "usouk"
	// DisplayDenom is the denom that people read.
	DisplayDenom = "SOUK"
	// DisplayExponent is the number of decimals between Denom and DisplayDenom.
	DisplayExponent = 6

	// CoinType is the BIP-44 coin type of derived keys, the one of the Cosmos Hub, so that every wallet knows it.
	CoinType = 118
)

var once sync.Once

// Set fixes the Cosmos SDK's global configuration for this process. Every main and every TestMain that touches chain types
// calls it first; further calls do nothing.
//
// It also names the SDK's configuration scope: without one, the SDK asks the system for the executable's path and the
// host's name whenever it formats an address, which costs a busy node up to a fifth of its time.
func Set() {
	once.Do(set)
}

func set() {
	if err := os.Setenv(sdk.EnvConfigScope, AppName); err != nil {
		panic(fmt.Errorf("set %s: %w", sdk.EnvConfigScope, err))
	}
	sdk.DefaultBondDenom = Denom

	config := sdk.GetConfig()
	config.SetBech32PrefixForAccount(AccountPrefix, AccountPrefix+"pub")
	config.SetBech32PrefixForValidator(ValidatorPrefix, ValidatorPrefix+"pub")
	config.SetBech32PrefixForConsensusNode(ConsensusPrefix, ConsensusPrefix+"pub")
	config.SetCoinType(CoinType)
	config.Seal()
}

// AddressCodec returns the codec of account addresses.
func AddressCodec() address.Codec { return addresscodec.NewBech32Codec(AccountPrefix) }

// ValidatorAddressCodec returns the codec of validator operator addresses.
func ValidatorAddressCodec() address.Codec { return addresscodec.NewBech32Codec(ValidatorPrefix) }

// ConsensusAddressCodec returns the codec of consensus addresses.
func ConsensusAddressCodec() address.Codec { return addresscodec.NewBech32Codec(ConsensusPrefix) }
