package simulation

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/big"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/sumtree"
	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/proof/types"
)

// denoms are those in which simulated leases are paid.
var denoms = []string{escrowtypes.DefaultDenom, escrowsim.Stable}

// chance is a number below n that follows from who does what: the same each time it is asked.
func chance(n uint64, who string, numbers ...uint64) uint64 {
	bz := []byte(who)
	for _, number := range numbers {
		bz = binary.BigEndian.AppendUint64(bz, number)
	}
	sum := sha256.Sum256(bz)
	return binary.BigEndian.Uint64(sum[:8]) % n
}

// tree is what a provider commits to in a denom.
type tree struct {
	denom string
	*sumtree.Tree
}

// trees returns what a provider commits to at a second: what it was due, for as long as the lease was up and as the tenant's word on
// the chain allows. One epoch in ten it leaves a lease out, and in another one it claims more than was up.
func (m Module) trees(ctx context.Context, provider string, epoch types.Epoch, at uint64, grace uint32) ([]tree, error) {
	temper := chance(10, provider, epoch.Number)
	var trees []tree
	for _, denom := range denoms {
		dues, err := m.queries.Dues(ctx, &types.QueryDuesRequest{
			Provider: provider, Epoch: epoch.Number, Denom: denom, Pagination: &query.PageRequest{Limit: 1000},
		})
		if err != nil {
			return nil, err
		}
		var leaves []sumtree.Leaf
		for i, due := range dues.Dues {
			if temper == 0 && i == 0 {
				continue
			}
			leaf, err := m.leaf(ctx, provider, epoch, due, at, grace, temper == 1)
			if err != nil {
				return nil, err
			}
			leaves = append(leaves, leaf)
		}
		if dues.Service.IsZero() {
			continue
		}
		built, err := sumtree.Build(leaves)
		if err != nil {
			return nil, err
		}
		trees = append(trees, tree{denom, built})
	}
	return trees, nil
}

// leaf is that of one lease; a liar's credits more than its share.
func (m Module) leaf(
	ctx context.Context, provider string, epoch types.Epoch, due types.Due, at uint64, grace uint32, lies bool,
) (sumtree.Leaf, error) {
	up := due.Seconds
	if chance(3, provider, epoch.Number, due.Lease) == 0 {
		up = chance(due.Seconds+1, provider, epoch.Number, due.Lease, 1)
	}
	refund, err := m.queries.Refund(ctx, &types.QueryRefundRequest{Lease: due.Lease, Epoch: epoch.Number})
	if err != nil {
		return sumtree.Leaf{}, err
	}
	if refund.Posted != nil {
		if word, bound := refund.Posted.BoundAt(at, uint64(grace)); bound {
			up = min(up, word.Allows(epoch.End))
		}
	}
	credited := types.CreditOf(due.Grains, up, due.Seconds)
	if lies {
		credited = math.MinInt(credited.AddRaw(1), due.Grains)
	}
	payload, err := (&types.Leaf{Epoch: epoch.Number, UpSeconds: up, DueSeconds: due.Seconds}).Marshal()
	if err != nil {
		return sumtree.Leaf{}, err
	}
	sum, err := sumtree.FromBig(credited.BigInt())
	return sumtree.Leaf{ID: due.Lease, Sum: sum, Payload: payload}, err
}

// rebuilt returns the tree of a commitment in a denom, if what the chain says now still makes it.
func (m Module) rebuilt(ctx context.Context, c types.Commitment, denom string) (*sumtree.Tree, bool, error) {
	epoch, err := m.queries.Epoch(ctx, &types.QueryEpochRequest{Epoch: c.Epoch})
	if err != nil {
		return nil, false, err
	}
	trees, err := m.trees(ctx, c.Provider, epoch.Epoch, c.CommittedAt, c.ReceiptGraceSeconds)
	if err != nil {
		return nil, false, err
	}
	root, ok := c.RootOf(denom)
	if !ok {
		return nil, false, nil
	}
	for _, t := range trees {
		if t.denom != denom {
			continue
		}
		committed, err := root.Tree()
		return t.Tree, err == nil && committed == t.Root(), err
	}
	return nil, false, nil
}

// shown encodes the leaf of a lease, or that there is none.
func shown(t *sumtree.Tree, lease uint64) (opening, absence []byte, err error) {
	if leaf, err := t.OpenID(lease); err == nil {
		opening, err = leaf.Marshal()
		return opening, nil, err
	}
	none, err := t.ProveAbsence(lease)
	if err != nil {
		return nil, nil, err
	}
	absence, err = none.Marshal()
	return nil, absence, err
}

// at encodes the leaf at a position.
func at(t *sumtree.Tree, position *big.Int) ([]byte, error) {
	where, err := sumtree.FromBig(position)
	if err != nil {
		return nil, err
	}
	opening, err := t.OpenAt(where)
	if err != nil {
		return nil, err
	}
	return opening.Marshal()
}
