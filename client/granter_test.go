package client

import (
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/feegrant"
)

func TestWhoGrantedTheFeesPaysThem(t *testing.T) {
	e, err := NewEncoding()
	require.NoError(t, err)
	s := testSigner(t, e)
	payer := func() []byte {
		raw, _, err := s.sign(t.Context(), draft{msgs: []sdk.Msg{&feegrant.MsgRevokeAllowance{
			Granter: s.address, Grantee: sdk.AccAddress(make([]byte, 20)).String(),
		}}, gas: 1})
		require.NoError(t, err)
		tx, err := e.TxConfig.TxDecoder()(raw)
		require.NoError(t, err)
		return tx.(sdk.FeeTx).FeeGranter()
	}
	require.Empty(t, payer())
	s.granter = sdk.AccAddress("twenty bytes of text")
	require.Equal(t, []byte(s.granter), payer())
}
