// Package receipt signs a tenant's receipts: its word on how long a lease was up in an epoch. It owns the signature, with a key of
// a keyring; what the receipt says is decided elsewhere (package watch), and what it is worth by the chain.
package receipt

import (
	"fmt"

	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"

	"github.com/souk-network/souk/client/fault"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// Sign returns the receipt with the public key and the signature of a key: compressed secp256k1, 33 bytes, and r | s, 64 bytes.
// A key of another kind, or in a device that signs transactions only, is refused.
func Sign(ring keyring.Keyring, key string, r prooftypes.Receipt) (prooftypes.Receipt, error) {
	record, err := ring.Key(key)
	if err != nil {
		return r, fmt.Errorf("sign a receipt: find key %q: %w", key, err)
	}
	public, err := record.GetPubKey()
	if err != nil {
		return r, fmt.Errorf("sign a receipt: read public key of %q: %w", key, err)
	}
	if _, ok := public.(*secp256k1.PubKey); !ok || record.GetType() == keyring.TypeLedger {
		return r, fault.Newf("sign a receipt with key "+key, "souk watch init makes a key that can", "it is a %s key of kind %s, receipts need a local secp256k1 key",
			public.Type(), record.GetType())
	}
	r.PublicKey = public.Bytes()
	signed, err := r.SignBytes()
	if err != nil {
		return r, err
	}
	if r.Signature, _, err = ring.Sign(key, signed, signing.SignMode_SIGN_MODE_DIRECT); err != nil {
		return r, fmt.Errorf("sign a receipt with key %q: %w", key, err)
	}
	return r, r.Validate()
}
