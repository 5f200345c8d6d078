package tenant

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// fetchGroup asks who may have it for the manifest group that the owner once sent: the providers of a bid's leases, then the
// deployment's custodians.
func (u *upRun) fetchGroup(ctx context.Context, bid markettypes.Bid, leases []markettypes.Lease) (*manifestpb.Group, error) {
	var errs []error
	for _, l := range leases {
		if l.Bid != bid.Id || !known(l) {
			continue
		}
		group, err := u.fetchLeased(ctx, l)
		if err == nil {
			return group, nil
		}
		errs = append(errs, fmt.Errorf("lease %d does not give its manifest back: %w", l.Id, err))
	}
	for _, custodian := range u.deployment.Custodians {
		group, err := u.fetchKept(ctx, custodian, bid.Spec.Name)
		if err == nil {
			return group, nil
		}
		errs = append(errs, fmt.Errorf("custodian %s does not give group %s back: %w", custodian, bid.Spec.Name, err))
	}
	if len(errs) == 0 {
		return nil, errors.New("no provider holds its manifest yet, and this machine has another one")
	}
	return nil, errors.Join(errs...)
}

func (u *upRun) fetchLeased(ctx context.Context, l markettypes.Lease) (*manifestpb.Group, error) {
	g, err := u.gatewayOf(ctx, l)
	if err != nil {
		return nil, err
	}
	res, err := g.GetManifest(ctx, connect.NewRequest(&api.GetManifestRequest{Lease: l.Id}))
	if err != nil {
		return nil, err
	}
	return u.verified(res.Msg.GetEnvelope())
}

func (u *upRun) fetchKept(ctx context.Context, custodian, group string) (*manifestpb.Group, error) {
	p, err := u.provider(ctx, custodian)
	if err != nil {
		return nil, err
	}
	g, err := openCustody(p, u.authority, u.deployment.Id)
	if err != nil {
		return nil, err
	}
	res, err := g.GetKept(ctx, connect.NewRequest(&api.GetKeptRequest{Deployment: u.deployment.Id, Group: group}))
	if err != nil {
		return nil, err
	}
	return u.verified(res.Msg.GetEnvelope())
}

// verified is the group of an envelope, if the envelope is the one that the chain has the hash of.
func (u *upRun) verified(envelope *manifestpb.Envelope) (*manifestpb.Group, error) {
	verified, err := manifest.Verify(envelope, u.deployment.ManifestHash)
	if err != nil {
		return nil, err
	}
	return verified.Group, nil
}
