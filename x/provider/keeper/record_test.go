package keeper_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/provider/keeper"
	"github.com/souk-network/souk/x/provider/types"
)

func TestARecordCountsEveryOutcomeForItself(t *testing.T) {
	b := start(t)
	operator := b.register("acme")
	outcomes := []types.Outcome{
		types.OutcomeAcknowledged, types.OutcomeMissed, types.OutcomeDeclined, types.OutcomeCompleted, types.OutcomeResigned,
		types.OutcomeFailed,
	}
	for i, outcome := range outcomes {
		require.NoError(t, b.Provider.Note(b.Ctx(), operator, outcome, uint64(i)+1))
		require.NoError(t, b.Provider.Note(b.Ctx(), operator, outcome, 10))
	}
	require.ErrorIs(t, b.Provider.Note(b.Ctx(), operator, 0, 1), types.ErrInvalidRequest)
	require.ErrorIs(t, b.Provider.Note(b.Ctx(), operator, 7, 1), types.ErrInvalidRequest)
	answer, err := keeper.NewQueryServer(b.Provider).Provider(b.Ctx(), &types.QueryProviderRequest{Operator: b.name("acme")})
	require.NoError(t, err)
	require.Equal(t, types.Record{
		Provider: b.name("acme"), Acknowledged: 11, Missed: 12, Declined: 13, Completed: 14, Resigned: 15, Failed: 16,
	}, answer.Record)
}

func TestACounterStaysAtItsHighestValue(t *testing.T) {
	record, err := types.Record{Missed: math.MaxUint64 - 1}.Count(types.OutcomeMissed, 5)
	require.NoError(t, err)
	require.Equal(t, uint64(math.MaxUint64), record.Missed)
}

func TestAQueryTellsWhetherAProviderMayServe(t *testing.T) {
	b, above := startUnder(t)
	operator := b.register("acme", chain.Coin(5))
	q := keeper.NewQueryServer(b.Provider)
	show := func() *types.QueryProviderResponse {
		answer, err := q.Provider(b.Ctx(), &types.QueryProviderRequest{Operator: b.name("acme")})
		require.NoError(t, err)
		require.Equal(t, b.provider(operator), answer.Provider)
		return answer
	}
	require.False(t, show().Jailed || show().InMaintenance)
	above.asks[b.name("acme")] = b.registration("x", chain.Coin(7)).Bond
	b.agrees(maintain(b, "acme", 21, 31), b.jail("acme", 60, 0))
	require.True(t, show().Jailed)
	require.False(t, show().InMaintenance)
	require.Equal(t, "7usouk", show().Required.String())
	b.pass(20)
	require.True(t, show().InMaintenance)

	b.register("other")
	b.register("third")
	b.agrees(b.leave("acme"), b.leave("third"))
	for lifecycle, want := range map[types.Lifecycle]int{0: 3, active: 1, leaving: 1, gone: 1} {
		answer, err := q.Providers(b.Ctx(), &types.QueryProvidersRequest{Lifecycle: lifecycle})
		require.NoError(t, err)
		require.Len(t, answer.Providers, want, lifecycle.String())
	}
}

func TestAReputationIsSetWithinTheWholeAndOnlyARiseIsTold(t *testing.T) {
	b, above := startUnder(t)
	operator := b.register("acme")
	for _, set := range []struct {
		ppm  uint32
		told int
	}{{0, 0}, {500_000, 1}, {500_000, 1}, {400_000, 1}, {1_000_000, 2}, {0, 2}} {
		require.NoError(t, b.Provider.SetReputation(b.Ctx(), operator, set.ppm))
		require.Equal(t, set.ppm, b.provider(operator).Reputation)
		require.Len(t, above.heard, set.told, "after %d", set.ppm)
	}
	require.Equal(t, "reputed "+b.name("acme"), above.heard[0])
	require.ErrorIs(t, b.Provider.SetReputation(b.Ctx(), operator, 1_000_001), types.ErrInvalidRequest)
	require.ErrorIs(t, b.Provider.SetReputation(b.Ctx(), chain.Account("nobody"), 1), types.ErrNotFound)
}
