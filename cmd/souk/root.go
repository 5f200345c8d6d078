package main

import (
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/cmd/souk/devnetcmd"
	"github.com/souk-network/souk/cmd/souk/operator"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/cmd/souk/tenant"
	"github.com/souk-network/souk/internal/version"
)

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "souk",
		Short: "Run workloads on the Souk market, or offer machines to it",
		Long: `Souk is an open market for computing: you bid for capacity with one signed
transaction, a provider runs your containers, and you pay by the second from an
escrow that refunds what you did not use.

Start with a network on this machine:   souk devnet up
and run something on it:                souk up compose.yaml`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	session.AddFlags(root.PersistentFlags())
	completeShared(root)
	root.AddGroup(
		&cobra.Group{ID: "tenant", Title: "Workloads:"},
		&cobra.Group{ID: "provider", Title: "Machines:"},
		&cobra.Group{ID: "settings", Title: "Networks and keys:"},
	)
	for _, cmd := range tenant.Commands() {
		cmd.GroupID = "tenant"
		root.AddCommand(cmd)
	}
	provider := operator.Command()
	provider.GroupID = "provider"
	root.AddCommand(provider)
	for _, cmd := range []*cobra.Command{devnetcmd.Command(), contextCommand(), keysCommand()} {
		cmd.GroupID = "settings"
		root.AddCommand(cmd)
	}
	root.AddCommand(versionCommand())
	usageErrors(root)
	return root
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := session.Local(cmd)
			if err != nil {
				return err
			}
			return s.Out.One(map[string]string{"version": version.Version}, version.Version+"\n")
		},
	}
}

// completeShared completes the values of the flags that all commands share.
func completeShared(root *cobra.Command) {
	fixed := func(list []string) cobra.CompletionFunc {
		return cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp)
	}
	for flag, complete := range map[string]cobra.CompletionFunc{
		"output": fixed(output.Formats), "keyring-backend": fixed(client.Backends),
		"context": func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
			return completeContexts(cmd, nil, typed)
		},
		"from": completeKeys,
	} {
		// It fails for a flag that is not there: a mistake that no user can make.
		if err := root.RegisterFlagCompletionFunc(flag, complete); err != nil {
			panic(err)
		}
	}
}

// completeKeys completes the names of keys, where no password is asked for.
func completeKeys(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	s, err := session.Local(cmd)
	if err != nil || s.Context.KeyringBackend != keyring.BackendTest {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ring, err := s.Keyring()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	records, err := ring.List()
	var names []string
	for _, record := range records {
		names = append(names, record.Name)
	}
	if err != nil {
		names = nil
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
