package simulation

import (
	"context"
	"errors"
	"slices"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/types"
)

// Now returns the service second.
func Now(ctx context.Context, escrow escrowtypes.QueryServer, reporter simsx.SimulationReporter) uint64 {
	clock, err := escrow.Clock(ctx, &escrowtypes.QueryClockRequest{})
	if err != nil {
		reporter.Fail(err, "read the clock")
		return 0
	}
	return clock.Now
}

// Providers returns the providers that do, at most a page of them.
func Providers(
	ctx context.Context, queries types.QueryServer, reporter simsx.SimulationReporter, do func(types.Provider) bool,
) []types.Provider {
	all, err := queries.Providers(ctx, &types.QueryProvidersRequest{Pagination: escrowsim.Page()})
	if err != nil {
		reporter.Fail(err, "list providers")
		return nil
	}
	return slices.DeleteFunc(all.Providers, func(p types.Provider) bool { return !do(p) })
}

// Any returns a random provider among those that do, and its operator; it skips the operation if there is none.
func Any(
	ctx context.Context, queries types.QueryServer, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	what string, do func(types.Provider) bool,
) (simsx.SimAccount, types.Provider) {
	found := Providers(ctx, queries, reporter, do)
	if len(found) == 0 {
		reporter.Skip("no " + what)
		return simsx.SimAccount{}, types.Provider{}
	}
	provider := simsx.OneOf(testData.Rand(), found)
	return testData.GetAccount(reporter, provider.Operator), provider
}

// Agent returns the account that acts for a provider at the second, as often the operator itself.
func Agent(
	testData *simsx.ChainDataSource, reporter simsx.SimulationReporter, provider types.Provider, now uint64,
) simsx.SimAccount {
	agent := provider.Agent
	if provider.RotatesAt > 0 && now >= provider.RotatesAt {
		agent = provider.NextAgent
	}
	if escrowsim.OneIn(testData.Rand(), 4) {
		agent = provider.Operator
	}
	return testData.GetAccount(reporter, agent)
}

// Active tells that a provider has not started to leave.
func Active(p types.Provider) bool { return p.Lifecycle == types.Lifecycle_LIFECYCLE_ACTIVE }

// There tells that a provider has not gone.
func There(p types.Provider) bool { return p.Lifecycle != types.Lifecycle_LIFECYCLE_GONE }

// free returns an account that is nobody's agent.
func (m Module) free(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
) simsx.SimAccount {
	account, _ := escrowsim.FirstFrom(testData, reporter, "account that is no agent",
		func(account simsx.SimAccount) (struct{}, bool) {
			_, err := m.queries.ByAgent(ctx, &types.QueryByAgentRequest{Agent: account.AddressBech32})
			return struct{}{}, errors.Is(err, types.ErrNotFound)
		})
	return account
}
