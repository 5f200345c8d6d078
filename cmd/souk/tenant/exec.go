package tenant

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/coder/websocket"
	"github.com/spf13/cobra"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/session"
)

const (
	execPath        = "/souk.agent.v1/exec"
	execSubprotocol = "souk.exec.v1"
	// maxExecMessage bounds one message of the provider.
	maxExecMessage = 1 << 20
)

type execOptions struct {
	input   bool
	tty     bool
	replica uint32
	lease   uint64
}

func execCommand() *cobra.Command {
	var o execOptions
	cmd := &cobra.Command{
		Use:   "exec [-it] NAME[/SERVICE] -- COMMAND [ARGUMENT…]",
		Short: "Run a command in a container",
		Long: `Run a command in a container, beside what runs there. Its exit code is that of
this command. With -i what is typed or piped goes to the command; with -t it gets
a terminal.`,
		Example: `  souk exec shop/web -- ls -l /srv
  souk exec -it shop/db -- psql
  souk exec -i shop/db -- psql < dump.sql`,
		Args: func(cmd *cobra.Command, args []string) error {
			if dash := cmd.ArgsLenAtDash(); len(args) < 2 || dash > 1 || dash == 0 {
				return errors.New("want NAME[/SERVICE] -- COMMAND")
			}
			return nil
		},
		ValidArgsFunction: completeTargets,
		RunE: onTarget(func(ctx context.Context, t *tenant, g target, rest []string) error {
			return t.exec(ctx, g, rest, o)
		}),
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.input, "interactive", "i", false, "pass standard input on")
	flags.BoolVarP(&o.tty, "tty", "t", false, "give the command a terminal")
	flags.Uint32Var(&o.replica, "replica", 0, "number of the replica within the service")
	flags.Uint64Var(&o.lease, "lease", 0, "lease to use, where the service has several")
	addOwnerFlag(flags)
	completeFlag(cmd, "lease", completeLeases)
	return cmd
}

func (t *tenant) exec(ctx context.Context, g target, command []string, o execOptions) error {
	_, found, err := t.places(ctx, g, chosen{lease: o.lease, replica: int64(o.replica)})
	if err != nil {
		return err
	}
	p, err := onePlace(g, found)
	if err != nil {
		return err
	}
	local := newTerminal(t.In, t.Out.Out, t.Notes)
	if o.tty && !local.isTerminal() {
		t.Notef("warning: this is no terminal, the command gets none either")
		o.tty = false
	}
	conn, err := p.gateway.dialExec(ctx, p, command, o.tty)
	if err != nil {
		return err
	}
	defer conn.CloseNow() //nolint:errcheck // nothing more is to be said
	stream := &execStream{conn: conn, local: local, input: o.input}
	result, err := stream.run(ctx, o.tty)
	if err != nil {
		return fault.New("the session with "+g.String()+" ended", err, "souk status "+g.deployment)
	}
	return execStatus(g, command, result)
}

// execStatus makes the exit code of a command that of this one.
func execStatus(g target, command []string, result *api.ExecResult) error {
	if result.GetError() != "" {
		return fault.New(fmt.Sprintf("run %s in %s", command[0], g), errors.New(result.GetError()), "souk status "+g.deployment)
	}
	if result.GetExitCode() != 0 {
		return session.Status(result.GetExitCode())
	}
	return nil
}

// onePlace picks the only place there is.
func onePlace(g target, found []place) (place, error) {
	if len(found) == 1 {
		return found[0], nil
	}
	services := map[string]bool{}
	for _, p := range found {
		services[p.replica.GetService()] = true
	}
	if len(services) > 1 {
		names := slices.Sorted(func(yield func(string) bool) {
			for name := range services {
				if !yield(g.deployment + "/" + name) {
					return
				}
			}
		})
		return place{}, session.Usage(fault.Newf("choose a service of "+g.deployment, "name one of "+strings.Join(names, ", "), "it has %d", len(names)))
	}
	return place{}, session.Usage(fault.Newf("choose one lease of "+g.String(), "add --lease: "+strings.Join(placeNames(found), ", "),
		"it runs in %d", len(found)))
}

// dialExec opens the WebSocket of one command, to a gateway whose key is pinned like that of all other calls.
func (g *gateway) dialExec(ctx context.Context, p place, command []string, tty bool) (*websocket.Conn, error) {
	secret, err := g.token(token.ScopeExec)
	if err != nil {
		return nil, err
	}
	// A WebSocket begins as HTTP/1.1.
	transport, err := g.newTransport()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, g.execURL(p, command, tty), &websocket.DialOptions{ //nolint:bodyclose // Dial closes it
		HTTPClient:   g.client(pinnedOnly{transport, g.uri.Host}),
		HTTPHeader:   http.Header{"Authorization": {"Bearer " + secret}},
		Subprotocols: []string{execSubprotocol},
	})
	if err != nil {
		return nil, refusedExec(res, err)
	}
	conn.SetReadLimit(maxExecMessage)
	return conn, nil
}

func (g *gateway) execURL(p place, command []string, tty bool) string {
	query := url.Values{
		"lease": {strconv.FormatUint(p.lease.Id, 10)}, "service": {p.replica.GetService()},
		"replica": {strconv.FormatUint(uint64(p.replica.GetReplica()), 10)}, "command": command,
	}
	if tty {
		query.Set("tty", "1")
	}
	return (&url.URL{Scheme: "https", Host: g.uri.Host, Path: execPath, RawQuery: query.Encode()}).String()
}
