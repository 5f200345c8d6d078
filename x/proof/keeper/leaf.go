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

// OpenLeaf verifies an encoded opening under a root, and decodes its leaf. It is ErrInvalidOpening when it shows none.
func OpenLeaf(root types.Root, encoded []byte) (sumtree.Proven, types.Leaf, error) {
	tree, err := root.Tree()
	if err != nil {
		return sumtree.Proven{}, types.Leaf{}, err
	}
	opening, err := sumtree.UnmarshalOpening(encoded)
	if err != nil {
		return sumtree.Proven{}, types.Leaf{}, types.ErrInvalidOpening.Wrap(err.Error())
	}
	proven, err := opening.Verify(tree)
	if err != nil {
		return sumtree.Proven{}, types.Leaf{}, types.ErrInvalidOpening.Wrapf("under the root of %s: %s", root.Denom, err)
	}
	leaf, err := types.ParseLeaf(proven.Leaf.Payload)
	return proven, leaf, err
}

// DueOf returns what was due for a lease in an epoch: nothing if it was never acknowledged.
func (k *Keeper) DueOf(ctx context.Context, lease markettypes.Lease, epoch types.Epoch) (escrowtypes.Due, error) {
	if lease.Stream == 0 {
		return escrowtypes.Due{Grains: math.ZeroInt()}, nil
	}
	due, err := k.escrow.Due(ctx, lease.Stream, epoch.Start, epoch.End)
	if err != nil {
		return escrowtypes.Due{}, fmt.Errorf("what was due for lease %d in epoch %d: %w", lease.Id, epoch.Number, err)
	}
	return due, nil
}

// leased is a lease with what was due for it.
type leased struct {
	lease markettypes.Lease
	due   escrowtypes.Due
}

// leafCheck checks leaves of one tree against what the chain knows.
type leafCheck struct {
	*Keeper
	commitment types.Commitment
	epoch      types.Epoch
	root       types.Root
	dues       map[uint64]leased // by lease: large ones are drawn often
}

// leaf refuses a leaf that is about another epoch, another provider's lease or another denom, or that credits more than was due,
// than the tenant's word on the chain allows, or than the receipt says on which it rests.
func (c leafCheck) leaf(ctx context.Context, node sumtree.Leaf, leaf types.Leaf, receipt *types.Receipt) error {
	lease, err := c.says(ctx, node, leaf)
	if err != nil {
		return err
	}
	return c.evidence(ctx, lease, leaf, receipt)
}

// says refuses what is wrong of a leaf whatever it rests on. It returns its lease.
func (c leafCheck) says(ctx context.Context, node sumtree.Leaf, leaf types.Leaf) (markettypes.Lease, error) {
	if leaf.Epoch != c.epoch.Number {
		return markettypes.Lease{}, types.ErrInvalidOpening.Wrapf("leaf: of epoch %d, not %d", leaf.Epoch, c.epoch.Number)
	}
	of, err := c.leased(ctx, node.ID)
	if err != nil {
		return markettypes.Lease{}, err
	}
	if err := leaf.CheckDue(types.Credited(node), of.due.Grains, of.due.Seconds); err != nil {
		return markettypes.Lease{}, err
	}
	return of.lease, c.word(ctx, node.ID, leaf)
}

// leased returns the lease of a leaf with what was due for it.
func (c leafCheck) leased(ctx context.Context, id uint64) (leased, error) {
	if of, ok := c.dues[id]; ok {
		return of, nil
	}
	lease, err := c.market.Lease(ctx, id)
	if err != nil {
		return leased{}, types.ErrInvalidOpening.Wrapf("leaf: %s", err)
	}
	if lease.Provider != c.commitment.Provider || lease.Denom != c.root.Denom {
		return leased{}, types.ErrInvalidOpening.Wrapf("leaf: lease %d is of %s in %s", id, lease.Provider, lease.Denom)
	}
	due, err := c.DueOf(ctx, lease, c.epoch)
	if err != nil {
		return leased{}, err
	}
	c.dues[id] = leased{lease, due}
	return c.dues[id], nil
}

// word refuses a leaf that says more than the tenant did on the chain, long enough before the commitment.
func (c leafCheck) word(ctx context.Context, lease uint64, leaf types.Leaf) error {
	posted, err := c.Posted(ctx, c.epoch.Number, lease)
	if err != nil {
		return err
	}
	word, bound := posted.BoundAt(c.commitment.CommittedAt, uint64(c.commitment.ReceiptGraceSeconds))
	if !bound {
		return nil
	}
	if most := word.Allows(c.epoch.End); leaf.UpSeconds > most {
		return types.ErrInvalidOpening.Wrapf("leaf: lease %d was up for %d seconds, its tenant's receipt %d on the chain allows %d", lease,
			leaf.UpSeconds, word.Seq, most)
	}
	return nil
}

// evidence checks the receipt that a leaf names.
func (c leafCheck) evidence(ctx context.Context, lease markettypes.Lease, leaf types.Leaf, receipt *types.Receipt) error {
	switch {
	case leaf.Evidence != types.Evidence_EVIDENCE_RECEIPT && receipt != nil:
		return types.ErrInvalidOpening.Wrapf("a receipt for lease %d, whose leaf names none", lease.Id)
	case leaf.Evidence != types.Evidence_EVIDENCE_RECEIPT:
		return nil
	case receipt == nil:
		return types.ErrInvalidOpening.Wrapf("the receipt for lease %d is missing", lease.Id)
	}
	chainID := sdk.UnwrapSDKContext(ctx).ChainID()
	if err := receipt.Supports(lease.Id, leaf, chainID, c.epoch.Start, c.epoch.End); err != nil {
		return err
	}
	return c.CheckTenant(ctx, lease, *receipt, c.epoch.Start)
}

// CheckTenant refuses a receipt that neither the owner of a lease's deployment nor an access key with MANAGE or WATCH has signed
// that was good at a second. When the deployment has changed since, its keys may have too, and anybody's receipt passes: else a
// tenant could make a provider forge by taking a key out.
func (k *Keeper) CheckTenant(ctx context.Context, lease markettypes.Lease, receipt types.Receipt, since uint64) error {
	deployment, err := k.market.Deployment(ctx, lease.Deployment)
	if err != nil {
		return fmt.Errorf("deployment of lease %d: %w", lease.Id, err)
	}
	signer, err := k.text(receipt.Signer())
	if err != nil {
		return err
	}
	watches := deployment.May(signer, markettypes.Scope_SCOPE_WATCH, since) || deployment.May(signer, markettypes.Scope_SCOPE_MANAGE, since)
	if signer == deployment.Owner || watches || deployment.UpdatedAt >= since {
		return nil
	}
	return types.ErrInvalidReceipt.Wrapf("%s is neither owner of deployment %d nor a key of it that may watch", signer, deployment.Id)
}

// Posted returns what the receipts on the chain say of a lease in an epoch; without words if there are none.
func (k *Keeper) Posted(ctx context.Context, epoch, lease uint64) (types.Posted, error) {
	posted, err := k.posted.Get(ctx, collections.Join(epoch, lease))
	if errors.Is(err, collections.ErrNotFound) {
		return types.Posted{Epoch: epoch, Lease: lease}, nil
	}
	if err != nil {
		return types.Posted{}, fmt.Errorf("read receipts of lease %d in epoch %d: %w", lease, epoch, err)
	}
	return posted, nil
}
