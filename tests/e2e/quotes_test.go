package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/devnet"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func TestQuotesAreCollectedAndTheCheapestIsTaken(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	file := x.anywhere(t, service{name: "asked"})
	r := x.do(t, "up", "-y", "--quotes", file)
	require.Equal(t, exitUsage, r.code, "nobody would choose")
	require.Contains(t, r.stderr, "--accept cheapest")
	require.Empty(t, x.ps(t), "nothing was signed")

	d := x.up(t, file, "--quotes", "--accept", "cheapest", "--quotes-for", "15s")
	answer(t, d)
	lease := x.serving(t, d)
	require.Equal(t, m.addressOf(t, devnet.KeyOperator(0)), lease.Provider, "the other one asks for more")
	x.down(t, "asked")
	x.awaitGone(t, "asked")
	require.True(t, x.conservation(t).Conserved)
}

func TestAPersonChoosesAmongQuotesOnATerminal(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	term := x.types(t, "up", "--quotes", "--quotes-for", "30s", x.anywhere(t, service{name: "chosen"}))
	term.until("Proceed? [Y/n]")
	term.say("y")
	dearer := m.addressOf(t, devnet.KeyOperator(1))
	for { // until both have quoted
		asked := term.until("Which take")
		if number := lineOf(asked, dearer); number != "" {
			term.until("for none]")
			term.say(number)
			break
		}
		term.until("for none]")
		term.say("w")
	}
	term.ends(0)
	res, err := m.chain.Market.DeploymentByName(t.Context(), &markettypes.QueryDeploymentByNameRequest{Owner: x.address, Name: "chosen"})
	require.NoError(t, err)
	lease := x.serving(t, deployed{ID: res.Deployment.Id})
	require.Equal(t, dearer, lease.Provider, "not the cheapest, but the one that was chosen")
	x.down(t, "chosen")
	x.awaitGone(t, "chosen")
}

// lineOf is the number that stands before a provider in the last table; empty if it is not there.
func lineOf(screen, provider string) string {
	for _, line := range strings.Split(screen, "\n") {
		if words := strings.Fields(line); len(words) > 2 && words[2] == provider { // after the group and the number
			return words[1]
		}
	}
	return ""
}

// anywhere writes the compose file of a service that any provider may run.
func (x *tenant) anywhere(t *testing.T, s service) string {
	t.Helper()
	text := read(t, x.file(t, s))
	free := strings.Replace(text, "      regions: [eu-west]\n", "", 1)
	require.NotEqual(t, text, free)
	return x.write(t, s.name, free)
}

// terminal is where somebody types.
type terminal struct {
	t    *testing.T
	cmd  *exec.Cmd
	file io.ReadWriteCloser
	read chan []byte
	seen []byte
}

// types starts a command of souk on a terminal of its own.
func (x *tenant) types(t *testing.T, args ...string) *terminal {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), x.souk(), args...)
	cmd.Env, cmd.Dir = append(x.environment(x.key), "TERM=dumb"), x.home
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 250})
	require.NoError(t, err)
	term := &terminal{t: t, cmd: cmd, file: file, read: make(chan []byte, 1024)}
	go func() {
		defer close(term.read)
		for {
			part := make([]byte, 4096)
			n, err := file.Read(part)
			if n > 0 {
				term.read <- part[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { _ = file.Close() })
	return term
}

// until waits until something stands on the terminal, and returns all that was written before it since the last time.
func (x *terminal) until(text string) string {
	x.t.Helper()
	timeout := time.After(2 * time.Minute)
	for {
		if i := bytes.Index(x.seen, []byte(text)); i >= 0 {
			before := string(x.seen[:i])
			x.seen = x.seen[i+len(text):]
			return before
		}
		select {
		case part, more := <-x.read:
			require.True(x.t, more, "it ended before it said %q: %s", text, x.seen)
			x.seen = append(x.seen, part...)
		case <-timeout:
			require.Fail(x.t, fmt.Sprintf("it never said %q", text), "%s", x.seen)
		}
	}
}

func (x *terminal) say(line string) {
	x.t.Helper()
	_, err := io.WriteString(x.file, line+"\n")
	require.NoError(x.t, err)
}

// ends waits until the command has ended with an exit code.
func (x *terminal) ends(code int) {
	x.t.Helper()
	timeout := time.After(3 * time.Minute)
	for more := true; more; {
		var part []byte
		select {
		case part, more = <-x.read:
			x.seen = append(x.seen, part...)
		case <-timeout:
			require.Fail(x.t, "it does not end", "%s", x.seen)
		}
	}
	err := x.cmd.Wait()
	var exit *exec.ExitError
	require.True(x.t, err == nil || errors.As(err, &exit), "%v", err)
	require.Equal(x.t, code, x.cmd.ProcessState.ExitCode(), "%s", x.seen)
}
