package tenant

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client"
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

// scopeNames lists them for help and completion.
var scopeNames = []string{"read", "exec", "manage", "watch"}

const scopeHelp = "what it may do: read (status, logs, events), exec (commands in containers), manage (update, close leases, send manifests and images), watch (challenge, fail over, read and send manifests)"

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
			t, err := openReader(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			d, err := t.mustFind(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return t.listAccess(cmd.Context(), d)
		},
	}
}

// accessItem is an access key as it is printed for programs.
type accessItem struct {
	Address string     `json:"address"`
	Scopes  []string   `json:"scopes"`
	Expires *time.Time `json:"expires,omitempty"`
	Expired bool       `json:"expired"`
}

func (t *tenant) listAccess(ctx context.Context, d *open) error {
	clock, err := t.serviceClock(ctx)
	if err != nil {
		return err
	}
	rows := output.Rows{Columns: []output.Column{{Name: "key"}, {Name: "may"}, {Name: "until"}}, Empty: "only the owner may act"}
	var items []any
	for _, key := range d.AccessKeys {
		item := accessItem{Address: key.Address, Expired: !key.GoodAt(clock.now)}
		for _, s := range key.Scopes {
			item.Scopes = append(item.Scopes, word(s, "SCOPE_"))
		}
		until := "taken away"
		if key.ExpiresAt != 0 {
			at := clock.at(key.ExpiresAt)
			item.Expires, until = &at, at.Local().Format("2006-01-02 15:04")
		}
		if item.Expired {
			until = "expired"
		}
		items = append(items, item)
		rows.Cells = append(rows.Cells, []string{key.Address, scopeText(key.Scopes), until})
	}
	return t.Out.List(items, rows)
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
		ttl   time.Duration
	)
	cmd := &cobra.Command{
		Use:   "add NAME ADDRESS",
		Short: "Let a key act for a deployment, or change what it may do",
		Example: `  souk access add shop souk1... --scope manage
  souk access add shop souk1... --scope read,exec --ttl 48h`,
		Args: cobra.ExactArgs(2), ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := accessKey(args[1], names)
			if err != nil {
				return session.Usage(err)
			}
			if ttl < 0 || ttl > 0 && ttl < time.Second {
				return session.Usage(fault.Newf("--ttl "+ttl.String(), "souk access add --help", "want at least a second, or 0 for no end"))
			}
			question := fmt.Sprintf("Let %s %s?", key.Address, scopeText(key.Scopes))
			if ttl > 0 {
				question = fmt.Sprintf("Let %s %s for %s?", key.Address, scopeText(key.Scopes), ttl)
			}
			return changeAccess(cmd, args[0], yes, question, key.Address, func(now uint64) []markettypes.AccessKey {
				if ttl > 0 {
					key.ExpiresAt = now + uint64(ttl.Seconds())
				}
				return []markettypes.AccessKey{key}
			})
		},
	}
	cmd.Flags().StringSliceVar(&names, "scope", []string{"manage"}, scopeHelp)
	cmd.Flags().DurationVar(&ttl, "ttl", 0, "how long it may, from now; until it is taken away if 0")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	completeFlag(cmd, "scope", words(scopeNames...))
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
				args[1], func(uint64) []markettypes.AccessKey { return nil })
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

// changeAccess writes the access keys of a deployment anew: without the one of an address, with those added.
func changeAccess(cmd *cobra.Command, name string, yes bool, question, address string, added func(now uint64) []markettypes.AccessKey) error {
	t, err := openTenant(cmd)
	if err != nil {
		return err
	}
	defer t.Close()
	d, err := t.mustFind(cmd.Context(), name)
	if err != nil {
		return err
	}
	clock, err := t.serviceClock(cmd.Context())
	if err != nil {
		return err
	}
	keys := keysWith(d.AccessKeys, clock.now, []string{address}, added(clock.now)...)
	if err := t.Confirm(cmd.Context(), yes, question); err != nil {
		return err
	}
	receipt, err := t.writeAccess(cmd.Context(), d, keys)
	if err != nil {
		return err
	}
	return t.Out.One(map[string]any{"deployment": d.Name, "access_keys": keys, "tx_hash": receipt.Hash}, fmt.Sprintf("%s: changed\n", d.Name))
}

// keysWith is a list of access keys without those of some addresses and those that have expired, and with others, as the
// chain wants it.
func keysWith(keys []markettypes.AccessKey, now uint64, without []string, added ...markettypes.AccessKey) []markettypes.AccessKey {
	out := slices.DeleteFunc(slices.Clone(keys), func(k markettypes.AccessKey) bool {
		return !k.GoodAt(now) || slices.Contains(without, k.Address)
	})
	out = append(out, added...)
	slices.SortFunc(out, func(a, b markettypes.AccessKey) int { return strings.Compare(a.Address, b.Address) })
	return out
}

// writeAccess declares the deployment as it is, with other access keys.
func (t *tenant) writeAccess(ctx context.Context, d *open, keys []markettypes.AccessKey) (client.Receipt, error) {
	msg, err := t.accessMessage(d, keys)
	if err != nil {
		return client.Receipt{}, err
	}
	return t.Send(ctx, t.Client, t.owner, "change the access keys of "+d.Name, msg)
}

// accessMessage declares a deployment as it is, with other access keys.
func (t *tenant) accessMessage(d *open, keys []markettypes.AccessKey) (*markettypes.MsgUpdateDeployment, error) {
	if len(keys) > markettypes.MaxAccessKeys {
		return nil, session.Usage(fault.Newf("change the access keys of "+d.Name, "souk access remove "+d.Name+" ADDRESS",
			"a deployment has at most %d", markettypes.MaxAccessKeys))
	}
	msg := &markettypes.MsgUpdateDeployment{
		Signer: t.owner, Deployment: d.Id, Version: d.Version, ManifestHash: d.ManifestHash, AccessKeys: keys, Custodians: d.Custodians,
	}
	for _, b := range d.bids {
		if b.State != markettypes.BidState_BID_STATE_CLOSED {
			msg.Bids = append(msg.Bids, b.Spec)
		}
	}
	return msg, nil
}
