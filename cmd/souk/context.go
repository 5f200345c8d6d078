package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
)

// contextItem is a context as it is printed.
type contextItem struct {
	Name    string `json:"name"`
	Current bool   `json:"current"`
	session.Context
}

func contextCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "context", Short: "Choose the network to talk to, and the key that signs", Args: cobra.NoArgs}
	cmd.AddCommand(contextListCommand(), contextUseCommand(), contextAddCommand(), contextRemoveCommand())
	return cmd
}

func contextListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the contexts",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, all, err := contexts(cmd)
			if err != nil {
				return err
			}
			rows := output.Rows{
				Columns: []output.Column{{Name: ""}, {Name: "name"}, {Name: "chain"}, {Name: "node"}, {Name: "from"}, {Name: "grpc", Wide: true}, {Name: "keyring", Wide: true}},
				Empty:   "no contexts yet: souk devnet up makes one, souk context add another",
			}
			var items []any
			for _, name := range all.Names() {
				c := all.Contexts[name]
				mark := ""
				if name == all.Current {
					mark = "*"
				}
				items = append(items, contextItem{name, name == all.Current, c})
				rows.Cells = append(rows.Cells, []string{mark, name, c.ChainID, c.Node, c.From, c.GRPC, c.KeyringBackend + " " + c.KeyringDir})
			}
			return s.Out.List(items, rows)
		},
	}
}

func contextUseCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "use NAME",
		Short:             "Make a context the current one",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeContexts,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, all, err := contexts(cmd)
			if err != nil {
				return err
			}
			if _, err := all.Find(args[0]); err != nil {
				return session.Usage(fault.New("use context "+args[0], err, "souk context list"))
			}
			all.Current = args[0]
			if err := all.Save(); err != nil {
				return err
			}
			s.Notef("now using %s", args[0])
			return nil
		},
	}
}

func contextAddCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "add NAME",
		Short: "Add or replace a context, from --node, --grpc, --chain-id, --from, --keyring-backend, --keyring-dir, --gas-prices, --allow-private-peers",
		Example: `  souk context add testnet --node https://rpc.example.org --grpc grpc.example.org:443 \
    --chain-id souk-testnet-1 --from alice`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, all, err := contexts(cmd)
			if err != nil {
				return err
			}
			c, err := session.FromFlags(cmd)
			if err != nil {
				return err
			}
			all.Contexts[args[0]] = c
			if all.Current == "" {
				all.Current = args[0]
			}
			if err := all.Save(); err != nil {
				return err
			}
			s.Notef("context %s is set; choose it with: souk context use %s", args[0], args[0])
			return nil
		},
	}
}

func contextRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "remove NAME",
		Short:             "Forget a context; its keys stay",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeContexts,
		RunE: func(cmd *cobra.Command, args []string) error {
			_, all, err := contexts(cmd)
			if err != nil {
				return err
			}
			if _, err := all.Find(args[0]); err != nil {
				return session.Usage(fault.New("remove context "+args[0], err, "souk context list"))
			}
			all.Remove(args[0])
			return all.Save()
		},
	}
}

func contexts(cmd *cobra.Command) (*session.Session, *session.Contexts, error) {
	s, err := session.Local(cmd)
	if err != nil {
		return nil, nil, err
	}
	all, err := session.LoadContexts(s.Home)
	if err != nil {
		return nil, nil, fmt.Errorf("read the contexts of %s: %w", s.Home, err)
	}
	return s, all, nil
}

func completeContexts(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	_, all, err := contexts(cmd)
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return all.Names(), cobra.ShellCompDirectiveNoFileComp
}
