package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent"
	"github.com/souk-network/souk/client/checkup"
)

// metered runs the part of doctor that asks an agent what it would commit to.
func metered(t *testing.T, answer http.HandlerFunc) map[string]checkup.Check {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	d := &doctor{running: true}
	d.cfg.MetricsListen, d.cfg.StateDir = strings.TrimPrefix(server.URL, "http://"), "/somewhere"
	d.checkMeter(t.Context())
	byName := map[string]checkup.Check{}
	for _, f := range d.findings {
		byName[f.Check] = f
	}
	return byName
}

func report(r agent.ProofReport) http.HandlerFunc {
	return func(w http.ResponseWriter, asked *http.Request) {
		if asked.URL.Path != agent.ProofPath {
			http.NotFound(w, asked)
			return
		}
		_ = json.NewEncoder(w).Encode(r)
	}
}

func TestDoctorTellsWhatWouldBeCommittedToNow(t *testing.T) {
	well := agent.ProofReport{
		Epoch: 7, From: 700, Until: 740, Leases: []agent.MeteredLease{{Lease: 1, UpSeconds: 40, Seconds: 40}, {Lease: 2, UpSeconds: 10, Seconds: 10}},
		Epochs: []agent.EpochStanding{{Epoch: 4, State: "proven"}, {Epoch: 5, State: "proven"}, {Epoch: 6, State: "none"}},
	}
	found := metered(t, report(well))
	require.Equal(t, checkup.OK, found["meter"].Result)
	require.Equal(t, "epoch 7 so far: 2 leases, up for 50 of 50 s", found["meter"].Detail)
	require.Equal(t, checkup.OK, found["commitments"].Result)
	require.Equal(t, "of the last epochs 2 proven, 1 without a commitment", found["commitments"].Detail)

	down := well
	down.Leases = nil
	for id := range uint64(maxNamed + 2) {
		down.Leases = append(down.Leases, agent.MeteredLease{Lease: id + 1, UpSeconds: 1, Seconds: 40})
	}
	found = metered(t, report(down))
	require.Equal(t, checkup.Warning, found["meter"].Result)
	require.Contains(t, found["meter"].Detail, "1 (1 of 40 s)")
	require.Contains(t, found["meter"].Detail, "and 2 more")

	lost := well
	lost.Epochs = []agent.EpochStanding{{Epoch: 5, State: "audited", Lost: true}}
	found = metered(t, report(lost))
	require.Equal(t, checkup.Failed, found["commitments"].Result)
	require.Contains(t, found["commitments"].Detail, "5")
	require.Contains(t, found["commitments"].Try, "/somewhere")

	forged := well
	forged.Epochs = []agent.EpochStanding{{Epoch: 5, State: "forged"}}
	require.Equal(t, checkup.Failed, metered(t, report(forged))["commitments"].Result)

	require.Equal(t, checkup.Warning, metered(t, report(agent.ProofReport{}))["meter"].Result, "it has just begun")
	found = metered(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "waiting for the node", http.StatusServiceUnavailable)
	})
	require.Equal(t, checkup.Failed, found["meter"].Result)
	require.Contains(t, found["meter"].Detail, "waiting for the node")

	d := &doctor{}
	d.checkMeter(t.Context())
	require.Equal(t, checkup.Warning, d.findings[0].Result, "it does not run")
}
