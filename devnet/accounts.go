package devnet

import (
	"fmt"

	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
)

// Names of a devnet's keys.
const (
	KeyTenant = "tenant" // the account that commands use unless told otherwise
	KeyFaucet = "faucet"
)

// KeyOperator is the name of a provider's operator key.
func KeyOperator(i int) string { return agentName(i) }

// KeyAgent is the name of a provider's agent key.
func KeyAgent(i int) string { return agentName(i) + "-agent" }

const micro = 1_000_000 // of a display unit

// Stable is the denom of a coin that stands in for a stable coin of another chain, which a public network gets over IBC.
// It settles leases beside the native coin; ten to the power of six are one STABLE.
const Stable = "ustable"

const stableDisplay = "stable"

// account is a key with the coins that it starts with, in their micro-denoms.
type account struct {
	key            string
	souks, stables int64
}

func (c Config) accounts() []account {
	all := []account{{KeyTenant, 100_000 * micro, 100_000 * micro}, {KeyFaucet, 100_000_000 * micro, 100_000_000 * micro}}
	for i := range c.Validators {
		all = append(all, account{nodeName(i), 1_000_000 * micro, 0})
	}
	for i := range c.Providers {
		all = append(all, account{KeyOperator(i), 100_000 * micro, 100_000 * micro}, account{KeyAgent(i), 1_000 * micro, 0})
	}
	return all
}

// coins are what the account starts with.
func (a account) coins() sdk.Coins {
	return sdk.NewCoins(sdk.NewInt64Coin(scope.Denom, a.souks), sdk.NewInt64Coin(Stable, a.stables))
}

// Keyring opens the keys of all accounts.
func (n *Network) Keyring() (keyring.Keyring, error) {
	encoding, err := client.NewEncoding()
	if err != nil {
		return nil, err
	}
	ring, err := keyring.New(scope.AppName, keyring.BackendTest, n.KeyringDir(), nil, encoding.Codec)
	if err != nil {
		return nil, fmt.Errorf("open the keyring of the devnet: %w", err)
	}
	return ring, nil
}

// makeKeys makes the keys of all accounts and returns their addresses in the same order.
func (n *Network) makeKeys() ([]string, error) {
	ring, err := n.Keyring()
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, a := range n.accounts() {
		key, _, err := ring.NewMnemonic(a.key, keyring.English, hd.CreateHDPath(scope.CoinType, 0, 0).String(),
			keyring.DefaultBIP39Passphrase, hd.Secp256k1)
		if err != nil {
			return nil, fmt.Errorf("make key %s: %w", a.key, err)
		}
		raw, err := key.GetAddress()
		if err != nil {
			return nil, fmt.Errorf("read the address of key %s: %w", a.key, err)
		}
		address, err := scope.AddressCodec().BytesToString(raw)
		if err != nil {
			return nil, fmt.Errorf("encode the address of key %s: %w", a.key, err)
		}
		addresses = append(addresses, address)
	}
	return addresses, nil
}
