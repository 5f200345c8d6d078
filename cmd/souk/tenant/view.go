package tenant

import (
	"context"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// statusTimeout is how long a listing waits for a provider.
const statusTimeout = 5 * time.Second

// leaseView is a lease as listings print it; a deployment without leases has one view without a lease.
type leaseView struct {
	Deployment string          `json:"deployment"`
	ID         uint64          `json:"id"`
	Lease      uint64          `json:"lease,omitempty"`
	Group      string          `json:"group,omitempty"`
	Provider   string          `json:"provider,omitempty"`
	Replicas   uint32          `json:"replicas"`
	State      string          `json:"state"`
	Reason     string          `json:"reason,omitempty"`
	Status     string          `json:"status"`
	Ready      bool            `json:"ready"`
	Rate       uint64          `json:"rate_per_hour"`
	Denom      string          `json:"denom"`
	Runway     uint64          `json:"runway_seconds"`
	URLs       []string        `json:"urls"`
	Containers []containerView `json:"containers"`
	Volumes    []volumeView    `json:"volumes"`
	Addresses  []addressView   `json:"addresses"`
	Standby    bool            `json:"standby,omitempty"`
	AnswerIn   uint64          `json:"answer_in_seconds,omitempty"` // of a lease that is challenged
	Waits      string          `json:"waits_for_manifest,omitempty"`
	acked      uint64
}

// containerView is a replica of a service.
type containerView struct {
	Service  string     `json:"service"`
	Replica  uint32     `json:"replica"`
	Phase    string     `json:"phase"`
	Health   string     `json:"health,omitempty"`
	Progress string     `json:"progress,omitempty"`
	Error    string     `json:"error,omitempty"`
	Fault    string     `json:"fault,omitempty"` // who has to act on the error: tenant, provider, or transient
	Restarts uint32     `json:"restarts"`
	ExitCode *int32     `json:"exit_code,omitempty"`
	OOM      bool       `json:"oom_killed,omitempty"`
	Job      bool       `json:"job,omitempty"`
	HeldBack bool       `json:"held_back,omitempty"` // an update failed, this is what worked before
	Started  *time.Time `json:"started_at,omitempty"`
	NextTry  *time.Time `json:"next_start,omitempty"`
}

type volumeView struct {
	Name  string `json:"name"`
	Copy  uint32 `json:"copy"`
	Class string `json:"class"`
	Size  uint64 `json:"size_mib"`
	Used  uint64 `json:"used_mib"`
}

func (v volumeView) text() string {
	return fmt.Sprintf("%s-%d %s %d/%d MiB", v.Name, v.Copy, v.Class, v.Used, v.Size)
}

type addressView struct {
	Service string `json:"service"`
	Port    uint32 `json:"port"`
	URL     string `json:"url"`
}

// well tells that a container does what it should.
func (c containerView) well() bool {
	switch {
	case c.HeldBack || c.Health == "unhealthy" || c.Health == "starting":
		return false
	case c.Job || c.Phase == "exited":
		return c.Phase == "running" || c.Phase == "exited" && c.ExitCode != nil && *c.ExitCode == 0
	}
	return c.Phase == "running"
}

func (v *leaseView) readyContainers() int {
	n := 0
	for _, c := range v.Containers {
		if c.well() {
			n++
		}
	}
	return n
}

// views lists the leases of all open deployments, or of the one of a name.
func (t *tenant) views(ctx context.Context, name string, all bool) ([]*leaseView, error) {
	if name != "" {
		d, err := t.mustFind(ctx, name)
		if err != nil {
			return nil, err
		}
		return t.viewsOf(ctx, d.Deployment, d.bids, all)
	}
	deployments, err := t.openDeployments(ctx)
	if err != nil {
		return nil, err
	}
	var views []*leaseView
	for _, d := range deployments {
		res, err := t.Market.Deployment(ctx, &markettypes.QueryDeploymentRequest{Id: d.Id})
		if err != nil {
			return nil, client.Explain("read deployment "+d.Name, err)
		}
		found, err := t.viewsOf(ctx, d, res.Bids, all)
		if err != nil {
			return nil, err
		}
		views = append(views, found...)
	}
	return views, nil
}

func (t *tenant) viewsOf(ctx context.Context, d markettypes.Deployment, bids []markettypes.Bid, all bool) ([]*leaseView, error) {
	leases, err := t.leases(ctx, d.Id)
	if err != nil {
		return nil, err
	}
	runway, err := t.Escrow.Runway(ctx, &escrowtypes.QueryRunwayRequest{Id: d.Account})
	if err != nil {
		return nil, client.Explain("read the runway of "+d.Name, err)
	}
	clock, err := t.serviceClock(ctx)
	if err != nil {
		return nil, err
	}
	groups := (&open{d, bids}).groups()
	var views []*leaseView
	var calls errgroup.Group
	calls.SetLimit(16)
	for _, l := range leases {
		if !live(l) && !all {
			continue
		}
		v := newLeaseView(d, l, groups[l.Bid])
		views = append(views, v)
		if !live(l) {
			continue
		}
		v.Runway = runway.Seconds
		v.Waits = whoHolds(d, l, leases)
		if l.AnswerBy > clock.now {
			v.AnswerIn = l.AnswerBy - clock.now
		}
		calls.Go(func() error {
			t.addStatus(ctx, v, l)
			return nil
		})
	}
	if err := calls.Wait(); err != nil {
		return nil, err
	}
	for _, v := range views {
		v.judge()
	}
	waiting := waitingViews(d, bids)
	if end := endOf(leases); end != nil && len(waiting) > 0 {
		waiting[0].Status += "; " + end.Error()
	}
	views = append(views, waiting...)
	if len(views) == 0 {
		v := newLeaseView(d, markettypes.Lease{}, "")
		v.State, v.Status = "open", "nothing is wanted any more: souk up FILE, or souk down "+d.Name
		if end := endOf(leases); end != nil {
			v.Status += "; " + end.Error()
		}
		views = append(views, v)
	}
	return views, nil
}

func newLeaseView(d markettypes.Deployment, l markettypes.Lease, group string) *leaseView {
	v := &leaseView{
		Deployment: d.Name, ID: d.Id, Lease: l.Id, Group: group, Provider: l.Provider, Replicas: l.Replicas,
		State: word(l.State, "LEASE_STATE_"), Standby: l.Standby, Rate: l.Rate, Denom: d.Denom, acked: l.AckedAt,
		URLs: []string{}, Containers: []containerView{}, Volumes: []volumeView{}, Addresses: []addressView{},
	}
	if l.Id != 0 && !live(l) {
		v.Reason = word(l.Reason, "REASON_")
		v.Status = "ended: " + reasonText(l.Reason)
	}
	return v
}

// addStatus asks the provider; what it does not say is not an error of the listing.
func (t *tenant) addStatus(ctx context.Context, v *leaseView, l markettypes.Lease) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	g, err := t.gatewayOf(ctx, l)
	if err != nil {
		v.Status, v.Waits = "provider unknown", ""
		return
	}
	res, err := g.Status(ctx, connect.NewRequest(&api.StatusRequest{Lease: l.Id}))
	if err != nil {
		v.Status, v.Waits = "provider does not answer: "+connect.CodeOf(err).String(), ""
		return
	}
	v.take(res.Msg)
}

// take fills in what the provider says.
func (v *leaseView) take(status *api.StatusResponse) {
	v.Ready = status.GetReady()
	v.Status = word(status.GetStage(), "LEASE_STAGE_")
	if status.GetStage() != api.LeaseStage_LEASE_STAGE_AWAITING_MANIFEST {
		v.Waits = ""
	}
	if message := status.GetMessage(); message != "" && !v.Ready {
		v.Status += ": " + message
	}
	for _, r := range status.GetReplicas() {
		v.Containers = append(v.Containers, containerOf(r))
	}
	for _, m := range status.GetVolumes() {
		v.Volumes = append(v.Volumes, volumeView{m.GetName(), m.GetCopy(), m.GetClass(), m.GetSizeMib(), m.GetUsedMib()})
	}
	for _, a := range status.GetAddresses() {
		if v.Standby {
			break // nothing answers there before it takes over
		}
		v.URLs = append(v.URLs, a.GetUrl())
		v.Addresses = append(v.Addresses, addressView{a.GetService(), a.GetContainerPort(), a.GetUrl()})
	}
}

func containerOf(r *api.ReplicaStatus) containerView {
	c := containerView{
		Service: r.GetService(), Replica: r.GetReplica(), Phase: word(r.GetPhase(), "REPLICA_PHASE_"), Progress: r.GetProgress(),
		Error: r.GetError(), Restarts: r.GetRestarts(), OOM: r.GetOomKilled(), Job: r.GetJob(), HeldBack: r.GetHeldBack(),
	}
	if r.GetHealth() != api.Health_HEALTH_UNSPECIFIED {
		c.Health = word(r.GetHealth(), "HEALTH_")
	}
	if r.GetFault() != api.FaultClass_FAULT_CLASS_UNSPECIFIED {
		c.Fault = word(r.GetFault(), "FAULT_CLASS_")
	}
	if c.Error == "" {
		c.Error = r.GetHealthOutput()
	}
	if r.GetExits() > 0 {
		code := r.GetExitCode()
		c.ExitCode = &code
	}
	if r.GetStartedAt() != nil {
		at := r.GetStartedAt().AsTime()
		c.Started = &at
	}
	if r.GetNextStart() != nil {
		at := r.GetNextStart().AsTime()
		c.NextTry = &at
	}
	return c
}
