package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/escrow/ledger"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof/types"
)

// ForceOpen asks for a leaf that its provider withholds, with a bond that pays for the answer.
func (m msgServer) ForceOpen(ctx context.Context, msg *types.MsgForceOpen) (*types.MsgForceOpenResponse, error) {
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	signer, err := m.address(msg.Signer)
	if err != nil {
		return nil, err
	}
	e, err := m.entitle(ctx, msg.Lease, msg.Epoch)
	if err != nil {
		return nil, err
	}
	if err := m.mayWatch(ctx, e.lease, signer); err != nil {
		return nil, err
	}
	provider, err := m.address(e.lease.Provider)
	if err != nil {
		return nil, err
	}
	params, err := m.Params(ctx)
	if err != nil {
		return nil, err
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	forced := types.Forced{
		Lease: msg.Lease, Epoch: msg.Epoch, Provider: e.lease.Provider, By: msg.Signer, Bond: params.ForceBond,
		AnswerBy: now + uint64(params.ForceWindowSeconds),
	}
	if err := m.mayForce(ctx, e, forced); err != nil {
		return nil, err
	}
	if forced.Id, err = m.nextForced.Next(ctx); err != nil {
		return nil, fmt.Errorf("number a forced opening: %w", err)
	}
	if err := m.bank.SendCoinsFromAccountToModule(ctx, signer, types.ModuleName, sdk.NewCoins(forced.Bond)); err != nil {
		return nil, fmt.Errorf("pay the bond of %s: %w", forced.Bond, err)
	}
	if err := m.fileForced(ctx, provider, forced); err != nil {
		return nil, err
	}
	return &types.MsgForceOpenResponse{Forced: forced.Id, AnswerBy: forced.AnswerBy}, emit(ctx, types.NewEventForced(forced))
}

// mayForce refuses to ask for a leaf that is of no use, is asked for already, or could not be shown before its pot matures.
func (k *Keeper) mayForce(ctx context.Context, e entitlement, forced types.Forced) error {
	switch {
	case e.why != nil:
		return e.why
	case e.claim.Unproven:
		return types.ErrUnproven.Wrapf("lease %d in epoch %d", forced.Lease, forced.Epoch)
	case e.state != types.RefundState_REFUND_STATE_LEAF:
		return types.ErrNotProven.Wrapf("a claim for lease %d in epoch %d needs no leaf", forced.Lease, forced.Epoch)
	case forced.AnswerBy >= e.epoch.MaturesAt:
		return types.ErrTooLate.Wrapf("epoch %d matures at second %d, before an answer would be due", forced.Epoch, e.epoch.MaturesAt)
	}
	asked, err := k.forcedFor.Has(ctx, collections.Join(forced.Lease, forced.Epoch))
	if err != nil {
		return fmt.Errorf("look up who asked for lease %d: %w", forced.Lease, err)
	}
	if asked {
		return types.ErrForced.Wrapf("lease %d in epoch %d", forced.Lease, forced.Epoch)
	}
	return nil
}

// AnswerForced shows leaves that were asked for, each by itself: a wrong answer leaves the others good.
func (m msgServer) AnswerForced(ctx context.Context, msg *types.MsgAnswerForced) (*types.MsgAnswerForcedResponse, error) {
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	provider, err := m.authorized(ctx, msg.Signer, msg.Provider)
	if err != nil {
		return nil, err
	}
	response := &types.MsgAnswerForcedResponse{}
	for _, answer := range msg.Answers {
		err := escrowtypes.Attempt(sdk.UnwrapSDKContext(ctx), func(ctx sdk.Context) error { return m.answer(ctx, provider, msg.Provider, answer) })
		response.Results = append(response.Results, escrowtypes.ErrorText(err, maxResultBytes))
	}
	return response, nil
}

// maxResultBytes bounds what is told of a wrong answer.
const maxResultBytes = 256

func (k *Keeper) answer(ctx context.Context, provider sdk.AccAddress, operator string, answer types.Answer) error {
	forced, err := k.readForced(ctx, answer.Forced)
	if err != nil {
		return err
	}
	now, err := k.escrow.Now(ctx)
	switch {
	case err != nil:
		return err
	case forced.Provider != operator:
		return types.ErrUnauthorized.Wrapf("request %d is not to %s", forced.Id, operator)
	case now >= forced.AnswerBy:
		return types.ErrTooLate.Wrapf("the answer to request %d was due by second %d", forced.Id, forced.AnswerBy)
	}
	e, err := k.entitle(ctx, forced.Lease, forced.Epoch)
	if err != nil {
		return err
	}
	if e.state == types.RefundState_REFUND_STATE_LEAF { // else its pots are forfeited meanwhile, and any answer will do
		if err := k.checkAnswer(ctx, e, answer); err != nil {
			return err
		}
	}
	if err := k.payBond(ctx, provider, forced); err != nil {
		return err
	}
	return emit(ctx, types.NewEventForcedAnswered(forced, answer))
}

// checkAnswer refuses what shows neither a leaf that an audit would take, apart from its receipt, nor that there is none.
func (k *Keeper) checkAnswer(ctx context.Context, e entitlement, answer types.Answer) error {
	if len(answer.Absence) > 0 {
		return e.root.CheckAbsence(answer.Absence, e.lease.Id)
	}
	proven, leaf, err := e.leaf(answer.Opening)
	if err != nil {
		return err
	}
	check := leafCheck{Keeper: k, commitment: e.commitment, epoch: e.epoch, root: e.root, dues: map[uint64]leased{}}
	_, err = check.says(ctx, proven.Leaf, leaf)
	return err
}

// payBond ends a request, and gives its bond to the provider that answered.
func (k *Keeper) payBond(ctx context.Context, provider sdk.AccAddress, forced types.Forced) error {
	record, err := k.provider.GetProvider(ctx, provider)
	if err != nil {
		return err
	}
	payout, err := k.address(record.Payout)
	if err != nil {
		return err
	}
	return k.endForced(ctx, provider, forced, payout)
}

func (k *Keeper) endForced(ctx context.Context, provider sdk.AccAddress, forced types.Forced, to sdk.AccAddress) error {
	if err := k.dropForced(ctx, provider, forced); err != nil {
		return err
	}
	if err := k.bank.SendCoinsFromModuleToAccount(ctx, types.ModuleName, to, sdk.NewCoins(forced.Bond)); err != nil {
		return fmt.Errorf("give the bond of request %d: %w", forced.Id, err)
	}
	return nil
}

// withhold punishes a provider that has not shown a leaf it was asked for (P3): nothing of that lease counts as proven, its tenant gets
// all that was due and a multiple of it from the bond, and who asked gets the bond back. Who withholds much is a forger (P2).
func (k *Keeper) withhold(ctx context.Context, id uint64) error {
	forced, err := k.readForced(ctx, id)
	if errors.Is(err, types.ErrForcedNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	provider, err := k.address(forced.Provider)
	if err != nil {
		return err
	}
	asker, err := k.address(forced.By)
	if err != nil {
		return err
	}
	if err := k.endForced(ctx, provider, forced, asker); err != nil {
		return err
	}
	e, err := k.entitle(ctx, forced.Lease, forced.Epoch)
	if forgotten(err) { // the genesis made the hold-back shorter than the windows
		return nil
	}
	if err != nil {
		return err
	}
	if e.state != types.RefundState_REFUND_STATE_LEAF { // forfeited meanwhile: the whole due can be claimed
		return nil
	}
	return k.faultWithheld(ctx, provider, forced, e)
}

// forgotten tells that the lease, its stream or the epoch are not there any more, so that nothing can be claimed of them.
func forgotten(err error) bool {
	for _, gone := range []error{types.ErrEpochNotFound, markettypes.ErrLeaseNotFound, escrowtypes.ErrStreamNotFound} {
		if errors.Is(err, gone) {
			return true
		}
	}
	return false
}

func (k *Keeper) faultWithheld(ctx context.Context, provider sdk.AccAddress, forced types.Forced, e entitlement) error {
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	e.claim.Unproven = true
	if err := k.writeClaim(ctx, e.claim); err != nil {
		return err
	}
	if _, err := k.payBack(ctx, e, e.due.Grains); err != nil {
		return err
	}
	c := withheld(e.commitment, e.lease.Denom, e.due.Grains)
	fault := types.Fault{
		Provider: forced.Provider, Kind: types.FaultKind_FAULT_KIND_WITHHELD, Epoch: forced.Epoch, Lease: forced.Lease, Commitment: &c,
		Reason: fmt.Sprintf("the leaf of lease %d in epoch %d, %s%s due, was not shown by second %d", forced.Lease, forced.Epoch,
			ledger.FloorMicro(e.due.Grains), e.lease.Denom, forced.AnswerBy),
	}
	penalty := sdk.NewCoin(e.lease.Denom, e.due.Grains.MulRaw(int64(params.ForcePenalty)).QuoRaw(ledger.GrainsPerMicro))
	slashed, err := k.provider.SlashToAccount(ctx, provider, penalty, e.lease.Account, "leaf withheld")
	if err != nil {
		return fmt.Errorf("compensate the tenant of lease %d: %w", forced.Lease, err)
	}
	fault.Slashed = sdk.NewCoins(slashed)
	if err := k.writeCommitment(ctx, c); err != nil {
		return err
	}
	standing, err := k.Standing(ctx, provider)
	if err != nil {
		return err
	}
	standing.CleanEpochs = 0
	if err := errors.Join(k.writeStanding(ctx, provider, standing), k.addFault(ctx, provider, fault)); err != nil {
		return err
	}
	if sum := c.Withholds(e.lease.Denom); sum.MulRaw(types.WholePpm).GT(e.root.Sum.MulRaw(int64(params.WithheldPpm))) {
		return k.forge(ctx, c, forced.Lease, fmt.Sprintf("%s of %s%s of epoch %d were withheld", ledger.FloorMicro(sum), ledger.FloorMicro(e.root.Sum),
			e.lease.Denom, forced.Epoch))
	}
	return nil
}

// withheld is the commitment with more that was withheld.
func withheld(c types.Commitment, denom string, grains math.Int) types.Commitment {
	c.Withheld = slices.Clone(c.Withheld)
	for i := range c.Withheld {
		if c.Withheld[i].Denom == denom {
			c.Withheld[i].Grains = c.Withheld[i].Grains.Add(grains)
			return c
		}
	}
	c.Withheld = append(c.Withheld, types.Withheld{Denom: denom, Grains: grains})
	slices.SortFunc(c.Withheld, func(a, b types.Withheld) int { return strings.Compare(a.Denom, b.Denom) })
	return c
}

func (k *Keeper) readForced(ctx context.Context, id uint64) (types.Forced, error) {
	forced, err := k.forced.Get(ctx, id)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Forced{}, types.ErrForcedNotFound.Wrapf("request %d", id)
	}
	if err != nil {
		return types.Forced{}, fmt.Errorf("read forced opening %d: %w", id, err)
	}
	return forced, nil
}

// Forced lists the leaves that are asked of a provider.
func (q *queryServer) Forced(ctx context.Context, request *types.QueryForcedRequest) (*types.QueryForcedResponse, error) {
	if request == nil {
		return nil, errEmpty
	}
	provider, err := q.address(request.Provider)
	if err != nil {
		return nil, err
	}
	bounds, err := page(request.Pagination, maxPage, false)
	if err != nil {
		return nil, err
	}
	forced, next, err := query.CollectionPaginate(ctx, q.forcedOf, bounds,
		func(key askedKey, _ collections.NoValue) (types.Forced, error) { return q.readForced(ctx, key.K3()) },
		func(o *query.CollectionsPaginateOptions[askedKey]) {
			prefix := collections.TriplePrefix[sdk.AccAddress, uint64, uint64](provider)
			o.Prefix = &prefix
		})
	if err != nil {
		return nil, err
	}
	return &types.QueryForcedResponse{Forced: forced, Pagination: next}, nil
}
