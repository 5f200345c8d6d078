package apptest

import (
	"encoding/json"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/types/query"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/sumtree"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// PatientProofs lets providers prove at leisure, for 20 epochs and without a fee, and matures pots after 30. There is no beacon:
// what is committed is drawn by block hashes after three seconds. It comes after the edits of the epochs' length.
func PatientProofs(cdc codec.JSONCodec, state map[string]json.RawMessage) {
	EditGenesis(cdc, state, escrowtypes.ModuleName, func(g *escrowtypes.GenesisState) { g.Params.HoldbackEpochs = 30 })
	EditGenesis(cdc, state, prooftypes.ModuleName, func(g *prooftypes.GenesisState) {
		p := &g.Params
		p.CommitWindowSeconds, p.SeedDelaySeconds, p.BeaconTimeoutSeconds, p.OpenWindowSeconds = 1, 1, 2, 20
		p.LateEpochs, p.LateFeeBps, p.ForceWindowSeconds = 20, 0, 10
	})
}

// Prove lets a shop prove all that it earned in these denoms, as one whose leases were always up, in all closed epochs to which it
// has not committed. It makes blocks by the given function, each of at least a second, until all of it is credited.
func (c *Chain) Prove(shop Shop, block func(txs ...Tx) Block, denoms ...string) {
	c.t.Helper()
	proof := prooftypes.NewQueryClient(c.Conn())
	closed, err := proof.Epochs(c.t.Context(), &prooftypes.QueryEpochsRequest{Pagination: &query.PageRequest{Limit: 100}})
	require.NoError(c.t, err)
	var all []proving
	var commits, opens []Tx
	for _, epoch := range closed.Epochs {
		trees := c.trees(shop, epoch.Number, denoms)
		if len(trees) > 0 && c.commitment(shop, epoch.Number) == nil {
			all = append(all, proving{epoch.Number, trees})
			commits = append(commits, commit(shop, epoch.Number, trees))
		}
	}
	require.NotEmpty(c.t, all, "there is nothing to prove")
	c.accepts(block(commits...))
	for _, of := range all {
		opens = append(opens, c.open(shop, of, block))
	}
	c.accepts(block(opens...))
	for _, of := range all {
		require.Equal(c.t, prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN, c.commitment(shop, of.epoch).Commitment.State)
	}
}

// proving is an epoch with what is committed to.
type proving struct {
	epoch uint64
	trees []tree
}

// tree is what a shop commits to in a denom.
type tree struct {
	denom string
	*sumtree.Tree
}

// trees are those of the denoms in which a shop earned something in an epoch.
func (c *Chain) trees(shop Shop, epoch uint64, denoms []string) []tree {
	c.t.Helper()
	var trees []tree
	for _, denom := range denoms {
		dues, err := prooftypes.NewQueryClient(c.Conn()).Dues(c.t.Context(), &prooftypes.QueryDuesRequest{
			Provider: shop.Operator.String(), Epoch: epoch, Denom: denom, Pagination: &query.PageRequest{Limit: 1000},
		})
		require.NoError(c.t, err)
		var leaves []sumtree.Leaf
		for _, due := range dues.Dues {
			payload, err := (&prooftypes.Leaf{Epoch: epoch, UpSeconds: due.Seconds, DueSeconds: due.Seconds}).Marshal()
			require.NoError(c.t, err)
			credited, err := sumtree.FromBig(due.Grains.BigInt())
			require.NoError(c.t, err)
			leaves = append(leaves, sumtree.Leaf{ID: due.Lease, Sum: credited, Payload: payload})
		}
		if len(leaves) == 0 {
			continue
		}
		built, err := sumtree.Build(leaves)
		require.NoError(c.t, err)
		trees = append(trees, tree{denom, built})
	}
	return trees
}

// commitment returns what a shop committed to, nil if it has not.
func (c *Chain) commitment(shop Shop, epoch uint64) *prooftypes.QueryCommitmentResponse {
	c.t.Helper()
	response, err := prooftypes.NewQueryClient(c.Conn()).Commitment(c.t.Context(), &prooftypes.QueryCommitmentRequest{
		Provider: shop.Operator.String(), Epoch: epoch,
	})
	if err != nil {
		require.ErrorContains(c.t, err, prooftypes.ErrCommitmentNotFound.Error())
		return nil
	}
	return response
}

// commit is the transaction that commits to an epoch.
func commit(shop Shop, epoch uint64, trees []tree) Tx {
	msg := &prooftypes.MsgCommitEpoch{Signer: shop.Agent.String(), Provider: shop.Operator.String(), Epoch: epoch}
	for _, of := range trees {
		msg.Roots = append(msg.Roots, prooftypes.NewRoot(of.denom, of.Root()))
	}
	return Tx{Signer: shop.Agent, Msgs: []sdk.Msg{msg}}
}

// open makes blocks until an epoch is audited, and returns the transaction that opens what was drawn of it.
func (c *Chain) open(shop Shop, of proving, block func(txs ...Tx) Block) Tx {
	c.t.Helper()
	const patience = 10
	for range patience {
		audit := c.commitment(shop, of.epoch)
		if audit.Commitment.State != prooftypes.CommitmentState_COMMITMENT_STATE_AUDITED {
			block()
			continue
		}
		tx := Tx{Signer: shop.Agent}
		for _, drawn := range audit.Drawn {
			tx.Msgs = append(tx.Msgs, c.opening(shop, of.epoch, drawn, of.trees))
		}
		return tx
	}
	require.Fail(c.t, "a commitment is not drawn", "epoch %d", of.epoch)
	return Tx{}
}

func (c *Chain) accepts(block Block) {
	c.t.Helper()
	for _, result := range block.Txs {
		require.Zero(c.t, result.Code, result.Log)
	}
}

// opening shows what was drawn in a denom.
func (c *Chain) opening(shop Shop, epoch uint64, drawn prooftypes.Drawn, trees []tree) sdk.Msg {
	c.t.Helper()
	msg := &prooftypes.MsgOpenAudit{Signer: shop.Agent.String(), Provider: shop.Operator.String(), Epoch: epoch, Denom: drawn.Denom}
	for _, of := range trees {
		if of.denom != drawn.Denom {
			continue
		}
		for _, position := range drawn.Positions {
			at, err := sumtree.FromBig(position.BigInt())
			require.NoError(c.t, err)
			opening, err := of.OpenAt(at)
			require.NoError(c.t, err)
			encoded, err := opening.Marshal()
			require.NoError(c.t, err)
			msg.Openings = append(msg.Openings, prooftypes.Shown{Opening: encoded})
		}
	}
	return msg
}
