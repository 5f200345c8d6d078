package proof

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/x/proof/types"
)

// BenchmarkProofRound is a beacon round through the message path: its signature is verified by pairing, and it seeds an epoch.
func BenchmarkProofRound(b *testing.B) {
	w := committedWorld(b, 1)
	round := w.awaited()[0]
	w.knows(round)
	message := w.round(round)
	for b.Loop() {
		branch := w.Branch(b)
		require.NoError(b, branch.Deliver(message))
		b.ReportMetric(float64(branch.GasUsed), "gas")
	}
}

// BenchmarkProofDraws is the block that draws 200 commitments, of which some 50 are audited and the others credited, beside an empty
// block of the same chain.
func BenchmarkProofDraws(b *testing.B) {
	w := committedWorld(b, 200)
	require.EqualValues(b, 200, w.params.DrawsPerBlock)
	round := w.awaited()[0]
	w.knows(round)
	message := w.round(round)
	var drawn, empty time.Duration
	for b.Loop() {
		started := time.Now()
		w.Branch(b).EndBlock()
		empty += time.Since(started)
		branch := w.Branch(b)
		require.NoError(b, branch.Deliver(message))
		started = time.Now()
		branch.EndBlock()
		drawn += time.Since(started)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(drawn.Seconds()*1000/float64(b.N), "ms-200-draws")
	b.ReportMetric(empty.Seconds()*1000/float64(b.N), "ms-no-draw")
}

// committedWorld is a world, with Merkle trees and history as a node's, in which so many providers in good standing have committed to
// an epoch whose round is awaited.
func committedWorld(b *testing.B, providers int) *world {
	b.Helper()
	var all []*party
	var names []string
	for i := range providers {
		p := &party{name: fmt.Sprintf("provider-%d", i), sizes: []uint64{1}}
		all, names = append(all, p), append(names, p.name)
	}
	w := newWorldWith(b, 1, names, func(*types.Params) {})
	w.opens(all...)
	w.until(w.endOf(2))
	for _, p := range all {
		w.commits(p, 2, w.vouches(p, 2, w.whole))
	}
	w.until(w.endOf(2) + uint64(w.params.CommitWindowSeconds))
	require.Len(b, w.awaited(), 1)
	return w
}
