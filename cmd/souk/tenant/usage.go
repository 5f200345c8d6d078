package tenant

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// meter measures leases again and again.
type meter struct {
	names  map[uint64]string // of deployments, by lease
	leases []served
}

// sample is what one lease had used at a moment.
type sample struct {
	deployment string
	lease      uint64
	millis     uint64 // of processor that it may use
	usage      *api.UsageResponse
}

// usageItem is one line of top: a container, or a whole lease.
type usageItem struct {
	Time        time.Time `json:"time"`
	Deployment  string    `json:"deployment"`
	Lease       uint64    `json:"lease"`
	Service     string    `json:"service,omitempty"` // empty for the whole lease
	Replica     uint32    `json:"replica"`
	CPU         float64   `json:"cpu_percent"` // 100 is one whole processor
	CPULimit    float64   `json:"cpu_limit_percent,omitempty"`
	Throttled   float64   `json:"throttled_percent"`
	Memory      uint64    `json:"memory_bytes"`
	MemoryLimit uint64    `json:"memory_limit_bytes"`
	Disk        uint64    `json:"disk_bytes,omitempty"`
	DiskLimit   uint64    `json:"disk_limit_bytes,omitempty"`
	PIDs        uint64    `json:"pids"`
	Egress      float64   `json:"egress_bytes_per_second"`
	Ingress     float64   `json:"ingress_bytes_per_second"`
	EgressSum   uint64    `json:"egress_bytes"`
	IngressSum  uint64    `json:"ingress_bytes"`
}

func (t *tenant) newMeter(ctx context.Context, g target, lease uint64) (*meter, error) {
	m := &meter{names: map[uint64]string{}}
	var deployments []markettypes.Deployment
	if g.deployment != "" {
		d, err := t.mustFind(ctx, g.deployment)
		if err != nil {
			return nil, err
		}
		deployments = append(deployments, d.Deployment)
	} else {
		var err error
		if deployments, err = t.openDeployments(ctx); err != nil {
			return nil, err
		}
	}
	for _, d := range deployments {
		leases, err := t.leases(ctx, d.Id)
		if err != nil {
			return nil, err
		}
		leases = slices.DeleteFunc(leases, func(l markettypes.Lease) bool { return lease != 0 && l.Id != lease })
		opened, err := t.opened(ctx, leases)
		if err != nil {
			return nil, err
		}
		for _, s := range opened {
			m.names[s.lease.Id] = d.Name
		}
		m.leases = append(m.leases, opened...)
	}
	if len(m.leases) == 0 {
		return nil, fault.New("nothing runs that could be measured", nil, "souk ps")
	}
	return m, nil
}

// measure asks all providers at once.
func (m *meter) measure(ctx context.Context) ([]sample, error) {
	out := make([]sample, len(m.leases))
	calls, ctx := errgroup.WithContext(ctx)
	calls.SetLimit(16)
	for i, s := range m.leases {
		l := s.lease
		calls.Go(func() error {
			res, err := s.gateway.Usage(ctx, connect.NewRequest(&api.UsageRequest{Lease: l.Id}))
			if err != nil {
				return fault.New(fmt.Sprintf("measure lease %d of %s", l.Id, m.names[l.Id]), err, "souk status "+m.names[l.Id])
			}
			out[i] = sample{m.names[l.Id], l.Id, l.Unit.CpuMillis * uint64(l.Replicas), res.Msg}
			return nil
		})
	}
	return out, calls.Wait()
}

// usageSince is what was used between two measurements of the same leases, by deployment, lease and service: a whole lease
// before its containers. With a service, only its containers.
func usageSince(before, now []sample, service string) []usageItem {
	var items []usageItem
	for i, s := range now {
		seconds := s.usage.GetTime().AsTime().Sub(before[i].usage.GetTime().AsTime()).Seconds()
		if before[i].usage.GetBootId() != s.usage.GetBootId() {
			seconds = 0 // counters began anew
		}
		base := usageItem{Time: s.usage.GetTime().AsTime(), Deployment: s.deployment, Lease: s.lease}
		if service == "" {
			whole := base
			whole.CPULimit = float64(s.millis) / 10
			whole.fill(before[i].usage.GetTotal(), s.usage.GetTotal(), seconds)
			items = append(items, whole)
		}
		for _, r := range s.usage.GetReplicas() {
			if service != "" && r.GetService() != service {
				continue
			}
			item := base
			item.Service, item.Replica = r.GetService(), r.GetReplica()
			item.fill(usageOf(before[i].usage, r), r.GetUsage(), seconds)
			items = append(items, item)
		}
	}
	slices.SortStableFunc(items, func(a, b usageItem) int {
		return cmp.Or(strings.Compare(a.Deployment, b.Deployment), cmp.Compare(a.Lease, b.Lease), strings.Compare(a.Service, b.Service),
			cmp.Compare(a.Replica, b.Replica))
	})
	return items
}

// usageOf finds a replica in an earlier measurement; nil if it was not there.
func usageOf(earlier *api.UsageResponse, r *api.ReplicaUsage) *api.Usage {
	for _, e := range earlier.GetReplicas() {
		if e.GetService() == r.GetService() && e.GetReplica() == r.GetReplica() {
			return e.GetUsage()
		}
	}
	return nil
}

// fill takes what is used now, and rates from counters. A counter that fell belongs to another run: it has no rate yet.
func (i *usageItem) fill(before, now *api.Usage, seconds float64) {
	rate := func(from, to uint64) float64 {
		if before == nil || seconds <= 0 || to < from {
			return 0
		}
		return float64(to-from) / seconds
	}
	const percentOfNanos = 1e7 // nanoseconds in a second, over a hundred
	i.CPU = rate(before.GetCpuNanos(), now.GetCpuNanos()) / percentOfNanos
	i.Throttled = rate(before.GetThrottledNanos(), now.GetThrottledNanos()) / percentOfNanos
	i.Egress = rate(before.GetEgressBytes(), now.GetEgressBytes())
	i.Ingress = rate(before.GetIngressBytes(), now.GetIngressBytes())
	i.Memory, i.MemoryLimit = now.GetMemoryBytes(), now.GetMemoryLimitBytes()
	i.Disk, i.DiskLimit, i.PIDs = now.GetDiskBytes(), now.GetDiskLimitBytes(), now.GetPids()
	i.EgressSum, i.IngressSum = now.GetEgressBytes(), now.GetIngressBytes()
}

func usageRows(items []usageItem) output.Rows {
	rows := output.Rows{
		Columns: []output.Column{
			{Name: "name"},
			{Name: "lease", Right: true},
			{Name: "cpu", Right: true},
			{Name: "memory", Right: true},
			{Name: "mem limit", Right: true},
			{Name: "disk", Right: true},
			{Name: "disk limit", Right: true},
			{Name: "sent", Right: true},
			{Name: "received", Right: true},
			{Name: "pids", Right: true},
			{Name: "cpu limit", Wide: true, Right: true},
			{Name: "throttled", Wide: true, Right: true},
			{Name: "sent in all", Wide: true, Right: true},
			{Name: "received in all", Wide: true, Right: true},
		},
		Empty: "nothing is used",
	}
	for _, i := range items {
		rows.Cells = append(rows.Cells, i.cells())
	}
	return rows
}

func (i usageItem) cells() []string {
	name, limit := i.Deployment, "-"
	size := func(n uint64) string {
		if n == 0 {
			return "-"
		}
		return bytesText(float64(n))
	}
	speed := func(n float64) string { return bytesText(n) + "/s" }
	disk, sent, received := size(i.Disk), speed(i.Egress), speed(i.Ingress)
	if i.Service != "" { // these are counted for a lease only
		name, disk, sent, received = fmt.Sprintf("  %s-%d", i.Service, i.Replica), "-", "-", "-"
	}
	if i.CPULimit > 0 {
		limit = fmt.Sprintf("%.0f%%", i.CPULimit)
	}
	return []string{
		name, fmt.Sprint(i.Lease), fmt.Sprintf("%.1f%%", i.CPU), size(i.Memory), size(i.MemoryLimit), disk, size(i.DiskLimit),
		sent, received, fmt.Sprint(i.PIDs), limit, fmt.Sprintf("%.1f%%", i.Throttled), size(i.EgressSum), size(i.IngressSum),
	}
}
