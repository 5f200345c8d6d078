package gateway

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the gateway counts.
type metrics struct {
	requests   *prometheus.CounterVec
	turnedAway prometheus.Counter
	streams    *prometheus.GaugeVec
	execs      prometheus.Gauge
	sent       prometheus.Counter
	received   prometheus.Counter
}

// newMetrics registers them, unless nobody wants them.
func newMetrics(to prometheus.Registerer) *metrics {
	const prefix = "souk_agent_gateway_"
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: prefix + "requests_total", Help: "Calls by name and result: a Connect code, or the class of an HTTP status.",
		}, []string{"call", "code"}),
		turnedAway: prometheus.NewCounter(prometheus.CounterOpts{
			Name: prefix + "turned_away_total", Help: "Requests that were too many at once or came too often.",
		}),
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "streams", Help: "Open streams by call."}, []string{"call"}),
		execs:   prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "exec_sessions", Help: "Commands that run for callers."}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: prefix + "sent_bytes_total", Help: "Bytes of answers and of commands' output, before TLS.",
		}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: prefix + "received_bytes_total", Help: "Bytes of requests and of commands' input, before TLS.",
		}),
	}
	if to != nil {
		to.MustRegister(m.requests, m.turnedAway, m.streams, m.execs, m.sent, m.received)
	}
	return m
}

// statusWriter remembers how a request was answered.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets response controllers find the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) class() string { return strconv.Itoa(w.status/100) + "xx" }
