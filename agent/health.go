package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/souk-network/souk/client/fault"
)

// metrics are what the agent counts.
type metrics struct {
	registry     *prometheus.Registry
	leases       *prometheus.GaugeVec
	actions      *prometheus.CounterVec
	transactions *prometheus.CounterVec
	errors       *prometheus.CounterVec
	seconds      prometheus.Histogram
	heightSeen   prometheus.Gauge
	heightActed  prometheus.Gauge
	custody      prometheus.Gauge
	watched      *prometheus.GaugeVec
	challenges   *prometheus.CounterVec
	quotes       *prometheus.CounterVec
	epochs       map[string]prometheus.Counter // by what became of them
	share        prometheus.Gauge
	awaited      prometheus.Gauge   // rounds of the beacon
	posted       prometheus.Counter // of these, by this agent
}

func newMetrics() *metrics {
	const prefix = "souk_agent_"
	m := &metrics{
		registry:     prometheus.NewRegistry(),
		leases:       prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "leases", Help: "Live leases by state."}, []string{"state"}),
		actions:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "actions_total", Help: "Actions by kind and result."}, []string{"kind", "result"}),
		transactions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "transactions_total", Help: "Transactions by result."}, []string{"result"}),
		errors:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "errors_total", Help: "Errors by where they came up."}, []string{"where"}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: prefix + "reconcile_seconds", Help: "Duration of one look at the world.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		heightSeen:  prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "height_seen", Help: "Height of the node's last block."}),
		heightActed: prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "height_acted", Help: "Height of the last block acted on; less than seen by the lag."}),
	}
	m.custody = prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "custody_deployments", Help: "Deployments of which something is in custody."})
	m.watched = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "watched_providers", Help: "Providers that are watched, by whether they answered the last probe."}, []string{"answers"})
	m.challenges = prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "challenges_total", Help: "Challenges of other providers by result."}, []string{"result"})
	m.quotes = prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "quotes_total", Help: "Quotes for bids by result."}, []string{"result"})
	m.epochs = map[string]prometheus.Counter{}
	for state, help := range map[string]string{
		"committed": "Epochs committed to.", "audited": "Epochs of which an audit drew leaves.", "proven": "Epochs that were credited.",
		"missed": "Epochs that were not committed to in time.", "forfeited": "Epochs that were forged or taken back.",
	} {
		m.epochs[state] = prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "epochs_" + state + "_total", Help: help})
		m.registry.MustRegister(m.epochs[state])
	}
	m.share = prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "epoch_up_share", Help: "Share of its paid seconds in which leases were up, in the last epoch committed to."})
	m.awaited = prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "beacon_awaited_rounds", Help: "Rounds of the beacon that are due and that nobody has brought to the chain."})
	m.posted = prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "beacon_posted_total", Help: "Rounds of the beacon that this agent brought to the chain."})
	m.registry.MustRegister(
		m.share, m.awaited, m.posted,
		m.quotes, m.custody, m.watched, m.challenges, m.leases, m.actions, m.transactions, m.errors, m.seconds, m.heightSeen, m.heightActed,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Health serves metrics and health on loopback from before the agent is ready.
type Health struct {
	metrics *metrics
	check   atomic.Pointer[func() error]
	waiting atomic.Pointer[string]
	proof   atomic.Pointer[func() ProofReport]
}

// NewHealth makes the server's state; nothing is ready yet.
func NewHealth() *Health {
	h := &Health{metrics: newMetrics()}
	h.SetWaiting("starting")
	return h
}

// Registry is where parts of the agent add what they count.
func (h *Health) Registry() prometheus.Registerer { return h.metrics.registry }

// SetWaiting says what the agent waits for before it can work.
func (h *Health) SetWaiting(what string) { h.waiting.Store(&what) }

func (h *Health) setCheck(check func() error) { h.check.Store(&check) }

func (h *Health) setProof(report func() ProofReport) { h.proof.Store(&report) }

func (h *Health) ready() error {
	if check := h.check.Load(); check != nil {
		return (*check)()
	}
	return errors.New(*h.waiting.Load())
}

// ServeHTTP answers /metrics, /healthz (the process lives), /readyz (it works) and /proof (what would be committed to now).
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/metrics":
		promhttp.HandlerFor(h.metrics.registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	case "/healthz":
		fmt.Fprintln(w, "ok")
	case "/readyz":
		if err := h.ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	case ProofPath:
		report := h.proof.Load()
		if report == nil {
			http.Error(w, *h.waiting.Load(), http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode((*report)()) // the caller left: nothing to tell
	default:
		http.NotFound(w, r)
	}
}

// ListenHealth opens the port.
func ListenHealth(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fault.New("metrics can not be served on "+address, err,
			"find who holds the port with `ss -ltnp`, or choose another: --metrics-listen")
	}
	return l, nil
}

// Serve answers until ctx ends.
func (h *Health) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics: %w", err)
	}
	return nil
}
