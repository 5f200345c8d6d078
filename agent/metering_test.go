package agent

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/souk-network/souk/agent/reconcile"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/agent/workload"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// machine is a runtime of which a test says what runs.
type machine struct {
	idle

	status  map[uint64]runtime.WorkloadStatus
	usage   map[uint64]runtime.UsageSample
	failing bool
}

func (m *machine) Status(_ context.Context, lease uint64) (runtime.WorkloadStatus, error) {
	if m.failing {
		return runtime.WorkloadStatus{}, runtime.ErrClosed
	}
	s, ok := m.status[lease]
	if !ok {
		return s, fmt.Errorf("lease %d: %w", lease, runtime.ErrNotFound)
	}
	return s, nil
}

func (m *machine) Usage(_ context.Context, lease uint64) (runtime.UsageSample, error) {
	u, ok := m.usage[lease]
	if !ok {
		return u, runtime.ErrNotFound
	}
	return u, nil
}

// runs makes one replica of a lease run since a time.
func (m *machine) runs(lease uint64, since int64) {
	m.set(lease, runtime.ReplicaStatus{Service: "web", Phase: runtime.PhaseRunning, StartedAt: time.Unix(since, 0)})
}

func (m *machine) set(lease uint64, replicas ...runtime.ReplicaStatus) {
	m.status[lease] = runtime.WorkloadStatus{Lease: lease, Replicas: replicas}
}

// metering is an agent whose looks a test makes.
type metering struct {
	*Agent

	t       *testing.T
	dir     string
	machine *machine
	leases  []workload.Lease
	brought []reconcile.Manifest
}

func newMetering(t *testing.T) *metering {
	t.Helper()
	return meteringIn(t, t.TempDir())
}

func meteringIn(t *testing.T, dir string) *metering {
	t.Helper()
	status := statusText("souk-test", "1", "false")
	a := newAgent(t, &status)
	journal, err := store.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, journal.Close()) })
	m := &metering{
		Agent: a, t: t, dir: dir,
		machine: &machine{status: map[uint64]runtime.WorkloadStatus{}, usage: map[uint64]runtime.UsageSample{}},
	}
	a.store, a.runtime, a.meters.tick = journal, m.machine, 1
	return m
}

func (m *metering) lease(id, ackedAt uint64) {
	m.leases = append(m.leases, workload.Lease{ID: id, Active: true, AckedAt: ackedAt, Hash: []byte{1}})
	m.brought = append(m.brought, reconcile.Manifest{Lease: id, Revision: "01"})
}

func (m *metering) at(seconds ...uint64) {
	m.t.Helper()
	for _, now := range seconds {
		require.NoError(m.t, m.meterLook(m.t.Context(), escrowtypes.Clock{Epoch: now / 100, EpochStart: now / 100 * 100}, now, m.leases, m.brought))
	}
}

// again is the next process, had this one been killed now: with the same machine and what is on the disk.
func (m *metering) again() *metering {
	m.t.Helper()
	next := meteringIn(m.t, copyOf(m.t, m.dir))
	next.machine, next.runtime, next.leases, next.brought = m.machine, m.machine, m.leases, m.brought
	return next
}

// copyOf copies a folder.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	require.NoError(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

// writes is how many transactions the journal has seen.
func (m *metering) writes() (n int) {
	m.t.Helper()
	db, err := bbolt.Open(filepath.Join(copyOf(m.t, m.dir), "journal.db"), 0o600, nil)
	require.NoError(m.t, err)
	defer func() { require.NoError(m.t, db.Close()) }()
	require.NoError(m.t, db.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil }))
	return n
}

func TestALeaseIsMeteredFromItsAcknowledgementToItsEnd(t *testing.T) {
	m := newMetering(t)
	m.lease(7, 101)
	m.brought = nil // its tenant has brought nothing yet
	m.at(102, 104)
	m.brought = []reconcile.Manifest{{Lease: 7, Revision: "01"}}
	m.at(105, 107) // nothing runs yet
	m.machine.runs(7, 1)
	m.at(108, 110)
	m.leases = nil
	m.at(111, 150)
	require.EqualValues(t, 105-101+111-108, m.upSeconds(7, 100, 200))
	require.Zero(t, m.upSeconds(8, 100, 200))
}

func TestOfALeaseThatWasNotSeenToBeginItIsNotKnownWhatItsTenantHasBrought(t *testing.T) {
	m := newMetering(t)
	m.lease(7, 50)
	m.brought = nil
	m.at(102, 104)
	require.Zero(t, m.upSeconds(7, 0, 200))
}

func TestOfALeaseThatBeganSinceTheLastLookItIsKnown(t *testing.T) {
	m := newMetering(t)
	m.at(102)
	m.lease(7, 105)
	m.brought = nil
	m.at(140) // the node was away
	m.at(142)
	require.EqualValues(t, 142-105, m.upSeconds(7, 0, 200))

	next := m.again()
	next.lease(8, 145) // acknowledged, and then killed
	next.brought = nil
	next.at(180)
	require.EqualValues(t, 180-145, next.upSeconds(8, 0, 200))
}

func TestAPausedLeaseIsNotServed(t *testing.T) {
	m := newMetering(t)
	m.lease(7, 100)
	m.machine.runs(7, 1)
	m.at(100, 102)
	m.leases[0].Active, m.leases[0].Paused = false, true
	m.at(104, 106, 108)
	m.leases[0].Active, m.leases[0].Paused = true, false
	m.at(110, 112)
	require.EqualValues(t, 104-100+112-110, m.upSeconds(7, 100, 200))
}

func TestAKillLosesNothingOfWhatGoesOnRunning(t *testing.T) {
	m := newMetering(t)
	for id := uint64(1); id <= 4; id++ {
		m.lease(id, 100)
		m.machine.runs(id, int64(id))
	}
	m.at(100, 101, 102)
	m.machine.set(2, runtime.ReplicaStatus{Service: "web", Phase: runtime.PhaseFailed, Class: runtime.ClassProvider})
	m.at(103, 104, 106, 108, 109)

	next := m.again()
	starting := runtime.ReplicaStatus{Service: "web", Phase: runtime.PhasePending}
	next.machine.set(1, starting)
	next.machine.set(2, starting)
	next.machine.runs(3, 99) // it ended and was started anew meanwhile
	next.at(160)             // the new process has not looked at 1 and 2 yet
	require.Zero(t, next.meteredUntil(), "an epoch that closed before is committed to later")
	next.machine.runs(1, 1)
	next.machine.runs(2, 98)
	next.at(162, 164)
	require.EqualValues(t, 164, next.meteredUntil())
	require.EqualValues(t, 64, next.upSeconds(1, 100, 200), "the same run went on")
	require.EqualValues(t, 3+2, next.upSeconds(2, 100, 200))
	require.EqualValues(t, 8+4, next.upSeconds(3, 100, 200), "up to what was written down, and from then on")
	require.EqualValues(t, 64, next.upSeconds(4, 100, 200))
	third := next.again()
	third.at(165)
	require.EqualValues(t, 65, third.upSeconds(1, 100, 200))
}

func TestAStopWritesDownTheLastSecond(t *testing.T) {
	m := newMetering(t)
	m.lease(7, 100)
	m.machine.runs(7, 1)
	m.at(100, 101, 102, 103)
	m.flushMeters()
	next := m.again()
	next.machine.runs(7, 2)
	next.at(150)
	require.EqualValues(t, 3, next.upSeconds(7, 100, 200))
}

func TestARuntimeThatDoesNotAnswerSaysNothing(t *testing.T) {
	m := newMetering(t)
	m.lease(7, 100)
	m.machine.runs(7, 1)
	m.at(100, 101)
	m.machine.failing = true
	m.at(103, 110, 120)
	next := m.again()
	m.machine.failing = false
	m.at(121)
	require.EqualValues(t, 21, m.upSeconds(7, 100, 200), "the same run went on")
	next.machine.runs(7, 2)
	next.at(121)
	require.EqualValues(t, 0, next.upSeconds(7, 100, 200), "nobody has seen when it ended")
}

func TestManyLeasesThatGoOnAreNotWrittenAtEveryLook(t *testing.T) {
	m := newMetering(t)
	for id := uint64(1); id <= 300; id++ {
		m.lease(id, 100)
		m.machine.runs(id, 1)
	}
	m.at(100)
	written := m.writes()
	for now := uint64(101); now <= 150; now++ {
		m.at(now)
	}
	require.LessOrEqual(t, m.writes()-written, 11, "a second now and then, and no records")
}

func TestWhatNoEpochNeedsIsForgotten(t *testing.T) {
	m := newMetering(t)
	m.lease(7, 100)
	m.lease(8, 100)
	m.machine.runs(7, 1)
	m.machine.runs(8, 1)
	m.at(100, 102)
	m.leases = m.leases[:1]
	m.at(104, 106)
	m.needMeters(2, 200)
	m.at(210)
	require.Zero(t, m.upSeconds(8, 0, 300))
	require.NotContains(t, m.meters.of, uint64(8))
	require.Contains(t, m.again().known(t), uint64(7))
	require.NotContains(t, m.again().known(t), uint64(8))
}

func (m *metering) known(t *testing.T) map[uint64]*metered {
	t.Helper()
	require.NoError(t, m.openMeters())
	return m.meters.of
}

func TestUsageIsAddedUpByEpoch(t *testing.T) {
	m := newMetering(t)
	m.lease(7, 100)
	m.machine.runs(7, 1)
	sample := func(boot string, cpu time.Duration, egress uint64) {
		m.machine.usage[7] = runtime.UsageSample{BootID: boot, Total: runtime.Usage{CPUNanos: uint64(cpu), EgressBytes: egress, MemoryBytes: 3 << 20}}
		require.NoError(t, m.sampleUsage(t.Context()))
	}
	m.at(100)
	sample("a", 2*time.Second, 10)
	m.at(110)
	sample("a", 9*time.Second, 99) // not yet
	m.at(130)
	sample("a", 5*time.Second, 30)
	m.at(200)
	sample("a", 6*time.Second, 40) // with the new epoch: it belongs to the last one
	m.at(230)
	sample("b", time.Second, 5) // the host was started anew
	require.Equal(t, prooftypes.Usage{CpuSeconds: 6, MemoryMibSeconds: 300, EgressBytes: 40}, m.usageOf(7, 1))
	require.Equal(t, prooftypes.Usage{CpuSeconds: 1, MemoryMibSeconds: 90, EgressBytes: 5}, m.usageOf(7, 2))
	require.Zero(t, m.usageOf(8, 1))
	require.Equal(t, m.usageOf(7, 1), m.again().opened(t).usageOf(7, 1))
}

func (m *metering) opened(t *testing.T) *metering {
	t.Helper()
	require.NoError(t, m.openMeters())
	return m
}
