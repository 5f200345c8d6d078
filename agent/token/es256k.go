package token

import (
	"encoding/base64"
	"errors"
	"fmt"

	dcrec "github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
)

// Signer signs for an account.
type Signer struct {
	Public *secp256k1.PubKey
	// Sign gives r | s, 64 bytes with the low s, over the SHA-256 of msg.
	Sign func(msg []byte) ([]byte, error)
	// Amino: it signs documents of wallets only, as a Ledger and browsers do.
	Amino bool
}

// method is the form of tokens that the signer can sign.
func (s Signer) method() jwt.SigningMethod {
	if s.Amino {
		return adr036{}
	}
	return es256k{}
}

// KeyringSigner signs with a key of a keyring.
func KeyringSigner(ring keyring.Keyring, name string) (Signer, error) {
	record, err := ring.Key(name)
	if err != nil {
		return Signer{}, fmt.Errorf("find key %q: %w", name, err)
	}
	public, err := record.GetPubKey()
	if err != nil {
		return Signer{}, fmt.Errorf("read public key of %q: %w", name, err)
	}
	key, ok := public.(*secp256k1.PubKey)
	if !ok {
		return Signer{}, fmt.Errorf("key %q is a %s, tokens need secp256k1", name, public.Type())
	}
	mode, amino := signing.SignMode_SIGN_MODE_DIRECT, record.GetType() == keyring.TypeLedger
	if amino {
		mode = signing.SignMode_SIGN_MODE_LEGACY_AMINO_JSON
	}
	sign := func(msg []byte) ([]byte, error) {
		signature, _, err := ring.Sign(name, msg, mode)
		return signature, err
	}
	return Signer{Public: key, Sign: sign, Amino: amino}, nil
}

// es256k is ECDSA over secp256k1 with SHA-256 (RFC 8812), with the low s only, as the chain has it.
type es256k struct{}

// The parser finds methods by name in a table of its own.
func init() {
	for _, method := range []jwt.SigningMethod{es256k{}, adr036{}} {
		jwt.RegisterSigningMethod(method.Alg(), func() jwt.SigningMethod { return method })
	}
}

// Alg is the registered name.
func (es256k) Alg() string { return "ES256K" }

// Sign takes a Signer for a key.
func (es256k) Sign(text string, key any) ([]byte, error) {
	s, ok := key.(Signer)
	if !ok || s.Sign == nil {
		return nil, jwt.ErrInvalidKeyType
	}
	return s.Sign([]byte(text))
}

// Verify takes a public key.
func (es256k) Verify(text string, signature []byte, key any) error {
	public, ok := key.(*secp256k1.PubKey)
	if !ok {
		return jwt.ErrInvalidKeyType
	}
	if !public.VerifySignature([]byte(text), signature) {
		return jwt.ErrTokenSignatureInvalid
	}
	return nil
}

const coordinateBytes = 32

// encodeKey writes a key as a JSON web key.
func encodeKey(key *secp256k1.PubKey) (map[string]string, error) {
	point, err := dcrec.ParsePubKey(key.Key)
	if err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	raw := point.SerializeUncompressed()
	text := base64.RawURLEncoding.EncodeToString
	return map[string]string{
		"kty": "EC", "crv": "secp256k1", "x": text(raw[1 : 1+coordinateBytes]), "y": text(raw[1+coordinateBytes:]),
	}, nil
}

// decodeKey reads a JSON web key; the point must be on the curve.
func decodeKey(header any) (*secp256k1.PubKey, error) {
	fields, ok := header.(map[string]any)
	if !ok || fields["kty"] != "EC" || fields["crv"] != "secp256k1" {
		return nil, errors.New("no secp256k1 key in its header")
	}
	raw := []byte{dcrec.PubKeyFormatUncompressed}
	for _, name := range []string{"x", "y"} {
		text, _ := fields[name].(string)
		coordinate, err := base64.RawURLEncoding.Strict().DecodeString(text)
		if err != nil || len(coordinate) != coordinateBytes {
			return nil, fmt.Errorf("bad %s in the key of its header", name)
		}
		raw = append(raw, coordinate...)
	}
	point, err := dcrec.ParsePubKey(raw)
	if err != nil {
		return nil, fmt.Errorf("bad key in its header: %w", err)
	}
	return &secp256k1.PubKey{Key: point.SerializeCompressed()}, nil
}
