package devnetcmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

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
		Use:     "logs [PROCESS]",
		Short:   "Print the log of one of its processes, or of all with their names",
		Example: "  souk devnet logs -f validator-0\n  souk devnet logs --tail 5",
		Args:    cobra.MaximumNArgs(1),
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
				if len(args) == 0 {
					return printLogs(cmd.Context(), n.Status(), tail, follow, cmd.OutOrStdout())
				}
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

// printLogs prints the logs of all processes that ever ran, each line after the name of its process.
func printLogs(ctx context.Context, all []devnet.State, tail int, follow bool, out io.Writer) error {
	var (
		group  errgroup.Group
		saying sync.Mutex
	)
	for _, p := range all {
		if _, err := os.Stat(p.Log); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		write := func() error {
			w := &named{name: p.Name, out: out, saying: &saying}
			return errors.Join(printLog(ctx, p.Log, tail, follow, w), w.flush())
		}
		if follow {
			group.Go(write)
			continue
		}
		if err := write(); err != nil {
			return err
		}
	}
	return group.Wait()
}

// named writes whole lines with a name before them; several share one output.
type named struct {
	name   string
	out    io.Writer
	saying *sync.Mutex
	rest   []byte // of a line that has not ended
}

func (w *named) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, whole := bytes.Cut(w.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		if err := w.say(line); err != nil {
			return 0, err
		}
		w.rest = rest
	}
}

func (w *named) say(line []byte) error {
	w.saying.Lock()
	defer w.saying.Unlock()
	_, err := fmt.Fprintf(w.out, "%-11s | %s\n", w.name, line)
	return err
}

func (w *named) flush() error {
	if len(w.rest) == 0 {
		return nil
	}
	return w.say(w.rest)
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
