package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/agent/offer"
	"github.com/souk-network/souk/agent/reconcile"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/client/fault"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// excessGraceSeconds after a lease was made smaller, what is still as large as before is removed. It is less than the time
// that others wait for its room: an ack window less ackMarginSeconds.
const excessGraceSeconds = 5

// ackMarginSeconds before the end of the window, waiting for room ends.
const ackMarginSeconds = 5

// observe reads the whole world that a decision needs.
func (a *Agent) observe(ctx context.Context) (reconcile.Input, error) {
	in := reconcile.Input{AckMargin: ackMarginSeconds}
	settled, err := a.settledHeight(ctx)
	if err != nil {
		return in, err
	}
	service, err := a.chain.Escrow.Clock(ctx, &escrowtypes.QueryClockRequest{})
	if err != nil {
		return in, fmt.Errorf("read the service clock: %w", err)
	}
	in.Now = service.Now
	a.setClock(service.Now)
	// Before the leases: a manifest that comes in between belongs to a lease that they may not have yet.
	stored, err := a.store.ManifestLeases()
	if err != nil {
		return in, err
	}
	leases, height, err := a.readWork(ctx)
	if err != nil {
		return in, err
	}
	a.remember(leases, min(height, settled))
	for _, l := range leases {
		in.Leases = append(in.Leases, desired(l))
	}
	if err := a.observeHost(ctx, &in); err != nil {
		return in, err
	}
	in.Manifests = a.observeManifests(ctx, stored, leases, in.Workloads)
	if err := a.meterLook(ctx, service.Clock, service.Now, leases, in.Manifests); err != nil {
		a.metrics.errors.WithLabelValues("meter").Inc()
		a.log.Error("what is served could not be written down", "error", err) // it is served all the same
	}
	in.Answering, in.Living = a.answeringNow(), a.livingNow()
	in.Fetching, in.Prepared = a.fetches.busyNow(leases, time.Now()), a.preparedNow(leases, time.Now())
	a.observeExcess(&in)
	a.mu.Lock()
	a.seen = in
	a.mu.Unlock()
	return in, nil
}

// observeExcess marks workloads that go on taking more than their lease pays for since it was made smaller: its owner has
// had time to send what is to run instead. The seconds add up, and go again as slowly while the lease pays for all: nobody
// gains by making it larger now and then.
func (a *Agent) observeExcess(in *reconcile.Input) {
	lease := map[uint64]reconcile.Lease{}
	for _, l := range in.Leases {
		lease[l.ID] = l
	}
	passed := in.Now - min(in.Now, a.excessAt)
	excess := map[uint64]uint64{}
	for _, r := range in.Reservations {
		l, live := lease[r.Lease]
		before, known := a.excess[r.Lease]
		switch {
		case live && l.State == reconcile.Paused && known:
			excess[r.Lease] = before // nothing of it runs
		case live && l.State == reconcile.Paused:
		case live && r.Exceeds(l):
			if known {
				before += passed
			}
			excess[r.Lease] = before
		case live && before > passed:
			excess[r.Lease] = before - passed
		}
	}
	a.excess, a.excessAt = excess, in.Now
	for i, w := range in.Workloads {
		in.Workloads[i].Overdue = excess[w.Lease] >= excessGraceSeconds
	}
}

// settledHeight asks the node's RPC where it stands; readWork asks its gRPC, which may be another node. A node that knows less than this agent has seen must not be believed: it would
// seem as if leases had ended.
func (a *Agent) settledHeight(ctx context.Context) (int64, error) {
	status, err := a.chain.Status(ctx)
	if err != nil {
		return 0, fmt.Errorf("reach the node: %w", err)
	}
	a.metrics.heightSeen.Set(float64(status.Height))
	switch {
	case status.ChainID != a.cfg.Client.ChainID:
		return 0, fault.Newf("the node belongs to another network", "set node and grpc to a node of "+a.cfg.Client.ChainID,
			"it serves %s", status.ChainID)
	case status.CatchingUp:
		return 0, fmt.Errorf("the node is catching up, at height %d", status.Height)
	case status.Height < a.Height():
		return 0, fault.Newf("the node is behind", "wait for it; if the network was started anew, remove this agent's state folder "+a.cfg.StateDir,
			"it is at height %d, block %d was acted on", status.Height, a.Height())
	}
	return status.Height, nil
}

// remember keeps the leases for the gateway, and the height now and then for the next process.
func (a *Agent) remember(leases []workload.Lease, height int64) {
	a.mu.Lock()
	a.leases = make(map[uint64]workload.Lease, len(leases))
	counts := map[string]float64{"active": 0, "paused": 0, "pending": 0, "standby": 0}
	for _, l := range leases {
		a.leases[l.ID] = l
		counts[stateOf(l)]++
	}
	for id := range a.problems {
		if _, live := a.leases[id]; !live {
			delete(a.problems, id)
		}
	}
	a.height = height
	due := height >= a.journaled+heightStep
	if due {
		a.journaled = height
	}
	a.mu.Unlock()
	for state, n := range counts {
		a.metrics.leases.WithLabelValues(state).Set(n)
	}
	a.metrics.heightActed.Set(float64(height))
	if due {
		if err := a.store.SetHeight(height); err != nil {
			a.log.Error("height could not be journalled", "error", err)
		}
	}
}

func (a *Agent) setClock(second uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.clock = clock{second, time.Now()}
}

func stateOf(l workload.Lease) string {
	switch {
	case l.Active:
		return string(reconcile.Active)
	case l.Paused:
		return string(reconcile.Paused)
	case l.Standby:
		return string(reconcile.Standby)
	}
	return string(reconcile.Pending)
}

func desired(l workload.Lease) reconcile.Lease {
	return reconcile.Lease{
		ID: l.ID, State: reconcile.State(stateOf(l)), Unit: reconcile.Vector(l.Unit), Replicas: l.Replicas,
		AckBy: l.AckBy, AnswerBy: l.AnswerBy, Revision: l.Revision(),
	}
}

// observeHost reads what exists on the machines and what is promised.
func (a *Agent) observeHost(ctx context.Context, in *reconcile.Input) error {
	inventory, err := a.runtime.Inventory(ctx)
	if err != nil {
		return fmt.Errorf("take the inventory: %w", err)
	}
	for _, v := range offer.NodeVectors(a.cfg.Offer, inventory.Nodes) {
		in.Nodes = append(in.Nodes, reconcile.Vector(v))
	}
	observed, err := a.runtime.List(ctx)
	if err != nil {
		return fmt.Errorf("list workloads: %w", err)
	}
	for _, o := range observed {
		in.Workloads = append(in.Workloads, reconcile.Workload{
			Lease: o.Lease, Revision: o.Revision, Recorded: o.Recorded, Removing: o.Removing, Paused: o.Paused,
		})
	}
	reserved, err := a.store.Leases()
	if err != nil {
		return err
	}
	for _, r := range reserved {
		in.Reservations = append(in.Reservations, reconcile.Reservation{Lease: r.ID, Unit: r.Unit, Replicas: r.Replicas})
	}
	return nil
}

// observeManifests opens the stored manifests of live leases and tells of the others only that they are there. Images are
// looked for only while the runtime does not have the revision.
func (a *Agent) observeManifests(
	ctx context.Context, stored []uint64, leases []workload.Lease, applied []reconcile.Workload,
) []reconcile.Manifest {
	live := map[uint64]workload.Lease{}
	for _, l := range leases {
		live[l.ID] = l
	}
	has := map[uint64]string{}
	for _, w := range applied {
		has[w.Lease] = w.Revision
	}
	known := map[uint64]group{}
	var out []reconcile.Manifest
	for _, id := range stored {
		l, isLive := live[id]
		if !isLive {
			out = append(out, reconcile.Manifest{Lease: id})
			continue
		}
		g, err := a.openManifest(l)
		if err != nil {
			a.log.Debug("manifest is of no use now", "lease", id, "error", err)
			out = append(out, reconcile.Manifest{Lease: id})
			continue
		}
		known[id] = g
		m := reconcile.Manifest{Lease: id, Revision: g.revision, Run: g.run, Broken: a.isBroken(id, g.run)}
		if has[id] != g.run {
			m.Missing = gateway.MissingImages(ctx, a.runtime.Images(), l.Owner, g.group)
		}
		out = append(out, m)
	}
	a.mu.Lock()
	a.groups = known
	a.mu.Unlock()
	return out
}

// openManifest verifies the stored manifest of a lease once for each revision and size.
func (a *Agent) openManifest(l workload.Lease) (group, error) {
	a.mu.Lock()
	known, ok := a.groups[l.ID]
	a.mu.Unlock()
	if ok && known.revision == l.Revision() && known.replicas == l.Replicas && known.unit == l.Unit {
		return known, nil
	}
	envelope, err := a.store.Manifest(l.ID)
	if err != nil {
		return group{}, err
	}
	verified, err := workload.Verify(l, envelope)
	if err != nil {
		return group{}, err
	}
	run, err := workload.RunRevision(l, verified.Group)
	if err != nil {
		return group{}, err
	}
	return group{revision: l.Revision(), unit: l.Unit, replicas: l.Replicas, run: run, group: verified.Group}, nil
}

func (a *Agent) isBroken(id uint64, run string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.problems[id]
	return p.broken && p.run == run
}

func (a *Agent) answeringNow() []uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids := make([]uint64, 0, len(a.answering))
	for id := range a.answering {
		ids = append(ids, id)
	}
	return ids
}

// Lease finds a live lease, asking the chain again when it is not known yet: a tenant may be quicker than the next look.
func (a *Agent) Lease(ctx context.Context, id uint64) (workload.Lease, error) {
	if l, ok := a.knownLease(id); ok && (l.Active || l.Standby) {
		return l, nil
	}
	leases, err := a.lookUps.of(ctx, id, a.Height(), a.lookUp)
	if err != nil {
		return workload.Lease{}, fmt.Errorf("look for lease %d: %w", id, err)
	}
	return leases, nil
}

func (a *Agent) knownLease(id uint64) (workload.Lease, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, ok := a.leases[id]
	return l, ok
}

// lookUp asks the chain about one lease.
func (a *Agent) lookUp(ctx context.Context, id uint64) (workload.Lease, error) {
	lease, err := a.chain.Market.Lease(ctx, &markettypes.QueryLeaseRequest{Id: id})
	if isNotFound(err) {
		return workload.Lease{}, gateway.ErrNoLease
	}
	if err != nil {
		return workload.Lease{}, err
	}
	if lease.Lease.Provider != a.provider || !lease.Lease.State.Live() {
		return workload.Lease{}, gateway.ErrNoLease
	}
	res, err := a.chain.Market.Deployment(ctx, &markettypes.QueryDeploymentRequest{Id: lease.Lease.Deployment})
	if err != nil {
		return workload.Lease{}, err
	}
	for _, bid := range res.Bids {
		if bid.Id == lease.Lease.Bid {
			return workload.FromChain(markettypes.Work{
				Lease: lease.Lease, Owner: res.Deployment.Owner, Name: res.Deployment.Name, Group: bid.Spec.Name,
				ManifestHash: res.Deployment.ManifestHash, Version: res.Deployment.Version,
				AccessKeys: res.Deployment.AccessKeys, Custodians: res.Deployment.Custodians,
			}), nil
		}
	}
	return workload.Lease{}, errors.New("its bid is not in its deployment")
}

// reservation is what the journal keeps of a lease.
func reservation(l workload.Lease) store.Lease {
	return store.Lease{ID: l.ID, Deployment: l.Deployment, Owner: l.Owner, Unit: l.Unit, Replicas: l.Replicas}
}
