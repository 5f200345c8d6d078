// Package devnetcmd owns souk devnet: a whole network on one machine, for trying out and for tests.
package devnetcmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/devnet"
	"github.com/souk-network/souk/internal/ports"
	"github.com/souk-network/souk/internal/version"
)

// contextName is the context that devnet up writes.
const contextName = "devnet"

// Command returns souk devnet.
func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "devnet",
		Short: "Run a whole network on this machine",
		Long: `Run validators and providers on this machine, from the same programs that run a
public network. Its coins are worth nothing. State survives down and up; reset
removes it.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(upCommand(), downCommand(), statusCommand(), logsCommand(), resetCommand(), faucetCommand())
	return cmd
}

func home(s *session.Session) string { return filepath.Join(s.Home, "devnet") }

// openNetwork opens the devnet of the session's home.
func openNetwork(s *session.Session) (*devnet.Network, error) {
	programs, err := devnet.SiblingPrograms(version.Version)
	if err != nil {
		return nil, err
	}
	n, err := devnet.Open(home(s), programs)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New("there is no devnet in "+home(s), nil, "souk devnet up")
	}
	return n, err
}

func upCommand() *cobra.Command {
	var (
		size    devnet.Size
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Make the network if there is none, start what does not run, wait until it serves",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := session.Local(cmd)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			return up(ctx, s, size, cmd.Flags().Changed("validators") || cmd.Flags().Changed("providers"))
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&size.Validators, "validators", 1, "validators of a new network")
	flags.IntVar(&size.Providers, "providers", 2, "providers of a new network; needs root unless 0")
	flags.StringSliceVar(&size.Params, "param", nil, "parameter of a new network, such as escrow.pause_bps=5000")
	flags.BoolVar(&size.Ephemeral, "ephemeral", false, "free ports instead of the well-known ones; what is left of it may be purged by anybody")
	flags.DurationVar(&timeout, "timeout", 2*time.Minute, "how long it may take")
	return cmd
}

func up(ctx context.Context, s *session.Session, size devnet.Size, sized bool) error {
	started := time.Now()
	progress := func(step string) { s.Notef("%5.1f s  %s", time.Since(started).Seconds(), step) }
	n, err := openOrCreate(ctx, s, size, sized, progress)
	if err != nil {
		return err
	}
	if err := n.Up(ctx, progress); err != nil {
		return err
	}
	if err := writeContext(s, n); err != nil {
		return err
	}
	return printUp(s, n)
}

func openOrCreate(ctx context.Context, s *session.Session, size devnet.Size, sized bool, progress func(string)) (*devnet.Network, error) {
	if devnet.Exists(home(s)) {
		n, err := openNetwork(s)
		if err == nil && sized && (size.Validators != len(n.Validators) || size.Providers != len(n.Providers)) {
			return nil, session.Usage(fault.Newf("change the size of the devnet", "souk devnet reset, then up with the new size",
				"it has %d validators and %d providers", len(n.Validators), len(n.Providers)))
		}
		return n, err
	}
	if err := size.Check(); err != nil {
		return nil, session.Usage(err)
	}
	programs, err := devnet.SiblingPrograms(version.Version)
	if err != nil {
		return nil, err
	}
	free, err := ports.NewAllocator("")
	if err != nil {
		return nil, err
	}
	defer free.Close() //nolint:errcheck // the network has its ports now
	n, err := devnet.Create(ctx, home(s), programs, size, free)
	if err == nil {
		progress("made " + n.ChainID + " in " + home(s))
	}
	return n, err
}

// writeContext makes the devnet the network that commands talk to.
func writeContext(s *session.Session, n *devnet.Network) error {
	all, err := session.LoadContexts(s.Home)
	if err != nil {
		return err
	}
	all.Contexts[contextName] = session.Context{
		ChainID: n.ChainID, Node: n.RPC(), GRPC: n.GRPC(),
		KeyringBackend: "test", KeyringDir: n.KeyringDir(), From: devnet.KeyTenant, GasPrices: devnet.GasPrices,
		AllowPrivatePeers: true, // all providers are on this machine
	}
	all.Current = contextName
	return all.Save()
}

func printUp(s *session.Session, n *devnet.Network) error {
	item := map[string]any{"chain_id": n.ChainID, "rpc": n.RPC(), "grpc": n.GRPC(), "rest": n.REST(), "context": contextName, "processes": n.Status()}
	text := fmt.Sprintf("devnet is up: %s\nRPC   %s\ngRPC  %s\nREST  %s\nkey   %s, in context %s\n%s\nsouk offers   souk up examples/hello/compose.yaml   souk devnet down\n",
		n.ChainID, n.RPC(), n.GRPC(), n.REST(), devnet.KeyTenant, contextName, workloadsText(n))
	return s.Out.One(item, text)
}

// workloadsText says where workloads will be reached, also where names of localhost are not resolved.
func workloadsText(n *devnet.Network) string {
	var text strings.Builder
	for _, p := range n.Status() {
		if p.Workloads == "" {
			continue
		}
		if text.Len() == 0 {
			text.WriteString("\nWorkloads get names below these; where they do not resolve: curl -H 'Host: NAME' ADDRESS\n")
		}
		fmt.Fprintf(&text, "  *.%s  %s\n", p.Domain, p.Workloads)
	}
	return text.String()
}

func downCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the network and remove its containers; up goes on from there",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withNetwork(cmd, func(s *session.Session, n *devnet.Network) error {
				return n.Down(cmd.Context(), func(step string) { s.Notef("%s", step) })
			})
		},
	}
}

func resetCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Stop the network and remove all of it, chain and keys included",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withNetwork(cmd, func(s *session.Session, n *devnet.Network) error {
				if err := s.Confirm(cmd.Context(), yes, "Remove "+home(s)+" with its chain and keys?"); err != nil {
					return err
				}
				if err := n.Reset(cmd.Context(), func(step string) { s.Notef("%s", step) }); err != nil {
					return err
				}
				all, err := session.LoadContexts(s.Home)
				if err != nil {
					return err
				}
				all.Remove(contextName)
				return all.Save()
			})
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show which of its processes run, and where",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withNetwork(cmd, func(s *session.Session, n *devnet.Network) error {
				rows := output.Rows{Columns: []output.Column{{Name: "process"}, {Name: "running"}, {Name: "url"}, {Name: "workloads"}, {Name: "log"}}}
				var items []any
				for _, p := range n.Status() {
					running := "no"
					if p.Running {
						running = "yes"
					}
					items = append(items, p)
					rows.Cells = append(rows.Cells, []string{p.Name, running, p.URL, p.Workloads, p.Log})
				}
				return s.Out.List(items, rows)
			})
		},
	}
}

func withNetwork(cmd *cobra.Command, do func(*session.Session, *devnet.Network) error) error {
	s, err := session.Local(cmd)
	if err != nil {
		return err
	}
	n, err := openNetwork(s)
	if err != nil {
		return err
	}
	return do(s, n)
}
