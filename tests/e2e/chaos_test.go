package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/devnet"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	killsPerAgent = 10 // of two agents
	// A kill comes within this time of the command that opens or closes a deployment: it meets the matching, the
	// acknowledgement, the push of the image, the start and the end of the container.
	killWithin = 3 * time.Second
	// deploymentsPerLane is how many a lane has open at most.
	deploymentsPerLane = 2
	convergeTimeout    = time.Minute
)

// seed makes a run repeatable, as far as the moments go: SEED=n.
func seed(t *testing.T) uint64 {
	t.Helper()
	if given := os.Getenv("SEED"); given != "" {
		n, err := strconv.ParseUint(given, 10, 64)
		require.NoError(t, err, "SEED")
		return n
	}
	return rand.Uint64()
}

// lane is a tenant that opens and closes deployments on one provider while the provider's agent is killed.
type lane struct {
	*tenant

	provider int
	random   *rand.Rand
	files    map[string]string // compose files of all deployments by name
	open     map[string]deployed
	runs     map[string]string // what each open one said of itself when it was first seen
	kills    int
}

func TestAnAgentKilledAtRandomMomentsConverges(t *testing.T) {
	m := theMarket(t)
	number := seed(t)
	t.Logf("SEED=%d repeats these moments", number)
	t.Cleanup(func() {
		ctx, cancel := cleanupContext()
		defer cancel()
		require.NoError(t, m.mend(ctx), "leave the other tests a whole market")
	})
	t.Run("lanes", func(t *testing.T) {
		for provider := range 2 {
			t.Run(fmt.Sprint(provider), func(t *testing.T) {
				t.Parallel()
				l := m.newLane(t, provider, rand.New(rand.NewPCG(number, uint64(provider))))
				for l.kills < killsPerAgent {
					l.disturb(t)
				}
				l.end(t)
			})
		}
	})
	require.True(t, m.conservation(t).Conserved)
	for provider := range 2 {
		await(t, convergeTimeout, "all capacity is for sale again", func() error { return m.idle(t.Context(), provider) })
		await(t, convergeTimeout, "nothing of a lease is left on this machine", func() error { return m.bare(t, provider) })
	}
}

func (m *market) newLane(t *testing.T, provider int, random *rand.Rand) *lane {
	t.Helper()
	l := &lane{
		tenant: m.newTenant(t), provider: provider, random: random,
		files: map[string]string{}, open: map[string]deployed{}, runs: map[string]string{},
	}
	for i := range deploymentsPerLane {
		name := fmt.Sprintf("chaos-%d", i)
		l.files[name] = l.file(t, service{name: name, on: provider})
	}
	return l
}

// disturb opens or closes a deployment, kills the agent meanwhile, and checks that all is as it should be afterwards.
func (l *lane) disturb(t *testing.T) {
	t.Helper()
	name := fmt.Sprintf("chaos-%d", l.random.IntN(deploymentsPerLane))
	moment := time.Duration(l.random.Int64N(int64(killWithin)))
	_, opened := l.open[name]
	l.kills++
	t.Logf("kill %d: %v after the start of %s of %s", l.kills, moment, map[bool]string{true: "down", false: "up"}[opened], name)

	var killing errgroup.Group
	killing.Go(func() error { return l.killAfter(t.Context(), moment) })
	if opened {
		l.close(t, name)
	} else {
		l.open[name] = l.upAnyway(t, name)
	}
	require.NoError(t, killing.Wait())
	l.converge(t)
}

func (l *lane) close(t *testing.T, name string) {
	t.Helper()
	l.down(t, name)
	delete(l.open, name)
	delete(l.runs, name)
}

// killAfter kills the lane's agent and starts it again.
func (l *lane) killAfter(ctx context.Context, moment time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(moment):
	}
	// Not while the other lane waits for all to be up.
	l.mending.Lock()
	defer l.mending.Unlock()
	if err := l.Kill(ctx, agentName(l.provider)); err != nil {
		return err
	}
	return l.Up(ctx, func(string) {})
}

// upAnyway repeats up as its own messages say, until it is ready: a person would do the same. An agent that was away for
// the whole time in which it had to acknowledge has lost the lease, and no other provider may serve: then all begins anew.
func (l *lane) upAnyway(t *testing.T, name string) deployed {
	t.Helper()
	var d deployed
	await(t, 3*convergeTimeout, name+" is ready", func() error {
		r := l.do(t, "up", "-y", "-o", "json", "--timeout", "30s", l.files[name])
		if r.code == 0 {
			return json.Unmarshal([]byte(r.stdout), &d)
		}
		for _, lease := range l.ps(t, "-a", name) {
			if lease.Reason == "not acked" {
				t.Logf("lease %d was not acknowledged in time", lease.Lease)
				l.down(t, name)
				break
			}
		}
		return fmt.Errorf("exit %d: %s", r.code, r.stderr)
	})
	return d
}

// converge checks that what is paid for runs, and that nothing else does.
func (l *lane) converge(t *testing.T) {
	t.Helper()
	await(t, convergeTimeout, "what runs is what is paid for", func() error {
		if err := l.onlyOpenLeases(t.Context()); err != nil {
			return err
		}
		for name := range l.files {
			d, opened := l.open[name]
			processes := processesWith(t, l.mark(name))
			if !opened && len(processes) > 0 {
				return fmt.Errorf("%s is closed and runs: %v", name, processes)
			}
			if !opened {
				continue
			}
			if len(processes) != 1 {
				return fmt.Errorf("%s is open and has processes %v", name, processes)
			}
			id, err := identify(t.Context(), d.url())
			if err != nil {
				return err
			}
			if id.Name != name {
				return fmt.Errorf("%s answers at the address of %s", id.Name, name)
			}
			if l.runs[name] == "" {
				l.runs[name] = id.Run
			}
			if l.runs[name] != id.Run {
				return fmt.Errorf("%s was started again: it has to live through the death of its agent", name)
			}
		}
		return nil
	})
}

// onlyOpenLeases compares the chain with what was opened.
func (l *lane) onlyOpenLeases(ctx context.Context) error {
	var want, have []uint64
	for _, d := range l.open {
		want = append(want, d.lease())
	}
	res, err := l.chain.Market.Deployments(ctx, &markettypes.QueryDeploymentsRequest{Owner: l.address})
	if err != nil {
		return err
	}
	for _, d := range res.Deployments {
		leases, err := l.chain.Market.Leases(ctx, &markettypes.QueryLeasesRequest{Deployment: d.Id})
		if err != nil {
			return err
		}
		for _, lease := range leases.Leases {
			if lease.State == markettypes.LeaseState_LEASE_STATE_ACTIVE || lease.State == markettypes.LeaseState_LEASE_STATE_PENDING {
				have = append(have, lease.Id)
			}
		}
	}
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) {
		return fmt.Errorf("live leases %v, wanted %v", have, want)
	}
	return nil
}

// end closes everything.
func (l *lane) end(t *testing.T) {
	t.Helper()
	for name := range l.open {
		l.close(t, name)
	}
	l.converge(t)
	require.Empty(t, l.ps(t))
}

// idle checks that nothing of a provider's capacity is taken.
func (m *market) idle(ctx context.Context, provider int) error {
	operator, err := m.operator(provider)
	if err != nil {
		return err
	}
	res, err := m.chain.Market.ProviderOffers(ctx, &markettypes.QueryProviderOffersRequest{Provider: operator})
	if err != nil {
		return err
	}
	if len(res.Pools) == 0 || len(res.Offers) == 0 {
		return errors.New("it offers nothing")
	}
	for _, pool := range res.Pools {
		if pool.Allocated != (markettypes.Resources{}) {
			return fmt.Errorf("%s is still taken", pool.Allocated.String())
		}
	}
	return nil
}

// bare checks that this machine has no link, no mount and no process group left of any lease of a provider.
func (m *market) bare(t *testing.T, provider int) error {
	t.Helper()
	id, err := m.instance(provider)
	if err != nil {
		return err
	}
	for _, pattern := range []string{
		"/sys/class/net/" + id.LinkPrefix() + "*",
		id.NetnsDir() + "/*",
		id.UsernsDir() + "/*",
		"/sys/fs/cgroup/memory" + id.CgroupParent() + "/*/",
		"/sys/fs/cgroup" + id.CgroupParent() + "/*/",
	} {
		left, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		if len(left) > 0 {
			return fmt.Errorf("left behind: %v", left)
		}
	}
	return nil
}

// instance is the agent's name on this host.
func (m *market) instance(provider int) (instance.ID, error) {
	operator, err := m.operator(provider)
	if err != nil {
		return "", err
	}
	records, err := instance.List()
	if err != nil {
		return "", err
	}
	for _, r := range records {
		if r.ChainID == m.ChainID && r.Provider == operator {
			return r.ID, nil
		}
	}
	return "", fmt.Errorf("provider %d has no instance on this machine", provider)
}

// operator is the address of a provider.
func (m *market) operator(provider int) (string, error) {
	ring, err := m.Keyring()
	if err != nil {
		return "", err
	}
	address, err := client.KeyAddress(ring, devnet.KeyOperator(provider))
	if err != nil {
		return "", err
	}
	return scope.AddressCodec().BytesToString(address)
}
