package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	"github.com/souk-network/souk/x/proof/types"
	providersim "github.com/souk-network/souk/x/provider/simulation"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// duty is a provider, with who acts for it and an epoch of its.
type duty struct {
	provider   providertypes.Provider
	signer     simsx.SimAccount
	epoch      types.Epoch
	commitment types.Commitment
	drawn      []types.Drawn
}

// epochs returns those that have closed, the newest first.
func (m Module) epochs(ctx context.Context, reporter simsx.SimulationReporter) []types.Epoch {
	epochs, err := m.queries.Epochs(ctx, &types.QueryEpochsRequest{})
	if err != nil {
		reporter.Fail(err, "list epochs")
		return nil
	}
	return epochs.Epochs
}

// duty returns a random provider with an epoch that will do; it skips the operation if there is none.
func (m Module) duty(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter, what string, do func(*duty) bool,
) duty {
	epochs := m.epochs(ctx, reporter)
	if reporter.IsSkipped() {
		return duty{}
	}
	found := map[string]duty{}
	_, provider := providersim.Any(ctx, m.providers, testData, reporter, what, func(p providertypes.Provider) bool {
		for _, epoch := range epochs {
			d := duty{provider: p, epoch: epoch}
			response, err := m.queries.Commitment(ctx, &types.QueryCommitmentRequest{Provider: p.Operator, Epoch: epoch.Number})
			if err == nil {
				d.commitment, d.drawn = response.Commitment, response.Drawn
			}
			if do(&d) {
				found[p.Operator] = d
				return providersim.There(p)
			}
		}
		return false
	})
	if reporter.IsSkipped() {
		return duty{}
	}
	d := found[provider.Operator]
	d.signer = providersim.Agent(testData, reporter, provider, providersim.Now(ctx, m.escrow, reporter))
	return d
}

// commitEpoch commits a provider to an epoch.
func (m Module) commitEpoch() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgCommitEpoch, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		now := providersim.Now(ctx, m.escrow, reporter)
		params, err := m.queries.Params(ctx, &types.QueryParamsRequest{})
		if err != nil {
			reporter.Fail(err, "read the parameters")
			return nil, nil, nil
		}
		grace := params.Params.ReceiptGraceSeconds
		d := m.duty(ctx, testData, reporter, "epoch to commit to", func(d *duty) bool {
			if d.commitment.Id != 0 || now >= d.epoch.LateUntil {
				return false
			}
			trees, err := m.trees(ctx, d.provider.Operator, d.epoch, now, grace)
			if err != nil {
				reporter.Fail(err, "make trees")
			}
			return len(trees) > 0
		})
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		trees, err := m.trees(ctx, d.provider.Operator, d.epoch, now, grace)
		if err != nil {
			reporter.Fail(err, "make trees")
			return nil, nil, nil
		}
		msg := &types.MsgCommitEpoch{Signer: d.signer.AddressBech32, Provider: d.provider.Operator, Epoch: d.epoch.Number}
		for _, t := range trees {
			msg.Roots = append(msg.Roots, types.NewRoot(t.denom, t.Root()))
		}
		if escrowsim.OneIn(r, 30) {
			msg.Epoch += 1000
			return escrowsim.Sign(d.signer), msg, escrowsim.Refused(types.ErrEpochNotFound)
		}
		return escrowsim.Sign(d.signer), msg, nil
	})
}

// audited tells that an audit of a duty can be answered.
func audited(d *duty, now uint64) bool {
	return d.commitment.State == types.CommitmentState_COMMITMENT_STATE_AUDITED && now < d.commitment.OpenBy
}

// openAudit shows what an audit drew in a denom. What a liar committed to is refused.
func (m Module) openAudit() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgOpenAudit, simsx.SimDeliveryResultHandler) {
		now := providersim.Now(ctx, m.escrow, reporter)
		d := m.duty(ctx, testData, reporter, "audit", func(d *duty) bool { return audited(d, now) && len(d.drawn) > 0 })
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		drawn := simsx.OneOf(testData.Rand(), d.drawn)
		built, same, err := m.rebuilt(ctx, d.commitment, drawn.Denom)
		if err != nil {
			reporter.Fail(err, "make the tree again")
			return nil, nil, nil
		}
		if !same {
			reporter.Skip("the tree cannot be made again")
			return nil, nil, nil
		}
		msg := &types.MsgOpenAudit{
			Signer: d.signer.AddressBech32, Provider: d.provider.Operator, Epoch: d.epoch.Number, Denom: drawn.Denom,
		}
		for _, position := range drawn.Positions {
			opening, err := at(built, position.BigInt())
			if err != nil {
				reporter.Fail(err, "open a leaf")
				return nil, nil, nil
			}
			msg.Openings = append(msg.Openings, types.Shown{Opening: opening})
		}
		return escrowsim.Sign(d.signer), msg, escrowsim.May(types.ErrInvalidOpening)
	})
}

// disown takes back what is audited.
func (m Module) disown() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgDisown, simsx.SimDeliveryResultHandler) {
		now := providersim.Now(ctx, m.escrow, reporter)
		d := m.duty(ctx, testData, reporter, "audit", func(d *duty) bool { return audited(d, now) })
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		msg := &types.MsgDisown{Signer: d.signer.AddressBech32, Provider: d.provider.Operator, Epoch: d.epoch.Number}
		return escrowsim.Sign(d.signer), msg, escrowsim.May(types.ErrDisowned)
	})
}
