package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/sumtree"
	"github.com/souk-network/souk/x/proof/types"
)

// wide is a tree of so many leases, each with a grain.
func (b *bench) wide(leases uint64) *sumtree.Tree {
	b.t.Helper()
	leaves := make([]sumtree.Leaf, leases)
	for i := range leaves {
		leaves[i] = leafOf(types.Leaf{Epoch: 1, UpSeconds: 99, DueSeconds: 99}, uint64(i+1), math.OneInt())
	}
	return b.build(leaves...)
}

func TestACommitmentCostsTheSameForAnyNumberOfLeases(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 1_000_000)
	b.until(endOf(1))
	require.Greater(t, b.pot("acme", 1).Service.Int64(), int64(100_000))
	gas, size := map[uint64]uint64{}, map[uint64]int{}
	for _, leases := range []uint64{1000, 10_000, 100_000} {
		message := b.commitment("acme", 1, b.wide(leases))
		again := *b
		again.Chain = b.Branch(t)
		require.NoError(t, again.Deliver(message))
		gas[leases], size[leases] = again.GasUsed, message.Size()
	}
	require.InEpsilon(t, gas[1000], gas[10_000], 0.01, "%v", gas)
	require.InEpsilon(t, gas[1000], gas[100_000], 0.01, "%v", gas)
	require.InDelta(t, size[1000], size[100_000], 4)
	t.Logf("gas %v, bytes %v", gas, size)
}
