package tenant

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"

	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/cmd/souk/session"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// login is a session key of one deployment, which stands in for the account's own key at providers until it expires.
type login struct {
	ChainID    string    `json:"chain_id"`
	Deployment uint64    `json:"deployment"`
	Name       string    `json:"name"`
	Owner      string    `json:"owner"`
	From       string    `json:"from"` // name of the owner's key in the keyring
	Address    string    `json:"address"`
	Scopes     []string  `json:"scopes"` // of the access key on the chain
	Expires    time.Time `json:"expires"`
	Key        string    `json:"key"` // secp256k1, hex
}

// allows tells whether the session key may do something at a provider.
func (l login) allows(s token.Scope, now time.Time) bool {
	var held []markettypes.Scope
	for _, name := range l.Scopes {
		held = append(held, scopes[name])
	}
	return now.Before(l.Expires) && slices.Contains(token.ScopesOf(held), s)
}

// signer signs tokens with the session key.
func (l login) signer() (token.Signer, error) {
	bz, err := hex.DecodeString(l.Key)
	if err != nil || len(bz) != secp256k1.PrivKeySize {
		return token.Signer{}, fmt.Errorf("the session key of %s can not be read", l.Name)
	}
	return signerOf(&secp256k1.PrivKey{Key: bz}), nil
}

func signerOf(key *secp256k1.PrivKey) token.Signer {
	return token.Signer{Public: &secp256k1.PubKey{Key: key.PubKey().Bytes()}, Sign: key.Sign}
}

// newLogin makes a session key.
func newLogin(chainID, owner, from string, d *open, scopes []string, expires time.Time) (login, error) {
	key := secp256k1.GenPrivKey()
	address, err := scope.AddressCodec().BytesToString(key.PubKey().Address())
	if err != nil {
		return login{}, err
	}
	return login{
		ChainID: chainID, Deployment: d.Id, Name: d.Name, Owner: owner, From: from, Address: address, Scopes: scopes,
		Expires: expires, Key: hex.EncodeToString(key.Bytes()),
	}, nil
}

// logins are the session keys of a network that a home folder holds, each in a file that only its owner can read.
type logins struct{ dir string }

func loginsIn(home, chainID string) logins { return logins{filepath.Join(home, "logins", chainID)} }

func (l logins) file(deployment uint64) string {
	return filepath.Join(l.dir, fmt.Sprintf("%d.json", deployment))
}

// keep writes a session key.
func (l logins) keep(item login) error {
	bz, err := json.Marshal(item)
	if err != nil {
		return fmt.Errorf("encode the session key: %w", err)
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of session keys: %w", err)
	}
	return session.WriteDurably(l.file(item.Deployment), bz)
}

// forget removes a session key; there may be none.
func (l logins) forget(deployment uint64) error {
	err := os.Remove(l.file(deployment))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// of returns the session key of a deployment; it may have expired.
func (l logins) of(deployment uint64) (login, bool, error) {
	bz, err := os.ReadFile(l.file(deployment))
	if errors.Is(err, fs.ErrNotExist) {
		return login{}, false, nil
	}
	if err != nil {
		return login{}, false, fmt.Errorf("read the session key of deployment %d: %w", deployment, err)
	}
	var item login
	if err := json.Unmarshal(bz, &item); err != nil {
		return login{}, false, fmt.Errorf("decode %s: %w", l.file(deployment), err)
	}
	return item, true, nil
}

// all lists the session keys.
func (l logins) all() ([]login, error) {
	found, err := filepath.Glob(filepath.Join(l.dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var out []login
	for _, file := range found {
		var item login
		bz, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(bz, &item)
		}
		if err != nil {
			return nil, fmt.Errorf("read session key %s: %w", file, err)
		}
		out = append(out, item)
	}
	slices.SortFunc(out, func(a, b login) int { return int(min(max(int64(a.Deployment)-int64(b.Deployment), -1), 1)) })
	return out, nil
}

// ownerOf is the account for which somebody of a key's name is logged in; empty if nobody is. With it the key itself need
// not be opened.
func (l logins) ownerOf(from string, now time.Time) (string, error) {
	all, err := l.all()
	if err != nil {
		return "", err
	}
	for _, item := range all {
		if item.From == from && now.Before(item.Expires) {
			return item.Owner, nil
		}
	}
	return "", nil
}
