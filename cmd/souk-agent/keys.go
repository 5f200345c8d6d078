package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent"
	"github.com/souk-network/souk/agent/config"
	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
)

// tlsKeyPath is where the gateway's key is kept, beside the account's: both are what a provider is restored from.
func tlsKeyPath(cfg config.Config) string { return filepath.Join(cfg.Home, "tls.key") }

// openKeyring opens the agent's keyring without a person at hand.
func openKeyring(cfg config.Config) (keyring.Keyring, error) {
	encoding, err := client.NewEncoding()
	if err != nil {
		return nil, err
	}
	var input io.Reader = strings.NewReader("")
	if cfg.KeyringBackend == keyring.BackendFile {
		if input, err = client.Passphrase(cfg.KeyringPassphrase); err != nil {
			return nil, fault.New("the keyring can not be opened", err, "souk-agent init, or point --keyring-passphrase-file to the file that opens it")
		}
	}
	return client.OpenKeyring(encoding, cfg.KeyringBackend, cfg.KeyringDir, input)
}

// ensurePassphrase makes the file that opens the file keyring, when there is none.
func ensurePassphrase(cfg config.Config) error {
	if cfg.KeyringBackend != keyring.BackendFile {
		return nil
	}
	_, err := os.Stat(cfg.KeyringPassphrase)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(cfg.KeyringPassphrase, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make passphrase file: %w", err)
	}
	_, err = fmt.Fprintln(file, rand.Text())
	return errors.Join(err, file.Sync(), file.Close())
}

// ensureKey makes the agent's key when there is none, and gives the words that restore it then.
func ensureKey(ring keyring.Keyring, name string) (mnemonic string, err error) {
	_, err = ring.Key(name)
	if err == nil {
		return "", nil
	}
	if !isMissing(err) {
		return "", fmt.Errorf("look for key %q: %w", name, err)
	}
	path := sdk.GetConfig().GetFullBIP44Path()
	_, mnemonic, err = ring.NewMnemonic(name, keyring.English, path, keyring.DefaultBIP39Passphrase, hd.Secp256k1)
	if err != nil {
		return "", fmt.Errorf("make key %q: %w", name, err)
	}
	return mnemonic, nil
}

// identify says who this agent is, making the TLS key when there is none.
func identify(cfg config.Config, ring keyring.Keyring) (agent.Identity, error) {
	address, err := client.KeyAddress(ring, cfg.Key)
	if err != nil {
		return agent.Identity{}, fault.New("the agent has no key", err, "souk-agent init, or restore the key: souk keys add "+cfg.Key+
			" --recover --keyring-backend "+cfg.KeyringBackend+" --keyring-dir "+cfg.KeyringDir)
	}
	key, err := gateway.LoadKey(tlsKeyPath(cfg))
	if err != nil {
		return agent.Identity{}, err
	}
	hash, err := gateway.KeyHash(key)
	if err != nil {
		return agent.Identity{}, err
	}
	return agent.Identity{Agent: address.String(), Operator: cfg.Provider, KeyHash: hash, Gateway: cfg.GatewayURI}, nil
}
