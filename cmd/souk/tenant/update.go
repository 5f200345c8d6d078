package tenant

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cosmos/gogoproto/proto"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/book"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
	"github.com/souk-network/souk/match"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// parseScale reads GROUP=N texts.
func parseScale(texts []string) (map[string]uint32, error) {
	scale := map[string]uint32{}
	for _, text := range texts {
		group, number, ok := strings.Cut(text, "=")
		n, err := strconv.ParseUint(number, 10, 32)
		if !ok || err != nil || n == 0 || n > markettypes.MaxReplicas {
			return nil, fault.Newf("--scale "+text, "souk up --scale web=3", "want GROUP=N, N from 1 to %d", markettypes.MaxReplicas)
		}
		scale[group] = uint32(n)
	}
	return scale, nil
}

// applyScale sets the replicas of groups, which must be in the file.
func (p *project) applyScale(scale map[string]uint32) error {
	left := len(scale)
	for i, d := range p.Demands {
		if n, ok := scale[d.Group]; ok {
			p.Demands[i].Replicas = n
			if err := manifest.CheckDemand(p.Groups[i], p.Demands[i]); err != nil {
				return tooManyTogether(fmt.Sprintf("--scale %s=%d", d.Group, n), p.Groups[i], err)
			}
			left--
		}
	}
	if left > 0 {
		var groups []string
		for _, d := range p.Demands {
			groups = append(groups, d.Group)
		}
		return fault.Newf("--scale names a group that is not in the file", "", "the file has %s", strings.Join(groups, ", "))
	}
	return nil
}

// tooManyTogether says how replicas of a group come to fit into leases.
func tooManyTogether(what string, group *manifestpb.Group, err error) error {
	return fault.New(what, err, fmt.Sprintf("fewer, or x-souk: {spread: {provider: %d}} in the file", manifest.MaxCopies(group)))
}

// difference is what has to change for an open deployment to be what the file says.
type difference struct {
	bids    []markettypes.BidSpec
	changes []string // a line each; none if all is as it should be
	again   bool     // replicas that ended are to be bid for again
}

func (u *upRun) difference(ctx context.Context) (difference, error) {
	bids, changes, err := u.wantedBids(ctx)
	if err != nil {
		return difference{}, err
	}
	changes = append(changes, custodianChange(u.deployment.Custodians, u.project.Custodians)...)
	missing := u.missing(bids)
	changes = append(changes, missing...)
	if !bytes.Equal(u.deployment.ManifestHash, u.hash) {
		kept, err := u.previousManifest(ctx)
		if err != nil {
			return difference{}, err
		}
		lines := manifest.Diff(kept, u.manifest)
		if len(lines) == 0 {
			lines = []string{"~ manifest"} // what it says of it is a secret, or salted anew
		}
		changes = append(changes, lines...)
	}
	return difference{bids, changes, len(missing) > 0}, nil
}

// update makes an open deployment what the file says: one transaction, and leases that it does not touch stay.
func (u *upRun) update(ctx context.Context) error {
	d, err := u.difference(ctx)
	if err != nil {
		return err
	}
	if len(d.changes) == 0 {
		u.unchanged = true
		u.Notef("deployment %s is open already", u.project.Name)
		return nil
	}
	u.Notef("%s", strings.Join(d.changes, "\n"))
	for _, bid := range d.bids {
		u.Notef("%s", failsText(bid, len(d.bids) > 1, u.project.Custodians))
	}
	return u.change(ctx, d, "Change the open deployment?")
}

// change asks, signs and remembers an update; a refused one leaves what is kept as it was.
func (u *upRun) change(ctx context.Context, d difference, question string) error {
	if err := u.Confirm(ctx, u.options.yes, question); err != nil {
		return err
	}
	if err := u.journal.keepNext(u.manifest); err != nil {
		return fmt.Errorf("keep the manifest of %s: %w", u.project.Name, err)
	}
	receipt, err := u.sendUpdate(ctx, d.bids, d.again)
	if err != nil {
		return err
	}
	if err := u.journal.promote(); err != nil {
		return fmt.Errorf("keep the manifest of %s: %w", u.project.Name, err)
	}
	u.Notef("changed  in block %d, transaction %s", receipt.Height, receipt.Hash)
	u.deployment, err = u.mustFind(ctx, u.project.Name)
	return err
}

// missing says of which groups replicas ended for good, by their term, their tenant or for want of a provider, that the
// file still asks for: a line each.
func (u *upRun) missing(bids []markettypes.BidSpec) []string {
	var lines []string
	for _, b := range u.deployment.bids {
		wanted := slices.ContainsFunc(bids, func(spec markettypes.BidSpec) bool { return spec.Name == b.Spec.Name })
		over := b.State == markettypes.BidState_BID_STATE_EXPIRED || b.Released > 0
		if wanted && over && b.Placed < b.Spec.Replicas {
			lines = append(lines, fmt.Sprintf("~ group %s: %d of %d replicas are there; the others are bid for again",
				b.Spec.Name, b.Placed, b.Spec.Replicas))
		}
	}
	return lines
}

func (u *upRun) sendUpdate(ctx context.Context, bids []markettypes.BidSpec, again bool) (client.Receipt, error) {
	return u.transact(ctx, "change", &markettypes.MsgUpdateDeployment{
		Signer: u.owner, Deployment: u.deployment.Id, Version: u.deployment.Version, ManifestHash: u.hash, Bids: bids,
		AccessKeys: u.deployment.AccessKeys, Custodians: u.project.Custodians, Again: again,
	})
}

// wantedBids are the bids that the file asks for, and what differs from those of the open deployment, a line each.
func (u *upRun) wantedBids(ctx context.Context) (bids []markettypes.BidSpec, changes []string, err error) {
	present := map[string]markettypes.BidSpec{}
	for _, b := range u.deployment.bids {
		if b.State != markettypes.BidState_BID_STATE_CLOSED {
			present[b.Spec.Name] = b.Spec
		}
	}
	var orders *book.Book
	for _, demand := range u.project.Demands {
		before, known := present[demand.Group]
		delete(present, demand.Group)
		demand = inMode(before, demand)
		if bid, ok := kept(before, demand); known && ok {
			bids = append(bids, bid)
			if !proto.Equal(&bid, &before) {
				changes = append(changes, fmt.Sprintf("~ group %s: %s", demand.Group, bidChange(before, bid)))
			}
			continue
		}
		if orders == nil {
			if orders, err = book.Load(ctx, u.Client); err != nil {
				return nil, nil, client.Explain("read the order book", err)
			}
		}
		bid, err := u.newBid(ctx, orders, demand, known)
		if err != nil {
			return nil, nil, err
		}
		bids = append(bids, bid)
		sign, what := "+", bidText(bid)
		if known {
			sign, what = "~", bidChange(before, bid)
		}
		changes = append(changes, fmt.Sprintf("%s group %s: %s", sign, demand.Group, what))
	}
	for _, name := range sortedNames(present) {
		changes = append(changes, "- group "+name+": its leases close")
	}
	return bids, changes, nil
}

// kept is the bid of a group whose unit stays as it is: its price need not be looked up again.
func kept(before markettypes.BidSpec, demand manifest.Demand) (markettypes.BidSpec, bool) {
	bid := bidOf(demand)
	if before.Mode == markettypes.BidMode_BID_MODE_AUCTION && bid.Mode == markettypes.BidMode_BID_MODE_UNSPECIFIED {
		bid.Mode = before.Mode // the same, written otherwise
	}
	if bid.Unit != before.Unit {
		return bid, false
	}
	if bid.Cap == 0 {
		bid.Cap = before.Cap
	}
	return bid, true
}

// inMode lets an open group find its providers as it does, if the file says nothing of it.
func inMode(before markettypes.BidSpec, demand manifest.Demand) manifest.Demand {
	if demand.Mode == "" && demand.Standbys == 0 && before.Mode == markettypes.BidMode_BID_MODE_QUOTE {
		demand.Mode = manifest.Quote
	}
	return demand
}

// newBid prices a group that is new or whose unit changes. A lease that is resized keeps its provider's prices, which the
// cap must allow.
func (u *upRun) newBid(ctx context.Context, orders *book.Book, demand manifest.Demand, known bool) (markettypes.BidSpec, error) {
	bid := bidOf(demand)
	if known && bid.Cap != 0 {
		return bid, nil
	}
	dearest, err := u.dearest(ctx, bid)
	if err != nil {
		return bid, err
	}
	if dearest == 0 { // nothing of it runs
		g, err := planGroup(orders, demand, u.asTenant(u.deployment.Denom))
		return g.bid, err
	}
	bid.Cap = dearest + (dearest+1)/2
	return bid, nil
}

// dearest is the most that a replica of a bid would cost at the providers where the group runs; 0 if it runs nowhere.
func (u *upRun) dearest(ctx context.Context, bid markettypes.BidSpec) (uint64, error) {
	leases, err := u.leases(ctx, u.deployment.Id)
	if err != nil {
		return 0, err
	}
	dearest := uint64(0)
	for _, l := range leases {
		if !live(l) || !u.isOf(l, bid.Name) {
			continue
		}
		rate, err := match.Rate(bid.Unit.Vector(), l.Ask.Vector(), 1)
		if err != nil {
			return 0, fault.New(fmt.Sprintf("price group %s at lease %d", bid.Name, l.Id), err, "give x-souk.cap")
		}
		dearest = max(dearest, rate)
	}
	return dearest, nil
}

// isOf tells that a lease serves a group.
func (u *upRun) isOf(l markettypes.Lease, group string) bool {
	return slices.ContainsFunc(u.deployment.bids, func(b markettypes.Bid) bool { return b.Id == l.Bid && b.Spec.Name == group })
}

func sortedNames(specs map[string]markettypes.BidSpec) []string {
	var names []string
	for name := range specs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// custodianChange says in a line who is to keep the manifest, if it is not who does.
func custodianChange(from, to []string) []string {
	if slices.Equal(slices.Sorted(slices.Values(from)), to) {
		return nil
	}
	if len(to) == 0 {
		return []string{"~ custodians: none"}
	}
	return []string{"~ custodians: " + strings.Join(to, ", ")}
}

func bidText(b markettypes.BidSpec) string {
	text := fmt.Sprintf("%d x %s", b.Replicas, unitText(b.Unit))
	if b.Standbys > 0 {
		text += ", and " + standbysText(int(b.Standbys))
	}
	return text
}

// bidChange says in a line what becomes of a bid.
func bidChange(from, to markettypes.BidSpec) string {
	var parts []string
	if from.Replicas != to.Replicas {
		parts = append(parts, fmt.Sprintf("%d replicas, were %d", to.Replicas, from.Replicas))
	}
	if from.Standbys != to.Standbys {
		parts = append(parts, fmt.Sprintf("standbys: %d, were %d", to.Standbys, from.Standbys))
	}
	if quoted := to.Mode == markettypes.BidMode_BID_MODE_QUOTE; quoted != (from.Mode == markettypes.BidMode_BID_MODE_QUOTE) {
		parts = append(parts, map[bool]string{true: "collects quotes from now on", false: "takes the cheapest offers from now on"}[quoted])
	}
	if from.Unit != to.Unit {
		parts = append(parts, fmt.Sprintf("%s each, was %s; resized in place", unitText(to.Unit), unitText(from.Unit)))
	}
	if from.Cap != to.Cap {
		parts = append(parts, fmt.Sprintf("at most %s each, was %s", output.PerHour(to.Cap, scope.Denom), output.PerHour(from.Cap, scope.Denom)))
	}
	if len(parts) == 0 {
		parts = append(parts, "other requirements, for what is placed from now on")
	}
	return strings.Join(parts, "; ")
}
