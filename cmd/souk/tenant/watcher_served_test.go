package tenant

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client/watch"
)

func TestAProviderIsJudgedByWhatItSaysWhereNothingAnswersOverHTTP(t *testing.T) {
	const (
		provider = api.FaultClass_FAULT_CLASS_PROVIDER
		tenants  = api.FaultClass_FAULT_CLASS_TENANT
		passing  = api.FaultClass_FAULT_CLASS_TRANSIENT
		degraded = api.LeaseStage_LEASE_STAGE_DEGRADED
		starting = api.LeaseStage_LEASE_STAGE_STARTING
		failed   = api.ReplicaPhase_REPLICA_PHASE_FAILED
		pending  = api.ReplicaPhase_REPLICA_PHASE_PENDING
		running  = api.ReplicaPhase_REPLICA_PHASE_RUNNING
	)
	for _, c := range []struct {
		name     string
		stage    api.LeaseStage
		replicas []*api.ReplicaStatus
		want     watch.Answer
	}{
		{"all runs", api.LeaseStage_LEASE_STAGE_RUNNING, nil, watch.Yes},
		{"it waits for its manifest", api.LeaseStage_LEASE_STAGE_AWAITING_MANIFEST, nil, watch.Yes},
		{"its job is done", api.LeaseStage_LEASE_STAGE_ENDED, nil, watch.Yes},
		{"the provider lags behind the chain", api.LeaseStage_LEASE_STAGE_PAUSED, nil, watch.NotAsked},
		{"it is being started", starting, []*api.ReplicaStatus{{Phase: api.ReplicaPhase_REPLICA_PHASE_PULLING}}, watch.NotAsked},
		{"it is about to be", starting, nil, watch.NotAsked},
		{"the machine has no room", degraded, []*api.ReplicaStatus{{Phase: running}, {Phase: failed, Fault: provider, Error: "no space"}}, watch.No},
		{"a registry is away", degraded, []*api.ReplicaStatus{{Phase: pending, Fault: passing}}, watch.No},
		{"its image is wrong", degraded, []*api.ReplicaStatus{{Phase: failed, Fault: tenants}}, watch.Yes},
		{"it ended by itself", degraded, []*api.ReplicaStatus{{Phase: api.ReplicaPhase_REPLICA_PHASE_EXITED}}, watch.Yes},
		{"it runs and is unhealthy", degraded, []*api.ReplicaStatus{{Phase: running, Health: api.Health_HEALTH_UNHEALTHY, Fault: tenants}}, watch.Yes},
		{"it is unhealthy for the machine's sake", degraded, []*api.ReplicaStatus{{Phase: running, Health: api.Health_HEALTH_UNHEALTHY, Fault: provider}}, watch.No},
		{"one is started, one is down", starting, []*api.ReplicaStatus{{Phase: pending}, {Phase: failed, Fault: provider}}, watch.No},
	} {
		got, why := judgeStatus(&api.StatusResponse{Stage: c.stage, Replicas: c.replicas})
		require.Equal(t, c.want, got, c.name)
		require.Equal(t, c.want == watch.No, why != "", c.name)
	}
}

func TestAnEndpointAnswersUnlessSomebodyAnswersInItsPlace(t *testing.T) {
	code, asked := http.StatusOK, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Host
		if code == http.StatusFound {
			http.Redirect(w, r, "http://127.0.0.1:1/", code)
			return
		}
		w.WriteHeader(code)
	}))
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	ask := func(private bool, urls ...string) error {
		j := &judge{private: private}
		t.Cleanup(j.close)
		var addresses []*api.ServiceAddress
		for _, text := range urls {
			addresses = append(addresses, &api.ServiceAddress{Url: text})
		}
		return j.askEndpoints(t.Context(), addresses)
	}
	below := fmt.Sprintf("http://web-7.provider.localhost:%s/", u.Port())
	for status, up := range map[int]bool{200: true, 302: true, 404: true, 429: true, 500: true, 502: false, 503: false, 504: false} {
		code = status
		err := ask(true, below)
		require.Equal(t, up, err == nil, "%d: %v", status, err)
		require.Equal(t, strings.TrimSuffix(strings.TrimPrefix(below, "http://"), "/"), asked)
	}
	code = http.StatusServiceUnavailable
	require.NoError(t, ask(false, server.URL), "an address that is not public is not asked, and says nothing")
	require.NoError(t, ask(true, "http://no-such-name.invalid/"), "nor does a name that this machine does not know")
	require.NoError(t, ask(true, "tcp://127.0.0.1:1", "udp://127.0.0.1:1"), "only HTTP is asked")
	server.Close()
	require.Error(t, ask(true, below))
}
