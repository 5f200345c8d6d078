package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"connectrpc.com/connect"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// CustodyBounds is how much is kept for others to take over.
type CustodyBounds struct {
	Manifests custody.Bounds
	// ImageBytes of all accounts whose deployments are in custody, and of one of them; what their leases here use counts.
	ImageBytes, OwnerImageBytes int64
}

var errNoCustody = fmt.Errorf("%w: its operator keeps nothing for others", custody.ErrNotCustodian)

// entrusted finds a deployment that is in custody here and makes sure that the caller may do this with it: its owner, or an
// access key whose scopes on the chain cover it.
func (s *Server) entrusted(ctx context.Context, grant token.Grant, scope token.Scope, id uint64, fresh bool) (custody.Deployment, error) {
	if s.cfg.Custody == nil {
		return custody.Deployment{}, errNoCustody
	}
	if grant.Deployment != id {
		return custody.Deployment{}, fmt.Errorf("%w: it is not for deployment %d", token.ErrElsewhere, id)
	}
	if err := grant.Allows(scope, 0, id); err != nil {
		return custody.Deployment{}, err
	}
	d, err := s.agent.Custody(ctx, id, fresh)
	if err != nil {
		return custody.Deployment{}, err
	}
	if d.Owner != grant.Owner {
		return custody.Deployment{}, fmt.Errorf("%w: deployment %d is not of the account that it names", token.ErrElsewhere, id)
	}
	if grant.Issuer == d.Owner {
		return d, nil
	}
	return d, checkKey(d.AccessKeys, grant.Issuer, scope, s.agent.Now())
}

// entrustedCall is entrusted for a Connect call; its errors are Connect's.
func (s *service) entrustedCall(ctx context.Context, scope token.Scope, id uint64, fresh bool) (custody.Deployment, error) {
	grant, ok := ctx.Value(grantKey{}).(token.Grant)
	if !ok {
		return custody.Deployment{}, connect.NewError(connect.CodeUnauthenticated, token.ErrInvalid)
	}
	d, err := s.entrusted(ctx, grant, scope, id, fresh)
	if err != nil {
		return custody.Deployment{}, refused(err)
	}
	return d, nil
}

// KeepManifest takes one group of a deployment into custody.
func (s *service) KeepManifest(
	ctx context.Context, req *connect.Request[api.KeepManifestRequest],
) (*connect.Response[api.KeepManifestResponse], error) {
	d, err := s.entrustedCall(ctx, token.ScopeManifest, req.Msg.GetDeployment(), true)
	if err != nil {
		return nil, err
	}
	if req.Msg.GetEnvelope() == nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("no manifest was sent"))
	}
	verified, err := manifest.Verify(req.Msg.GetEnvelope(), d.Hash)
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	admit := func(all []store.Kept) error { return s.cfg.Custody.Manifests.Admit(all, d.Owner) }
	err = s.custody.PutKept(d.ID, d.Owner, d.Revision(), verified.Group.GetName(), req.Msg.GetEnvelope(), admit)
	switch {
	case errors.Is(err, custody.ErrFull):
		return nil, connect.NewError(connect.CodeResourceExhausted, err)
	case err != nil:
		s.log.Error("a manifest could not be taken into custody", "deployment", d.ID, "error", err)
		return nil, connect.NewError(connect.CodeInternal, errors.New("the provider could not store the manifest: try again, or tell its operator"))
	}
	s.log.Info("manifest taken into custody", "deployment", d.ID, "group", verified.Group.GetName(), "revision", short(d.Revision()))
	kept, err := s.listKept(ctx, d)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&api.KeepManifestResponse{Kept: kept}), nil
}

// ListKept tells what is in custody of a deployment.
func (s *service) ListKept(ctx context.Context, req *connect.Request[api.ListKeptRequest]) (*connect.Response[api.ListKeptResponse], error) {
	d, err := s.entrustedCall(ctx, token.ScopeStatus, req.Msg.GetDeployment(), false)
	if err != nil {
		return nil, err
	}
	kept, err := s.listKept(ctx, d)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(kept), nil
}

// listKept looks at what is in custody; its errors are Connect's.
func (s *service) listKept(ctx context.Context, d custody.Deployment) (*api.ListKeptResponse, error) {
	groups, names, err := s.keptGroups(d)
	if err != nil {
		s.log.Error("what is in custody could not be read", "deployment", d.ID, "error", err)
		return nil, connect.NewError(connect.CodeInternal, errors.New("the provider could not read what it keeps: tell its operator"))
	}
	out := &api.ListKeptResponse{Revision: d.Revision()}
	for _, name := range names {
		group, here := groups[name]
		if !here {
			out.Missing = append(out.Missing, name)
			continue
		}
		out.Groups = append(out.Groups, &api.KeptGroup{Name: name, MissingImages: MissingImages(ctx, s.runtime.Images(), d.Owner, group)})
	}
	return out, nil
}

// keptGroups gives the groups of the wanted revision that are here, and the names of all, in order; none until one is here.
func (s *Server) keptGroups(d custody.Deployment) (groups map[string]*manifestpb.Group, names []string, err error) {
	all, err := s.custody.Kept()
	if err != nil {
		return nil, nil, err
	}
	groups = map[string]*manifestpb.Group{}
	i := slices.IndexFunc(all, func(k store.Kept) bool { return k.Deployment == d.ID && k.Revision == d.Revision() })
	if i < 0 {
		return groups, nil, nil
	}
	for name := range all[i].Groups {
		envelope, err := s.custody.KeptGroup(d.ID, name)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		verified, err := manifest.Verify(envelope, d.Hash)
		if err != nil {
			return nil, nil, err
		}
		groups[name], names = verified.Group, verified.Header.GetGroupNames()
	}
	return groups, names, nil
}

// GetKept gives a group back to its owner.
func (s *service) GetKept(ctx context.Context, req *connect.Request[api.GetKeptRequest]) (*connect.Response[api.GetKeptResponse], error) {
	d, err := s.entrustedCall(ctx, token.ScopeManifest, req.Msg.GetDeployment(), false)
	if err != nil {
		return nil, err
	}
	envelope, err := s.custody.KeptGroup(d.ID, req.Msg.GetGroup())
	if err != nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, errors.New("the group was not given to this custodian"))
	}
	return connect.NewResponse(&api.GetKeptResponse{Envelope: envelope}), nil
}

// FetchGroup gives a provider the group of its lease.
func (s *service) FetchGroup(ctx context.Context, req *connect.Request[api.FetchGroupRequest]) (*connect.Response[api.FetchGroupResponse], error) {
	grant, ok := ctx.Value(grantKey{}).(token.Grant)
	if !ok {
		return nil, connect.NewError(connect.CodeUnauthenticated, token.ErrInvalid)
	}
	claim, err := s.claimed(ctx, grant, req.Msg.GetLease(), true)
	if err != nil {
		return nil, refused(err)
	}
	envelope, _, err := s.entitledTo(claim)
	if err != nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, err)
	}
	s.log.Info("group released to the provider of a lease", "lease", req.Msg.GetLease(), "deployment", claim.Deployment, "group", claim.Group)
	return connect.NewResponse(&api.FetchGroupResponse{Envelope: envelope}), nil
}

// claimed checks the token of a provider that fetches, and what its lease entitles it to.
func (s *Server) claimed(ctx context.Context, grant token.Grant, lease uint64, fresh bool) (custody.Claim, error) {
	if grant.Lease == 0 || grant.Issuer != grant.Owner {
		return custody.Claim{}, fmt.Errorf("%w: a provider speaks for itself, and for one lease", token.ErrElsewhere)
	}
	if err := grant.Allows(token.ScopeFetch, lease, 0); err != nil {
		return custody.Claim{}, err
	}
	return s.agent.Claim(ctx, grant.Issuer, lease, fresh)
}

var errNotKept = errors.New("the group is not here, or not in the revision that is wanted")

// entitledTo finds the group of a claim: in custody, or as what a lease of this provider runs of the same bid.
func (s *Server) entitledTo(c custody.Claim) (*manifestpb.Envelope, *manifestpb.Group, error) {
	open := func(envelope *manifestpb.Envelope, err error) (*manifestpb.Group, bool) {
		if err != nil {
			return nil, false
		}
		v, err := manifest.Verify(envelope, c.Hash)
		if err != nil || v.Group.GetName() != c.Group {
			return nil, false
		}
		return v.Group, true
	}
	if c.Custodian && s.cfg.Custody != nil {
		envelope, err := s.custody.KeptGroup(c.Deployment, c.Group)
		if group, ok := open(envelope, err); ok {
			return envelope, group, nil
		}
	}
	for _, l := range s.agent.OfBid(c.Bid) {
		envelope, err := s.manifests.Manifest(l.ID)
		if group, ok := open(envelope, err); ok {
			return envelope, group, nil
		}
	}
	return nil, nil, errNotKept
}

// runsOf a lease's group: the digests of its pushed images and of all that they name.
func (s *Server) runsOf(ctx context.Context, owner string, group *manifestpb.Group) (map[string]bool, error) {
	allowed := map[string]bool{}
	for _, name := range workload.PushedImages(group) {
		if err := s.namedBy(ctx, owner, name, allowed); err != nil {
			return nil, err
		}
	}
	return allowed, nil
}
