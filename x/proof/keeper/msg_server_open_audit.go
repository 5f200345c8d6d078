package keeper

import (
	"context"
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/sumtree"
	"github.com/souk-network/souk/x/proof/types"
)

// OpenAudit takes the leaves that an audit drew in one denom, all of them. A message that does not show them is refused and changes
// nothing: only time makes a fault of it.
func (m msgServer) OpenAudit(ctx context.Context, msg *types.MsgOpenAudit) (*types.MsgOpenAuditResponse, error) {
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	provider, err := m.authorized(ctx, msg.Signer, msg.Provider)
	if err != nil {
		return nil, err
	}
	c, err := m.audited(ctx, provider, msg.Epoch)
	if err != nil {
		return nil, err
	}
	root, err := toOpen(c, msg.Denom)
	if err != nil {
		return nil, err
	}
	if err := m.checkOpenings(ctx, provider, c, root, msg.Openings); err != nil {
		return nil, err
	}
	i, _ := slices.BinarySearch(c.Opened, msg.Denom)
	c.Opened = slices.Insert(c.Opened, i, msg.Denom)
	if len(c.Opened) < c.ToOpen() {
		return &types.MsgOpenAuditResponse{}, m.writeCommitment(ctx, c)
	}
	if _, err := m.prove(ctx, provider, c); err != nil {
		return nil, err
	}
	return &types.MsgOpenAuditResponse{Proven: true}, nil
}

// audited returns the commitment of a provider to an epoch whose openings are awaited.
func (k *Keeper) audited(ctx context.Context, provider sdk.AccAddress, epoch uint64) (types.Commitment, error) {
	c, err := k.Commitment(ctx, provider, epoch)
	if err != nil {
		return types.Commitment{}, err
	}
	if c.State != types.CommitmentState_COMMITMENT_STATE_AUDITED {
		return types.Commitment{}, types.ErrNotAudited.Wrapf("commitment %d is %s", c.Id, c.State)
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return types.Commitment{}, err
	}
	if now >= c.OpenBy {
		return types.Commitment{}, types.ErrTooLate.Wrapf("openings of commitment %d were due by second %d, it is %d", c.Id, c.OpenBy, now)
	}
	return c, nil
}

// toOpen returns the root of a denom that is still to be opened.
func toOpen(c types.Commitment, denom string) (types.Root, error) {
	root, ok := c.RootOf(denom)
	if !ok || !root.Sum.IsPositive() {
		return types.Root{}, types.ErrNotAudited.Wrapf("commitment %d has nothing in %s", c.Id, denom)
	}
	if slices.Contains(c.Opened, denom) {
		return types.Root{}, types.ErrOpened.Wrapf("commitment %d in %s", c.Id, denom)
	}
	return root, nil
}

// checkOpenings checks that openings show the leaves that were drawn, in their order, and that each may be credited.
func (k *Keeper) checkOpenings(
	ctx context.Context, provider sdk.AccAddress, c types.Commitment, root types.Root, shown []types.Shown,
) error {
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	positions, err := k.positions(provider, c, root, params)
	if err != nil {
		return err
	}
	if len(shown) != len(positions) {
		return types.ErrInvalidOpening.Wrapf("%d openings: %d are drawn", len(shown), len(positions))
	}
	epoch, err := k.Epoch(ctx, c.Epoch)
	if err != nil {
		return err
	}
	check := leafCheck{Keeper: k, commitment: c, epoch: epoch, root: root, dues: make(map[uint64]leased)}
	for j, position := range positions {
		proven, leaf, err := OpenLeaf(root, shown[j].Opening)
		if err != nil {
			return err
		}
		if !proven.Covers(position) {
			return types.ErrInvalidOpening.Wrapf("opening %d shows lease %d, which does not cover position %s", j, proven.Leaf.ID, position)
		}
		if err := check.leaf(ctx, proven.Leaf, leaf, shown[j].Receipt); err != nil {
			return err
		}
	}
	return nil
}

// positions returns what a commitment's seed draws under one of its roots.
func (k *Keeper) positions(
	provider sdk.AccAddress, c types.Commitment, root types.Root, params types.Params,
) ([]sumtree.Uint128, error) {
	tree, err := root.Tree()
	if err != nil {
		return nil, err
	}
	return types.Positions(c.Seed, provider, root.Denom, params.Openings, tree.Sum)
}
