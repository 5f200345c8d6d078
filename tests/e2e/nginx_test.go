package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/testutil/image"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const grainsPerMicro = 3600

// nginxConf is for a container without capabilities, and without any user but one.
const nginxConf = `daemon off;
pid /tmp/nginx.pid;
error_log stderr notice;
worker_processes 1;
events { worker_connections 128; }
http {
  access_log /dev/stdout;
  client_body_temp_path /tmp/body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  server { listen 8080; root /srv; }
}
`

// makeNginx makes an image of Debian's nginx that serves one page.
func (m *market) makeNginx(t *testing.T, page string) {
	t.Helper()
	made, err := image.FromPackages(t.Context(), []string{"nginx"}, image.Config{
		Entrypoint: []string{"/usr/sbin/nginx", "-e", "stderr", "-c", "/etc/nginx/souk.conf"},
		User:       "33:33",
		Files:      map[string]string{"/etc/nginx/souk.conf": nginxConf, "/srv/index.html": page},
	})
	if errors.Is(err, image.ErrNoPackages) {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.NoError(t, image.Write(filepath.Join(m.projects(), "nginx"), made))
}

func TestNginxOfDebianServesThroughTheIngressAndEveryCoinIsAccountedFor(t *testing.T) {
	m := theMarket(t)
	page := "a page for " + m.ChainID
	m.makeNginx(t, page)
	x := m.newTenant(t)
	before, pots := x.balance(t), x.conservation(t).Pots

	d := x.up(t, x.file(t, service{name: "shop", image: "nginx", memory: "64m"}))
	var body string
	await(t, 30*time.Second, "nginx answers", func() (err error) {
		body, err = ask(t.Context(), http.MethodGet, d.url(), "/")
		return err
	})
	require.Equal(t, page, body)
	_, err := ask(t.Context(), http.MethodGet, d.url(), "/missing")
	require.ErrorContains(t, err, "404 Not Found")
	require.Equal(t, []listed{{Deployment: "shop", Lease: d.lease(), State: "active", Status: "running", Ready: true}}, x.ps(t))

	await(t, 10*time.Second, "the log shows the requests", func() error {
		for _, line := range x.logs(t, "shop") {
			if strings.Contains(line, `"GET / HTTP/1.1" 200`) && strings.Contains(line, "souk-e2e") {
				return nil
			}
		}
		return errors.New("they are not there")
	})
	x.awaitSpending(t, "shop")

	paid := before.Sub(x.balance(t)).Sub(x.fees(t)) // what left the account for the deposit
	end := x.down(t, "shop")
	require.Equal(t, paid, end.Deposited)
	require.True(t, end.Spent.IsPositive())
	require.Equal(t, end.Deposited.Sub(end.Spent), end.Refunded)
	require.Equal(t, end.Spent.Add(x.fees(t)), before.Sub(x.balance(t)), "the tenant paid for service and fees and for nothing else")

	lease := x.leaseState(t, d.lease())
	require.Equal(t, markettypes.LeaseState_LEASE_STATE_CLOSED, lease.State)
	require.Equal(t, markettypes.Reason_REASON_TENANT, lease.Reason)
	grains := math.NewIntFromUint64(lease.Rate).Mul(math.NewIntFromUint64(lease.ClosedAt - lease.AckedAt))
	require.Equal(t, grains.AddRaw(grainsPerMicro-1).QuoRaw(grainsPerMicro), end.Spent, "rate times seconds, rounded up")
	after := x.conservation(t)
	require.True(t, after.Conserved)
	require.Equal(t, grains, after.Pots.Sub(pots), "the provider earned rate times seconds, to the grain")

	await(t, 30*time.Second, "nobody answers any more", func() error {
		body, err := ask(t.Context(), http.MethodGet, d.url(), "/")
		if err == nil {
			return fmt.Errorf("it answers %q", body)
		}
		return nil
	})
}

// logs are the lines that a deployment has written.
func (x *tenant) logs(t *testing.T, name string) []string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(x.must(t, "logs", name, "-o", "json")) {
		var l struct {
			Line string `json:"line"`
		}
		require.NoError(t, json.Unmarshal([]byte(line), &l), line)
		lines = append(lines, l.Line)
	}
	return lines
}

// awaitSpending waits until a deployment has cost something.
func (x *tenant) awaitSpending(t *testing.T, name string) {
	t.Helper()
	await(t, 30*time.Second, name+" has cost something", func() error {
		var cost struct {
			Spent math.Int `json:"spent"`
		}
		x.mustJSON(t, &cost, "cost", name)
		if !cost.Spent.GT(math.OneInt()) {
			return fmt.Errorf("spent %s", cost.Spent)
		}
		return nil
	})
}

// conservation is what the bank holds for escrow, and what escrow owes.
func (m *market) conservation(t *testing.T) *escrowtypes.QueryConservationResponse {
	t.Helper()
	res, err := m.chain.Escrow.Conservation(t.Context(), &escrowtypes.QueryConservationRequest{Denom: scope.Denom})
	require.NoError(t, err)
	return res
}
