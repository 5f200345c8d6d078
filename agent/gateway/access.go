package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"connectrpc.com/connect"

	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/agent/workload"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// allowed finds a lease and makes sure that the caller may do this with it: its owner, or an access key of its deployment
// whose scopes on the chain cover it.
func (s *Server) allowed(ctx context.Context, grant token.Grant, scope token.Scope, id uint64) (workload.Lease, error) {
	return s.entitled(ctx, grant, scope, id, s.agent.Lease)
}

// entitled does the same with a lease that is found in a way of its own.
func (s *Server) entitled(
	ctx context.Context, grant token.Grant, scope token.Scope, id uint64, find func(context.Context, uint64) (workload.Lease, error),
) (workload.Lease, error) {
	l, err := find(ctx, id)
	if err != nil && !errors.Is(err, ErrNoLease) && ctx.Err() == nil {
		s.log.Debug("a lease could not be looked up", "lease", id, "error", err)
		return workload.Lease{}, errNode
	}
	if err != nil {
		return workload.Lease{}, err
	}
	if l.Owner != grant.Owner {
		return workload.Lease{}, fmt.Errorf("%w: lease %d is not of the account that it names", token.ErrElsewhere, id)
	}
	if err := grant.Allows(scope, l.ID, l.Deployment); err != nil {
		return workload.Lease{}, err
	}
	if grant.Issuer == l.Owner {
		return l, nil
	}
	return l, checkKey(l.AccessKeys, grant.Issuer, scope, s.agent.Now())
}

// checkKey holds an access key against a deployment's list as of service second now.
func checkKey(keys []markettypes.AccessKey, issuer string, scope token.Scope, now uint64) error {
	for _, key := range keys {
		switch {
		case key.Address != issuer:
			continue
		case !key.GoodAt(now):
			return fmt.Errorf("%w: the access key %s expired", token.ErrElsewhere, issuer)
		case !slices.Contains(token.ScopesOf(key.Scopes), scope):
			return fmt.Errorf("%w: the deployment does not give the access key %s the scope %q", token.ErrScope, issuer, scope)
		}
		return nil
	}
	return fmt.Errorf("%w: the signer is neither owner nor access key of the deployment", token.ErrElsewhere)
}

// lease finds the lease of a call; its errors are Connect's.
func (s *service) lease(ctx context.Context, scope token.Scope, id uint64) (workload.Lease, error) {
	grant, ok := ctx.Value(grantKey{}).(token.Grant)
	if !ok {
		return workload.Lease{}, connect.NewError(connect.CodeUnauthenticated, token.ErrInvalid)
	}
	l, err := s.allowed(ctx, grant, scope, id)
	if err != nil {
		return workload.Lease{}, refused(err)
	}
	return l, nil
}

// refused is the error of a call that was not allowed, in Connect's words.
func refused(err error) error {
	switch {
	case errors.Is(err, ErrNoLease), errors.Is(err, custody.ErrNotCustodian):
		return connect.NewError(connect.CodeNotFound, err)
	case errors.Is(err, token.ErrElsewhere), errors.Is(err, token.ErrScope), errors.Is(err, custody.ErrNotEntitled):
		return connect.NewError(connect.CodePermissionDenied, err)
	default:
		return connect.NewError(connect.CodeUnavailable, err)
	}
}
