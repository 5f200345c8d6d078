package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/agent/config"
	"github.com/souk-network/souk/client"
)

// Exit codes. A service need not be started again after exitUsage: nothing will be different.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usage marks an error of the command line or the settings; it reads as what it wraps.
type usage struct{ error }

func (u usage) Unwrap() error { return u.error }

func exitCode(err error) int {
	var u usage
	if errors.As(err, &u) {
		return exitUsage
	}
	return exitFailed
}

// load reads the settings of a command.
func load(cmd *cobra.Command) (config.Config, error) {
	cfg, err := config.Load(settingsOf(cmd))
	if err != nil {
		return cfg, usage{err}
	}
	return cfg, nil
}

// choices are the values that complete in a shell.
var choices = map[string][]string{
	config.Pricing:        {"fixed\tthe price list", "scaled\tmore, the more is taken", "script\ta program answers"},
	config.KeyringBackend: client.Backends,
	config.LogLevel:       {"debug", "info", "warn", "error"},
	config.LogFormat:      {"text", "json"},
	config.Isolation:      {"runc", "gvisor"},
	config.UserNamespaces: {"auto", "on", "off"},
	config.Storage:        {"hdd=", "ssd=", "nvme="},
	"output":              {"text", "json"},
}

// completeChoices lets a command's flags complete; other flags complete to files.
func completeChoices(cmd *cobra.Command) {
	for name, values := range choices {
		if cmd.Flags().Lookup(name) == nil {
			continue
		}
		directive := cobra.ShellCompDirectiveNoFileComp
		if name == config.Storage {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(values, directive)) // the flag is there
	}
}

// withUsage makes errors of flags and arguments, of a command and those below it, errors of usage.
func withUsage(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage{err} })
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usage{err}
			}
			return nil
		}
	}
	completeChoices(cmd)
	for _, c := range cmd.Commands() {
		withUsage(c)
	}
}
