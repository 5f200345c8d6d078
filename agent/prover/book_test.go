package prover_test

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/agent/prover"
	"github.com/souk-network/souk/sumtree"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

var epoch = prover.Epoch{Number: 7, Start: 1000, End: 1100, MaturesAt: 5000}

func lease(id uint64, denom string, due int64, seconds, up uint64) prover.Lease {
	return prover.Lease{ID: id, Denom: denom, DueGrains: big.NewInt(due), DueSeconds: seconds, UpSeconds: up}
}

// opened verifies an opening against the root and reads its leaf.
func opened(t require.TestingT, root prooftypes.Root, text []byte) (sumtree.Proven, prooftypes.Leaf) {
	sum, err := sumtree.FromBig(root.Sum.BigInt())
	require.NoError(t, err)
	opening, err := sumtree.UnmarshalOpening(text)
	require.NoError(t, err)
	proven, err := opening.Verify(sumtree.Root{Hash: [32]byte(root.Hash), Sum: sum, N: root.Count})
	require.NoError(t, err)
	var leaf prooftypes.Leaf
	require.NoError(t, leaf.Unmarshal(proven.Leaf.Payload))
	return proven, leaf
}

func TestALeafCreditsTheLeastOfMeterAndReceipts(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*prover.Lease)
		want   string
		kind   prooftypes.Evidence
	}{
		"all of it":                       {func(*prover.Lease) {}, "1000", 0},
		"more metered than paid for":      {func(l *prover.Lease) { l.UpSeconds = 500 }, "1000", 0},
		"half metered":                    {func(l *prover.Lease) { l.UpSeconds = 50 }, "500", 0},
		"rounded down":                    {func(l *prover.Lease) { l.DueSeconds, l.UpSeconds = 3, 2 }, "666", 0},
		"a receipt of less":               {func(l *prover.Lease) { l.Receipt = &prooftypes.Receipt{UpSeconds: 30, Until: 1100} }, "300", 1},
		"a receipt of more":               {func(l *prover.Lease) { l.UpSeconds, l.Receipt = 20, &prooftypes.Receipt{UpSeconds: 90, Until: 1100} }, "200", 1},
		"a receipt that ends early":       {func(l *prover.Lease) { l.Receipt = &prooftypes.Receipt{UpSeconds: 30, Until: 1060} }, "700", 1},
		"a receipt that says nothing yet": {func(l *prover.Lease) { l.Receipt = &prooftypes.Receipt{ChainId: "souk-1"} }, "1000", 1},
		"a word on the chain":             {func(l *prover.Lease) { l.Words = []prooftypes.Word{{UpSeconds: 10, Until: 1090}} }, "200", 0},
		"the lowest of all words": {func(l *prover.Lease) {
			l.Words = []prooftypes.Word{{UpSeconds: 10, Until: 1050}, {UpSeconds: 20, Until: 1100}}
		}, "200", 0},
		"a word of after the end is cut to it": {func(l *prover.Lease) { l.Words = []prooftypes.Word{{UpSeconds: 10, Until: 9999}} }, "100", 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := lease(3, "usouk", 1000, 100, 100)
			c.change(&l)
			book, err := prover.Write(epoch, []prover.Lease{l})
			require.NoError(t, err)
			built, err := book.Build()
			require.NoError(t, err)
			roots := built.Roots()
			shown, err := built.Of("usouk", 3)
			require.NoError(t, err)
			proven, leaf := opened(t, roots[0], shown.Opening)
			require.Equal(t, c.want, proven.Leaf.Sum.String())
			require.Equal(t, c.kind, leaf.Evidence)
			require.Equal(t, l.Receipt != nil, len(shown.Receipt) > 0)
			require.EqualValues(t, 7, leaf.Epoch)
		})
	}
}

func TestABookHasATreeForEachDenom(t *testing.T) {
	book, err := prover.Write(epoch, []prover.Lease{
		lease(9, "usouk", 50, 10, 10), lease(2, "ibc/A", 70, 10, 10), lease(4, "usouk", 60, 10, 0), lease(5, "usouk", 0, 0, 10),
	})
	require.NoError(t, err)
	built, err := book.Build()
	require.NoError(t, err)
	roots := built.Roots()
	require.Len(t, roots, 2)
	require.Equal(t, "ibc/A", roots[0].Denom)
	require.Equal(t, "70", roots[0].Sum.String())
	require.Equal(t, "50", roots[1].Sum.String())
	require.EqualValues(t, 2, roots[1].Count, "a lease that was down is there, with nothing; one to which nothing was due is not")
	shown, err := built.Of("usouk", 5)
	require.NoError(t, err)
	absence, err := sumtree.UnmarshalAbsence(shown.Absence)
	require.NoError(t, err)
	require.NoError(t, absence.Verify(sumtree.Root{Hash: [32]byte(roots[1].Hash), Sum: sumtree.FromUint64(50), N: 2}, 5))
	_, err = built.Of("uother", 5)
	require.ErrorIs(t, err, prover.ErrNoTree)
}

// TestWhateverIsDrawnIsOpened draws positions as the chain does.
func TestWhateverIsDrawnIsOpened(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var leases []prover.Lease
		for id := range rapid.Uint64Range(1, 60).Draw(t, "leases") {
			seconds := rapid.Uint64Range(1, 100).Draw(t, "seconds")
			leases = append(leases, lease(id*3+1, "usouk", rapid.Int64Range(1, 1<<40).Draw(t, "due"), seconds, rapid.Uint64Range(0, 120).Draw(t, "up")))
		}
		book, err := prover.Write(epoch, leases)
		require.NoError(t, err)
		built, err := book.Build()
		require.NoError(t, err)
		roots := built.Roots()
		root := roots[0]
		if !root.Sum.IsPositive() {
			return
		}
		var positions []*big.Int
		for range 8 {
			var digest [32]byte
			copy(digest[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
			sum, err := sumtree.FromBig(root.Sum.BigInt())
			require.NoError(t, err)
			position, err := sumtree.Draw(digest, sum)
			require.NoError(t, err)
			positions = append(positions, position.Big())
		}
		shown, err := built.At("usouk", positions)
		require.NoError(t, err)
		for i, s := range shown {
			proven, leaf := opened(t, root, s.Opening)
			position, err := sumtree.FromBig(positions[i])
			require.NoError(t, err)
			require.True(t, proven.Covers(position))
			require.LessOrEqual(t, leaf.UpSeconds, leaf.DueSeconds)
		}
	})
}
