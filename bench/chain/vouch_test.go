package chain_test

import (
	"github.com/stretchr/testify/require"

	sdkmath "cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/sumtree"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// trustProofs lets providers be paid without audits once they have proven an epoch, a few seconds after they committed to it.
func trustProofs(p *prooftypes.Params) {
	p.CommitWindowSeconds, p.SeedDelaySeconds, p.BeaconTimeoutSeconds = 5, 1, 2
	p.LateEpochs, p.AuditPpm, p.ProbationEpochs, p.MissedPpm = 0, 0, 1, prooftypes.WholePpm
}

// vouch lets an epoch end, and the busy shops be credited a whole epoch, or nothing.
func vouch(credit bool) []step {
	return []step{
		{wait: epochSeconds * second},
		{txs: func(t *trading) []apptest.Tx { return t.commitments(credit) }},
		{wait: 6 * second}, // the commit window is over
		{wait: 4 * second}, // no beacon came: block hashes draw
	}
}

// commitments to all that the busy shops earned in the last epoch that closed, or to nothing of it.
func (t *trading) commitments(credit bool) []apptest.Tx {
	t.b.Helper()
	ctx, _ := t.Context().CacheContext()
	clock, err := t.App.EscrowKeeper.Clock(ctx)
	require.NoError(t.b, err)
	epoch := clock.Epoch - 1
	var txs []apptest.Tx
	for _, shop := range t.busy() {
		pot, err := t.App.EscrowKeeper.EpochPot(ctx, shop.Operator.Address, scope.Denom, epoch)
		require.NoError(t.b, err)
		credited := sdkmath.ZeroInt()
		if credit {
			credited = pot.Service
		}
		sum, err := sumtree.FromBig(credited.BigInt())
		require.NoError(t.b, err)
		tree, err := sumtree.Build([]sumtree.Leaf{{ID: 1, Sum: sum}})
		require.NoError(t.b, err)
		txs = append(txs, apptest.Tx{Signer: shop.Agent, Msgs: []sdk.Msg{&prooftypes.MsgCommitEpoch{
			Signer: shop.Agent.String(), Provider: shop.Operator.String(), Epoch: epoch,
			Roots: []prooftypes.Root{prooftypes.NewRoot(scope.Denom, tree.Root())},
		}}})
	}
	return txs
}
