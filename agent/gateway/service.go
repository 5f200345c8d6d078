package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/api/apiconnect"
	"github.com/souk-network/souk/agent/events"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// service is the Connect API.
type service struct {
	apiconnect.UnimplementedGatewayServiceHandler
	*Server
}

// Info tells who answers.
func (s *service) Info(context.Context, *connect.Request[api.InfoRequest]) (*connect.Response[api.InfoResponse], error) {
	return connect.NewResponse(&api.InfoResponse{
		Provider: s.cfg.Provider, ChainId: s.cfg.ChainID, Version: s.cfg.Version,
		IngressDomain: s.cfg.IngressDomain, IngressPort: uint32(s.cfg.IngressPort), Isolation: s.cfg.Isolation,
		MaxManifestBytes: manifest.MaxGroupBytes, MaxBlobBytes: uint64(s.cfg.MaxBlobBytes), Height: s.agent.Height(), Custody: s.cfg.Custody != nil,
	}), nil
}

// SendManifest keeps a manifest that is the lease's.
func (s *service) SendManifest(
	ctx context.Context, req *connect.Request[api.SendManifestRequest],
) (*connect.Response[api.SendManifestResponse], error) {
	l, err := s.lease(ctx, token.ScopeManifest, req.Msg.GetLease())
	if err != nil {
		return nil, err
	}
	if req.Msg.GetEnvelope() == nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, errors.New("no manifest was sent"))
	}
	verified, err := workload.Verify(l, req.Msg.GetEnvelope())
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	before, err := s.manifests.Manifest(l.ID)
	known := err == nil && proto.Equal(before, req.Msg.GetEnvelope())
	if err := s.manifests.PutManifest(l.ID, req.Msg.GetEnvelope()); err != nil {
		s.log.Error("manifest could not be stored", "lease", l.ID, "error", err)
		return nil, connect.NewError(connect.CodeInternal, errors.New("the provider could not store the manifest: try again, or tell its operator"))
	}
	if !known {
		s.log.Info("manifest received", "lease", l.ID, "revision", l.Revision())
		s.events.Add(l.ID, events.Manifest, "received revision "+short(l.Revision()))
	}
	s.agent.Wake()
	return connect.NewResponse(&api.SendManifestResponse{
		Revision: l.Revision(), Addresses: s.addresses(l.ID, verified.Group),
	}), nil
}

// GetManifest gives back what was sent.
func (s *service) GetManifest(
	ctx context.Context, req *connect.Request[api.GetManifestRequest],
) (*connect.Response[api.GetManifestResponse], error) {
	l, err := s.lease(ctx, token.ScopeManifest, req.Msg.GetLease())
	if err != nil {
		return nil, err
	}
	envelope, err := s.manifests.Manifest(l.ID)
	if err != nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, errors.New("the manifest was not sent to this provider"))
	}
	return connect.NewResponse(&api.GetManifestResponse{Envelope: envelope}), nil
}

// Status tells how a lease is doing.
func (s *service) Status(ctx context.Context, req *connect.Request[api.StatusRequest]) (*connect.Response[api.StatusResponse], error) {
	l, err := s.lease(ctx, token.ScopeStatus, req.Msg.GetLease())
	if err != nil {
		return nil, err
	}
	response, err := s.statusOf(ctx, l)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(response), nil
}

// statusOf looks at a lease; its errors are Connect's.
func (s *service) statusOf(ctx context.Context, l workload.Lease) (*api.StatusResponse, error) {
	seen := sighting{lease: l, problem: s.agent.Problem(l.ID), now: time.Now()}
	if envelope, err := s.manifests.Manifest(l.ID); err == nil {
		if v, err := workload.Verify(l, envelope); err == nil {
			seen.group = v.Group
			seen.addresses = s.addresses(l.ID, v.Group)
			seen.missing = MissingImages(ctx, s.runtime.Images(), l.Owner, v.Group)
		}
	}
	var err error
	if seen.status, err = s.runtime.Status(ctx, l.ID); err != nil && !errors.Is(err, runtime.ErrNotFound) {
		return nil, connect.NewError(connect.CodeUnavailable, s.tell("status", l.ID, err))
	}
	for _, a := range workload.Addresses(s.cfg.IngressDomain, seen.status) {
		seen.addresses = append(seen.addresses, &api.ServiceAddress{Service: a.Service, ContainerPort: uint32(a.Port), Url: a.URL})
	}
	response := seen.response()
	if response.GetReady() {
		s.agent.Refresh(ctx)
	}
	return response, nil
}

// addresses are those over HTTP: the provider's name, and the tenant's own that lead here.
func (s *Server) addresses(lease uint64, group *manifestpb.Group) []*api.ServiceAddress {
	var out []*api.ServiceAddress
	for _, h := range workload.Hosts(lease, group) {
		hosts := []string{h.Label + "." + s.cfg.IngressDomain}
		for _, name := range h.Names {
			if s.agent.Serves(name, lease) {
				hosts = append(hosts, name)
			}
		}
		for _, host := range hosts {
			out = append(out, &api.ServiceAddress{Service: h.Service, ContainerPort: uint32(h.Port), Url: s.url(host)})
		}
	}
	return out
}

// url of a host, over HTTPS where there is that.
func (s *Server) url(host string) string {
	scheme, port, usual := "http", s.cfg.IngressPort, uint16(80)
	if s.cfg.IngressTLSPort != 0 {
		scheme, port, usual = "https", s.cfg.IngressTLSPort, 443
	}
	if port == usual {
		return scheme + "://" + host
	}
	return fmt.Sprintf("%s://%s:%d", scheme, host, port)
}

// MissingImages names the images of a group that its owner has still to push.
func MissingImages(ctx context.Context, images runtime.ImageStore, owner string, group *manifestpb.Group) []string {
	var missing []string
	for _, name := range workload.PushedImages(group) {
		if here, err := images.Has(ctx, runtime.Scope(owner), name); err != nil || !here {
			missing = append(missing, name)
		}
	}
	return missing
}

// short is the beginning of a revision, enough to tell it apart.
func short(revision string) string { return revision[:min(len(revision), 12)] }
