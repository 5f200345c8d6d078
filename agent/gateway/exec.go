package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/token"
)

const (
	// ExecPath is where commands are run: see gateway.proto.
	ExecPath = "/souk.agent.v1/exec"
	// ExecProtocol is the subprotocol that is spoken there.
	ExecProtocol = "souk.exec.v1"
	// BearerProtocol begins the subprotocol by which those who cannot set headers show their token.
	BearerProtocol = "souk.bearer."
	// MaxExecMessage bounds a message of an exec in bytes, its first byte included.
	MaxExecMessage = 64 << 10

	// maxExecs are open at once to one owner.
	maxExecs = 16
	// maxCommandWords of one exec.
	maxCommandWords = 256
)

// exec serves ExecPath.
func (s *Server) exec(w http.ResponseWriter, r *http.Request) {
	grant, err := s.execBearer(r)
	if err != nil {
		s.refuseExec(w, r, grant, runtime.ExecRequest{}, http.StatusUnauthorized, "unauthenticated", err)
		return
	}
	if wait := s.accounts.take(grant.Issuer, time.Now()); wait > 0 {
		s.tooOften(w, r, wait)
		return
	}
	request, err := execRequest(r.URL.RawQuery)
	if err != nil {
		s.refuseExec(w, r, grant, request, http.StatusBadRequest, "invalid_argument", err)
		return
	}
	if !slices.Contains(subprotocols(r), ExecProtocol) {
		err := fmt.Errorf("this is a WebSocket with the subprotocol %s", ExecProtocol)
		s.refuseExec(w, r, grant, request, http.StatusBadRequest, "invalid_argument", err)
		return
	}
	if _, err := s.allowed(r.Context(), grant, token.ScopeExec, request.Lease); err != nil {
		status, code := refusalOf(err)
		s.refuseExec(w, r, grant, request, status, code, err)
		return
	}
	execer, ok := s.runtime.(runtime.Execer)
	if !ok {
		s.refuseExec(w, r, grant, request, http.StatusNotImplemented, "unimplemented", errors.New("this provider's runtime runs no further commands"))
		return
	}
	if err := s.execs.take(grant); err != nil {
		s.refuseExec(w, r, grant, request, http.StatusTooManyRequests, "resource_exhausted", err)
		return
	}
	defer s.execs.giveBack(grant)
	// No origin is turned away: what is allowed hangs on the token, which no browser sends by itself.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{ExecProtocol}, InsecureSkipVerify: true})
	if err != nil {
		s.record(r, grant, request.Lease, "Exec", "invalid_argument", "")
		return // it has answered
	}
	s.runExec(r, conn, grant, request, execer)
}

// runExec is an exec from its first to its last message.
func (s *Server) runExec(r *http.Request, conn *websocket.Conn, grant token.Grant, request runtime.ExecRequest, execer runtime.Execer) {
	word := Plain(request.Command[0])
	s.record(r, grant, request.Lease, "Exec", "started", word)
	s.metrics.execs.Inc()
	defer s.metrics.execs.Dec()
	x := newSession(s, conn, grant, request.Lease)
	code, err := x.run(r.Context(), execer, request)
	result := "ended " + strconv.Itoa(code)
	if err != nil {
		result = "broken off"
		s.log.Debug("exec was broken off", "lease", request.Lease, "error", err)
	}
	s.record(r, grant, request.Lease, "Exec", result, word)
}

// execBearer takes the token from the header or from the offered subprotocols.
func (s *Server) execBearer(r *http.Request) (token.Grant, error) {
	if r.Header.Get("Authorization") == "" {
		for _, p := range subprotocols(r) {
			if raw, ok := strings.CutPrefix(p, BearerProtocol); ok {
				return s.tokens.Verify(raw)
			}
		}
	}
	return s.bearer(r)
}

func subprotocols(r *http.Request) []string {
	var out []string
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(line, ",") {
			out = append(out, strings.TrimSpace(p))
		}
	}
	return out
}

// execRequest reads what is asked for out of the address.
func execRequest(query string) (runtime.ExecRequest, error) {
	var out runtime.ExecRequest
	values, err := url.ParseQuery(query)
	if err != nil {
		return out, fmt.Errorf("%w: the query can not be read", runtime.ErrInvalid)
	}
	p := parameters{values: values}
	out = runtime.ExecRequest{
		Lease: p.number("lease", 64), Service: p.one("service"), Replica: uint32(p.number("replica", 32)),
		User: p.one("user"), Dir: p.one("dir"), TTY: p.yes("tty"), Command: values["command"],
		Size: runtime.TerminalSize{Columns: uint16(p.number("columns", 16)), Rows: uint16(p.number("rows", 16))},
	}
	known := []string{"lease", "service", "replica", "user", "dir", "tty", "command", "columns", "rows"}
	for name := range values {
		if !slices.Contains(known, name) {
			p.fail("there is no parameter %.32q", name)
		}
	}
	switch {
	case out.Lease == 0:
		p.fail("no lease is named")
	case len(out.Command) == 0 || out.Command[0] == "":
		p.fail("no command is named")
	case len(out.Command) > maxCommandWords:
		p.fail("the command has more than %d words", maxCommandWords)
	}
	return out, p.err
}

// parameters reads values and keeps the first thing that is wrong with them.
type parameters struct {
	values url.Values
	err    error
}

func (p *parameters) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("%w: %s", runtime.ErrInvalid, fmt.Sprintf(format, args...))
	}
}

func (p *parameters) one(name string) string {
	if len(p.values[name]) > 1 {
		p.fail("%s is given twice", name)
	}
	return p.values.Get(name)
}

func (p *parameters) number(name string, bits int) uint64 {
	text := p.one(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		p.fail("%s is no number of %d bits", name, bits)
	}
	return n
}

func (p *parameters) yes(name string) bool {
	switch p.one(name) {
	case "", "0", "false":
		return false
	case "1", "true":
		return true
	}
	p.fail("%s is neither 0 nor 1", name)
	return false
}

// refuseExec answers before there is a WebSocket, in the form of Connect's errors.
func (s *Server) refuseExec(
	w http.ResponseWriter, r *http.Request, grant token.Grant, request runtime.ExecRequest, status int, code string, err error,
) {
	s.record(r, grant, request.Lease, "Exec", code, "")
	writeJSON(w, status, map[string]string{"code": code, "message": Plain(err.Error())})
}

// refusalOf translates an error of allowed.
func refusalOf(err error) (status int, code string) {
	switch {
	case errors.Is(err, ErrNoLease), errors.Is(err, custody.ErrNotCustodian):
		return http.StatusNotFound, "not_found"
	case errors.Is(err, token.ErrElsewhere), errors.Is(err, token.ErrScope), errors.Is(err, custody.ErrNotEntitled):
		return http.StatusForbidden, "permission_denied"
	case errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable, "canceled"
	}
	return http.StatusServiceUnavailable, "unavailable"
}
