package gateway

import (
	"context"
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/souk-network/souk/agent/api/apiconnect"
	"github.com/souk-network/souk/agent/audit"
	"github.com/souk-network/souk/agent/callers"
	"github.com/souk-network/souk/agent/token"
)

const resultOK = "ok"

// quiet calls are made every second: the audit log keeps them when they are refused only.
var quiet = []string{
	apiconnect.GatewayServiceInfoProcedure, apiconnect.GatewayServiceScreenProcedure,
	apiconnect.GatewayServiceStatusProcedure, apiconnect.GatewayServiceUsageProcedure, apiconnect.GatewayServiceListKeptProcedure,
	apiconnect.GatewayServiceSendReceiptProcedure, apiconnect.GatewayServiceLeafProcedure,
}

// record writes a call into the audit log. Refusals are kept for each address up to a pace.
func (s *Server) record(r *http.Request, grant token.Grant, lease uint64, call, result, detail string) {
	s.recordOf(remote(r), grant, lease, call, result, detail)
}

func (s *Server) recordOf(from string, grant token.Grant, lease uint64, call, result, detail string) {
	if s.audit == nil {
		return
	}
	now := time.Now()
	refused := slices.Contains([]string{"unauthenticated", "permission_denied", "invalid_argument", "not_found", "resource_exhausted"}, result)
	if refused && s.refusals.take(from, now) > 0 {
		return
	}
	err := s.audit.Add(audit.Record{
		Time: now.UTC(), Remote: from, Issuer: grant.Issuer, Owner: grant.Owner, Lease: lease, Call: call, Result: result, Detail: detail,
	})
	if err != nil {
		s.log.Error("audit log could not be written", "error", err)
	}
}

// callOf is the name of a Connect call.
func callOf(procedure string) string {
	if !strings.HasPrefix(procedure, "/"+apiconnect.GatewayServiceName+"/") {
		return "unknown"
	}
	return path.Base(procedure)
}

// watch sees every Connect call that got as far as its message: it counts and records.
type watch struct{ *Server }

var _ connect.Interceptor = (*watch)(nil)

// WrapUnary implements connect.Interceptor.
func (s *watch) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		response, err := next(ctx, r)
		s.note(ctx, r.Spec().Procedure, r.Peer().Addr, leaseOf(r.Any()), err)
		return response, err
	}
}

// WrapStreamingHandler implements connect.Interceptor.
func (s *watch) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		open := s.metrics.streams.WithLabelValues(callOf(conn.Spec().Procedure))
		open.Inc()
		defer open.Dec()
		seen := &seenConn{StreamingHandlerConn: conn}
		err := next(ctx, seen)
		s.note(ctx, conn.Spec().Procedure, conn.Peer().Addr, seen.lease, err)
		return err
	}
}

// WrapStreamingClient implements connect.Interceptor.
func (*watch) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

func (s *watch) note(ctx context.Context, procedure, peer string, lease uint64, err error) {
	code := resultOK
	if err != nil {
		code = connect.CodeOf(err).String()
	}
	if errors.Is(err, context.Canceled) {
		code = connect.CodeCanceled.String()
	}
	s.metrics.requests.WithLabelValues(callOf(procedure), code).Inc()
	if code == resultOK && slices.Contains(quiet, procedure) {
		return
	}
	grant, _ := ctx.Value(grantKey{}).(token.Grant)
	s.recordOf(callers.Of(peer), grant, lease, callOf(procedure), code, "")
}

// seenConn remembers which lease a stream's request names.
type seenConn struct {
	connect.StreamingHandlerConn
	lease uint64
}

// Receive implements connect.StreamingHandlerConn.
func (c *seenConn) Receive(message any) error {
	err := c.StreamingHandlerConn.Receive(message)
	if err == nil {
		c.lease = leaseOf(message)
	}
	return err
}

func leaseOf(message any) uint64 {
	if m, ok := message.(interface{ GetLease() uint64 }); ok {
		return m.GetLease()
	}
	return 0
}
