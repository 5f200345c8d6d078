package leaf_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"

	"github.com/souk-network/souk/client/leaf"
	"github.com/souk-network/souk/client/receipt"
	"github.com/souk-network/souk/sumtree"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

const (
	chain      = "souk-devnet-1"
	dueSeconds = 100
	dueGrains  = 7200
)

// grown is a tree of leases 2, 4, 6 … that were up for so many seconds of 100, in epoch 5, which ran from 1000 to 1100.
func grown(t require.TestingT, said ...prooftypes.Leaf) *sumtree.Tree {
	var leaves []sumtree.Leaf
	for i, l := range said {
		payload, err := l.Marshal()
		require.NoError(t, err)
		credited := prooftypes.CreditOf(math.NewInt(dueGrains), l.UpSeconds, dueSeconds)
		leaves = append(leaves, sumtree.Leaf{ID: 2 * uint64(i+1), Sum: sumtree.FromUint64(credited.Uint64()), Payload: payload})
	}
	tree, err := sumtree.Build(leaves)
	require.NoError(t, err)
	return tree
}

func up(seconds uint64) prooftypes.Leaf {
	return prooftypes.Leaf{Epoch: 5, UpSeconds: seconds, DueSeconds: dueSeconds}
}

func asked(tree *sumtree.Tree, lease uint64) leaf.Asked {
	return leaf.Asked{
		Root: prooftypes.NewRoot("usouk", tree.Root()), Lease: lease, Epoch: 5, ChainID: chain, Start: 1000, End: 1100,
		Due: prooftypes.Due{Lease: lease, Grains: math.NewInt(dueGrains), Seconds: dueSeconds}, Receipts: true,
	}
}

func opening(t require.TestingT, tree *sumtree.Tree, lease uint64) []byte {
	o, err := tree.OpenID(lease)
	require.NoError(t, err)
	bz, err := o.Marshal()
	require.NoError(t, err)
	return bz
}

func TestEveryLeafOfATreeHoldsAndEveryOtherLeaseIsAbsent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.SliceOfN(rapid.Uint64Range(0, dueSeconds), 1, 20).Draw(t, "up")
		var said []prooftypes.Leaf
		for _, s := range seconds {
			said = append(said, up(s))
		}
		tree := grown(t, said...)
		for i, s := range seconds {
			lease := 2 * uint64(i+1)
			held, err := leaf.Verify(leaf.Shown{Opening: opening(t, tree, lease)}, asked(tree, lease))
			require.NoError(t, err)
			require.Equal(t, s, held.Said.UpSeconds)
			require.EqualValues(t, dueGrains*s/dueSeconds, held.Credited.Uint64())
			require.EqualValues(t, dueGrains-dueGrains*s/dueSeconds, leaf.Claimable(held, asked(tree, lease).Due, math.ZeroInt(), nil, 1100).Uint64())

			absence, err := tree.ProveAbsence(lease + 1)
			require.NoError(t, err)
			bz, err := absence.Marshal()
			require.NoError(t, err)
			held, err = leaf.Verify(leaf.Shown{Absence: bz}, asked(tree, lease+1))
			require.NoError(t, err)
			require.True(t, held.Absent && held.Credited.IsZero())
			_, err = leaf.Verify(leaf.Shown{Absence: bz}, asked(tree, lease))
			require.ErrorIs(t, err, leaf.ErrFalse)
		}
	})
}

func TestWhatIsNotTheLeafThatWasAskedForIsFalse(t *testing.T) {
	tree := grown(t, up(100), up(50))
	good := leaf.Shown{Opening: opening(t, tree, 2)}
	for name, change := range map[string]func(*leaf.Shown, *leaf.Asked){
		"nothing":             func(s *leaf.Shown, _ *leaf.Asked) { s.Opening = nil },
		"both":                func(s *leaf.Shown, _ *leaf.Asked) { s.Absence = []byte{1} },
		"rubbish":             func(s *leaf.Shown, _ *leaf.Asked) { s.Opening = []byte("leaf") },
		"rubbish as absence":  func(s *leaf.Shown, _ *leaf.Asked) { *s = leaf.Shown{Absence: []byte("none")} },
		"a leaf of another":   func(s *leaf.Shown, _ *leaf.Asked) { s.Opening = opening(t, tree, 4) },
		"another tree":        func(_ *leaf.Shown, a *leaf.Asked) { a.Root = prooftypes.NewRoot("usouk", grown(t, up(100)).Root()) },
		"a root that is none": func(_ *leaf.Shown, a *leaf.Asked) { a.Root.Hash = nil },
		"another epoch":       func(_ *leaf.Shown, a *leaf.Asked) { a.Epoch = 6 },
		"another due":         func(_ *leaf.Shown, a *leaf.Asked) { a.Due.Seconds = 99 },
		"more than was due":   func(_ *leaf.Shown, a *leaf.Asked) { a.Due.Grains = math.NewInt(dueGrains - 1) },
	} {
		shown, about := good, asked(tree, 2)
		change(&shown, &about)
		_, err := leaf.Verify(shown, about)
		require.ErrorIs(t, err, leaf.ErrFalse, name)
	}
}

func TestALeafThatNamesAReceiptHoldsWithThatReceiptOnly(t *testing.T) {
	key := receipt.Local(secp256k1.GenPrivKey())
	sign := func(upSeconds uint64) (encoded, hash []byte) {
		r, err := key.Sign(prooftypes.Receipt{ChainId: chain, Lease: 2, Epoch: 5, Seq: 1, UpSeconds: upSeconds, Until: 1100})
		require.NoError(t, err)
		encoded, err = r.Marshal()
		require.NoError(t, err)
		hash, err = r.Hash()
		require.NoError(t, err)
		return encoded, hash
	}
	encoded, hash := sign(60)
	said := up(60)
	said.Evidence, said.EvidenceHash = prooftypes.Evidence_EVIDENCE_RECEIPT, hash
	tree := grown(t, said)
	shown := leaf.Shown{Opening: opening(t, tree, 2), Receipt: encoded}
	held, err := leaf.Verify(shown, asked(tree, 2))
	require.NoError(t, err)
	require.EqualValues(t, 60, held.Receipt.UpSeconds)

	shown.Receipt, _ = sign(61)
	_, err = leaf.Verify(shown, asked(tree, 2))
	require.ErrorIs(t, err, leaf.ErrFalse, "another one")
	shown.Receipt = nil
	_, err = leaf.Verify(shown, asked(tree, 2))
	require.ErrorIs(t, err, leaf.ErrFalse, "none")
	onChain := asked(tree, 2)
	onChain.Receipts = false
	_, err = leaf.Verify(shown, onChain)
	require.NoError(t, err, "the chain has checked it")
}

func TestATenantsWordOnTheChainBoundsWhatCountsAsCredited(t *testing.T) {
	due := prooftypes.Due{Grains: math.NewInt(dueGrains), Seconds: dueSeconds}
	full := leaf.Leaf{Credited: math.NewInt(dueGrains)}
	for _, c := range []struct {
		name string
		word prooftypes.Word
		paid int64
		want int64
	}{
		{"half of it all", prooftypes.Word{UpSeconds: 50, Until: 1100}, 0, dueGrains / 2},
		{"what comes after its last second is not judged", prooftypes.Word{UpSeconds: 50, Until: 1080}, 0, dueGrains * 3 / 10},
		{"what was paid is not paid again", prooftypes.Word{UpSeconds: 50, Until: 1100}, 600, dueGrains/2 - 600},
		{"never less than nothing", prooftypes.Word{UpSeconds: 100, Until: 1100}, 600, 0},
	} {
		posted := &prooftypes.Posted{Words: []prooftypes.Word{c.word}}
		require.EqualValues(t, c.want, leaf.Claimable(full, due, math.NewInt(c.paid), posted, 1100).Int64(), c.name)
	}
	require.True(t, leaf.Claimable(full, due, math.ZeroInt(), &prooftypes.Posted{}, 1100).IsZero())
}
