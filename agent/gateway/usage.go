package gateway

import (
	"context"
	"errors"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/token"
)

// Usage tells what a lease has used up to now.
func (s *service) Usage(ctx context.Context, req *connect.Request[api.UsageRequest]) (*connect.Response[api.UsageResponse], error) {
	l, err := s.lease(ctx, token.ScopeStatus, req.Msg.GetLease())
	if err != nil {
		return nil, err
	}
	meter, ok := s.runtime.(runtime.Meter)
	if !ok {
		return nil, connect.NewError(connect.CodeUnimplemented, errors.New("this provider's runtime does not measure"))
	}
	sample, err := meter.Usage(ctx, l.ID)
	switch {
	case errors.Is(err, runtime.ErrNotFound):
		return nil, connect.NewError(connect.CodeFailedPrecondition, errors.New("nothing of the lease runs yet"))
	case err != nil:
		return nil, connect.NewError(connect.CodeUnavailable, s.tell("usage", l.ID, err))
	}
	out := &api.UsageResponse{Time: timestamppb.New(sample.Time), BootId: sample.BootID, Total: usageOf(sample.Total)}
	for _, r := range sample.Replicas {
		out.Replicas = append(out.Replicas, &api.ReplicaUsage{Service: r.Service, Replica: r.Replica, Usage: usageOf(r.Usage)})
	}
	return connect.NewResponse(out), nil
}

func usageOf(u runtime.Usage) *api.Usage {
	return &api.Usage{
		CpuNanos: u.CPUNanos, ThrottledNanos: u.ThrottledNanos,
		MemoryBytes: u.MemoryBytes, MemoryLimitBytes: u.MemoryLimitBytes, DiskBytes: u.DiskBytes, DiskLimitBytes: u.DiskLimitBytes,
		Pids: u.PIDs, EgressBytes: u.EgressBytes, IngressBytes: u.IngressBytes,
	}
}
