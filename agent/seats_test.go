package agent

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnOwnerHasOnePlaceAndTheRestIsForOthers(t *testing.T) {
	s := newSeats(2)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	taken := func(owner string) bool {
		give, err := s.take(over, owner)
		if err == nil {
			give()
		}
		return err == nil
	}
	mine, err := s.take(t.Context(), "mine")
	require.NoError(t, err)
	for range 20 {
		require.False(t, taken("mine"), "one place an owner")
	}
	other, err := s.take(t.Context(), "other")
	require.NoError(t, err)
	for range 20 {
		require.False(t, taken("third"), "all places are taken")
	}
	other()
	third, err := s.take(t.Context(), "third")
	require.NoError(t, err)
	next := make(chan func())
	go func() {
		give, err := s.take(t.Context(), "mine")
		if err != nil {
			give = func() {}
		}
		next <- give
	}()
	mine()
	(<-next)()
	third()
	require.Empty(t, s.queue, "nothing is remembered of owners that wait for nothing")
	require.Empty(t, s.places)
}
