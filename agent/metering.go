package agent

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/souk-network/souk/agent/meter"
	"github.com/souk-network/souk/agent/reconcile"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/workload"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

const (
	// gapTicks without a look are a gap, after which only what still runs in the same run counts as up.
	gapTicks = 3
	// firstGapSeconds is a gap until the chain has said how long a tick is.
	firstGapSeconds = 6
	// journalSeconds is how often it is written down up to when the meters hold, while nothing changes.
	journalSeconds = 5
	// unseenFor a new process may take until it has looked at what an earlier one has started.
	unseenFor = time.Minute
	// usageSeconds is how often it is looked at what leases use.
	usageSeconds = 30
)

// meters are for how long leases were served, and what they used.
type meters struct {
	mu      sync.Mutex
	opened  bool
	begun   time.Time // the process's first look
	of      map[uint64]*metered
	since   uint64 // second from which on whatever happened is known here: the journal's last, or that of the first look
	at      uint64 // second of the last look
	sure    uint64 // second of the last look that could tell of all
	written uint64 // second up to which the journal holds
	tick    uint64 // seconds; 0 until the chain has said so
	epoch   uint64 // running, by the last look
	sampled uint64 // second of the last look at what is used
	within  uint64 // epoch of that look
	// needed is the first epoch, with its first second, that may still be committed to.
	needed, neededFrom uint64
	forgotten          uint64 // up to which epoch
	waits              bool   // of something nothing could be told at the last look
}

// metered is what is kept of a lease.
type metered struct {
	meter.Record

	Ledger meter.Ledger `json:"ledger"`
	// Begun: it was metered from its acknowledgement on. Of another one it is not known what its tenant has brought.
	Begun bool `json:"begun,omitempty"`

	seen bool // by this process
}

// openMeters reads what an earlier process has written down, with m.mu held.
func (a *Agent) openMeters() error {
	m := &a.meters
	if m.opened {
		return nil
	}
	found := map[uint64]*metered{}
	at, err := a.store.Meters(func(lease uint64, raw []byte) error {
		var one metered
		if err := json.Unmarshal(raw, &one); err != nil { // the lease is metered from now on
			a.log.Error("a meter in the journal can not be read", "lease", lease, "error", err)
			return nil
		}
		found[lease] = &one
		return nil
	})
	if err != nil {
		return err
	}
	for _, one := range found {
		one.Hold(at)
	}
	m.of, m.written, m.since, m.opened = found, at, at, true
	return nil
}

// meterLook notes which leases are served at a second. What changed is written down at once, all in one; while nothing
// changes, only now and then the second up to which that holds.
func (a *Agent) meterLook(ctx context.Context, clock escrowtypes.Clock, now uint64, leases []workload.Lease, manifests []reconcile.Manifest) error {
	m := &a.meters
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := a.openMeters(); err != nil {
		return err
	}
	if m.begun.IsZero() {
		m.begun = time.Now()
	}
	if m.since == 0 {
		m.since = now
	}
	brought := map[uint64]reconcile.Manifest{}
	for _, manifest := range manifests {
		brought[manifest.Lease] = manifest
	}
	changed, live := map[uint64]any{}, map[uint64]bool{}
	m.at, m.epoch, m.waits = now, clock.Epoch, false
	for _, l := range leases {
		live[l.ID] = true
		one, known := m.of[l.ID]
		switch {
		case l.Active:
		case known:
			m.note(one, l.ID, now, nothing, changed) // paused: it pays for its room only
			continue
		default:
			continue
		}
		if !known {
			one = m.begin(l, now, changed)
		}
		replicas, ok := a.sightOf(ctx, l, brought[l.ID], one)
		if !ok {
			m.waits = true
			continue
		}
		m.note(one, l.ID, now, replicas, changed)
	}
	gone := m.settle(now, live, changed)
	at := now
	if m.waits {
		at = 0 // what was written down of it holds up to an earlier second
	} else {
		m.sure = now
	}
	if len(changed)+len(gone) == 0 && (at == 0 || now < m.written+journalSeconds) {
		return nil
	}
	return a.writeMeters(at, changed, gone)
}

// begin starts the record of a lease: at its acknowledgement, if that is known here.
func (m *meters) begin(l workload.Lease, now uint64, changed map[uint64]any) *metered {
	one := &metered{}
	if l.AckedAt != 0 && (l.AckedAt >= m.since || l.AckedAt+m.gap() >= now) {
		one.Begun = true
		one.Look(l.AckedAt, nil, m.gap())
		one.Ledger.Add(l.AckedAt, m.epoch, meter.Sample{})
	}
	m.of[l.ID], changed[l.ID] = one, one
	return one
}

// note adds a look at one lease.
func (m *meters) note(one *metered, id, now uint64, replicas []meter.Replica, changed map[uint64]any) {
	before := meter.Record{Runs: one.Runs, Of: one.Of}
	late := now > one.At+m.gap()
	one.Look(now, replicas, m.gap())
	if one.seen = true; late || !one.SameSight(before) {
		changed[id] = one
	}
}

// settle ends the records of leases that are not live any more, and forgets what no epoch needs.
func (m *meters) settle(now uint64, live map[uint64]bool, changed map[uint64]any) (gone []uint64) {
	for id, one := range m.of {
		if !live[id] && !one.IsDown() {
			m.note(one, id, now, nothing, changed)
		}
	}
	if m.forgotten >= m.needed {
		return nil
	}
	m.forgotten = m.needed
	for id, one := range m.of {
		one.Forget(m.neededFrom)
		one.Ledger.Forget(m.needed)
		if !live[id] && len(one.Spans) == 0 {
			gone = append(gone, id)
			delete(m.of, id)
			delete(changed, id)
			continue
		}
		changed[id] = one
	}
	return gone
}

// gap in seconds.
func (m *meters) gap() uint64 {
	if m.tick == 0 {
		return firstGapSeconds
	}
	return gapTicks * m.tick
}

// writeMeters journals, with m.mu held.
func (a *Agent) writeMeters(at uint64, changed map[uint64]any, gone []uint64) error {
	if err := a.store.PutMeters(at, changed, gone); err != nil {
		return err
	}
	a.meters.written = max(at, a.meters.written)
	return nil
}

// flushMeters writes the second of the last look down, when the agent stops.
func (a *Agent) flushMeters() {
	m := &a.meters
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.opened && !m.waits && m.at > m.written {
		if err := a.writeMeters(m.at, nil, nil); err != nil {
			a.log.Error("meters could not be journalled", "error", err)
		}
	}
}

// sightOf looks at one lease; not ok when nothing can be told of it yet.
func (a *Agent) sightOf(ctx context.Context, l workload.Lease, brought reconcile.Manifest, one *metered) (replicas []meter.Replica, ok bool) {
	s := sight{awaits: brought.Broken || len(brought.Missing) > 0 || brought.Revision == "" && one.Begun}
	status, err := a.runtime.Status(ctx, l.ID)
	switch {
	case errors.Is(err, runtime.ErrNotFound):
	case err != nil:
		return nil, false
	default:
		s.known, s.status = true, status
	}
	if s.known && !one.seen && time.Since(a.meters.begun) < unseenFor {
		for _, r := range status.Replicas {
			if isUnseen(r) {
				return nil, false
			}
		}
	}
	return s.replicas(), true
}

// upSeconds tells for how many seconds of a span a lease was served.
func (a *Agent) upSeconds(lease, from, until uint64) uint64 {
	a.meters.mu.Lock()
	defer a.meters.mu.Unlock()
	one := a.meters.of[lease]
	if one == nil {
		return 0
	}
	return one.UpSeconds(from, until)
}

// metered is the second up to which everything that runs was looked at.
func (a *Agent) meteredUntil() uint64 {
	a.meters.mu.Lock()
	defer a.meters.mu.Unlock()
	return a.meters.sure
}

// needMeters tells from which epoch on, and from which second, meters are needed still.
func (a *Agent) needMeters(epoch, from uint64) {
	a.meters.mu.Lock()
	defer a.meters.mu.Unlock()
	a.meters.needed, a.meters.neededFrom = max(epoch, a.meters.needed), max(from, a.meters.neededFrom)
}

// sampleUsage looks at what leases use, when it is time to or with an epoch that has begun.
func (a *Agent) sampleUsage(ctx context.Context) error {
	source, ok := a.runtime.(runtime.Meter)
	if !ok {
		return nil
	}
	m := &a.meters
	m.mu.Lock()
	at, epoch := m.at, m.epoch
	due := m.opened && at != 0 && (epoch != m.within || at >= m.sampled+max(usageSeconds, m.tick))
	ids := maps.Clone(m.of)
	m.mu.Unlock()
	if !due {
		return nil
	}
	samples := map[uint64]meter.Sample{}
	for id := range ids {
		s, err := source.Usage(ctx, id)
		if err != nil {
			continue // nothing of it runs, or it is being removed
		}
		samples[id] = meter.Sample{Boot: s.BootID, CPUNanos: s.Total.CPUNanos, EgressBytes: s.Total.EgressBytes, MemoryBytes: s.Total.MemoryBytes}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	changed := map[uint64]any{}
	for id, s := range samples {
		if one := m.of[id]; one != nil {
			one.Ledger.Add(at, epoch, s)
			changed[id] = one
		}
	}
	m.sampled, m.within = at, epoch
	if len(changed) == 0 {
		return nil
	}
	return a.writeMeters(0, changed, nil)
}

// usageOf is what a lease used in an epoch.
func (a *Agent) usageOf(lease, epoch uint64) prooftypes.Usage {
	const mib = 1 << 20
	a.meters.mu.Lock()
	defer a.meters.mu.Unlock()
	one := a.meters.of[lease]
	if one == nil {
		return prooftypes.Usage{}
	}
	used := one.Ledger.Epochs[epoch]
	return prooftypes.Usage{
		CpuSeconds: used.CPUNanos / uint64(time.Second), MemoryMibSeconds: used.MemorySeconds / mib, EgressBytes: used.EgressBytes,
	}
}
