package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/souk-network/souk/agent/config"
)

// settingsOf gives the settings among a command's flags, without those that are the command's own.
func settingsOf(cmd *cobra.Command) *pflag.FlagSet {
	names := pflag.NewFlagSet("settings", pflag.ContinueOnError)
	config.AddFlags(names)
	own := pflag.NewFlagSet("settings", pflag.ContinueOnError)
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if names.Lookup(f.Name) != nil {
			own.AddFlag(f)
		}
	})
	return own
}
