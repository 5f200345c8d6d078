package agent

import (
	"context"
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
	m.registry.MustRegister(
		m.leases, m.actions, m.transactions, m.errors, m.seconds, m.heightSeen, m.heightActed,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Health serves metrics and health on loopback from before the agent is ready.
type Health struct {
	metrics *metrics
	check   atomic.Pointer[func() error]
	waiting atomic.Pointer[string]
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

func (h *Health) ready() error {
	if check := h.check.Load(); check != nil {
		return (*check)()
	}
	return errors.New(*h.waiting.Load())
}

// ServeHTTP answers /metrics, /healthz (the process lives) and /readyz (it works).
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
