package types

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

const (
	tagReceipt     = "souk/proof/receipt"
	publicKeyBytes = 33
	signatureBytes = 64
	maxChainID     = 64
)

// SignBytes is what the tenant signs, over its SHA-256: "souk/proof/receipt" and the encoding of the receipt without signature.
func (r Receipt) SignBytes() ([]byte, error) {
	r.Signature = nil
	encoded, err := r.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode the receipt of lease %d: %w", r.Lease, err)
	}
	return append([]byte(tagReceipt), encoded...), nil
}

// Hash is the SHA-256 of the encoded receipt, by which a leaf names it.
func (r Receipt) Hash() ([]byte, error) {
	encoded, err := r.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode the receipt of lease %d: %w", r.Lease, err)
	}
	sum := sha256.Sum256(encoded)
	return sum[:], nil
}

// Signer returns the account of the key that the receipt names.
func (r Receipt) Signer() sdk.AccAddress {
	return sdk.AccAddress((&secp256k1.PubKey{Key: r.PublicKey}).Address())
}

// Validate refuses a receipt that is malformed, or that the key it names has not signed: ErrInvalidReceipt.
func (r Receipt) Validate() error {
	switch {
	case r.ChainId == "" || len(r.ChainId) > maxChainID:
		return ErrInvalidReceipt.Wrapf("chain id of %d bytes: want 1 to %d", len(r.ChainId), maxChainID)
	case r.Lease == 0 || r.Epoch == 0 || r.Seq == 0:
		return ErrInvalidReceipt.Wrap("lease, epoch and seq count from 1")
	case len(r.PublicKey) != publicKeyBytes:
		return ErrInvalidReceipt.Wrapf("public key of %d bytes: want %d", len(r.PublicKey), publicKeyBytes)
	case len(r.Signature) != signatureBytes:
		return ErrInvalidReceipt.Wrapf("signature of %d bytes: want %d", len(r.Signature), signatureBytes)
	}
	signed, err := r.SignBytes()
	if err != nil {
		return err
	}
	if !(&secp256k1.PubKey{Key: r.PublicKey}).VerifySignature(signed, r.Signature) {
		return ErrInvalidReceipt.Wrap("the signature is not of that key over this receipt")
	}
	return nil
}

// Allows is the most seconds that a lease can have been up in an epoch that ends at a second, by the receipt: what comes after its
// own last second it does not judge.
func (r Receipt) Allows(epochEnd uint64) uint64 { return allowed(r.UpSeconds, r.Until, epochEnd) }

// Allows is the same of a receipt on the chain.
func (w Word) Allows(epochEnd uint64) uint64 { return allowed(w.UpSeconds, w.Until, epochEnd) }

func allowed(upSeconds, until, epochEnd uint64) uint64 {
	unjudged := epochEnd - min(until, epochEnd)
	return upSeconds + min(unjudged, math.MaxUint64-upSeconds)
}

// CheckSpan refuses a receipt that judges other seconds than some of an epoch, up to its end or, while that runs, to now; or
// that says more than they are.
func (r Receipt) CheckSpan(start, end uint64) error {
	if r.Until <= start || r.Until > end {
		return ErrInvalidReceipt.Wrapf("it judges until second %d: want %d to %d", r.Until, start+1, end)
	}
	if r.UpSeconds > r.Until-start {
		return ErrInvalidReceipt.Wrapf("up for %d of %d seconds", r.UpSeconds, r.Until-start)
	}
	return nil
}

// Supports refuses a leaf that does not rest on the receipt: one of another lease or epoch, by another hash, or that claims more.
func (r Receipt) Supports(lease uint64, leaf Leaf, chainID string, epochStart, epochEnd uint64) error {
	hash, err := r.Hash()
	if err != nil {
		return err
	}
	if !bytes.Equal(hash, leaf.EvidenceHash) {
		return ErrInvalidReceipt.Wrap("it is not the one that the leaf names")
	}
	if r.ChainId != chainID || r.Lease != lease || r.Epoch != leaf.Epoch {
		return ErrInvalidReceipt.Wrapf("it is about lease %d in epoch %d of chain %.64q", r.Lease, r.Epoch, r.ChainId)
	}
	if err := r.CheckSpan(epochStart, epochEnd); err != nil {
		return err
	}
	if most := r.Allows(epochEnd); leaf.UpSeconds > most {
		return ErrInvalidReceipt.Wrapf("it allows %d seconds, the leaf says %d", most, leaf.UpSeconds)
	}
	return r.Validate()
}

// BoundAt returns the word that binds a commitment made at a second: the last that had been on the chain for the grace by then;
// ok is false when there is none.
func (p Posted) BoundAt(committedAt, graceSeconds uint64) (word Word, ok bool) {
	for _, w := range p.Words {
		if w.PostedAt+graceSeconds <= committedAt {
			word, ok = w, true
		}
	}
	return word, ok
}

// Last returns the word of the highest seq, which binds refunds; ok is false when there is none.
func (p Posted) Last() (word Word, ok bool) {
	if len(p.Words) == 0 {
		return Word{}, false
	}
	return p.Words[len(p.Words)-1], true
}
