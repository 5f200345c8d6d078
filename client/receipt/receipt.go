// Package receipt signs a tenant's receipts: its word on how long a lease was up in an epoch. It owns the signature; what the
// receipt says is decided elsewhere (package watch), and what it is worth by the chain.
package receipt

import (
	"fmt"

	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"

	"github.com/souk-network/souk/client/fault"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// Key signs receipts.
type Key struct {
	public []byte                           // compressed secp256k1, 33 bytes
	sign   func(msg []byte) ([]byte, error) // r | s, 64 bytes, over the SHA-256 of msg
}

// Local is a key that this program holds itself.
func Local(key *secp256k1.PrivKey) Key { return Key{public: key.PubKey().Bytes(), sign: key.Sign} }

// Named is a key of a keyring. One of another kind, or in a device that signs transactions only, is refused.
func Named(ring keyring.Keyring, name string) (Key, error) {
	record, err := ring.Key(name)
	if err != nil {
		return Key{}, fmt.Errorf("sign a receipt: find key %q: %w", name, err)
	}
	public, err := record.GetPubKey()
	if err != nil {
		return Key{}, fmt.Errorf("sign a receipt: read public key of %q: %w", name, err)
	}
	if _, ok := public.(*secp256k1.PubKey); !ok || record.GetLocal() == nil {
		return Key{}, fault.Newf("sign a receipt with key "+name, "souk watch init makes a key that can", "it is a %s key of kind %s, receipts need a local secp256k1 key",
			public.Type(), record.GetType())
	}
	sign := func(msg []byte) ([]byte, error) {
		signature, _, err := ring.Sign(name, msg, signing.SignMode_SIGN_MODE_DIRECT)
		return signature, err
	}
	return Key{public: public.Bytes(), sign: sign}, nil
}

// Sign returns the receipt with the public key and the signature.
func (k Key) Sign(r prooftypes.Receipt) (prooftypes.Receipt, error) {
	r.PublicKey = k.public
	signed, err := r.SignBytes()
	if err != nil {
		return r, err
	}
	if r.Signature, err = k.sign(signed); err != nil {
		return r, fmt.Errorf("sign a receipt: %w", err)
	}
	return r, r.Validate()
}
