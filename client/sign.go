package client

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	cryptotypes "github.com/cosmos/cosmos-sdk/crypto/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"

	sdkclient "github.com/cosmos/cosmos-sdk/client"
)

// signer makes transactions of one account.
type signer struct {
	config  sdkclient.TxConfig
	chainID string
	ring    keyring.Keyring
	key     string
	public  cryptotypes.PubKey
	address string
	granter sdk.AccAddress // pays the fees; nil when the account does
}

// draft is a transaction before it is signed.
type draft struct {
	msgs          []sdk.Msg
	gas           uint64
	fee           sdk.Coins
	timeoutHeight int64
	before        time.Time // zero for no bound
	number        uint64
	sequence      uint64
}

func newSigner(e Encoding, chainID string, ring keyring.Keyring, key string) (*signer, error) {
	address, err := KeyAddress(ring, key)
	if err != nil {
		return nil, err
	}
	record, err := ring.Key(key)
	if err != nil {
		return nil, fmt.Errorf("read key %q: %w", key, err)
	}
	public, err := record.GetPubKey()
	if err != nil {
		return nil, fmt.Errorf("read public key of %q: %w", key, err)
	}
	return &signer{
		config: e.TxConfig, chainID: chainID, ring: ring, key: key, public: public, address: address.String(),
	}, nil
}

// unsigned encodes a transaction that can only be simulated.
func (s *signer) unsigned(d draft) ([]byte, error) {
	builder, err := s.build(d)
	if err != nil {
		return nil, err
	}
	return s.config.TxEncoder()(builder.GetTx())
}

// sign encodes a transaction with its signature.
func (s *signer) sign(ctx context.Context, d draft) (tx []byte, hash string, err error) {
	builder, err := s.build(d)
	if err != nil {
		return nil, "", err
	}
	data := authsigning.SignerData{
		Address: s.address, ChainID: s.chainID, AccountNumber: d.number, Sequence: d.sequence, PubKey: s.public,
	}
	const mode = signing.SignMode_SIGN_MODE_DIRECT
	bytes, err := authsigning.GetSignBytesAdapter(ctx, s.config.SignModeHandler(), mode, data, builder.GetTx())
	if err != nil {
		return nil, "", fmt.Errorf("make sign bytes: %w", err)
	}
	signature, _, err := s.ring.Sign(s.key, bytes, mode)
	if err != nil {
		return nil, "", fmt.Errorf("sign with key %q: %w", s.key, err)
	}
	if err := builder.SetSignatures(s.signature(d.sequence, signature)); err != nil {
		return nil, "", fmt.Errorf("put signature: %w", err)
	}
	tx, err = s.config.TxEncoder()(builder.GetTx())
	if err != nil {
		return nil, "", fmt.Errorf("encode transaction: %w", err)
	}
	return tx, fmt.Sprintf("%X", sha256.Sum256(tx)), nil
}

func (s *signer) build(d draft) (sdkclient.TxBuilder, error) {
	builder := s.config.NewTxBuilder()
	if err := builder.SetMsgs(d.msgs...); err != nil {
		return nil, fmt.Errorf("put messages: %w", err)
	}
	builder.SetGasLimit(d.gas)
	builder.SetFeeAmount(d.fee)
	builder.SetFeeGranter(s.granter)
	builder.SetTimeoutHeight(uint64(max(d.timeoutHeight, 0)))
	if !d.before.IsZero() {
		builder.SetTimeoutTimestamp(d.before)
	}
	if err := builder.SetSignatures(s.signature(d.sequence, nil)); err != nil {
		return nil, fmt.Errorf("put signer: %w", err)
	}
	return builder, nil
}

func (s *signer) signature(sequence uint64, raw []byte) signing.SignatureV2 {
	return signing.SignatureV2{
		PubKey:   s.public,
		Sequence: sequence,
		Data:     &signing.SingleSignatureData{SignMode: signing.SignMode_SIGN_MODE_DIRECT, Signature: raw},
	}
}
