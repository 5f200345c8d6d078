package receipt_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/receipt"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

func ringOf(t *testing.T) keyring.Keyring {
	t.Helper()
	encoding, err := client.NewEncoding()
	require.NoError(t, err)
	ring := keyring.NewInMemory(encoding.Codec)
	_, _, err = ring.NewMnemonic("watch", keyring.English, "m/44'/118'/0'/0/0", "", hd.Secp256k1)
	require.NoError(t, err)
	return ring
}

func TestASignedReceiptIsOneThatTheChainTakes(t *testing.T) {
	ring := ringOf(t)
	address, err := client.KeyAddress(ring, "watch")
	require.NoError(t, err)
	named, err := receipt.Named(ring, "watch")
	require.NoError(t, err)
	own := secp256k1.GenPrivKey()
	local := receipt.Local(own)
	rapid.Check(t, func(t *rapid.T) {
		key, by := named, address
		if rapid.Bool().Draw(t, "local") {
			key, by = local, sdk.AccAddress(own.PubKey().Address())
		}
		signed, err := key.Sign(prooftypes.Receipt{
			ChainId: "souk-devnet-1", Lease: rapid.Uint64Min(1).Draw(t, "lease"), Epoch: rapid.Uint64Min(1).Draw(t, "epoch"),
			Seq: rapid.Uint64Min(1).Draw(t, "seq"), UpSeconds: rapid.Uint64().Draw(t, "up"), Until: rapid.Uint64().Draw(t, "until"),
		})
		require.NoError(t, err)
		require.NoError(t, signed.Validate())
		require.Equal(t, by, signed.Signer())
		signed.UpSeconds++
		require.ErrorIs(t, signed.Validate(), prooftypes.ErrInvalidReceipt)
	})
}

func TestAReceiptIsSignedOnlyWithAKeyThatIsThereAndOfTheRightKind(t *testing.T) {
	ring := ringOf(t)
	_, err := receipt.Named(ring, "other")
	require.ErrorContains(t, err, `find key "other"`)
	_, err = receipt.Local(secp256k1.GenPrivKey()).Sign(prooftypes.Receipt{Lease: 1, Epoch: 1, Seq: 1})
	require.ErrorIs(t, err, prooftypes.ErrInvalidReceipt, "without a chain")
	other := ringOf(t)
	public, err := other.Key("watch")
	require.NoError(t, err)
	key, err := public.GetPubKey()
	require.NoError(t, err)
	_, err = ring.SaveOfflineKey("elsewhere", key)
	require.NoError(t, err)
	_, err = receipt.Named(ring, "elsewhere")
	require.ErrorContains(t, err, "sign a receipt with key")
}
