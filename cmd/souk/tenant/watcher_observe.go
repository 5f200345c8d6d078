package tenant

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/cosmos/cosmos-sdk/x/authz"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/watch"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/manifest"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	// probeTimeout is how long a gateway may take to answer.
	probeTimeout = 4 * time.Second
	// observeTimeout bounds one look at everything.
	observeTimeout = 30 * time.Second
	// looksAtOnce of deployments; each takes at most lookTimeout.
	looksAtOnce = 32
	lookTimeout = 15 * time.Second
	// othersAsked is how many strangers are asked whether the watcher itself is cut off.
	othersAsked = 3
)

// watcher is a tenant who acts with a watch key alone.
type watcher struct {
	*tenant
	state watchState
	order watchOrder

	meters *watchMeters

	// views of the last look, for acting and for status.
	mu       sync.Mutex
	gateways map[uint64]cachedGateway // by lease
	hashes   map[uint64][]byte        // wanted, by deployment
	// delivered are leases that were seen to have the revision that is wanted, and stand by: they are not asked again.
	delivered map[uint64]string
	// asks tells whether chain and provider are to be asked about a lease in a closed epoch; nil for never.
	asks func(lease uint64, e watch.Epoch) bool

	judge
}

type cachedGateway struct {
	of string // what of the provider it was made for
	*gateway
}

// observe looks at everything that is watched.
func (w *watcher) observe(ctx context.Context) (watch.Observed, error) {
	ctx, cancel := context.WithTimeout(ctx, observeTimeout)
	defer cancel()
	o := watch.Observed{At: time.Now()}
	status, err := w.Status(ctx)
	if err != nil {
		return o, fmt.Errorf("ask the node: %w", err)
	}
	if status.CatchingUp {
		return o, errors.New("the node is catching up")
	}
	if !status.BlockTime.IsZero() {
		o.BlockAge = o.At.Sub(status.BlockTime)
	}
	clock, err := w.Escrow.Clock(ctx, &escrowtypes.QueryClockRequest{})
	if err != nil {
		return o, client.Explain("read the service clock", err)
	}
	o.Second = clock.Now
	if err := w.money(ctx, &o); err != nil {
		return o, err
	}
	epochs, err := w.epochs(ctx, clock)
	if err != nil {
		return o, err
	}
	o.Proof = epochs.proof
	w.lookAtAll(ctx, &o, epochs)
	w.askOthers(ctx, &o)
	w.forgetEnded(o)
	return o, nil
}

// lookAtAll looks at the deployments side by side; one that can not be looked at, or whose providers are slow, keeps none of the
// others from it.
func (w *watcher) lookAtAll(ctx context.Context, o *watch.Observed, epochs watchedEpochs) {
	all, errs := make([]watch.Deployment, len(w.order.Deployments)), make([]error, len(w.order.Deployments))
	var looks errgroup.Group
	looks.SetLimit(looksAtOnce)
	for i, named := range w.order.Deployments {
		looks.Go(func() error {
			within, cancel := context.WithTimeout(ctx, lookTimeout)
			defer cancel()
			all[i], errs[i] = w.look(within, named, epochs)
			return nil
		})
	}
	_ = looks.Wait() // none fails: what came of each is written down
	for i, named := range w.order.Deployments {
		if errs[i] != nil {
			o.Unseen = append(o.Unseen, watch.Unseen{ID: named.ID, Name: named.Name, Why: errs[i].Error()})
			continue
		}
		o.Deployments = append(o.Deployments, all[i])
	}
}

// money reads what there is to spend.
func (w *watcher) money(ctx context.Context, o *watch.Observed) error {
	params, err := w.Market.Params(ctx, &markettypes.QueryParamsRequest{})
	if err != nil {
		return client.Explain("read the market parameters", err)
	}
	o.ChallengeFee = params.Params.ChallengeFee
	purse, err := w.Bank.SpendableBalances(ctx, &banktypes.QuerySpendableBalancesRequest{Address: w.order.Address})
	if err != nil {
		return client.Explain("read the balance of the watch key", err)
	}
	o.Purse = purse.Balances
	funds, err := w.Bank.SpendableBalances(ctx, &banktypes.QuerySpendableBalancesRequest{Address: w.owner})
	if err != nil {
		return client.Explain("read the balance of "+w.owner, err)
	}
	o.Funds = funds.Balances
	o.Allowance, err = w.allowance(ctx, o.At)
	return err
}

// allowance is what the watch key may still deposit of its owner's.
func (w *watcher) allowance(ctx context.Context, now time.Time) (sdk.Coins, error) {
	res, err := w.Authz.Grants(ctx, &authz.QueryGrantsRequest{
		Granter: w.owner, Grantee: w.order.Address, MsgTypeUrl: escrowtypes.DepositURL(),
	})
	if client.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, client.Explain("read the allowance of the watch key", err)
	}
	for _, g := range res.Grants {
		if g.Expiration != nil && !g.Expiration.After(now) {
			continue
		}
		var authorization authz.Authorization
		if err := w.Encoding.Registry.UnpackAny(g.Authorization, &authorization); err != nil {
			continue // of a kind that this program does not know
		}
		if limit, ok := authorization.(*escrowtypes.DepositAuthorization); ok {
			return limit.SpendLimit, nil
		}
	}
	return nil, nil
}

// look reads a deployment from the chain and asks the providers of its leases.
func (w *watcher) look(ctx context.Context, named watchedName, epochs watchedEpochs) (watch.Deployment, error) {
	now := epochs.now
	x := watch.Deployment{ID: named.ID, Account: named.Account, Name: named.Name, Held: map[string]bool{}, Unreadable: map[string]string{}}
	res, err := w.Market.Deployment(ctx, &markettypes.QueryDeploymentRequest{Id: named.ID})
	if client.IsNotFound(err) {
		return x, nil // forgotten: it was closed long ago
	}
	if err != nil {
		return x, client.Explain("read deployment "+named.Name, err)
	}
	d := res.Deployment
	x.Denom = d.Denom
	x.Open = d.State == markettypes.DeploymentState_DEPLOYMENT_STATE_OPEN
	if !x.Open {
		ended, err := w.leases(ctx, d.Id)
		if err != nil {
			return x, err
		}
		x.Ended, x.Refunds = endedSince(ended, epochs), w.refunds(ctx, ended, epochs)
		return x, nil
	}
	x.Revision = hex.EncodeToString(d.ManifestHash)
	x.Trusted = slices.ContainsFunc(d.AccessKeys, func(k markettypes.AccessKey) bool {
		return k.Address == w.order.Address && k.GoodAt(now) && slices.Contains(k.Scopes, markettypes.Scope_SCOPE_WATCH)
	})
	runway, err := w.Escrow.Runway(ctx, &escrowtypes.QueryRunwayRequest{Id: d.Account})
	if err != nil {
		return x, client.Explain("read the runway of "+named.Name, err)
	}
	x.Rate, x.Runway, x.Resume = runway.FullRate, runway.Seconds, runway.ResumeDeposit
	if runway.FullRate.IsPositive() && runway.Rate.IsPositive() && runway.Rate.LT(runway.FullRate) {
		x.Runway = 0 // paused: what is left lasts longer only because nothing is served
	}
	leases, err := w.leases(ctx, d.Id)
	if err != nil {
		return x, err
	}
	groups := (&open{d, res.Bids}).groups()
	for _, group := range groups {
		envelope, err := w.state.kept(d.Id, group, d.ManifestHash)
		if err != nil {
			x.Unreadable[group] = err.Error()
		}
		x.Held[group] = envelope != nil
	}
	w.mu.Lock()
	w.hashes[d.Id] = d.ManifestHash
	w.mu.Unlock()
	x.Ended, x.Refunds = endedSince(leases, epochs), w.refunds(ctx, leases, epochs)
	x.Leases = w.probe(ctx, leases, groups, d.ManifestHash, now)
	return x, nil
}

// probe asks the providers of all live leases at once.
func (w *watcher) probe(ctx context.Context, leases []markettypes.Lease, groups map[uint64]string, hash []byte, now uint64) []watch.Lease {
	leases = slices.DeleteFunc(slices.Clone(leases), func(l markettypes.Lease) bool { return !live(l) })
	out := make([]watch.Lease, len(leases))
	var probes errgroup.Group
	probes.SetLimit(16)
	for i, l := range leases {
		out[i] = watch.Lease{
			ID: l.Id, Group: groups[l.Bid], Provider: l.Provider, Acked: l.AckedAt != 0, Paused: l.Paused, Standby: l.Standby, AnswerBy: l.AnswerBy,
			AckedAt: l.AckedAt, Paying: l.AckedAt != 0 && !l.Paused && !l.Standby,
		}
		if l.AckedAt == 0 {
			continue
		}
		probes.Go(func() error {
			w.ask(ctx, l, hash, now, &out[i])
			return nil
		})
	}
	_ = probes.Wait() // none fails: what came of each is written down
	return out
}

// ask asks one provider whether it is there, and whether it has the manifest.
func (w *watcher) ask(ctx context.Context, l markettypes.Lease, hash []byte, now uint64, out *watch.Lease) {
	p, err := w.provider(ctx, l.Provider)
	if err != nil {
		return // the node does not say where it is: that is not its fault
	}
	out.Maintenance = slices.ContainsFunc(p.Maintenance, func(m providertypes.Maintenance) bool { return m.From <= now && now < m.Until })
	g, err := w.gatewayFor(p, l)
	if err == nil {
		err = reachable(ctx, g, p.Operator, w.order.ChainID)
	}
	if err != nil {
		out.Gateway, out.Why = watch.No, output.Clean(err.Error())
		return
	}
	out.Gateway = watch.Yes
	status := w.statusOf(ctx, g, l, hash, out.Paying)
	out.Manifest = w.hasManifest(ctx, g, l, hash, status)
	if out.Paying && status != nil {
		out.Served, out.Trouble = w.served(ctx, status)
	}
}

// statusOf asks how a lease is doing, unless nobody needs to know; nil without an answer.
func (w *watcher) statusOf(ctx context.Context, g *gateway, l markettypes.Lease, hash []byte, paying bool) *api.StatusResponse {
	if !paying && w.isDelivered(l, hash) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	res, err := g.Status(ctx, connect.NewRequest(&api.StatusRequest{Lease: l.Id}))
	if err != nil {
		return nil
	}
	return res.Msg
}

func (w *watcher) isDelivered(l markettypes.Lease, hash []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.delivered[l.Id] == hex.EncodeToString(hash)
}

// reachable asks a gateway, whose TLS key is checked, who it is.
func reachable(ctx context.Context, g *gateway, operator, chainID string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	res, err := g.Info(ctx, connect.NewRequest(&api.InfoRequest{}))
	if err != nil {
		return err
	}
	if res.Msg.GetProvider() != operator || res.Msg.GetChainId() != chainID {
		return fmt.Errorf("%s of %s answers there", res.Msg.GetProvider(), res.Msg.GetChainId())
	}
	return nil
}

func (w *watcher) hasManifest(ctx context.Context, g *gateway, l markettypes.Lease, hash []byte, status *api.StatusResponse) watch.Answer {
	revision := hex.EncodeToString(hash)
	if w.isDelivered(l, hash) {
		return watch.Yes
	}
	if status == nil || status.GetWantedRevision() != revision {
		return watch.NotAsked // it lags behind the chain
	}
	switch status.GetStage() {
	case api.LeaseStage_LEASE_STAGE_AWAITING_MANIFEST:
		return watch.No
	case api.LeaseStage_LEASE_STAGE_STARTING, api.LeaseStage_LEASE_STAGE_RUNNING, api.LeaseStage_LEASE_STAGE_DEGRADED, api.LeaseStage_LEASE_STAGE_ENDED:
		return watch.Yes
	case api.LeaseStage_LEASE_STAGE_STANDBY:
	default:
		return watch.NotAsked
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	got, err := g.GetManifest(ctx, connect.NewRequest(&api.GetManifestRequest{Lease: l.Id}))
	if err == nil {
		_, err = manifest.Verify(got.Msg.GetEnvelope(), hash)
	}
	switch code := connect.CodeOf(err); {
	case err == nil:
		w.mu.Lock()
		w.delivered[l.Id] = revision
		w.mu.Unlock()
		return watch.Yes
	case code == connect.CodeNotFound || code == connect.CodeFailedPrecondition || errors.Is(err, manifest.ErrHashMismatch):
		return watch.No
	default:
		return watch.NotAsked
	}
}

// gatewayFor opens the gateway of a lease, and keeps it open as long as it stays where it is.
func (w *watcher) gatewayFor(p providertypes.Provider, l markettypes.Lease) (*gateway, error) {
	of := fmt.Sprintf("%s %x", p.GatewayUri, p.TlsKeys)
	w.mu.Lock()
	defer w.mu.Unlock()
	cached, ok := w.gateways[l.Id]
	if ok && cached.of == of {
		return cached.gateway, nil
	}
	if ok {
		cached.transport.CloseIdleConnections()
	}
	g, err := openGateway(p, w.authority, l)
	if err != nil {
		return nil, err
	}
	w.gateways[l.Id] = cachedGateway{of, g}
	return g, nil
}

// forgetEnded lets go of what belongs to leases that are no more.
func (w *watcher) forgetEnded(o watch.Observed) {
	lives := map[uint64]bool{}
	for _, d := range o.Deployments {
		for _, l := range d.Leases {
			lives[l.ID] = true
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for id, g := range w.gateways {
		if !lives[id] {
			g.transport.CloseIdleConnections()
			delete(w.gateways, id)
			delete(w.delivered, id)
		}
	}
}

// askOthers asks providers that have nothing to do with the deployments, if one that does is silent.
func (w *watcher) askOthers(ctx context.Context, o *watch.Observed) {
	own, silent := map[string]bool{}, false
	for _, d := range o.Deployments {
		for _, l := range d.Leases {
			own[l.Provider] = true
			silent = silent || l.Gateway == watch.No
			if l.Gateway == watch.Yes {
				o.OthersAsked, o.OthersAnswered = 1, 1 // another provider of ours answers: that will do
			}
		}
	}
	if !silent || o.OthersAnswered > 0 {
		return
	}
	res, err := w.Provider.Providers(ctx, &providertypes.QueryProvidersRequest{Pagination: &query.PageRequest{Limit: 50}})
	if err != nil {
		o.OthersAsked = 1 // who cannot ask knows nothing
		return
	}
	var asked errgroup.Group
	var mu sync.Mutex
	for _, i := range rand.Perm(len(res.Providers)) { // others each time: some may be away for long
		p := res.Providers[i]
		if own[p.Operator] || p.Lifecycle != providertypes.Lifecycle_LIFECYCLE_ACTIVE || o.OthersAsked == othersAsked {
			continue
		}
		g, err := dialGateway(p, w.authority.private)
		if err != nil {
			continue
		}
		o.OthersAsked++
		asked.Go(func() error {
			defer g.transport.CloseIdleConnections()
			if reachable(ctx, g, p.Operator, w.order.ChainID) == nil {
				mu.Lock()
				o.OthersAnswered++
				mu.Unlock()
			}
			return nil
		})
	}
	_ = asked.Wait() // none fails: what came of each is counted
}
