package devnetcmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/devnet"
)

// followEvery is how often a log that is followed is read on.
const followEvery = 200 * time.Millisecond

func logsCommand() *cobra.Command {
	var (
		follow bool
		tail   int
	)
	cmd := &cobra.Command{
		Use:     "logs PROCESS",
		Short:   "Print the log of one of its processes",
		Example: "  souk devnet logs -f validator-0",
		Args:    cobra.ExactArgs(1),
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			_ = withNetwork(cmd, func(_ *session.Session, n *devnet.Network) error { // no network, no names
				names = processNames(n)
				return nil
			})
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return withNetwork(cmd, func(_ *session.Session, n *devnet.Network) error {
				for _, p := range n.Status() {
					if p.Name == args[0] {
						return printLog(cmd.Context(), p.Log, tail, follow, cmd.OutOrStdout())
					}
				}
				return session.Usage(fault.Newf("there is no process "+args[0], "souk devnet status", "known: %s", strings.Join(processNames(n), ", ")))
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what comes")
	cmd.Flags().IntVar(&tail, "tail", 100, "print so many of the last lines; all if negative")
	return cmd
}

func processNames(n *devnet.Network) []string {
	var names []string
	for _, p := range n.Status() {
		names = append(names, p.Name)
	}
	return names
}

func printLog(ctx context.Context, path string, tail int, follow bool, out io.Writer) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer file.Close()
	if err := printTail(file, tail, out); err != nil {
		return err
	}
	for follow {
		if _, err := io.Copy(out, file); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followEvery):
		}
	}
	return nil
}

// printTail prints the last lines and leaves the file at its end.
func printTail(file *os.File, tail int, out io.Writer) error {
	var last []string
	reader := bufio.NewReader(file)
	for {
		line, err := reader.ReadString('\n')
		if line != "" {
			last = append(last, line)
			if tail >= 0 && len(last) > tail {
				last = last[1:]
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
	}
	_, err := io.WriteString(out, strings.Join(last, ""))
	return err
}
