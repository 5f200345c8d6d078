package sumtree_test

import (
	"bytes"
	"testing"

	"github.com/souk-network/souk/sumtree"
)

// Whatever decodes has one encoding, and verifies only if the tree itself would open it.
func FuzzOpening(f *testing.F) {
	tree := build(f, few(11))
	root := tree.Root()
	genuine := map[string]bool{}
	for i := range root.N {
		wire, err := mustOpen(f, tree, i).Marshal()
		if err != nil {
			f.Fatal(err)
		}
		genuine[string(wire)] = true
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := sumtree.UnmarshalOpening(b)
		if err != nil {
			return
		}
		back, err := o.Marshal()
		if err != nil || !bytes.Equal(back, b) {
			t.Fatalf("%x came back as %x, %v", b, back, err)
		}
		if _, err := o.Verify(root); (err == nil) != genuine[string(b)] {
			t.Fatalf("%x: %v", b, err)
		}
		// Against a root that fits it as far as it can, it must not panic.
		_, _ = o.Verify(sumtree.Root{Hash: root.Hash, Sum: root.Sum, N: o.N})
	})
}

func FuzzAbsence(f *testing.F) {
	tree := build(f, few(6))
	root := tree.Root()
	for _, id := range []uint64{1, 15, 35, 55, 61} {
		a, err := tree.ProveAbsence(id)
		if err != nil {
			f.Fatal(err)
		}
		wire, err := a.Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire, id)
		f.Add(wire, id/10*10)
	}
	f.Fuzz(func(t *testing.T, b []byte, id uint64) {
		a, err := sumtree.UnmarshalAbsence(b)
		if err != nil {
			return
		}
		back, err := a.Marshal()
		if err != nil || !bytes.Equal(back, b) {
			t.Fatalf("%x came back as %x, %v", b, back, err)
		}
		if a.Verify(root, id) != nil {
			return
		}
		if _, err := tree.OpenID(id); err == nil || id == 0 {
			t.Fatalf("%x proves the absence of %d", b, id)
		}
	})
}
