package gateway

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/agent/workload"
)

const (
	// lookEvery is how often a followed status is looked at when nothing was heard of it.
	lookEvery = time.Second
	// eventsAtOnce are read for one stream.
	eventsAtOnce = 64
)

// open begins a stream about a lease: it takes a place of its owner, and ends with the token. Errors are Connect's; done
// gives the place back.
func (s *service) open(ctx context.Context, scope token.Scope, id uint64) (_ workload.Lease, _ context.Context, done func(), err error) {
	l, err := s.lease(ctx, scope, id)
	if err != nil {
		return l, ctx, nil, err
	}
	grant, _ := ctx.Value(grantKey{}).(token.Grant) // lease has seen it
	if err := s.streams.take(grant); err != nil {
		return l, ctx, nil, connect.NewError(connect.CodeResourceExhausted, err)
	}
	ctx, cancel := context.WithDeadline(ctx, grant.ExpiresAt)
	return l, ctx, func() { cancel(); s.streams.giveBack(grant) }, nil
}

// ended is the error of a stream whose context has ended: that its token expired, or none when its caller left.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return connect.NewError(connect.CodeUnauthenticated, token.ErrExpired)
	}
	return nil
}

// over tells that a stream must end, and with which error: its lease has ended, or the chain allows it no more.
func (s *service) over(ctx context.Context, scope token.Scope, id uint64) (bool, error) {
	_, err := s.lease(ctx, scope, id)
	switch connect.CodeOf(err) {
	case connect.CodeNotFound:
		return true, nil
	case connect.CodePermissionDenied:
		return true, err
	}
	return false, nil // the node may be down for a while
}

// WatchStatus tells how a lease is doing, whenever that changes.
func (s *service) WatchStatus(
	ctx context.Context, req *connect.Request[api.WatchStatusRequest], stream *connect.ServerStream[api.WatchStatusResponse],
) error {
	l, ctx, done, err := s.open(ctx, token.ScopeStatus, req.Msg.GetLease())
	if err != nil {
		return err
	}
	defer done()
	var last *api.StatusResponse
	next := func() error {
		l, err := s.lease(ctx, token.ScopeStatus, l.ID)
		var status *api.StatusResponse
		if err == nil {
			status, err = s.statusOf(ctx, l)
		}
		switch connect.CodeOf(err) {
		case connect.CodeNotFound, connect.CodePermissionDenied, connect.CodeUnavailable:
			return nil // follow asks whether it is over; the node or the runtime may be down for a while
		}
		if proto.Equal(last, status) {
			return nil
		}
		last = status
		return stream.Send(&api.WatchStatusResponse{Status: status})
	}
	return s.follow(ctx, token.ScopeStatus, l.ID, next, func() error { return stream.Send(&api.WatchStatusResponse{}) })
}

// Events tells what happened to a lease, and goes on with what comes.
func (s *service) Events(ctx context.Context, req *connect.Request[api.EventsRequest], stream *connect.ServerStream[api.EventsResponse]) error {
	l, ctx, done, err := s.open(ctx, token.ScopeEvents, req.Msg.GetLease())
	if err != nil {
		return err
	}
	defer done()
	after := req.Msg.GetAfter()
	next := func() error {
		after, err = s.sendEvents(l.ID, after, stream)
		return err
	}
	if !req.Msg.GetFollow() {
		return next()
	}
	return s.follow(ctx, token.ScopeEvents, l.ID, next, func() error { return stream.Send(&api.EventsResponse{}) })
}

// sendEvents sends all that are kept after a number, and gives the number of the last.
func (s *service) sendEvents(lease, after uint64, stream *connect.ServerStream[api.EventsResponse]) (uint64, error) {
	for {
		list, err := s.events.After(lease, after, eventsAtOnce)
		if err != nil {
			s.log.Error("events could not be read", "lease", lease, "error", err)
			return after, connect.NewError(connect.CodeUnavailable, errors.New("the provider could not read its events: try again"))
		}
		for _, e := range list {
			after = e.Number
			err := stream.Send(&api.EventsResponse{
				Number: e.Number, Time: timestamppb.New(e.Time), Service: e.Service, Replica: e.Replica,
				Kind: Plain(e.Kind), Message: Plain(e.Message),
			})
			if err != nil {
				return after, err
			}
		}
		if len(list) < eventsAtOnce {
			return after, nil
		}
	}
}

// follow calls next at once, at every event of the lease and every second, and alive while that sends nothing.
func (s *service) follow(ctx context.Context, scope token.Scope, lease uint64, next, alive func() error) error {
	changed, done := s.events.Listen(lease)
	defer done()
	look, idle := time.NewTicker(lookEvery), time.NewTicker(s.alive)
	defer look.Stop()
	defer idle.Stop()
	for {
		if err := next(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ended(ctx)
		case <-changed:
		case <-look.C:
		case <-idle.C:
			if err := alive(); err != nil {
				return err
			}
		}
		if over, err := s.over(ctx, scope, lease); over {
			return err
		}
	}
}
