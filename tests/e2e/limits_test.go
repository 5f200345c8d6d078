package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/api"
)

func TestAMemoryHogIsKilledAndItsNeighbourLives(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	neighbour := x.up(t, x.file(t, service{name: "neighbour", on: 0}))
	hog := x.up(t, x.file(t, service{name: "hog", on: 0}))
	require.Equal(t, hog.Leases[0].Provider, neighbour.Leases[0].Provider)
	quiet := answer(t, neighbour)
	greedy := answer(t, hog)

	_, err := ask(t.Context(), http.MethodPost, hog.url(), "/eat")
	require.Error(t, err, "it ate all that there is")

	g := x.gateway(t, hog)
	await(t, 60*time.Second, "the provider says that it was killed, and runs it again", func() error {
		r, err := g.replica(t.Context())
		if err != nil {
			return err
		}
		if !r.GetOomKilled() || r.GetExits() == 0 || r.GetPhase() != api.ReplicaPhase_REPLICA_PHASE_RUNNING {
			return errors.New(r.String())
		}
		return nil
	})
	await(t, 30*time.Second, "it answers again", func() error {
		again, err := identify(t.Context(), hog.url())
		if err == nil && again.Run == greedy.Run {
			return fmt.Errorf("it is still run %s", again.Run)
		}
		return err
	})
	still := answer(t, neighbour)
	require.Equal(t, quiet, still, "the neighbour was not touched")
	x.down(t, "hog")
	x.down(t, "neighbour")
	x.awaitGone(t, "hog")
	x.awaitGone(t, "neighbour")
}
