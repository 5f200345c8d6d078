package tenant

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"connectrpc.com/connect"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/manifest"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// groups names the bids of a deployment.
func (d *open) groups() map[uint64]string {
	names := map[uint64]string{}
	for _, b := range d.bids {
		names[b.Id] = b.Spec.Name
	}
	return names
}

// lacksReplicas tells a bid that is in the book for want of replicas from one that only lacks standbys.
func lacksReplicas(b markettypes.Bid) bool {
	return b.State == markettypes.BidState_BID_STATE_OPEN && b.Placed+b.Released < b.Spec.Replicas
}

// provide sees to it that a deployment outlives its providers: standbys and custodians have what they need.
func (u *upRun) provide(ctx context.Context) error {
	standing, err := u.awaitStandbys(ctx)
	if err != nil {
		return err
	}
	groups := u.deployment.groups()
	for _, l := range standing {
		if err := u.prepare(ctx, l, groups[l.Bid]); err != nil {
			return err
		}
		u.services = append(u.services, readyLease{lease: l})
	}
	for _, custodian := range u.deployment.Custodians {
		if err := u.entrust(ctx, custodian); err != nil {
			return u.notReady(fault.New("it runs, but custodian "+custodian+" has not all of it", err, u.again))
		}
	}
	return nil
}

// awaitStandbys waits until every bid has its standbys.
func (u *upRun) awaitStandbys(ctx context.Context) ([]markettypes.Lease, error) {
	if !slices.ContainsFunc(u.deployment.bids, func(b markettypes.Bid) bool { return b.Spec.Standbys > 0 }) {
		return nil, nil
	}
	return u.awaitPlaced(ctx, "it runs, but not all its standbys are there", standbysOf)
}

// standbysOf returns the leases that stand by, and what is waited for; nothing once all are there.
func standbysOf(d *open, leases []markettypes.Lease) (standing []markettypes.Lease, text string) {
	pending := 0
	for _, l := range leases {
		switch {
		case !live(l) || !l.Standby:
		case l.AckedAt == 0:
			pending++
		default:
			standing = append(standing, l)
		}
	}
	for _, b := range d.bids {
		if b.State == markettypes.BidState_BID_STATE_OPEN && b.StandingBy < b.Spec.Standbys {
			return standing, fmt.Sprintf("for a standby of %s (%d of %d), at another provider in another zone", b.Spec.Name, b.StandingBy, b.Spec.Standbys)
		}
	}
	if pending > 0 {
		return standing, "for a standby to be accepted"
	}
	return standing, ""
}

// prepare hands a standby what it would run, unless it has it.
func (u *upRun) prepare(ctx context.Context, l markettypes.Lease, group string) error {
	g, err := u.gatewayOf(ctx, l)
	if err != nil {
		return u.notReady(err)
	}
	if _, err := u.reach(ctx, g, l); err != nil {
		return err
	}
	res, err := g.GetManifest(ctx, connect.NewRequest(&api.GetManifestRequest{Lease: l.Id}))
	if err == nil {
		if _, err := manifest.Verify(res.Msg.GetEnvelope(), u.hash); err == nil {
			return nil
		}
	}
	u.unchanged = false
	if err := u.pushImages(ctx, g, group); err != nil {
		return u.notReady(err)
	}
	return u.sendManifest(ctx, g, l, group)
}

// entrust gives a custodian the groups and images that it does not have.
func (u *upRun) entrust(ctx context.Context, custodian string) error {
	p, err := u.provider(ctx, custodian)
	if err != nil {
		return err
	}
	g, err := openCustody(p, u.authority, u.deployment.Id)
	if err != nil {
		return err
	}
	kept, err := u.awaitCustody(ctx, g)
	if err != nil {
		return err
	}
	for _, group := range u.manifest.GetGroups() {
		name := group.GetName()
		if has(kept, name) {
			continue
		}
		envelope, err := manifest.Seal(u.manifest, name)
		if err != nil {
			return err
		}
		res, err := g.KeepManifest(ctx, connect.NewRequest(&api.KeepManifestRequest{Deployment: u.deployment.Id, Envelope: envelope}))
		if err != nil {
			return fmt.Errorf("give %s the group %s: %w", g.uri.Host, name, err)
		}
		u.unchanged, kept = false, res.Msg.GetKept()
		u.Notef("kept     manifest of %s by custodian %s", name, g.uri.Host)
	}
	for _, group := range kept.GetGroups() {
		if len(group.GetMissingImages()) == 0 {
			continue
		}
		if err := u.pushImages(ctx, g, group.GetName()); err != nil {
			return err
		}
	}
	return nil
}

// awaitCustody asks a custodian what it has, once it knows of the revision that is wanted.
func (u *upRun) awaitCustody(ctx context.Context, g *gateway) (*api.ListKeptResponse, error) {
	info, err := g.Info(ctx, connect.NewRequest(&api.InfoRequest{}))
	if err == nil && !info.Msg.GetCustody() {
		return nil, fmt.Errorf("%s keeps nothing for others; name another one under x-souk.custodians", g.uri.Host)
	}
	var kept *api.ListKeptResponse
	last := err
	err = u.wait(ctx, "keeping", "custodian "+g.uri.Host+" does not take it", func(func(string)) (bool, error) {
		res, err := g.ListKept(ctx, connect.NewRequest(&api.ListKeptRequest{Deployment: u.deployment.Id}))
		if err != nil {
			last = err
			return false, transient(err)
		}
		kept = res.Msg
		if kept.GetRevision() != hex.EncodeToString(u.hash) {
			last = errors.New("it does not know of the change yet")
			return false, nil
		}
		return true, nil
	})
	if err != nil && last != nil && ctx.Err() == nil {
		return nil, last
	}
	return kept, err
}

// has tells whether a group is in custody.
func has(kept *api.ListKeptResponse, group string) bool {
	return slices.ContainsFunc(kept.GetGroups(), func(g *api.KeptGroup) bool { return g.GetName() == group })
}
