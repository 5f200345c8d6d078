// Package agent is the daemon of a provider: it reads which leases the chain gives it, compares with what runs, and acts on
// the difference; again at every block, and every two seconds whether or not a block was heard of.
//
// It owns the loop that joins chain, journal, runtime, gateway and ingress. What to do is decided by package reconcile, which
// is pure; nothing here is needed to find the way back after a kill but the chain and the agent's keys.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/souk-network/souk/agent/config"
	"github.com/souk-network/souk/agent/events"
	"github.com/souk-network/souk/agent/ingress"
	"github.com/souk-network/souk/agent/reconcile"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

const (
	// tick is how often the agent looks without having heard of a block.
	tick = 2 * time.Second
	// roundTimeout bounds one look.
	roundTimeout = 20 * time.Second
	// staleAfter is how old the last good look may be until the agent is not ready any more.
	staleAfter = 30 * time.Second
	// heightStep is how often the height is journalled, in blocks.
	heightStep = 20
)

// Agent is the loop. Make it with New, then Run.
type Agent struct {
	cfg      config.Config
	log      *slog.Logger
	chain    *client.Client
	queue    *client.Queue
	store    *store.Store
	runtime  runtime.Runtime
	ingress  *ingress.Server
	events   *events.Journal
	metrics  *metrics
	money    *Money
	prices   prices
	lookUps  *lookUps
	provider string // operator address

	wake     chan struct{}
	offering atomic.Bool
	lastOK   atomic.Int64 // Unix seconds of the last good look

	// Owned by the loop, to log changes only.
	lastErr string
	failing map[reconcile.Action]string

	background sync.WaitGroup // fetches and the like, begun by the loop
	ended      chan struct{}  // closed when they are to end

	mu        sync.Mutex
	leases    map[uint64]workload.Lease
	groups    map[uint64]group // manifests that are wanted and here
	problems  map[uint64]problem
	answering map[uint64]bool
	clock     clock
	seen      reconcile.Input // by the last look; never changed
	height    int64           // acted on
	journaled int64           // height in the journal
	offerFrom time.Time

	signer    token.Signer // of the agent's account
	fetches   *fetches
	standbys  standbys
	living    map[uint64]bool // challenges with an answer on its way
	directory directory
	custodian custodian
	claims    claims
	meters    meters
	calendars calendars
	past      *lookUps // leases that have ended
	books     books
	looked    chan struct{} // a good look was had

	excess   map[uint64]uint64 // seconds for which a lease's workload took more than was paid for; of the loop
	excessAt uint64            // service second at which it was looked at
}

// clock is the chain's service second and when it was read.
type clock struct {
	second uint64
	read   time.Time
}

// group is a verified manifest group, kept so that it is not decrypted at every look.
type group struct {
	revision string        // of the manifest
	unit     manifest.Unit // of the lease
	replicas uint32        // of the lease
	run      string        // what the runtime is given, by name
	group    *manifestpb.Group
}

// problem is what keeps a workload from being applied.
type problem struct {
	run    string
	text   string
	broken bool // for good
}

// Parts is what an agent is made of; the caller closes them after Run.
type Parts struct {
	Config   config.Config
	Log      *slog.Logger
	Chain    *client.Client
	Queue    *client.Queue
	Store    *store.Store
	Runtime  runtime.Runtime
	Ingress  *ingress.Server
	Events   *events.Journal
	Health   *Health
	Money    *Money
	Provider string       // operator address
	Signer   token.Signer // of the agent's account, for other providers to know it by
}

// New joins the parts.
func New(p Parts) (*Agent, error) {
	height, err := p.Store.Height()
	if err != nil {
		return nil, err
	}
	a := &Agent{
		cfg: p.Config, log: p.Log, chain: p.Chain, queue: p.Queue, store: p.Store, runtime: p.Runtime, ingress: p.Ingress,
		events: p.Events, metrics: p.Health.metrics, money: p.Money, provider: p.Provider,
		wake: make(chan struct{}, 1), ended: make(chan struct{}), looked: make(chan struct{}, 1),
		failing: map[reconcile.Action]string{},
		leases:  map[uint64]workload.Lease{}, groups: map[uint64]group{}, problems: map[uint64]problem{}, answering: map[uint64]bool{},
		height: height, journaled: height, lookUps: newLookUps(), signer: p.Signer, living: map[uint64]bool{},
		fetches: newFetches(), past: newLookUps(), custodian: custodian{lookUps: newLookUps()}, claims: claims{lookUps: newLookUps()},
	}
	p.Health.setCheck(a.healthy)
	p.Health.setProof(a.ProofReport)
	return a, nil
}

// Run looks and acts until ctx ends. What runs goes on running.
func (a *Agent) Run(ctx context.Context) {
	var background sync.WaitGroup
	defer background.Wait()
	defer a.background.Wait()
	defer close(a.ended)
	background.Go(func() { a.keepRoutes(ctx) })
	background.Go(func() { a.events.Run(ctx) })
	background.Go(func() { a.events.Watch(ctx, a.runtime) })
	background.Go(func() { a.keepPrices(ctx) })
	background.Go(func() { a.keepWithdrawing(ctx) })
	background.Go(func() { a.keepCustody(ctx) })
	background.Go(func() { a.keepWatching(ctx) })
	background.Go(func() { a.keepQuoting(ctx) })
	background.Go(func() { a.keepProving(ctx) })
	background.Go(func() { a.keepUsage(ctx) })
	background.Go(func() { a.keepBeacon(ctx) })
	defer a.flushMeters()
	var blocks <-chan int64
	if !a.cfg.NoEvents {
		blocks = a.chain.Heights(ctx, a.log)
	}
	every := tick
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		a.look(ctx)
		if wanted := a.lookEvery(); wanted != every {
			every = wanted
			ticker.Reset(every)
		}
		select {
		case <-ctx.Done():
			return
		case _, ok := <-blocks:
			if !ok {
				blocks = nil
			}
		case <-ticker.C:
		case <-a.wake:
		}
	}
}

// untilEnd is a context that ends with the agent, of what outlasts a round.
func (a *Agent) untilEnd(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-a.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// look does one round and notes how it went.
func (a *Agent) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	started := time.Now()
	err := a.round(ctx)
	a.metrics.seconds.Observe(time.Since(started).Seconds())
	if err == nil {
		a.lastOK.Store(time.Now().Unix())
		select {
		case a.looked <- struct{}{}:
		default:
		}
		if a.lastErr != "" {
			a.log.Info("all is well again")
		}
		a.lastErr = ""
		return
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return
	}
	a.metrics.errors.WithLabelValues("round").Inc()
	if text := err.Error(); text != a.lastErr {
		a.lastErr = text
		a.log.Warn("this look failed, will look again", "error", err)
	}
}

// healthy says why the agent is not ready; nil when it is.
func (a *Agent) healthy() error {
	last := a.lastOK.Load()
	if last == 0 {
		return errors.New("the chain was not read yet")
	}
	if age := time.Since(time.Unix(last, 0)); age > staleAfter {
		return fmt.Errorf("the chain was last read %s ago", age.Round(time.Second))
	}
	return nil
}

// Wake makes the agent look again soon.
func (a *Agent) Wake() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Height of the last block that was acted on.
func (a *Agent) Height() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.height
}

// Now is the chain's service second. While the chain can not be read it is guessed from this machine's clock: what expires
// rather does so early; before it was ever read, at once.
func (a *Agent) Now() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.clock.read.IsZero() {
		return math.MaxUint64
	}
	return a.clock.second + uint64(time.Since(a.clock.read)/time.Second)
}

// Screen tells whether replicas of a unit would be taken, as of the last look.
func (a *Agent) Screen(unit reconcile.Vector, replicas uint32) (reconcile.Screening, error) {
	if err := a.healthy(); err != nil {
		return reconcile.Screening{}, err
	}
	a.mu.Lock()
	seen := a.seen
	a.mu.Unlock()
	return reconcile.Screen(seen, unit, replicas), nil
}

// Problem says what keeps a lease's workload from being applied.
func (a *Agent) Problem(id uint64) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.problems[id]
	if p.run != a.groups[id].run {
		return ""
	}
	return p.text
}
