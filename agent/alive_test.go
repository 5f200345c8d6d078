package agent

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/reconcile"
)

// hung is a runtime whose engine answers nothing.
type hung struct{ idle }

func (hung) Alive(ctx context.Context) error {
	if _, bounded := ctx.Deadline(); !bounded {
		return nil
	}
	return errors.New("no answer")
}

func TestAProviderWhoseEngineDoesNotAnswerDoesNotSayThatItLives(t *testing.T) {
	status := statusText("souk-test", "1", "false")
	a := newAgent(t, &status)
	require.NoError(t, a.engineAlive(t.Context()), "a runtime without an engine of its own")
	a.runtime = hung{}
	require.ErrorContains(t, a.engineAlive(t.Context()), "no answer")
	a.answerChallenges(t.Context(), []uint64{7}) // there is no queue: sending would panic
	require.Eventually(t, func() bool { return len(a.livingNow()) == 0 }, roundTimeout, tick/200, "it is tried again")
}

func TestAPlansChallengesAreKnownBeforeItsOtherActions(t *testing.T) {
	require.Equal(t, []uint64{2, 3}, livingIn([]reconcile.Action{
		{Kind: reconcile.Remove, Lease: 1}, {Kind: reconcile.Live, Lease: 2}, {Kind: reconcile.Apply, Lease: 2}, {Kind: reconcile.Live, Lease: 3},
	}))
}
