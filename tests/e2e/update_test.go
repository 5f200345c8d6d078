package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	markettypes "github.com/souk-network/souk/x/market/types"
)

// upAll is up for deployments of several leases.
func (x *tenant) upAll(t *testing.T, file string, flags ...string) deployed {
	t.Helper()
	var d deployed
	x.mustJSON(t, &d, append([]string{"up", "-y", file}, flags...)...)
	return d
}

// replicas are those of the live leases, by lease.
func (x *tenant) replicas(t *testing.T, d deployed) map[uint64]uint32 {
	t.Helper()
	found := map[uint64]uint32{}
	for _, l := range d.Leases {
		if lease := x.leaseState(t, l.Lease); lease.State.Live() {
			found[l.Lease] = lease.Replicas
		}
	}
	return found
}

func TestAnUpdateReplacesWhatRunsAndKeepsItsLease(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	first := x.up(t, x.file(t, service{name: "site", env: []string{"GREETING=hello"}}))
	run := answer(t, first)

	file := x.file(t, service{name: "site", env: []string{"GREETING=good day"}})
	r := x.do(t, "up", "-y", file)
	require.Zero(t, r.code, r.stderr)
	require.Contains(t, r.stderr, "GREETING")
	require.NotContains(t, r.stderr, "good day", "values are secrets")
	changed := x.up(t, file)
	require.True(t, changed.Unchanged)
	require.Equal(t, first.ID, changed.ID)
	require.Equal(t, first.lease(), changed.lease())
	require.NotEqual(t, run.Run, answer(t, changed).Run, "it was started again")
	require.Len(t, processesWith(t, x.mark("site")), 1)

	// More processor and memory for the same lease, at the prices that it has.
	content := strings.NewReplacer("cpus: 0.1", "cpus: 0.2", "mem_limit: 32m", "mem_limit: 64m").Replace(read(t, file))
	larger := x.up(t, x.write(t, "site", content))
	require.Equal(t, first.lease(), larger.lease())
	lease := x.leaseState(t, larger.lease())
	require.EqualValues(t, 200, lease.Unit.CpuMillis)
	require.EqualValues(t, 64, lease.Unit.MemoryMib)
	require.Greater(t, lease.Rate, changed.Leases[0].Rate)
	answer(t, larger)
	require.True(t, x.conservation(t).Conserved)
}

func TestScalingMovesNoReplicaThatStays(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	file := x.file(t, service{name: "herd"})
	one := x.up(t, file)
	run := answer(t, one)

	three := x.upAll(t, file, "--scale", "main=3")
	require.Len(t, three.Leases, 2, "what is more has a lease of its own")
	placed := x.replicas(t, three)
	require.EqualValues(t, 1, placed[one.lease()])
	await(t, 30*time.Second, "three replicas run", func() error {
		if n := len(processesWith(t, x.mark("herd"))); n != 3 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	require.Equal(t, run.Run, answer(t, one).Run, "the first goes on")

	two := x.upAll(t, file, "--scale", "main=2")
	require.Equal(t, map[uint64]uint32{three.Leases[0].Lease: 1, three.Leases[1].Lease: 1}, x.replicas(t, two), "the second lease shrank")
	await(t, 30*time.Second, "two replicas run", func() error {
		if n := len(processesWith(t, x.mark("herd"))); n != 2 {
			return fmt.Errorf("%d", n)
		}
		return nil
	})
	again := x.up(t, file)
	require.Equal(t, one.lease(), again.lease(), "the newest lease is closed")
	require.Equal(t, markettypes.Reason_REASON_TENANT, x.leaseState(t, three.Leases[1].Lease).Reason)
	require.Equal(t, run.Run, answer(t, again).Run)

	refused := x.do(t, "up", "-y", file, "--scale", "mane=2")
	require.Equal(t, exitUsage, refused.code)
	require.Contains(t, refused.stderr, "the file has main")
}

func TestALeaseThatIsClosedLooksForAnotherProvider(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	anywhere := strings.Replace(read(t, x.file(t, service{name: "nomad"})), "regions: [eu-west]", "regions: [eu-west, us-east]", 1)
	file := x.write(t, "nomad", anywhere)
	first := x.up(t, file)
	answer(t, first)
	x.must(t, "lease", "close", fmt.Sprint(first.lease()), "--replace", "-y")

	second := x.up(t, file)
	require.Equal(t, first.ID, second.ID)
	require.NotEqual(t, first.Leases[0].Provider, second.Leases[0].Provider)
	answer(t, second)

	x.must(t, "lease", "close", fmt.Sprint(second.lease()), "-y")
	x.awaitGone(t, "nomad")
	require.Contains(t, x.do(t, "lease", "close", fmt.Sprint(second.lease()), "-y").stderr, "lease")
}

func TestLowMoneyPausesAndADepositResumes(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	refused := x.do(t, "up", "-y", x.file(t, service{name: "poor", terms: "deposit: 1usouk"}))
	least := leastDeposit.FindStringSubmatch(refused.stderr)
	require.NotNil(t, least, refused.stderr)
	d := x.up(t, x.file(t, service{name: "poor", terms: "deposit: " + least[1]}))
	run := answer(t, d)
	full := x.leaseState(t, d.lease()).Rate

	await(t, 3*time.Minute, "the lease is paused", func() error {
		if lease := x.leaseState(t, d.lease()); lease.State != markettypes.LeaseState_LEASE_STATE_PAUSED {
			return fmt.Errorf("lease %d is %s", lease.Id, lease.State)
		}
		return nil
	})
	x.awaitGone(t, "poor")
	var cost struct {
		Rate   string `json:"rate_per_hour"`
		Resume string `json:"resume_deposit"`
	}
	x.mustJSON(t, &cost, "cost", "poor")
	require.Equal(t, fmt.Sprint((full+1)/2), cost.Rate, "half the rate keeps its place")
	require.NotEqual(t, "0", cost.Resume)
	require.Contains(t, x.must(t, "deposit", "poor", "1usouk", "-y"), "paused", "one coin is not enough")
	require.NotContains(t, x.must(t, "deposit", "poor", "5SOUK", "-y"), "paused")

	lease := x.leaseState(t, d.lease())
	require.Equal(t, markettypes.LeaseState_LEASE_STATE_ACTIVE, lease.State)
	require.Equal(t, full, lease.Rate)
	require.NotEqual(t, run.Run, answer(t, d).Run, "it was started again, from the manifest that its provider kept")
	require.True(t, x.conservation(t).Conserved)
}

func TestMoneyOfAnotherReturnsToItsOwner(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	sponsor, x := m.newTenantNamed(t, "-sponsor"), m.newTenant(t)
	sponsor.must(t, "grant", "deposits", x.address, "20SOUK", "-y")
	before := sponsor.balance(t)

	d := x.up(t, x.file(t, service{name: "gift", terms: "deposit: 12"}), "--granter", sponsor.address)
	answer(t, d)
	require.Contains(t, x.do(t, "deposit", "gift", "9SOUK", "--granter", sponsor.address, "-y").stderr, "usouk left", "more than was granted")
	x.must(t, "deposit", "gift", "3SOUK", "--granter", sponsor.address, "-y")
	e := x.down(t, "gift")

	require.Equal(t, before.Sub(e.Spent), sponsor.balance(t), "what was not spent")
	var grants []struct {
		Left []struct {
			Amount string `json:"amount"`
		} `json:"left"`
	}
	sponsor.mustJSON(t, &grants, "grant", "ls")
	require.Len(t, grants, 1)
	require.Equal(t, fmt.Sprint(20_000_000-e.Spent.Int64()), grants[0].Left[0].Amount, "may be granted again")
	sponsor.must(t, "grant", "revoke", x.address, "-y")
	require.NotZero(t, x.do(t, "up", "-y", x.file(t, service{name: "gift"}), "--granter", sponsor.address).code)
}

func TestAProviderComesAndGoesByTheCommandLine(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	op, auditor := m.newTenant(t), m.newTenantNamed(t, "-auditor")
	key := strings.Repeat("ab", 32)
	op.must(t, "provider", "init", "--agent", auditor.address, "--gateway", "https://127.0.0.1:1", "--tls-key", key,
		"--name", "Nobody", "--bond", "100SOUK", "--auditor", auditor.address, "-y")
	auditor.must(t, "provider", "attest", op.address, "--label", "region=nowhere", "--for", "1h", "-y")

	op.must(t, "provider", "maintenance", "--for", "1m", "-y")
	op.must(t, "provider", "maintenance", "--cancel", "-y")
	next := m.newTenantNamed(t, "-agent")
	op.must(t, "provider", "rotate-agent", next.address, "-y")
	require.Contains(t, op.must(t, "provider", "status"), "next      agent "+next.address)
	require.Contains(t, op.do(t, "provider", "unjail", "-y").stderr, "not jailed")
	op.must(t, "provider", "unbond", "40SOUK", "-y")
	op.must(t, "provider", "deregister", "-y")
	op.must(t, "provider", "unbond", "60SOUK", "-y")
	status := op.must(t, "provider", "status")
	require.Contains(t, status, "state     leaving")
	require.Contains(t, status, "unbonding 40 SOUK")
	require.Contains(t, status, "unbonding 60 SOUK")
	auditor.must(t, "provider", "attest", op.address, "--revoke", "-y")
}
