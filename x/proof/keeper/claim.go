package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/sumtree"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof/types"
)

// entitlement is what a tenant may have back of a lease and an epoch.
type entitlement struct {
	state  types.RefundState
	lease  markettypes.Lease
	epoch  types.Epoch
	due    escrowtypes.Due
	claim  types.Claim
	posted types.Posted
	// commitment of the lease's provider, and the root under which the lease's leaf lies; of the state LEAF only.
	commitment types.Commitment
	root       types.Root
	// why it is WAITS or OVER.
	why error
}

// entitle finds out what a claim for a lease and an epoch needs.
func (k *Keeper) entitle(ctx context.Context, id, number uint64) (e entitlement, err error) {
	if e.lease, err = k.market.Lease(ctx, id); err != nil {
		return e, err
	}
	if e.epoch, err = k.Epoch(ctx, number); err != nil {
		return e, err
	}
	if e.claim, err = k.claim(ctx, number, id); err != nil {
		return e, err
	}
	if e.posted, err = k.Posted(ctx, number, id); err != nil {
		return e, err
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return e, err
	}
	e.due.Grains = math.ZeroInt()
	if now >= e.epoch.MaturesAt {
		e.state, e.why = types.RefundState_REFUND_STATE_OVER, types.ErrTooLate.Wrapf("epoch %d matured at second %d", number, e.epoch.MaturesAt)
		return e, nil
	}
	if e.due, err = k.DueOf(ctx, e.lease, e.epoch); err != nil {
		return e, err
	}
	if !e.due.Grains.IsPositive() {
		e.state, e.why = types.RefundState_REFUND_STATE_OVER, types.ErrNothing.Wrapf("nothing was due for lease %d in epoch %d", id, number)
		return e, nil
	}
	return k.judge(ctx, e)
}

// judge tells by what became of the provider's commitment whether all that was due is given back, or what a leaf leaves of it.
func (k *Keeper) judge(ctx context.Context, e entitlement) (entitlement, error) {
	provider, err := k.address(e.lease.Provider)
	if err != nil {
		return e, err
	}
	record, _, err := k.findExpected(ctx, provider, e.epoch.Number)
	if err != nil {
		return e, err
	}
	c, committed, err := k.findCommitment(ctx, provider, e.epoch.Number)
	if err != nil {
		return e, err
	}
	e.state = types.RefundState_REFUND_STATE_WHOLE
	if e.claim.Unproven || record.Forfeited || record.Missed || committed && c.State.Forfeited() {
		return e, nil
	}
	if !committed || !c.State.Proven() {
		e.state, e.why = types.RefundState_REFUND_STATE_WAITS, types.ErrUndecided.Wrapf("epoch %d of %s", e.epoch.Number, e.lease.Provider)
		return e, nil
	}
	root, ok := c.RootOf(e.lease.Denom)
	if ok && root.Count > 0 {
		e.state, e.commitment, e.root = types.RefundState_REFUND_STATE_LEAF, c, root
	}
	return e, nil
}

// entitled returns the grains that a tenant may have back in all: what was due less what the leaf that is shown credits, as far as its
// own seconds and the tenant's last receipt on the chain allow that.
func (e entitlement) entitled(opening, absence []byte) (math.Int, error) {
	switch {
	case e.state != types.RefundState_REFUND_STATE_LEAF:
		return e.due.Grains, e.why
	case len(absence) > 0:
		return e.due.Grains, e.root.CheckAbsence(absence, e.lease.Id)
	case len(opening) == 0:
		return math.Int{}, types.ErrInvalidOpening.Wrapf("the leaf of lease %d is needed, or its absence: its provider's gateway has it, "+
			"and shows it on the chain if it is forced to", e.lease.Id)
	}
	proven, leaf, err := e.leaf(opening)
	if err != nil {
		return math.Int{}, err
	}
	up := leaf.UpSeconds
	if word, ok := e.posted.Last(); ok {
		up = min(up, word.Allows(e.epoch.End))
	}
	return e.due.Grains.Sub(math.MinInt(types.Credited(proven.Leaf), types.CreditOf(e.due.Grains, up, e.due.Seconds))), nil
}

// leaf opens the leaf of the lease.
func (e entitlement) leaf(opening []byte) (sumtree.Proven, types.Leaf, error) {
	proven, leaf, err := OpenLeaf(e.root, opening)
	if err != nil {
		return sumtree.Proven{}, types.Leaf{}, err
	}
	if proven.Leaf.ID != e.lease.Id || leaf.Epoch != e.epoch.Number {
		return sumtree.Proven{}, types.Leaf{}, types.ErrInvalidOpening.Wrapf("leaf: of lease %d in epoch %d", proven.Leaf.ID, leaf.Epoch)
	}
	return proven, leaf, nil
}

// payBack gives a tenant back so many grains in all, less what it had before, as far as the pot has them. It returns what was paid.
func (k *Keeper) payBack(ctx context.Context, e entitlement, entitled math.Int) (math.Int, error) {
	missing := entitled.Sub(e.claim.Paid)
	if !missing.IsPositive() {
		return math.ZeroInt(), nil
	}
	provider, err := k.address(e.lease.Provider)
	if err != nil {
		return math.Int{}, err
	}
	paid, err := k.escrow.Refund(ctx, provider, e.lease.Denom, e.epoch.Number, e.lease.Account, missing)
	if err != nil {
		return math.Int{}, fmt.Errorf("refund lease %d for epoch %d: %w", e.lease.Id, e.epoch.Number, err)
	}
	if !paid.IsPositive() {
		return paid, nil
	}
	e.claim.Paid = e.claim.Paid.Add(paid)
	if err := k.writeClaim(ctx, e.claim); err != nil {
		return math.Int{}, err
	}
	return paid, emit(ctx, types.NewEventClaimed(e.claim, paid))
}

// claim returns what was paid back for a lease in an epoch.
func (k *Keeper) claim(ctx context.Context, epoch, lease uint64) (types.Claim, error) {
	claim, err := k.claims.Get(ctx, collections.Join(epoch, lease))
	if errors.Is(err, collections.ErrNotFound) {
		return types.Claim{Epoch: epoch, Lease: lease, Paid: math.ZeroInt()}, nil
	}
	if err != nil {
		return types.Claim{}, fmt.Errorf("read the claim of lease %d for epoch %d: %w", lease, epoch, err)
	}
	return claim, nil
}

func (k *Keeper) writeClaim(ctx context.Context, claim types.Claim) error {
	if err := k.claims.Set(ctx, collections.Join(claim.Epoch, claim.Lease), claim); err != nil {
		return fmt.Errorf("write the claim of lease %d for epoch %d: %w", claim.Lease, claim.Epoch, err)
	}
	return nil
}

// ClaimRefund pays a tenant back what was not proven of a lease in an epoch, into the account that paid. Anybody may ask for it, and
// again: what was paid before is not paid twice.
func (m msgServer) ClaimRefund(ctx context.Context, msg *types.MsgClaimRefund) (*types.MsgClaimRefundResponse, error) {
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	e, err := m.entitle(ctx, msg.Lease, msg.Epoch)
	if err != nil {
		return nil, err
	}
	entitled, err := e.entitled(msg.Opening, msg.Absence)
	if err != nil {
		return nil, err
	}
	paid, err := m.payBack(ctx, e, entitled)
	if err != nil {
		return nil, err
	}
	if !paid.IsPositive() {
		return nil, types.ErrNothing.Wrapf("lease %d in epoch %d: %s grains may be given back, %s were", msg.Lease, msg.Epoch, entitled, e.claim.Paid)
	}
	return &types.MsgClaimRefundResponse{Paid: paid}, nil
}

// Refund tells what a lease can claim for an epoch.
func (q *queryServer) Refund(ctx context.Context, request *types.QueryRefundRequest) (*types.QueryRefundResponse, error) {
	if request == nil {
		return nil, errEmpty
	}
	e, err := q.entitle(ctx, request.Lease, request.Epoch)
	if err != nil {
		return nil, err
	}
	response := &types.QueryRefundResponse{
		State: e.state, Due: types.Due{Lease: request.Lease, Grains: e.due.Grains, Seconds: e.due.Seconds}, Paid: e.claim.Paid,
		Until: e.epoch.MaturesAt,
	}
	if len(e.posted.Words) > 0 {
		response.Posted = &e.posted
	}
	return response, nil
}

// mayWatch refuses who is neither the owner of a deployment nor an access key of it that manages or watches, now.
func (k *Keeper) mayWatch(ctx context.Context, lease markettypes.Lease, account sdk.AccAddress) error {
	deployment, err := k.market.Deployment(ctx, lease.Deployment)
	if err != nil {
		return fmt.Errorf("deployment of lease %d: %w", lease.Id, err)
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return err
	}
	signer, err := k.text(account)
	if err != nil {
		return err
	}
	if signer == deployment.Owner || deployment.May(signer, markettypes.Scope_SCOPE_WATCH, now) ||
		deployment.May(signer, markettypes.Scope_SCOPE_MANAGE, now) {
		return nil
	}
	return types.ErrUnauthorized.Wrapf("%s is neither owner of deployment %d nor a key of it that may watch", signer, deployment.Id)
}
