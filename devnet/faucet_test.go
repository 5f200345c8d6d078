package devnet

import (
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

func TestTheFaucetServesDevnetsOnly(t *testing.T) {
	for id, served := range map[string]bool{
		"souk-devnet": true, "souk-devnet-1790000000": true,
		"souk-1": false, "souk-devnetwork-1": false, "": false, "cosmoshub-4": false, "my-souk-devnet-1": false,
	} {
		n := network(t.TempDir(), Programs{})
		n.ChainID = id
		if served {
			require.NoError(t, n.hasFaucet(), id)
			continue
		}
		// Refused before a node or a key is looked for: there is neither here.
		_, err := n.Fund(t.Context(), "souk1someone", sdk.NewInt64Coin("usouk", 1))
		require.ErrorContains(t, err, "is not a devnet", id)
	}
}
