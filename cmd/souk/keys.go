package main

import (
	sdkclient "github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/client/keys"
	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/cmd/souk/session"
)

// keysCommand is the SDK's own set of key commands, on the keyring of the current context.
func keysCommand() *cobra.Command {
	cmd := keys.Commands()
	cmd.Short = "Make, list, import and export keys"
	cmd.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		s, err := session.Local(cmd)
		if err != nil {
			return err
		}
		encoding, err := client.NewEncoding()
		if err != nil {
			return err
		}
		sdk := sdkclient.Context{}.
			WithCmdContext(cmd.Context()).
			WithCodec(encoding.Codec).
			WithInterfaceRegistry(encoding.Registry).
			WithInput(cmd.InOrStdin()).
			WithOutput(cmd.OutOrStdout()).
			WithHomeDir(s.Home).
			WithKeyringDir(s.Context.KeyringDir)
		// The SDK's own flags, when given, choose another keyring below.
		if !cmd.Flags().Changed(flags.FlagKeyringBackend) {
			ring, err := s.Keyring()
			if err != nil {
				return err
			}
			sdk = sdk.WithKeyring(ring)
		}
		if sdk, err = sdkclient.ReadPersistentCommandFlags(sdk, cmd.Flags()); err != nil {
			return err
		}
		return sdkclient.SetCmdClientContextHandler(sdk, cmd)
	}
	return cmd
}
