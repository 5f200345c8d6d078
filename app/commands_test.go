package app_test

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/client/v2/autocli"

	"github.com/cosmos/cosmos-sdk/client"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
)

// TestEveryModuleHasItsCommands asks for one command of each kind of module: generated ones of the SDK's and ours, and
// those that IBC brings along.
func TestEveryModuleHasItsCommands(t *testing.T) {
	chain := apptest.New(t, apptest.Options{})
	encoding := chain.App.Encoding()
	root := &cobra.Command{Use: "soukd"}
	options := autocli.AppOptions{
		Modules: chain.App.AutoCLIModules(), ModuleOptions: chain.App.AutoCLIOptions(),
		AddressCodec: scope.AddressCodec(), ValidatorAddressCodec: scope.ValidatorAddressCodec(),
		ConsensusAddressCodec: scope.ConsensusAddressCodec(),
		ClientCtx:             client.Context{}.WithCodec(encoding.Codec).WithInterfaceRegistry(encoding.InterfaceRegistry).WithTxConfig(encoding.TxConfig),
	}
	require.NoError(t, options.EnhanceRootCommand(root))
	for _, words := range [][]string{
		{"tx", "bank", "send"},
		{"query", "escrow", "params"},
		{"tx", "ibc-transfer", "transfer"},
		{"tx", "ibc", "client", "update"},
		{"query", "ibc", "client", "states"},
		{"query", "ibc", "channel", "channels"},
		{"query", "ibc-transfer", "denom-hash"},
	} {
		found, rest, err := root.Find(words)
		require.NoError(t, err, words)
		require.Empty(t, rest, words)
		require.Equal(t, words[len(words)-1], found.Name())
	}
}
