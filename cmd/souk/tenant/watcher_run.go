package tenant

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/client/watch"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
)

// watchOptions are how a watcher runs.
type watchOptions struct {
	watch.Settings
	state     string
	every     time.Duration
	feeBudget string
	metrics   string
	once      bool
}

func watchRunCommand() *cobra.Command {
	o := watchOptions{Settings: watch.DefaultSettings()}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Watch, in the foreground, with the watch key alone",
		Long: `Watch, in the foreground, until an interrupt. Nothing is needed but the folder that
souk watch init made, which may be moved to another machine. What it does is told
line by line, with -o jsonl as JSON. It survives restarts and absent nodes: a
transaction on its way is settled before anything else is decided.`,
		Example: `  souk watch run
  souk watch run --state /var/lib/souk-watch -o jsonl --metrics 127.0.0.1:9465`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return session.Usage(err)
			}
			return runWatch(cmd, o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.state, "state", "", "folder of the watcher; watch/CHAIN_ID in --home if empty")
	flags.DurationVar(&o.every, "every", 5*time.Second, "how often everything is looked at")
	flags.IntVar(&o.Misses, "misses", o.Misses, "probes of a gateway that must fail in a row before its lease is challenged")
	flags.DurationVar(&o.ChallengeEvery, "challenge-every", o.ChallengeEvery, "least time between two challenges of one lease")
	flags.DurationVar(&o.FailoverAfter, "failover-after", 0, "silence after which a lease is given up though its provider answers challenges; 0 for never")
	flags.DurationVar(&o.Runway, "runway", o.Runway, "add money when it lasts less than this; 0 for never")
	flags.DurationVar(&o.Refill, "refill", o.Refill, "how long it is to last then")
	flags.BoolVar(&o.Receipts, "receipts", o.Receipts, "tell providers how long leases were up, and the chain when one was down")
	flags.BoolVar(&o.Claims, "claims", o.Claims, "claim back what providers have not proven")
	flags.BoolVar(&o.Forces, "force-leaves", o.Forces, "ask on the chain, with a bond, for what a provider does not show")
	flags.StringVar(&o.feeBudget, "fee-budget", "0.1SOUK", "most that the fees of a day may come to, restarts included")
	flags.StringVar(&o.metrics, "metrics", "", "address for Prometheus, such as 127.0.0.1:9465; none if empty")
	flags.BoolVar(&o.once, "once", false, "look and act once, then end")
	return cmd
}

func (o watchOptions) check() error {
	switch {
	case o.every < time.Second || o.every > time.Hour:
		return fault.Newf("--every "+o.every.String(), "souk watch run --every 5s", "want a second to an hour")
	case o.Misses < 1:
		return fault.Newf(fmt.Sprintf("--misses %d", o.Misses), "souk watch run --misses 3", "want at least one")
	case o.ChallengeEvery < time.Second:
		return fault.Newf("--challenge-every "+o.ChallengeEvery.String(), "souk watch run --challenge-every 10m", "want at least a second")
	case o.FailoverAfter < 0 || o.Runway < 0:
		return fault.New("a time can not be negative", nil, "souk watch run --help")
	case o.Runway > 0 && o.Refill < o.Runway:
		return fault.Newf("--refill "+o.Refill.String(), "souk watch run --runway 6h --refill 24h", "it is less than --runway %s", o.Runway)
	}
	return nil
}

// stateDir is the folder that is meant.
func stateDir(s *session.Session, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	if s.Context.ChainID == "" {
		return "", session.Usage(fault.New("no network is chosen", nil, "souk context use NAME, or --state FOLDER"))
	}
	return defaultWatchDir(s.Home, s.Context.ChainID), nil
}

func runWatch(cmd *cobra.Command, o watchOptions) error {
	s, err := session.Local(cmd)
	if err != nil {
		return err
	}
	dir, err := stateDir(s, o.state)
	if err != nil {
		return err
	}
	state, order, err := openWatchState(dir)
	if err != nil {
		return err
	}
	lock, err := state.lock()
	if err != nil {
		return err
	}
	defer lock.Close() // the lock ends with it
	w, queue, err := startWatcher(cmd, s, state, order, o)
	if err != nil {
		return err
	}
	defer w.Client.Close()
	defer queue.Close()
	return w.run(cmd.Context(), queue, o)
}

// startWatcher connects with the watch key. It asks the network nothing: the node may be away.
func startWatcher(cmd *cobra.Command, s *session.Session, state watchState, order watchOrder, o watchOptions) (*watcher, *client.Queue, error) {
	for flag, to := range map[string]*string{"node": &order.Node, "grpc": &order.GRPC, "gas-prices": &order.GasPrices} {
		if given := cmd.Flags().Lookup(flag); given != nil && given.Changed {
			*to = given.Value.String()
		}
	}
	if given := cmd.Flags().Lookup("allow-private-peers"); given != nil && given.Changed {
		order.AllowPrivatePeers = given.Value.String() == "true"
	}
	prices, err := sdk.ParseDecCoins(order.GasPrices)
	if err != nil {
		return nil, nil, session.Usage(fmt.Errorf("gas prices %q: %w", order.GasPrices, err))
	}
	budget, err := output.ParseCoin(o.feeBudget)
	if err != nil {
		return nil, nil, session.Usage(err)
	}
	c, err := client.Open(client.Config{NodeRPC: order.Node, GRPC: order.GRPC, ChainID: order.ChainID, GasPrices: prices})
	if err != nil {
		return nil, nil, err
	}
	ring, err := state.keyring()
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	intents, err := state.intents()
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	fees, err := state.fees()
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	queue, err := client.NewQueue(c, client.QueueConfig{
		Keyring: ring, Key: watchKey, FeeGranter: order.Owner, Journal: intents, Ledger: fees, FeeBudget: sdk.NewCoins(budget), FeeWindow: 24 * time.Hour,
	})
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	w := &watcher{
		tenant: &tenant{Session: s, Client: c, owner: order.Owner, authority: &authority{
			chainID: order.ChainID, owner: order.Owner, private: order.AllowPrivatePeers, logins: logins{filepath.Join(state.dir, "logins")},
			account: sync.OnceValues(func() (token.Signer, error) { return token.KeyringSigner(ring, watchKey) }),
		}},
		state: state, order: order, gateways: map[uint64]cachedGateway{}, hashes: map[uint64][]byte{}, delivered: map[uint64]string{},
		judge: judge{private: order.AllowPrivatePeers},
	}
	return w, queue, nil
}

// run looks and acts until ctx ends.
func (w *watcher) run(ctx context.Context, queue *client.Queue, o watchOptions) error {
	memory, err := w.state.memory()
	if err != nil {
		return err
	}
	meters := newWatchMeters()
	if o.metrics != "" {
		stop, err := meters.serve(o.metrics)
		if err != nil {
			return err
		}
		defer stop()
	}
	o.GapAfter, o.JudgeGap, o.Every = max(o.GapAfter, 3*o.every), max(o.JudgeGap, 3*o.every), o.every+probeTimeout
	w.meters = meters
	r := &watchRounds{watcher: w, queue: queue, settings: o.Settings, memory: memory, log: w.log()}
	var before watchReport
	if _, err := readJSON(filepath.Join(w.state.dir, "status.json"), &before); err == nil {
		r.recent = before.Recent
	}
	r.log.Info("watching", "deployments", w.order.names(), "owner", w.owner, "key", w.order.Address, "node", w.order.Node, "until", w.order.Expires)
	for {
		r.round(ctx)
		if o.once {
			return r.last
		}
		select {
		case <-ctx.Done():
			r.log.Info("ended")
			return nil
		case <-time.After(o.every):
		}
	}
}

// log tells people, or programs, what happens.
func (w *watcher) log() *slog.Logger {
	if w.Out.ForPeople() {
		return slog.New(slog.NewTextHandler(w.Out.Out, nil))
	}
	return slog.New(slog.NewJSONHandler(w.Out.Out, nil))
}

// watchRounds are the rounds of a watcher, one after the other.
type watchRounds struct {
	*watcher
	queue    *client.Queue
	settings watch.Settings
	memory   watch.Memory
	log      *slog.Logger
	last     error // of the last round
	recent   []doneAction
}

// round settles, looks, decides, and acts. What fails is told once, as long as it stays the same.
func (r *watchRounds) round(ctx context.Context) {
	observed, err := r.see(ctx)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		err = r.decide(ctx, observed)
	}
	if err == nil {
		err = partly(observed)
	}
	r.meters.rounds.WithLabelValues(resultOf(err)).Inc()
	switch {
	case err != nil && (r.last == nil || r.last.Error() != err.Error()):
		said := "nothing can be done now; it goes on trying"
		if errors.Is(err, errPartly) {
			said = "something can not be watched as it should be; the rest is"
		}
		r.log.Error(said, "error", err)
	case err == nil && r.last != nil:
		r.log.Info("it works again")
	}
	r.last = err
	if writeErr := r.report(observed, err); writeErr != nil {
		r.log.Error("the status could not be written", "error", writeErr)
	}
}

// errPartly says that something of what is watched could not be looked at.
var errPartly = errors.New("not everything can be watched as it should be")

// partly is the error of a look that missed something; nil if it missed nothing.
func partly(o watch.Observed) error {
	var errs []error
	for _, p := range problemsOf(o) {
		errs = append(errs, fmt.Errorf("%s: %s", p.Deployment, p.Why))
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", errPartly, errors.Join(errs...))
}

// see looks at everything once nothing is on its way: else what an earlier transaction did would be decided again.
func (r *watchRounds) see(ctx context.Context) (watch.Observed, error) {
	intents, err := r.state.intents()
	if err != nil {
		return watch.Observed{}, err
	}
	settling, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	if _, err := intents.Settle(settling, r.Client, "souk watch run"); err != nil {
		return watch.Observed{}, err
	}
	r.asks = func(lease uint64, e watch.Epoch) bool { return r.memory.AsksRefund(r.settings, time.Now(), lease, e) }
	return r.observe(ctx)
}

func (r *watchRounds) decide(ctx context.Context, observed watch.Observed) error {
	r.meters.see(observed)
	memory, actions := watch.Decide(r.settings, r.memory, observed)
	r.memory = memory
	// Before anything is done: a restart must not do it again at once.
	if err := r.state.remember(memory); err != nil {
		return err
	}
	for _, a := range actions {
		if ctx.Err() == nil {
			r.do(ctx, observed, a)
		}
	}
	return nil
}

// do does one thing and tells what came of it.
func (r *watchRounds) do(ctx context.Context, observed watch.Observed, a watch.Action) {
	var about []any
	if a.Deployment != 0 { // else of several
		about = append(about, "deployment", nameIn(observed, a.Deployment))
	}
	if a.Lease != 0 {
		about = append(about, "lease", a.Lease)
	}
	if a.Group != "" {
		about = append(about, "group", a.Group)
	}
	if a.Kind == watch.TopUp {
		about = append(about, "amount", a.Amount.String())
	}
	about = append(about, "why", a.Why)
	done := doneAction{At: time.Now().UTC(), Kind: string(a.Kind), Deployment: nameIn(observed, a.Deployment), Lease: a.Lease, Why: a.Why}
	if a.Kind == watch.Warn {
		r.log.Warn("attention", about...)
		r.meters.actions.WithLabelValues(string(a.Kind), "ok").Inc()
		r.recall(done)
		return
	}
	result, err := r.act(ctx, r.queue, observed, a)
	r.meters.actions.WithLabelValues(string(a.Kind), resultOf(err)).Inc()
	done.Result = result
	if err != nil {
		done.Result = "failed: " + err.Error()
		r.log.Error(string(a.Kind)+" failed", append(about, "error", err)...)
	} else {
		if a.Kind == watch.Receipt {
			return // several an epoch: they would hide what matters
		}
		if result != "" {
			about = append(about, "result", result)
		}
		r.log.Info(string(a.Kind), about...)
	}
	r.recall(done)
}

func nameIn(o watch.Observed, id uint64) string {
	for _, d := range o.Deployments {
		if d.ID == id {
			return d.Name
		}
	}
	for _, u := range o.Unseen {
		if u.ID == id {
			return u.Name
		}
	}
	return ""
}

func resultOf(err error) string {
	if err != nil {
		return "failed"
	}
	return "ok"
}

// watchMeters count for Prometheus.
type watchMeters struct {
	registry *prometheus.Registry
	rounds   *prometheus.CounterVec
	actions  *prometheus.CounterVec
	gateway  *prometheus.GaugeVec
	served   *prometheus.GaugeVec
	runway   *prometheus.GaugeVec
	refunded *prometheus.CounterVec
}

func newWatchMeters() *watchMeters {
	m := &watchMeters{
		registry: prometheus.NewRegistry(),
		rounds:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "souk_watch_rounds_total", Help: "Looks at everything that is watched."}, []string{"result"}),
		actions:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "souk_watch_actions_total", Help: "What the watcher did, by kind."}, []string{"kind", "result"}),
		gateway: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "souk_watch_gateway_up", Help: "Whether the gateway of a lease answered when it was last asked."},
			[]string{"deployment", "lease"}),
		served: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "souk_watch_served", Help: "Whether what a lease runs was served at the last look that could tell."},
			[]string{"deployment", "lease"}),
		refunded: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "souk_watch_refunded_total", Help: "What the watcher claimed back, in micro-denom."}, []string{"denom"}),
		runway:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "souk_watch_runway_seconds", Help: "How long the money of a deployment lasts."}, []string{"deployment"}),
	}
	m.registry.MustRegister(m.rounds, m.actions, m.gateway, m.served, m.runway, m.refunded)
	return m
}

// see sets the gauges anew.
func (m *watchMeters) see(o watch.Observed) {
	m.gateway.Reset()
	m.served.Reset()
	m.runway.Reset()
	for _, d := range o.Deployments {
		if d.Open {
			m.runway.WithLabelValues(d.Name).Set(float64(d.Runway))
		}
		for _, l := range d.Leases {
			for gauge, answer := range map[*prometheus.GaugeVec]watch.Answer{m.gateway: l.Gateway, m.served: l.Judged()} {
				if answer != watch.NotAsked {
					gauge.WithLabelValues(d.Name, fmt.Sprint(l.ID)).Set(map[watch.Answer]float64{watch.Yes: 1, watch.No: 0}[answer])
				}
			}
		}
	}
}

// serve answers Prometheus until stop is called.
func (m *watchMeters) serve(address string) (stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, session.Usage(fault.New("listen for Prometheus on "+address, err, "souk watch run --metrics 127.0.0.1:0   takes a free port"))
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	go server.Serve(listener)                 //nolint:errcheck // it ends when it is closed
	return func() { _ = server.Close() }, nil // nothing is lost with it
}
