package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client/checkup"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/internal/version"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check what has to be right: context, key, node, clock, money, providers, versions",
		Long: `Check what has to be right for the other commands to work, and say what to do about
what is not. The exit code is 0 if nothing failed, warnings apart.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := session.Local(cmd)
			if err != nil {
				return err
			}
			x := &examination{Session: s}
			x.run(cmd)
			return errors.Join(x.Out.Checks(x.checks), checkup.Verdict(x.checks))
		},
	}
}

// examination collects checks; later ones need what earlier ones found.
type examination struct {
	*session.Session
	checks []checkup.Check
	tenant *tenant
	height int64 // of the node
}

func (x *examination) add(name string, result checkup.Result, try, format string, args ...any) {
	x.checks = append(x.checks, checkup.New(name, result, fmt.Sprintf(format, args...), try))
}

// fail takes cause and remedy from an error.
func (x *examination) fail(name string, err error, or string) {
	x.checks = append(x.checks, checkup.Fail(name, err, or))
}

func (x *examination) skip(why string, names ...string) {
	for _, name := range names {
		x.add(name, checkup.Skipped, "", "%s", why)
	}
}

func (x *examination) run(cmd *cobra.Command) {
	ctx := cmd.Context()
	s, err := session.Open(cmd)
	if err != nil {
		x.fail("context", err, "souk context list")
		x.skip("there is no context", "key", "node", "clock", "balance", "providers", "versions")
		return
	}
	x.Session = s
	x.add("context", checkup.OK, "", "%s, node %s", s.Context.ChainID, s.Context.Node)
	owner := x.checkKey()
	if !x.checkNode(ctx, owner) {
		x.skip("the node can not be asked", "clock", "balance", "providers", "versions")
		return
	}
	defer x.tenant.Close()
	x.checkClock(ctx)
	if owner == "" {
		x.skip("there is no key", "balance", "providers")
	} else {
		x.checkBalance(ctx)
		x.checkProviders(ctx)
	}
	x.checkVersions(ctx)
	x.checkLogins()
}

// checkKey finds the account; empty if there is none.
func (x *examination) checkKey() string {
	_, owner, err := x.Address()
	if err != nil {
		x.fail("key", err, "souk keys add NAME, then souk context add … --from NAME")
		return ""
	}
	x.add("key", checkup.OK, "", "%s is %s", x.Context.From, owner)
	return owner
}

// checkLogins looks at the session keys of this machine.
func (x *examination) checkLogins() {
	all, err := loginsIn(x.Home, x.Context.ChainID).all()
	if err != nil {
		x.fail("logins", err, "remove the file")
		return
	}
	for _, l := range all {
		if left := time.Until(l.Expires); left <= 0 {
			x.add("login "+l.Name, checkup.Warning, "souk login "+l.Name+"   or: souk logout "+l.Name, "the session key has expired")
		} else {
			x.add("login "+l.Name, checkup.OK, "", "%s, for %s", strings.Join(l.Scopes, ", "), output.Age(left))
		}
	}
}

// errNoAnswer is a gateway that is not what the chain says.
var errNoAnswer = errors.New("the gateway answers for somebody else")

func (x *examination) checkVersions(ctx context.Context) {
	node, err := x.tenant.nodeVersion(ctx)
	switch {
	case err != nil:
		x.fail("versions", err, "souk doctor once the node answers")
	case node != version.Version:
		x.add("versions", checkup.Warning, "install the same release of souk as the network runs", "souk is %s, the node is %s", version.Version, node)
	default:
		x.add("versions", checkup.OK, "", "souk and node are %s", node)
	}
}
