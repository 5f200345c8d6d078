package apptest

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/tx/signing"
	authsigning "github.com/cosmos/cosmos-sdk/x/auth/signing"

	"github.com/souk-network/souk/app/scope"
)

// defaultGas is the gas limit of a transaction that states none.
const defaultGas = 2_000_000

// Account is a key that can sign.
type Account struct {
	Address sdk.AccAddress
	Key     *secp256k1.PrivKey
}

// String returns the address as messages spell it.
func (a *Account) String() string {
	text, err := scope.AddressCodec().BytesToString(a.Address)
	if err != nil {
		panic(err)
	}
	return text
}

// newAccount returns the account of that name, always with the same key.
func newAccount(name string) *Account {
	key := secp256k1.GenPrivKeyFromSecret([]byte("souk test account " + name))
	return &Account{Address: sdk.AccAddress(key.PubKey().Address()), Key: key}
}

func newAccounts(n int) []*Account {
	accounts := make([]*Account, n)
	for i := range accounts {
		accounts[i] = newAccount(fmt.Sprint(i))
	}
	return accounts
}

// Tx is a transaction of one signer, to be signed when it is delivered.
type Tx struct {
	Signer *Account
	Msgs   []sdk.Msg
	// Gas is the limit, 2,000,000 if zero.
	Gas uint64
	// Fee may be empty: the test chain asks for none.
	Fee sdk.Coins
	// Unordered, if set, makes the transaction valid until then and independent of the signer's sequence.
	Unordered time.Time
	// Mode is how it is signed, DIRECT if zero.
	Mode signing.SignMode
}

// Sign returns the transactions' bytes, signed to be delivered in this order in the next block. Sequence numbers follow the
// committed state, counting on from transactions of the same signer before it in the list.
func (c *Chain) Sign(txs ...Tx) [][]byte {
	c.t.Helper()
	ctx := c.Context()
	next := make(map[string]uint64)
	signed := make([][]byte, len(txs))
	for i, tx := range txs {
		account := c.App.AuthKeeper.GetAccount(ctx, tx.Signer.Address)
		require.NotNil(c.t, account, "account %s", tx.Signer)
		key := tx.Signer.String()
		sequence, seen := next[key]
		if !seen {
			sequence = account.GetSequence()
		}
		if tx.Unordered.IsZero() {
			next[key] = sequence + 1
		} else {
			sequence = 0
		}
		signed[i] = c.SignAt(tx, account.GetAccountNumber(), sequence)
	}
	return signed
}

// SignAt returns the transaction's bytes for an account number and a sequence that the caller keeps count of.
func (c *Chain) SignAt(tx Tx, number, sequence uint64) []byte {
	c.t.Helper()
	config := c.App.Encoding().TxConfig
	builder := config.NewTxBuilder()
	require.NoError(c.t, builder.SetMsgs(tx.Msgs...))
	builder.SetFeeAmount(tx.Fee)
	builder.SetGasLimit(tx.Gas)
	if tx.Gas == 0 {
		builder.SetGasLimit(defaultGas)
	}
	if !tx.Unordered.IsZero() {
		builder.SetUnordered(true)
		builder.SetTimeoutTimestamp(tx.Unordered)
	}

	mode := tx.Mode
	if mode == signing.SignMode_SIGN_MODE_UNSPECIFIED {
		mode = signing.SignMode_SIGN_MODE_DIRECT
	}
	signature := signing.SignatureV2{
		PubKey:   tx.Signer.Key.PubKey(),
		Data:     &signing.SingleSignatureData{SignMode: mode},
		Sequence: sequence,
	}
	// The signed bytes cover the signer's key and sequence, so these are set before the signature is known.
	require.NoError(c.t, builder.SetSignatures(signature))
	bz, err := authsigning.GetSignBytesAdapter(c.t.Context(), config.SignModeHandler(), mode, authsigning.SignerData{
		Address: tx.Signer.String(), ChainID: c.opts.ChainID, AccountNumber: number, Sequence: sequence,
		PubKey: tx.Signer.Key.PubKey(),
	}, builder.GetTx())
	require.NoError(c.t, err)
	sig, err := tx.Signer.Key.Sign(bz)
	require.NoError(c.t, err)
	signature.Data = &signing.SingleSignatureData{SignMode: mode, Signature: sig}
	require.NoError(c.t, builder.SetSignatures(signature))

	encoded, err := config.TxEncoder()(builder.GetTx())
	require.NoError(c.t, err)
	return encoded
}
