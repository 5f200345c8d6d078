package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	"github.com/cosmos/cosmos-sdk/types/query"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof/types"
	providersim "github.com/souk-network/souk/x/provider/simulation"
)

// tenancy is a lease with its tenant, and an epoch in which something was due for it.
type tenancy struct {
	lease      markettypes.Lease
	deployment markettypes.Deployment
	owner      simsx.SimAccount
	refund     *types.QueryRefundResponse
	duty
}

// tenancy returns a random lease in a random epoch whose refund will do; it skips the operation if there is none.
func (m Module) tenancy(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter, do func(*types.QueryRefundResponse) bool,
) tenancy {
	var dues []types.Due
	d := m.duty(ctx, testData, reporter, "lease with something to refund", func(d *duty) bool {
		var found []types.Due
		for _, denom := range denoms {
			response, err := m.queries.Dues(ctx, &types.QueryDuesRequest{
				Provider: d.provider.Operator, Epoch: d.epoch.Number, Denom: denom, Pagination: &query.PageRequest{Limit: 1000},
			})
			if err != nil {
				reporter.Fail(err, "list dues")
				return false
			}
			found = append(found, response.Dues...)
		}
		for _, due := range found {
			refund, err := m.queries.Refund(ctx, &types.QueryRefundRequest{Lease: due.Lease, Epoch: d.epoch.Number})
			if err == nil && do(refund) {
				dues = append(dues, types.Due{Lease: due.Lease})
				return true
			}
		}
		return false
	})
	if reporter.IsSkipped() {
		return tenancy{}
	}
	return m.tenancyOf(ctx, testData, reporter, d, dues, do)
}

// tenancyOf looks up whose the lease is.
func (m Module) tenancyOf(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter, d duty, dues []types.Due,
	do func(*types.QueryRefundResponse) bool,
) tenancy {
	for _, due := range dues {
		lease, err := m.market.Lease(ctx, &markettypes.QueryLeaseRequest{Id: due.Lease})
		if err != nil || lease.Lease.Provider != d.provider.Operator {
			continue
		}
		refund, err := m.queries.Refund(ctx, &types.QueryRefundRequest{Lease: due.Lease, Epoch: d.epoch.Number})
		if err != nil || !do(refund) {
			continue
		}
		deployment, err := m.market.Deployment(ctx, &markettypes.QueryDeploymentRequest{Id: lease.Lease.Deployment})
		if err != nil {
			continue
		}
		owner := testData.GetAccount(reporter, deployment.Deployment.Owner)
		return tenancy{lease.Lease, deployment.Deployment, owner, refund, d}
	}
	reporter.Skip("no lease with something to refund")
	return tenancy{}
}

// claimRefund asks for what was not proven, for anybody.
func (m Module) claimRefund() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgClaimRefund, simsx.SimDeliveryResultHandler) {
		signer := testData.AnyAccount(reporter)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		t := m.tenancy(ctx, testData, reporter, func(r *types.QueryRefundResponse) bool {
			return r.State != types.RefundState_REFUND_STATE_OVER && r.Paid.LT(r.Due.Grains)
		})
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		msg := &types.MsgClaimRefund{Signer: signer.AddressBech32, Lease: t.lease.Id, Epoch: t.epoch.Number}
		if t.refund.State == types.RefundState_REFUND_STATE_WAITS {
			return escrowsim.Sign(signer), msg, escrowsim.Refused(types.ErrUndecided)
		}
		if t.refund.State == types.RefundState_REFUND_STATE_LEAF {
			built, same, err := m.rebuilt(ctx, t.commitment, t.lease.Denom)
			if err != nil {
				reporter.Fail(err, "make the tree again")
				return nil, nil, nil
			}
			if !same {
				return escrowsim.Sign(signer), msg, escrowsim.Refused(types.ErrInvalidOpening)
			}
			if msg.Opening, msg.Absence, err = shown(built, t.lease.Id); err != nil {
				reporter.Fail(err, "show a leaf")
				return nil, nil, nil
			}
		}
		return escrowsim.Sign(signer), msg, escrowsim.May(types.ErrNothing, escrowtypes.ErrBehind, escrowtypes.ErrAccountNotFound)
	})
}

// forceOpen asks a provider for a leaf.
func (m Module) forceOpen() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgForceOpen, simsx.SimDeliveryResultHandler) {
		t := m.tenancy(ctx, testData, reporter, func(r *types.QueryRefundResponse) bool {
			return r.State == types.RefundState_REFUND_STATE_LEAF
		})
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		msg := &types.MsgForceOpen{Signer: t.owner.AddressBech32, Lease: t.lease.Id, Epoch: t.epoch.Number}
		stranger := testData.AnyAccount(reporter, simsx.ExcludeAccounts(t.owner))
		if escrowsim.OneIn(testData.Rand(), 20) && !reporter.IsSkipped() && !watches(t.deployment, stranger.AddressBech32) {
			msg.Signer = stranger.AddressBech32
			return escrowsim.Sign(stranger), msg, escrowsim.Refused(types.ErrUnauthorized)
		}
		return escrowsim.Sign(t.owner), msg, escrowsim.May(types.ErrForced, types.ErrTooLate,
			sdkerrors.ErrInsufficientFunds)
	})
}

// watches tells whether an account is a key of a deployment.
func watches(d markettypes.Deployment, account string) bool {
	for _, key := range d.AccessKeys {
		if key.Address == account {
			return true
		}
	}
	return false
}

// answerForced shows most of the leaves that are asked of a provider, some of them wrongly.
func (m Module) answerForced() simsx.SimMsgFactoryX {
	return simsx.SimMsgFactoryFn[*types.MsgAnswerForced](func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgAnswerForced) {
		r := testData.Rand()
		var asked []types.Forced
		d := m.duty(ctx, testData, reporter, "leaf that is asked for", func(d *duty) bool {
			response, err := m.queries.Forced(ctx, &types.QueryForcedRequest{Provider: d.provider.Operator})
			if err != nil {
				reporter.Fail(err, "list forced openings")
				return false
			}
			return len(response.Forced) > 0
		})
		if reporter.IsSkipped() {
			return nil, nil
		}
		response, err := m.queries.Forced(ctx, &types.QueryForcedRequest{Provider: d.provider.Operator})
		if err != nil {
			reporter.Fail(err, "list forced openings")
			return nil, nil
		}
		asked = response.Forced
		msg := &types.MsgAnswerForced{Signer: d.signer.AddressBech32, Provider: d.provider.Operator}
		for _, forced := range asked {
			if len(msg.Answers) > 0 && escrowsim.OneIn(r, 4) {
				continue
			}
			msg.Answers = append(msg.Answers, m.answer(ctx, reporter, forced))
		}
		if reporter.IsSkipped() {
			return nil, nil
		}
		return escrowsim.Sign(d.signer), msg
	})
}

// answer shows the leaf that is asked for, or something that is none when the tree cannot be made again.
func (m Module) answer(ctx context.Context, reporter simsx.SimulationReporter, forced types.Forced) types.Answer {
	wrong := types.Answer{Forced: forced.Id, Opening: []byte{1}}
	lease, err := m.market.Lease(ctx, &markettypes.QueryLeaseRequest{Id: forced.Lease})
	if err != nil {
		return wrong
	}
	c, err := m.queries.Commitment(ctx, &types.QueryCommitmentRequest{Provider: forced.Provider, Epoch: forced.Epoch})
	if err != nil {
		reporter.Fail(err, "read a commitment")
		return wrong
	}
	built, same, err := m.rebuilt(ctx, c.Commitment, lease.Lease.Denom)
	if err != nil || !same {
		return wrong
	}
	opening, absence, err := shown(built, forced.Lease)
	if err != nil {
		return wrong
	}
	return types.Answer{Forced: forced.Id, Opening: opening, Absence: absence}
}

// postReceipt says how long a lease was up, in the running epoch or in one that has closed lately. What was said before of the
// running epoch is not known: it may contradict that.
func (m Module) postReceipt() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgPostReceipt, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		t := m.tenancy(ctx, testData, reporter, func(r *types.QueryRefundResponse) bool { return r.Due.Seconds > 0 })
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		receipt := types.Receipt{
			ChainId: sdk.UnwrapSDKContext(ctx).ChainID(), Lease: t.lease.Id, Epoch: t.epoch.Number, Seq: 1, Until: t.epoch.End,
		}
		receipt.UpSeconds = uint64(r.Int63n(int64(t.epoch.End-t.epoch.Start) + 1))
		if escrowsim.OneIn(r, 2) {
			if !m.running(ctx, reporter, &receipt, r) {
				return nil, nil, nil
			}
		} else if last, ok := lastWord(t.refund); ok {
			receipt.Seq, receipt.UpSeconds = last.Seq+1, max(receipt.UpSeconds, last.UpSeconds)
		}
		receipt.PublicKey = t.owner.PubKey.Bytes()
		bz, err := receipt.SignBytes()
		if err == nil {
			receipt.Signature, err = t.owner.PrivKey.Sign(bz)
		}
		if err != nil {
			reporter.Fail(err, "sign a receipt")
			return nil, nil, nil
		}
		msg := &types.MsgPostReceipt{Signer: t.owner.AddressBech32, Receipt: receipt}
		return escrowsim.Sign(t.owner), msg, escrowsim.May(types.ErrTooLate, types.ErrStaleReceipt, types.ErrInvalidReceipt)
	})
}

// running makes a receipt one of the running epoch; it skips the operation when that has just begun.
func (m Module) running(ctx context.Context, reporter simsx.SimulationReporter, receipt *types.Receipt, r *simsx.XRand) bool {
	clock, err := m.escrow.Clock(ctx, &escrowtypes.QueryClockRequest{})
	if err != nil {
		reporter.Fail(err, "read the clock")
		return false
	}
	now := providersim.Now(ctx, m.escrow, reporter)
	if now <= clock.Clock.EpochStart {
		reporter.Skip("the epoch has just begun")
		return false
	}
	receipt.Epoch, receipt.Until, receipt.Seq = clock.Clock.Epoch, now, now
	receipt.UpSeconds = uint64(r.Int63n(int64(now-clock.Clock.EpochStart) + 1))
	return true
}

func lastWord(refund *types.QueryRefundResponse) (types.Word, bool) {
	if refund.Posted == nil {
		return types.Word{}, false
	}
	return refund.Posted.Last()
}
