// Command souk-agent is a provider's daemon: it runs the workloads of the leases that the chain gives it.
//
// It owns commands, flags and the putting together of the agent's parts; what they do is in package agent and below.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/agent/config"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/internal/version"
)

func main() {
	scope.Set()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := rootCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		fault.Print(os.Stderr, err)
		os.Exit(exitCode(err))
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "souk-agent",
		Short: "Run leased workloads on this machine",
		Long: `Run the workloads of a provider's leases on this machine.

Settings stand in HOME/agent.yaml, in the environment as SOUK_AGENT_NAME, or are flags, the
later over the earlier; souk-agent start --help lists them. The exit code is 1 if something
failed, and 2 if the command line or the settings can not be used.`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(startCommand(), initCommand(), doctorCommand(), purgeCommand(), versionCommand())
	withUsage(root)
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version.Version)
			return err
		},
	}
}

// withSettings declares all settings on a command.
func withSettings(cmd *cobra.Command) *cobra.Command {
	config.AddFlags(cmd.Flags())
	return cmd
}
