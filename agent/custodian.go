package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/souk-network/souk/agent/custody"
	"github.com/souk-network/souk/agent/workload"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	// claimedFor is how long an entitlement is good without asking the chain again: one image is many requests.
	claimedFor = 10 * time.Second
	maxClaims  = 1024
)

// custodian is what the agent knows of the deployments that name its provider as custodian.
type custodian struct {
	lookUps *lookUps
	tidied  time.Time // when images were looked through; of the loop that looks after custody

	mu       sync.Mutex
	known    map[uint64]custody.Deployment
	suspects map[uint64]string // revision of what was unwanted at the last look, by deployment
}

// claims are entitlements of other providers that were checked a moment ago.
type claims struct {
	lookUps *lookUps

	mu sync.Mutex
	of map[claimKey]claimed
}

type claimKey struct {
	account string
	lease   uint64
}

type claimed struct {
	claim custody.Claim
	at    time.Time
}

// Custody implements gateway.Agent.
func (a *Agent) Custody(ctx context.Context, id uint64, fresh bool) (custody.Deployment, error) {
	a.custodian.mu.Lock()
	d, known := a.custodian.known[id]
	a.custodian.mu.Unlock()
	if known && !fresh {
		return d, nil
	}
	d, err := lookFor(ctx, a.custodian.lookUps, id, a.Height(), custody.ErrNotCustodian, a.lookUpCustody)
	if err != nil {
		return custody.Deployment{}, fmt.Errorf("look for deployment %d: %w", id, err)
	}
	a.custodian.mu.Lock()
	defer a.custodian.mu.Unlock()
	if a.custodian.known == nil {
		a.custodian.known = map[uint64]custody.Deployment{}
	}
	a.custodian.known[id] = d
	return d, nil
}

// lookUpCustody asks the chain about one deployment.
func (a *Agent) lookUpCustody(ctx context.Context, id uint64) (custody.Deployment, error) {
	res, err := a.chain.Market.Deployment(ctx, &markettypes.QueryDeploymentRequest{Id: id})
	if isNotFound(err) {
		return custody.Deployment{}, custody.ErrNotCustodian
	}
	if err != nil {
		return custody.Deployment{}, err
	}
	return custody.Of(res.Deployment, a.provider)
}

// OfBid implements gateway.Agent.
func (a *Agent) OfBid(bid uint64) (leases []workload.Lease) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(a.leases)) {
		if l := a.leases[id]; l.Bid == bid && (l.Active || l.Standby || l.Paused) {
			leases = append(leases, l)
		}
	}
	return leases
}

// Claim implements gateway.Agent.
func (a *Agent) Claim(ctx context.Context, account string, lease uint64, fresh bool) (custody.Claim, error) {
	key := claimKey{account, lease}
	a.claims.mu.Lock()
	known, ok := a.claims.of[key]
	a.claims.mu.Unlock()
	if ok && !fresh && time.Since(known.at) < claimedFor {
		return known.claim, nil
	}
	ask := func(ctx context.Context, id uint64) (custody.Claim, error) { return a.lookUpClaim(ctx, account, id) }
	// Absence is of the account and the lease together, and is not remembered: errAbsentClaim never comes.
	claim, err := lookFor(ctx, a.claims.lookUps, lease, 0, errAbsentClaim, ask)
	if err != nil {
		return custody.Claim{}, fmt.Errorf("look for lease %d: %w", lease, err)
	}
	a.claims.mu.Lock()
	defer a.claims.mu.Unlock()
	if a.claims.of == nil || len(a.claims.of) >= maxClaims {
		a.claims.of = map[claimKey]claimed{}
	}
	a.claims.of[key] = claimed{claim, time.Now()}
	return claim, nil
}

var errAbsentClaim = errors.New("no claim")

// lookUpClaim asks the chain who holds a lease and what it is of. A node that knows less than this agent is not believed.
func (a *Agent) lookUpClaim(ctx context.Context, account string, id uint64) (custody.Claim, error) {
	var header metadata.MD
	lease, err := a.chain.Market.Lease(ctx, &markettypes.QueryLeaseRequest{Id: id}, grpc.Header(&header))
	if isNotFound(err) {
		return custody.Claim{}, fmt.Errorf("%w: there is no such lease", custody.ErrNotEntitled)
	}
	if err != nil {
		return custody.Claim{}, err
	}
	if _, err := a.believed(header); err != nil {
		return custody.Claim{}, err
	}
	holder, err := a.chain.Provider.Provider(ctx, &providertypes.QueryProviderRequest{Operator: lease.Lease.Provider})
	if err != nil {
		return custody.Claim{}, err
	}
	res, err := a.chain.Market.Deployment(ctx, &markettypes.QueryDeploymentRequest{Id: lease.Lease.Deployment})
	if err != nil {
		return custody.Claim{}, err
	}
	i := slices.IndexFunc(res.Bids, func(b markettypes.Bid) bool { return b.Id == lease.Lease.Bid })
	if i < 0 {
		return custody.Claim{}, errors.New("its bid is not in its deployment")
	}
	return custody.Lease{Lease: lease.Lease, Provider: holder.Provider, Deployment: res.Deployment, Bid: res.Bids[i]}.Entitles(account, a.provider)
}
