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
		os.Exit(1)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "souk-agent",
		Short:         "Run leased workloads on this machine",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(startCommand(), initCommand(), doctorCommand(), purgeCommand(), versionCommand())
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
