package sumtree_test

import (
	"testing"

	"github.com/souk-network/souk/sumtree"
)

const largeTree = 100_000

func BenchmarkBuildOf100kLeaves(b *testing.B) {
	leaves := leases(largeTree)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sumtree.Build(leaves); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyOf100kLeaves(b *testing.B) {
	tree := build(b, leases(largeTree))
	root, o := tree.Root(), mustOpen(b, tree, 31_415)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := o.Verify(root); err != nil {
			b.Fatal(err)
		}
	}
}

// What the chain does with an opening in a message.
func BenchmarkDecodeAndVerifyOf100kLeaves(b *testing.B) {
	tree := build(b, leases(largeTree))
	root := tree.Root()
	wire, err := mustOpen(b, tree, 31_415).Marshal()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		o, err := sumtree.UnmarshalOpening(wire)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := o.Verify(root); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(wire)), "bytes/opening")
}

func BenchmarkOpenAtAPositionOf100kLeaves(b *testing.B) {
	tree := build(b, leases(largeTree))
	position, err := sumtree.Draw([32]byte{1, 2, 3}, tree.Root().Sum)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		o, err := tree.OpenAt(position)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := o.Marshal(); err != nil {
			b.Fatal(err)
		}
	}
}
