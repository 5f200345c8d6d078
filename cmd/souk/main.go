// Command souk is what tenants and provider operators type: it turns a compose file into a paid, running container, shows
// what it costs, and runs a whole network on one machine.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
)

func main() {
	scope.Set()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	err := newRootCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		var status session.Status
		if errors.As(err, &status) {
			os.Exit(session.ExitCode(err))
		}
		if errors.Is(err, context.Canceled) && session.ExitCode(err) == session.ExitFailed {
			err = fault.New("interrupted", nil, "run the same command again: it goes on where it stopped")
		}
		printError(os.Stderr, err)
		os.Exit(session.ExitCode(err))
	}
}

// printError writes an error for people, its first words coloured on a terminal.
func printError(w io.Writer, err error) {
	var text bytes.Buffer
	fault.Print(&text, err)
	colours := output.Colours(w)
	for line := range strings.Lines(text.String()) {
		for word, tone := range map[string]output.Tone{"error:": output.Bad, "cause:": output.Faint, "try:": output.Good} {
			if rest, ok := strings.CutPrefix(line, word); ok {
				line = tone.Paint(colours, word) + rest
				break
			}
		}
		fmt.Fprint(w, line)
	}
}

// usageErrors gives wrong flags and arguments the exit code of a wrong call.
func usageErrors(root *cobra.Command) {
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return session.Usage(fault.New("wrong flags for "+cmd.CommandPath(), err, cmd.CommandPath()+" --help"))
	})
	for _, cmd := range root.Commands() {
		usageErrors(cmd)
	}
	if root.HasSubCommands() && !root.Runnable() {
		root.Args, root.RunE = cobra.ArbitraryArgs, unknownCommand
		return
	}
	check := root.Args
	if check == nil {
		return
	}
	root.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return session.Usage(fault.New("wrong arguments for "+cmd.CommandPath(), err, cmd.CommandPath()+" --help"))
		}
		return nil
	}
}

// unknownCommand answers for a command that only has others below it.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	cmd.SuggestionsMinimumDistance = 2
	try := cmd.CommandPath() + " --help"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		try = cmd.CommandPath() + " " + near[0]
	}
	return session.Usage(fault.Newf(fmt.Sprintf("there is no command %q", cmd.CommandPath()+" "+args[0]), try, "%s has others", cmd.CommandPath()))
}
