package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/client"

	"github.com/souk-network/souk/cmd/soukd/node/settings"
)

// configFiles are the files below a node's config directory that the config command knows.
var configFiles = []string{"app", "client", "config"}

// configCommand reads and changes settings in the node's files.
func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Read and change the settings in app.toml, client.toml and config.toml",
		RunE:  client.ValidateCmd,
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "home",
			Short: "Print the directory of the node's configuration and data",
			Args:  cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), client.GetClientContextFromCmd(cmd).HomeDir)
				return err
			},
		},
		&cobra.Command{
			Use:       "view FILE",
			Short:     "Print a file",
			ValidArgs: configFiles,
			Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
			RunE: func(cmd *cobra.Command, args []string) error {
				text, err := os.ReadFile(configPath(cmd, args[0]))
				if err != nil {
					return err
				}
				_, err = cmd.OutOrStdout().Write(text)
				return err
			},
		},
		&cobra.Command{
			Use:     "get FILE KEY",
			Short:   "Print a setting",
			Example: "soukd config get config consensus.timeout_commit",
			Args:    cobra.ExactArgs(2),
			RunE: func(cmd *cobra.Command, args []string) error {
				text, err := os.ReadFile(configPath(cmd, args[0]))
				if err != nil {
					return err
				}
				value, err := settings.Get(text, args[1])
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), value)
				return err
			},
		},
		&cobra.Command{
			Use:     "set FILE KEY VALUE",
			Short:   "Change a setting, leaving comments and everything else as it is",
			Example: "soukd config set config consensus.timeout_commit 500ms",
			Args:    cobra.ExactArgs(3),
			RunE: func(cmd *cobra.Command, args []string) error {
				return changeFile(configPath(cmd, args[0]), args[1], args[2])
			},
		},
	)
	return cmd
}

func configPath(cmd *cobra.Command, file string) string {
	home := client.GetClientContextFromCmd(cmd).HomeDir
	return filepath.Join(home, "config", strings.TrimSuffix(file, ".toml")+".toml")
}

func changeFile(path, key, value string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	changed, err := settings.Set(text, key, value)
	if err != nil {
		return fmt.Errorf("change %s in %s: %w", key, path, err)
	}
	// A rename leaves either the old file or the new one, whatever happens.
	next := path + ".new"
	if err := os.WriteFile(next, changed, 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}
