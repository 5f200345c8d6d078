package agent

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/agent/workload"
)

func TestALeaseThatIsNotHereIsLookedForOnceABlock(t *testing.T) {
	u := newLookUps()
	asked := 0
	ask := func(_ context.Context, id uint64) (workload.Lease, error) {
		asked++
		switch id {
		case 7:
			return workload.Lease{ID: 7}, nil
		case 8:
			return workload.Lease{}, errors.New("the node is down")
		}
		return workload.Lease{}, gateway.ErrNoLease
	}
	for range 5 {
		_, err := u.of(t.Context(), 9, 100, ask)
		require.ErrorIs(t, err, gateway.ErrNoLease)
	}
	require.Equal(t, 1, asked)
	_, err := u.of(t.Context(), 9, 101, ask)
	require.ErrorIs(t, err, gateway.ErrNoLease)
	require.Equal(t, 2, asked, "a block later it may be there")
	for range 2 {
		l, err := u.of(t.Context(), 7, 101, ask)
		require.NoError(t, err)
		require.EqualValues(t, 7, l.ID)
		_, err = u.of(t.Context(), 8, 101, ask)
		require.ErrorContains(t, err, "the node is down")
	}
	require.Equal(t, 6, asked, "only absence is remembered")
	for id := range uint64(maxAbsent + 10) {
		u.remember(1000+id, 101)
	}
	require.LessOrEqual(t, len(u.absent), maxAbsent)
}

func TestOnlyAFewLeasesAreLookedForAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newLookUps()
		var inside atomic.Int32
		answer := make(chan struct{})
		ask := func(context.Context, uint64) (workload.Lease, error) {
			inside.Add(1)
			<-answer
			return workload.Lease{}, gateway.ErrNoLease
		}
		errs := make(chan error)
		for id := range uint64(3 * lookUpsAtOnce) {
			go func() { _, err := u.of(t.Context(), id, 1, ask); errs <- err }()
		}
		synctest.Wait()
		require.EqualValues(t, lookUpsAtOnce, inside.Load())
		for range 2 * lookUpsAtOnce {
			require.ErrorIs(t, <-errs, errManyLookUps, "the others do not wait for ever")
		}
		close(answer)
		for range lookUpsAtOnce {
			require.ErrorIs(t, <-errs, gateway.ErrNoLease)
		}
	})
}
