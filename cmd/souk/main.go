// Command souk is what tenants and provider operators type: it turns a compose file into a paid, running container, shows
// what it costs, and runs a whole network on one machine.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/session"
)

func main() {
	scope.Set()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		if errors.Is(err, context.Canceled) && session.ExitCode(err) == session.ExitFailed {
			err = fault.New("interrupted", nil, "run the same command again: it goes on where it stopped")
		}
		fault.Print(os.Stderr, err)
		os.Exit(session.ExitCode(err))
	}
}

// usageErrors gives wrong flags and arguments the exit code of a wrong call.
func usageErrors(root *cobra.Command) {
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return session.Usage(fault.New("wrong flags for "+cmd.CommandPath(), err, cmd.CommandPath()+" --help"))
	})
	for _, cmd := range append(root.Commands(), root) {
		if cmd != root {
			usageErrors(cmd)
		}
		check := cmd.Args
		if check == nil {
			continue
		}
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return session.Usage(fault.New("wrong arguments for "+cmd.CommandPath(), err, cmd.CommandPath()+" --help"))
			}
			return nil
		}
	}
}
