package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providersim "github.com/souk-network/souk/x/provider/simulation"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// ackLeases answers what is pending: it accepts most, declines some and lets some wait.
func (m Module) ackLeases() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgAckLeases, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		s, leases := m.work(ctx, testData, reporter, func(l types.Lease) bool { return l.State == types.LeaseState_LEASE_STATE_PENDING })
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		msg := &types.MsgAckLeases{Signer: s.signer.AddressBech32, Provider: s.provider.Operator}
		for _, lease := range leases {
			switch r.Intn(20) {
			case 0:
				msg.Decline = append(msg.Decline, lease.Id)
			case 1, 2:
			default:
				msg.Accept = append(msg.Accept, lease.Id)
			}
		}
		if len(msg.Accept)+len(msg.Decline) == 0 || escrowsim.OneIn(r, 10) {
			msg.Accept = append(msg.Accept, escrowsim.UpTo(r, 1000))
		}
		if stranger := testData.AnyAccount(reporter); escrowsim.OneIn(r, 20) && !actsFor(stranger, s.provider) {
			msg.Signer = stranger.AddressBech32
			return escrowsim.Sign(stranger), msg, escrowsim.Refused(providertypes.ErrUnauthorized)
		}
		return escrowsim.Sign(s.signer), msg, nil
	})
}

// resignLeases gives notice to some leases.
func (m Module) resignLeases() simsx.SimMsgFactoryX {
	return simsx.SimMsgFactoryFn[*types.MsgResignLeases](func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgResignLeases) {
		r := testData.Rand()
		s, leases := m.work(ctx, testData, reporter, acknowledged)
		if reporter.IsSkipped() {
			return nil, nil
		}
		return escrowsim.Sign(s.signer), &types.MsgResignLeases{
			Signer: s.signer.AddressBech32, Provider: s.provider.Operator, Leases: some(r, leases),
			Reason: simsx.OneOf(r, []types.Reason{types.Reason_REASON_PROVIDER_LEFT, types.Reason_REASON_POLICY}),
		}
	})
}

// reclaimLeases takes spot leases back.
func (m Module) reclaimLeases() simsx.SimMsgFactoryX {
	return simsx.SimMsgFactoryFn[*types.MsgReclaimLeases](func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgReclaimLeases) {
		r := testData.Rand()
		s, leases := m.work(ctx, testData, reporter, func(l types.Lease) bool {
			return acknowledged(l) && (l.Class == types.LeaseClass_LEASE_CLASS_SPOT || escrowsim.OneIn(r, 10))
		})
		if reporter.IsSkipped() {
			return nil, nil
		}
		return escrowsim.Sign(s.signer), &types.MsgReclaimLeases{
			Signer: s.signer.AddressBech32, Provider: s.provider.Operator, Leases: some(r, leases),
		}
	})
}

// closeLease ends a lease for its tenant.
func (m Module) closeLease() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgCloseLease, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		owner, _, own := m.leased(ctx, testData, reporter, types.LeaseState.Live)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		msg := &types.MsgCloseLease{
			Signer: owner.AddressBech32, Lease: simsx.OneOf(r, own).Id, Replace: escrowsim.OneIn(r, 2),
		}
		return escrowsim.Sign(owner), msg, escrowsim.May(types.ErrLeaseState, types.ErrBehind, escrowtypes.ErrBehind)
	})
}

// leased returns an open deployment that has leases in some state, those, and its owner.
func (m Module) leased(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter, do func(types.LeaseState) bool,
) (simsx.SimAccount, types.Deployment, []types.Lease) {
	leases := map[uint64][]types.Lease{}
	owner, deployment := m.deployment(ctx, testData, reporter, func(d types.Deployment) bool {
		all, err := m.queries.Leases(ctx, &types.QueryLeasesRequest{Deployment: d.Id, Pagination: escrowsim.Page(), Live: true})
		if err != nil {
			reporter.Fail(err, "list leases")
			return false
		}
		for _, lease := range all.Leases {
			if do(lease.State) {
				leases[d.Id] = append(leases[d.Id], lease)
			}
		}
		return len(leases[d.Id]) > 0
	})
	return owner, deployment, leases[deployment.Id]
}

// work returns a provider's leases that will do, and who acts for it.
func (m Module) work(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter, do func(types.Lease) bool,
) (shop, []types.Lease) {
	leases := map[string][]types.Lease{}
	_, provider := providersim.Any(ctx, m.providers, testData, reporter, "lease of that kind", func(p providertypes.Provider) bool {
		work, err := m.queries.Work(ctx, &types.QueryWorkRequest{Provider: p.Operator, Pagination: escrowsim.Page()})
		if err != nil {
			reporter.Fail(err, "list work")
			return false
		}
		for _, w := range work.Work {
			if do(w.Lease) {
				leases[p.Operator] = append(leases[p.Operator], w.Lease)
			}
		}
		return len(leases[p.Operator]) > 0
	})
	if reporter.IsSkipped() {
		return shop{}, nil
	}
	signer := providersim.Agent(testData, reporter, provider, providersim.Now(ctx, m.escrow, reporter))
	return shop{provider: provider, signer: signer}, leases[provider.Operator]
}

func acknowledged(l types.Lease) bool { return l.State.Served() }

// some returns the ids of at least one of the leases.
func some(r *simsx.XRand, leases []types.Lease) []uint64 {
	ids := []uint64{simsx.OneOf(r, leases).Id}
	for _, lease := range leases {
		if lease.Id != ids[0] && escrowsim.OneIn(r, 4) {
			ids = append(ids, lease.Id)
		}
	}
	return ids
}
