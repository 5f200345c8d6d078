package types

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata/receipt.json anew")

// vector is a signed receipt, for those who sign receipts in another language. Bytes are in hex.
type vector struct {
	PrivateKey string `json:"private_key"`
	ChainID    string `json:"chain_id"`
	Lease      uint64 `json:"lease"`
	Epoch      uint64 `json:"epoch"`
	Seq        uint64 `json:"seq"`
	UpSeconds  uint64 `json:"up_seconds"`
	Until      uint64 `json:"until"`
	PublicKey  string `json:"public_key"`
	SignBytes  string `json:"sign_bytes"`
	SignHash   string `json:"sha256_of_sign_bytes"`
	Signature  string `json:"signature"`
	Encoded    string `json:"encoded"`
}

func TestAReceiptIsSignedAsItsTestVectorSays(t *testing.T) {
	const file = "testdata/receipt.json"
	secret := sha256.Sum256([]byte("souk/proof/receipt/test"))
	key := &secp256k1.PrivKey{Key: secret[:]}
	r := Receipt{ChainId: "souk-1", Lease: 17, Epoch: 421, Seq: 1_515_600, UpSeconds: 3000, Until: 1_515_600, PublicKey: key.PubKey().Bytes()}
	signed, err := r.SignBytes()
	require.NoError(t, err)
	r.Signature, err = key.Sign(signed)
	require.NoError(t, err)
	require.NoError(t, r.Validate())
	encoded, err := r.Marshal()
	require.NoError(t, err)
	hash := sha256.Sum256(signed)
	got := vector{
		PrivateKey: hex.EncodeToString(secret[:]), ChainID: r.ChainId, Lease: r.Lease, Epoch: r.Epoch, Seq: r.Seq, UpSeconds: r.UpSeconds, Until: r.Until,
		PublicKey: hex.EncodeToString(r.PublicKey), SignBytes: hex.EncodeToString(signed), SignHash: hex.EncodeToString(hash[:]),
		Signature: hex.EncodeToString(r.Signature), Encoded: hex.EncodeToString(encoded),
	}
	if *update {
		bz, err := json.MarshalIndent(got, "", "  ")
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, append(bz, '\n'), 0o644))
	}
	bz, err := os.ReadFile(file)
	require.NoError(t, err)
	var want vector
	require.NoError(t, json.Unmarshal(bz, &want))
	require.Equal(t, want, got)
}
