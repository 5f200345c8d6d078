package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	// answerBlocks is how long a standby may take to serve once its primary has failed.
	answerBlocks = 3
	// elsewhereIn is how long it may take until what custodians keep serves at another provider.
	elsewhereIn = time.Minute
)

// A provider is killed while the tenant's machine is off: nothing runs but validators and agents. What becomes of a
// workload depends on what its tenant arranged before.
func TestALostProviderIsAnInconvenience(t *testing.T) {
	m := wholeDevnet(t)
	x := m.newTenant(t)
	lost, err := m.operator(0)
	require.NoError(t, err)
	custodian, err := m.operator(2)
	require.NoError(t, err)

	guarded := x.upAnywhere(t, service{name: "guarded", terms: "standbys: 1\n"}, "")
	kept := x.upAnywhere(t, service{name: "kept"}, "x-souk: {custodians: ["+custodian+"]}\n")
	bare := x.upAnywhere(t, service{name: "bare"}, "")
	served := map[string]markettypes.Lease{}
	for _, d := range []deployed{guarded, kept, bare} {
		served[d.Deployment] = x.serving(t, d)
		require.Equal(t, lost, served[d.Deployment].Provider, "%s is at the cheapest", d.Deployment)
		answer(t, d)
	}
	standby := x.awaitStandby(t, guarded, lost)
	require.Len(t, processesWith(t, x.mark("guarded")), 1, "a standby runs nothing")
	require.True(t, x.conservation(t).Conserved)

	// The provider goes, and a validator with it.
	require.NoError(t, m.Kill(t.Context(), "validator-3"))
	require.NoError(t, m.Kill(t.Context(), "provider-0"))
	killed := time.Now()

	failed := x.awaitEnd(t, served["guarded"].Id)
	at := m.height(t.Context())
	require.Equal(t, markettypes.Reason_REASON_UNREACHABLE, failed.Reason)
	promoted := x.leaseState(t, standby.Id)
	require.Equal(t, markettypes.LeaseState_LEASE_STATE_ACTIVE, promoted.State, "it took over in that block")
	require.False(t, promoted.Standby)
	elsewhere := x.urlAt(t, guarded, promoted)
	await(t, 30*time.Second, "the standby serves", func() error {
		_, err := identify(t.Context(), elsewhere)
		return err
	})
	blocks := m.height(t.Context()) - at
	t.Logf("the standby served %.1f s after the kill, %d blocks after the challenge had failed", time.Since(killed).Seconds(), blocks)
	require.LessOrEqual(t, blocks, int64(answerBlocks))

	await(t, time.Until(killed.Add(elsewhereIn)), "what a custodian keeps serves at another provider", func() error {
		for _, lease := range x.live(t, kept) {
			if lease.Provider != lost && lease.State == markettypes.LeaseState_LEASE_STATE_ACTIVE {
				_, err := identify(t.Context(), x.urlAt(t, kept, lease))
				return err
			}
		}
		return fmt.Errorf("no other provider has it: %v", x.live(t, kept))
	})
	t.Logf("what a custodian keeps served elsewhere %.1f s after the kill", time.Since(killed).Seconds())

	x.givesUpAndSendsAgain(t, bare, served["bare"], lost)

	// The provider comes back: what it lost it stops.
	require.NoError(t, m.mend(t.Context()))
	for _, d := range []deployed{guarded, kept, bare} {
		await(t, 30*time.Second, d.Deployment+" runs once", func() error {
			if running := processesWith(t, x.mark(d.Deployment)); len(running) != 1 {
				return fmt.Errorf("processes %v", running)
			}
			return nil
		})
		x.down(t, d.Deployment)
		x.awaitGone(t, d.Deployment)
	}
	require.True(t, x.conservation(t).Conserved)
}

// givesUpAndSendsAgain is what is left to a tenant whose workload nobody else knows: it waits at the dead provider until he
// fails it over, and then for the file, and says so.
func (x *tenant) givesUpAndSendsAgain(t *testing.T, d deployed, before markettypes.Lease, lost string) {
	t.Helper()
	require.Equal(t, markettypes.LeaseState_LEASE_STATE_ACTIVE, x.leaseState(t, before.Id).State, "nobody challenged it")
	x.must(t, "failover", "-y", fmt.Sprint(before.Id))
	require.Equal(t, markettypes.Reason_REASON_TENANT_FAILOVER, x.awaitEnd(t, before.Id).Reason)
	await(t, 30*time.Second, "another provider waits for the file, and the tenant hears of it", func() error {
		out := x.must(t, "status", d.Deployment, "-o", "json")
		if !strings.Contains(out, `"waits_for_manifest"`) {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	x.must(t, "up", "-y", x.path(d.Deployment))
	after := x.serving(t, d)
	require.NotEqual(t, lost, after.Provider)
	url := x.urlAt(t, d, after)
	await(t, 30*time.Second, d.Deployment+" serves again", func() error {
		_, err := identify(t.Context(), url)
		return err
	})
}

// upAnywhere deploys a service that takes any provider, with further lines at the top of its file.
func (x *tenant) upAnywhere(t *testing.T, s service, top string) deployed {
	t.Helper()
	text := read(t, x.file(t, s))
	anywhere := strings.Replace(text, "      regions: [eu-west]\n", "", 1)
	require.NotEqual(t, text, anywhere)
	var d deployed
	x.mustJSON(t, &d, "up", "-y", x.write(t, s.name, top+anywhere))
	return d
}

// live are the live leases of a deployment.
func (x *tenant) live(t *testing.T, d deployed) []markettypes.Lease {
	t.Helper()
	res, err := x.chain.Market.Leases(t.Context(), &markettypes.QueryLeasesRequest{Deployment: d.ID, Live: true})
	require.NoError(t, err)
	return res.Leases
}

// serving is the one lease of a deployment that serves.
func (x *tenant) serving(t *testing.T, d deployed) markettypes.Lease {
	t.Helper()
	leases := slices.DeleteFunc(x.live(t, d), func(l markettypes.Lease) bool { return l.Standby })
	require.Len(t, leases, 1)
	return leases[0]
}

// awaitStandby waits until another provider stands by for a deployment.
func (x *tenant) awaitStandby(t *testing.T, d deployed, serves string) (standby markettypes.Lease) {
	t.Helper()
	await(t, 30*time.Second, "a provider stands by", func() error {
		for _, lease := range x.live(t, d) {
			if lease.Standby && lease.State == markettypes.LeaseState_LEASE_STATE_STANDBY {
				standby = lease
				return nil
			}
		}
		return fmt.Errorf("%v", x.live(t, d))
	})
	require.NotEqual(t, serves, standby.Provider)
	return standby
}

// awaitEnd waits until a lease has ended.
func (x *tenant) awaitEnd(t *testing.T, id uint64) (lease markettypes.Lease) {
	t.Helper()
	await(t, time.Minute, fmt.Sprintf("lease %d ends", id), func() error {
		if lease = x.leaseState(t, id); lease.State.Live() {
			return fmt.Errorf("it is %s", lease.State)
		}
		return nil
	})
	return lease
}

// urlAt is where a deployment that was served by the first provider is served by another lease.
func (x *tenant) urlAt(t *testing.T, d deployed, lease markettypes.Lease) string {
	t.Helper()
	for i := range x.Providers {
		operator, err := x.operator(i)
		require.NoError(t, err)
		if operator != lease.Provider {
			continue
		}
		return strings.NewReplacer(
			fmt.Sprintf("-%d.p0.", d.lease()), fmt.Sprintf("-%d.p%d.", lease.Id, i),
			fmt.Sprintf(":%d", x.Providers[0].Ingress), fmt.Sprintf(":%d", x.Providers[i].Ingress),
		).Replace(d.url())
	}
	t.Fatalf("no provider %s", lease.Provider)
	return ""
}
