package tenant

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// maxLogin is the longest life of a session key.
const maxLogin = 30 * 24 * time.Hour

func loginCommand() *cobra.Command {
	var (
		yes   bool
		names []string
		ttl   time.Duration
	)
	cmd := &cobra.Command{
		Use:   "login NAME",
		Short: "Make a session key, so that exec, logs, ps and the like need the account's key no more",
		Long: `Make a key that may do a few things at the providers of one deployment for a while,
and set it as an access key of the deployment, with one transaction. It lies in a
file that only you can read. Until it expires, exec, logs, events, status, top and
ps use it, and the account's key, with its password, stays closed.`,
		Example: `  souk login shop
  souk login shop --ttl 1h --scope read`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := accessKey("", names)
			if err != nil {
				return session.Usage(err)
			}
			if ttl < time.Minute || ttl > maxLogin {
				return session.Usage(fault.Newf("--ttl "+ttl.String(), "souk login NAME --ttl 12h", "want one minute to 30 days"))
			}
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			return t.login(cmd.Context(), args[0], names, key, ttl, yes)
		},
	}
	cmd.Flags().DurationVar(&ttl, "ttl", 12*time.Hour, "how long it may, at most 720h")
	cmd.Flags().StringSliceVar(&names, "scope", []string{"read", "exec"}, scopeHelp)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	completeFlag(cmd, "scope", words(scopeNames...))
	return cmd
}

func (t *tenant) login(ctx context.Context, name string, names []string, key markettypes.AccessKey, ttl time.Duration, yes bool) error {
	d, err := t.mustFind(ctx, name)
	if err != nil {
		return err
	}
	clock, err := t.serviceClock(ctx)
	if err != nil {
		return err
	}
	before, known, err := t.authority.logins.of(d.Id)
	if err != nil {
		return err
	}
	item, err := newLogin(t.Context.ChainID, t.owner, t.Context.From, d, names, time.Now().Add(ttl).UTC().Truncate(time.Second))
	if err != nil {
		return err
	}
	key.Address, key.ExpiresAt = item.Address, clock.now+uint64(ttl.Seconds())
	var without []string
	if known {
		without = append(without, before.Address)
	}
	if err := t.Confirm(ctx, yes, fmt.Sprintf("Let a new key on this machine %s for %s?", scopeText(key.Scopes), ttl)); err != nil {
		return err
	}
	// Kept first: what is on the chain must not be lost with the reply.
	if err := t.authority.logins.keep(item); err != nil {
		return err
	}
	receipt, err := t.writeAccess(ctx, d, keysWith(d.AccessKeys, clock.now, without, key))
	if err != nil {
		return t.loginFailed(err, d.Id, before, known)
	}
	return t.Out.One(map[string]any{
		"deployment": d.Name, "address": item.Address, "scopes": names, "expires": item.Expires, "tx_hash": receipt.Hash,
	}, fmt.Sprintf("%s: logged in until %s, to %s\n", d.Name, item.Expires.Local().Format("2006-01-02 15:04"), scopeText(key.Scopes)))
}

// loginFailed puts back what was there before a transaction that did not take place; a key whose transaction may still
// take place stays.
func (t *tenant) loginFailed(err error, deployment uint64, before login, known bool) error {
	if session.ExitCode(err) == session.ExitNotConfirmed {
		return err
	}
	restore := t.authority.logins.forget(deployment)
	if known {
		restore = t.authority.logins.keep(before)
	}
	if restore != nil {
		t.Notef("warning: the session key of this deployment is not good: %v", restore)
	}
	return err
}

func logoutCommand() *cobra.Command {
	var yes, local bool
	cmd := &cobra.Command{
		Use:   "logout NAME",
		Short: "Forget the session key of a deployment, here and on the chain",
		Args:  cobra.ExactArgs(1), ValidArgsFunction: completeLogins,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := session.Open(cmd)
			if err != nil {
				return err
			}
			item, err := findLogin(s, args[0])
			if err != nil {
				return err
			}
			if !local && time.Now().Before(item.Expires) {
				if err := revoke(cmd, item, yes); err != nil {
					return err
				}
			}
			if err := loginsIn(s.Home, s.Context.ChainID).forget(item.Deployment); err != nil {
				return fmt.Errorf("forget the session key of %s: %w", item.Name, err)
			}
			return s.Out.One(map[string]any{"deployment": item.Name, "address": item.Address}, item.Name+": logged out\n")
		},
	}
	cmd.Flags().BoolVar(&local, "local", false, "only forget it here; the chain knows it until it expires")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

// findLogin finds the newest session key of a deployment's name.
func findLogin(s *session.Session, name string) (login, error) {
	all, err := loginsIn(s.Home, s.Context.ChainID).all()
	if err != nil {
		return login{}, err
	}
	var found *login
	for i := range all {
		if all[i].Name == name {
			found = &all[i]
		}
	}
	if found == nil {
		return login{}, fault.New("nobody is logged in to "+name, nil, "souk login "+name)
	}
	return *found, nil
}

// revoke takes a session key out of its deployment, if it is still there.
func revoke(cmd *cobra.Command, item login, yes bool) error {
	t, err := openTenant(cmd)
	if err != nil {
		return err
	}
	defer t.Close()
	ctx := cmd.Context()
	d, err := t.find(ctx, item.Name)
	if err != nil {
		return err
	}
	clock, err := t.serviceClock(ctx)
	if err != nil {
		return err
	}
	if d == nil || d.Id != item.Deployment || len(keysWith(d.AccessKeys, clock.now, []string{item.Address})) == len(keysWith(d.AccessKeys, clock.now, nil)) {
		return nil // the chain does not know it any more
	}
	if err := t.Confirm(ctx, yes, "Let the key "+item.Address+" act no more?"); err != nil {
		return err
	}
	_, err = t.writeAccess(ctx, d, keysWith(d.AccessKeys, clock.now, []string{item.Address}))
	return err
}

// completeLogins completes the names of deployments that somebody is logged in to.
func completeLogins(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	s, err := session.Local(cmd)
	if err != nil || len(args) > 0 {
		return nil, noFiles
	}
	all, err := loginsIn(s.Home, s.Context.ChainID).all()
	if err != nil {
		return nil, noFiles
	}
	var names []string
	for _, item := range all {
		names = append(names, cobra.CompletionWithDesc(item.Name, "for "+output.Age(time.Until(item.Expires))))
	}
	return names, noFiles
}
