package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/internal/version"
)

// Results of a check.
const (
	checkOK      = "ok"
	checkWarning = "warning"
	checkFailed  = "failed"
	checkSkipped = "skipped"
)

// check is one thing that was looked at, for programs.
type check struct {
	Check  string `json:"check"`
	Result string `json:"result"` // ok, warning, failed or skipped
	Detail string `json:"detail"`
	Try    string `json:"try,omitempty"`
}

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
			return x.print()
		},
	}
}

// examination collects checks; later ones need what earlier ones found.
type examination struct {
	*session.Session
	checks []check
	tenant *tenant
	height int64 // of the node
}

func (x *examination) add(name, result, try, format string, args ...any) {
	x.checks = append(x.checks, check{name, result, fmt.Sprintf(format, args...), try})
}

// fail takes cause and remedy from an error.
func (x *examination) fail(name string, err error, or string) {
	summary, cause, try := fault.Parts(err)
	if cause != "" {
		summary += ": " + cause
	}
	if try == "" {
		try = or
	}
	x.checks = append(x.checks, check{name, checkFailed, strings.ReplaceAll(summary, "\n", " "), try})
}

func (x *examination) skip(why string, names ...string) {
	for _, name := range names {
		x.add(name, checkSkipped, "", "%s", why)
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
	x.add("context", checkOK, "", "%s, node %s", s.Context.ChainID, s.Context.Node)
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
	x.add("key", checkOK, "", "%s is %s", x.Context.From, owner)
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
			x.add("login "+l.Name, checkWarning, "souk login "+l.Name+"   or: souk logout "+l.Name, "the session key has expired")
		} else {
			x.add("login "+l.Name, checkOK, "", "%s, for %s", strings.Join(l.Scopes, ", "), output.Age(left))
		}
	}
}

func (x *examination) print() error {
	rows := output.Rows{Columns: []output.Column{{Name: "check"}, {Name: "result", Tone: output.StateTone}, {Name: "detail"}, {Name: "try"}}}
	var items []any
	failed := 0
	for _, c := range x.checks {
		items = append(items, c)
		rows.Cells = append(rows.Cells, []string{c.Check, c.Result, c.Detail, c.Try})
		if c.Result == checkFailed {
			failed++
		}
	}
	if err := x.Out.List(items, rows); err != nil {
		return err
	}
	if failed > 0 {
		return fault.New(fmt.Sprintf("%d of %d checks failed", failed, len(x.checks)), nil, x.firstRemedy())
	}
	return nil
}

func (x *examination) firstRemedy() string {
	for _, c := range x.checks {
		if c.Result == checkFailed && c.Try != "" {
			return c.Try
		}
	}
	return ""
}

// errNoAnswer is a gateway that is not what the chain says.
var errNoAnswer = errors.New("the gateway answers for somebody else")

func (x *examination) checkVersions(ctx context.Context) {
	node, err := x.tenant.nodeVersion(ctx)
	switch {
	case err != nil:
		x.fail("versions", err, "souk doctor once the node answers")
	case node != version.Version:
		x.add("versions", checkWarning, "install the same release of souk as the network runs", "souk is %s, the node is %s", version.Version, node)
	default:
		x.add("versions", checkOK, "", "souk and node are %s", node)
	}
}
