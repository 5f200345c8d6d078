package simulation

import (
	"context"
	"fmt"
	"slices"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	"github.com/souk-network/souk/x/market/types"
	providersim "github.com/souk-network/souk/x/provider/simulation"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// bid draws a demand. Most are wide enough to be met; each narrow wish is rare, so that all of them occur.
func (m Module) bid(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter, name string,
) types.BidSpec {
	r := testData.Rand()
	spec := types.BidSpec{
		Name: name, Unit: unit(r), Replicas: uint32(escrowsim.UpTo(r, 6)), Cap: escrowsim.UpTo(r, simsx.OneOf(r, []uint64{5000, 1_000_000})),
		Class: simsx.OneOf(r, takenOffers), NoReplace: escrowsim.OneIn(r, 5),
	}
	spec.MinReplicas = uint32(r.Intn(int(spec.Replicas) + 1))
	if escrowsim.OneIn(r, 4) {
		spec.Requirements = requirements(r)
	}
	if escrowsim.OneIn(r, 4) {
		spec.LeaseSeconds = escrowsim.UpTo(r, simsx.OneOf(r, []uint64{500, 50_000}))
	}
	if escrowsim.OneIn(r, 6) {
		spec.LifetimeSeconds = m.lifetime(ctx, r, reporter)
	}
	if escrowsim.OneIn(r, 4) {
		spec.Mode = types.BidMode_BID_MODE_QUOTE
	}
	m.chooseProviders(ctx, testData, reporter, &spec)
	if escrowsim.OneIn(r, 8) {
		spec.MaxPerProvider = uint32(escrowsim.UpTo(r, 3))
	}
	if escrowsim.OneIn(r, 8) {
		spec.MaxPerZone = uint32(escrowsim.UpTo(r, 3))
	}
	if !spec.Quoted() && escrowsim.OneIn(r, 3) {
		spec.Standbys = uint32(escrowsim.UpTo(r, 3))
	}
	if escrowsim.OneIn(r, 8) {
		spec.LatencyClasses = 1<<0 | 1<<3
	}
	if escrowsim.OneIn(r, 8) {
		spec.MaxCarbon = 300
	}
	return spec
}

// chooseProviders lets a bid be particular about who serves it.
func (m Module) chooseProviders(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter, spec *types.BidSpec,
) {
	r := testData.Rand()
	providers := providersim.Providers(ctx, m.providers, reporter, providersim.Active)
	if len(providers) == 0 {
		return
	}
	draw := func(n int) []string {
		var drawn []string
		for range n {
			drawn = append(drawn, simsx.OneOf(r, providers).Operator)
		}
		slices.Sort(drawn)
		return slices.Compact(drawn)
	}
	switch r.Intn(20) {
	case 0:
		spec.Allow = draw(4)
	case 1:
		spec.Deny = draw(2)
	case 2:
		spec.MinReputation = uint32(r.Intn(1_000_001))
	case 3, 4, 5:
		vouched := providersim.Providers(ctx, m.providers, reporter, func(p providertypes.Provider) bool { return len(p.Auditors) > 0 })
		if len(vouched) > 0 {
			spec.AttestedBy = slices.Clone(simsx.OneOf(r, vouched).Auditors)
			slices.Sort(spec.AttestedBy)
		}
	}
}

func (m Module) lifetime(ctx context.Context, r *simsx.XRand, reporter simsx.SimulationReporter) uint64 {
	params, err := m.queries.Params(ctx, &types.QueryParamsRequest{})
	if err != nil {
		reporter.Fail(err, "read parameters")
		return 0
	}
	return escrowsim.UpTo(r, uint64(params.Params.BidLifetimeSeconds))
}

// bids draws one to three demands with different names.
func (m Module) bids(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
) []types.BidSpec {
	specs := make([]types.BidSpec, 1+testData.Rand().Intn(3))
	for i := range specs {
		specs[i] = m.bid(ctx, testData, reporter, fmt.Sprintf("group-%d", i))
	}
	return specs
}

func unit(r *simsx.XRand) types.Resources {
	u := types.Resources{CpuMillis: escrowsim.UpTo(r, 4000), MemoryMib: escrowsim.UpTo(r, 4096)}
	if escrowsim.OneIn(r, 6) {
		u.NvmeMib = escrowsim.UpTo(r, 5000)
	}
	if escrowsim.OneIn(r, 8) {
		u.GpuMillis = 500
	}
	return u
}

// requirements draws one or two wishes for labels.
func requirements(r *simsx.XRand) []types.LabelRequirement {
	drawn := make([]types.LabelRequirement, 1+r.Intn(2))
	for i := range drawn {
		label := simsx.OneOf(r, providersim.Labels)
		drawn[i] = types.LabelRequirement{Key: label.Key, Operator: types.Operator(1 + r.Intn(3)), Values: label.Values[:2]}
		if drawn[i].Operator == types.Operator_OPERATOR_EXISTS {
			drawn[i].Values = nil
		}
		if label.Key == "tier" && escrowsim.OneIn(r, 2) {
			drawn[i].Operator = simsx.OneOf(r, []types.Operator{types.Operator_OPERATOR_AT_LEAST, types.Operator_OPERATOR_AT_MOST})
			drawn[i].Values = []string{"2"}
		}
	}
	return drawn
}
