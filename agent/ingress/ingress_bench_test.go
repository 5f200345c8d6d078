package ingress

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	benchRounds  = 5
	benchClients = 16
	benchHost    = "web-7.provider.example"
)

// nginxVariable names an nginx that is not in the path.
const nginxVariable = "SOUK_NGINX"

// BenchmarkIngress compares the ingress with nginx as a proxy before one and the same server, and with that server itself.
// They take turns, round by round, on the same cores with the same clients; figures are medians of the rounds.
func BenchmarkIngress(b *testing.B) {
	for _, size := range []struct {
		name            string
		bytes, requests int
	}{{"1_KiB", 1 << 10, 2000}, {"1_MiB", 1 << 20, 100}} {
		b.Run(size.name, func(b *testing.B) { benchIngress(b, size.bytes, size.requests) })
	}
}

func benchIngress(b *testing.B, size, requests int) {
	answer := []byte(strings.Repeat("x", size))
	origin := listenAndServe(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }))
	s := New(Config{Domain: "provider.example", Resolver: SystemResolver{}, Log: slog.New(slog.DiscardHandler)})
	s.SetRoutes([]Route{{Label: "web-7", Lease: 7, Backends: []netip.AddrPort{netip.MustParseAddrPort(origin)}}})
	doors := map[string]string{"direct": origin, "ingress": listenAndServe(b, s)}
	if address := startNginx(b, origin); address != "" {
		doors["nginx"] = address
	}
	rates, waits := map[string][]float64{}, map[string][]float64{}
	for range benchRounds * b.N {
		for name, address := range doors {
			rate, wait := load(b, address, requests, size)
			rates[name], waits[name] = append(rates[name], rate), append(waits[name], wait)
		}
	}
	rate := func(name string) float64 { return median(rates[name]) }
	added := func(name string) float64 { return median(waits[name]) - median(waits["direct"]) }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate("ingress"), "req/s")
	b.ReportMetric(rate("ingress")*float64(size)/1e6, "MB/s")
	b.ReportMetric(added("ingress"), "us-added-p50")
	if doors["nginx"] != "" {
		b.ReportMetric(rate("ingress")/rate("nginx"), "times-nginx-rate")
		b.ReportMetric(added("nginx"), "us-added-p50-by-nginx")
	}
}

func listenAndServe(b *testing.B, h http.Handler) string {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	server := &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	b.Cleanup(func() {
		require.NoError(b, server.Close())
		require.ErrorIs(b, <-done, http.ErrServerClosed)
	})
	return listener.Addr().String()
}

// load asks from many clients at once for the rate, and from one for the median wait in microseconds.
func load(b *testing.B, address string, requests, size int) (perSecond, waitMicros float64) {
	b.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: benchClients}
	defer transport.CloseIdleConnections()
	ask := func() {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			b.Error(err)
			return
		}
		r.Host = benchHost
		resp, err := transport.RoundTrip(r)
		if err != nil {
			b.Error(err)
			return
		}
		n, err := io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || n != int64(size) {
			b.Errorf("status %d, %d bytes: %v", resp.StatusCode, n, err)
		}
	}
	var waits []float64
	for range max(requests/10, 50) {
		started := time.Now()
		ask()
		waits = append(waits, float64(time.Since(started).Nanoseconds())/1e3)
	}
	var all sync.WaitGroup
	started := time.Now()
	for range benchClients {
		all.Go(func() {
			for range requests / benchClients {
				ask()
			}
		})
	}
	all.Wait()
	return float64(requests/benchClients*benchClients) / time.Since(started).Seconds(), median(waits)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

const nginxConf = `daemon off;
worker_processes 2;
pid %[1]s/pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  keepalive_requests 1000000;
  upstream origin { server %[2]s; keepalive 64; keepalive_requests 1000000; }
  server {
    listen %[3]s;
    location / { proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
  }
}
`

// startNginx starts a proxy before the origin; "" when there is no nginx on this machine.
func startNginx(b *testing.B, origin string) string {
	b.Helper()
	program := os.Getenv(nginxVariable)
	if program == "" {
		found, err := exec.LookPath("nginx")
		if err != nil {
			b.Logf("no nginx to compare with: apt-get install nginx-light, or set %s", nginxVariable)
			return ""
		}
		program = found
	}
	dir := b.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	address := l.Addr().String()
	require.NoError(b, l.Close())
	conf := filepath.Join(dir, "nginx.conf")
	require.NoError(b, os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, origin, address), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program, "-p", dir, "-c", conf, "-e", "stderr")
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) } // ends its workers, too
	require.NoError(b, command.Start())
	b.Cleanup(func() {
		cancel()
		_ = command.Wait() // ended by the signal
	})
	require.Eventually(b, func() bool {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	}, 10*time.Second, 10*time.Millisecond)
	return address
}
