package tenant

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// scopes are what an access key may do, by name.
var scopes = map[string]markettypes.Scope{
	"read":   markettypes.Scope_SCOPE_READ,
	"exec":   markettypes.Scope_SCOPE_EXEC,
	"manage": markettypes.Scope_SCOPE_MANAGE,
	"watch":  markettypes.Scope_SCOPE_WATCH,
}

const scopeHelp = "what it may do: read, exec, manage, watch; the chain honours manage, providers none yet"

func accessCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "access",
		Short: "Say which other keys may act for a deployment",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(accessListCommand(), accessAddCommand(), accessRemoveCommand())
	return cmd
}

func accessListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls NAME",
		Short: "List the access keys of a deployment",
		Args:  cobra.ExactArgs(1), ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			d, err := t.mustFind(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			rows := output.Rows{Columns: []output.Column{{Name: "key"}, {Name: "may"}}, Empty: "only the owner may act"}
			var items []any
			for _, key := range d.AccessKeys {
				items = append(items, key)
				rows.Cells = append(rows.Cells, []string{key.Address, scopeText(key.Scopes)})
			}
			return t.Out.List(items, rows)
		},
	}
}

func scopeText(list []markettypes.Scope) string {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = word(s, "SCOPE_")
	}
	return strings.Join(names, ", ")
}

func accessAddCommand() *cobra.Command {
	var (
		yes   bool
		names []string
	)
	cmd := &cobra.Command{
		Use:     "add NAME ADDRESS",
		Short:   "Let a key act for a deployment, or change what it may do",
		Example: "  souk access add shop souk1... --scope manage",
		Args:    cobra.ExactArgs(2), ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := accessKey(args[1], names)
			if err != nil {
				return session.Usage(err)
			}
			return changeAccess(cmd, args[0], yes, fmt.Sprintf("Let %s %s?", key.Address, scopeText(key.Scopes)),
				key.Address, key)
		},
	}
	cmd.Flags().StringSliceVar(&names, "scope", []string{"manage"}, scopeHelp)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

func accessKey(address string, names []string) (markettypes.AccessKey, error) {
	key := markettypes.AccessKey{Address: address}
	for _, name := range names {
		scope, ok := scopes[name]
		if !ok {
			return key, fault.Newf("--scope "+name, "souk access add --help", "%s", scopeHelp)
		}
		if !slices.Contains(key.Scopes, scope) {
			key.Scopes = append(key.Scopes, scope)
		}
	}
	slices.Sort(key.Scopes)
	return key, nil
}

func accessRemoveCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "remove NAME ADDRESS",
		Short: "Let a key act for a deployment no more",
		Args:  cobra.ExactArgs(2), ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return changeAccess(cmd, args[0], yes, "Let "+args[1]+" act no more?",
				args[1])
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

// changeAccess writes the access keys of a deployment anew: without the one of an address, with those added.
func changeAccess(cmd *cobra.Command, name string, yes bool, question, address string, added ...markettypes.AccessKey) error {
	t, err := openTenant(cmd)
	if err != nil {
		return err
	}
	defer t.Close()
	d, err := t.mustFind(cmd.Context(), name)
	if err != nil {
		return err
	}
	keys := slices.DeleteFunc(slices.Clone(d.AccessKeys), func(k markettypes.AccessKey) bool { return k.Address == address })
	keys = append(keys, added...)
	slices.SortFunc(keys, func(a, b markettypes.AccessKey) int { return strings.Compare(a.Address, b.Address) })
	if err := t.Confirm(cmd.Context(), yes, question); err != nil {
		return err
	}
	return t.writeAccess(cmd.Context(), d, keys)
}

// writeAccess declares the deployment as it is, with other access keys.
func (t *tenant) writeAccess(ctx context.Context, d *open, keys []markettypes.AccessKey) error {
	msg := &markettypes.MsgUpdateDeployment{
		Signer: t.owner, Deployment: d.Id, Version: d.Version, ManifestHash: d.ManifestHash, AccessKeys: keys, Custodians: d.Custodians,
	}
	for _, b := range d.bids {
		if b.State != markettypes.BidState_BID_STATE_CLOSED {
			msg.Bids = append(msg.Bids, b.Spec)
		}
	}
	receipt, err := t.Send(ctx, t.Client, t.owner, "change the access keys of "+d.Name, msg)
	if err != nil {
		return err
	}
	return t.Out.One(map[string]any{"deployment": d.Name, "access_keys": keys, "tx_hash": receipt.Hash}, fmt.Sprintf("%s: changed\n", d.Name))
}
