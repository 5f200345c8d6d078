// Package prover makes of what a provider metered what it commits to: one Merkle-sum tree a denom, with a leaf for each lease
// that was paid for, and shows leaves of it. It is pure: it knows the arithmetic of x/proof, and nothing of transactions,
// connections and files. A Book is written down before its commitment is sent: whatever is asked of it later is answered
// from it.
package prover

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/sumtree"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// ErrNoTree tells that nothing was committed to in a denom.
var ErrNoTree = errors.New("no tree in this denom")

// Lease is what is known of one lease in the epoch.
type Lease struct {
	// ID of the lease.
	ID uint64
	// Denom that it pays in.
	Denom string
	// Due grains, and the seconds in which a SERVICE stream paid: the chain's figures.
	DueGrains  *big.Int
	DueSeconds uint64
	// UpSeconds in the epoch, as metered.
	UpSeconds uint64
	// Usage in the epoch.
	Usage prooftypes.Usage
	// Receipt of the tenant that came to the gateway; nil without one.
	Receipt *prooftypes.Receipt
	// Words of the tenant that are on the chain.
	Words []prooftypes.Word
}

// Entry is a leaf of a tree, with what it rests on.
type Entry struct {
	Lease   uint64 `json:"lease"`
	Sum     string `json:"sum"` // grains credited, decimal
	Payload []byte `json:"payload"`
	Receipt []byte `json:"receipt,omitempty"`
}

// Tree is what is committed to in one denom: its leaves in the order of their leases.
type Tree struct {
	Denom   string  `json:"denom"`
	Entries []Entry `json:"entries"`
}

// Book is all that a provider vouches for in an epoch.
type Book struct {
	Epoch     uint64           `json:"epoch"`
	MaturesAt uint64           `json:"matures_at"` // service second until which leaves are asked for
	Usage     prooftypes.Usage `json:"usage"`
	Trees     []Tree           `json:"trees"` // by denom
}

// Epoch is the time in question, in service seconds.
type Epoch struct {
	Number, Start, End, MaturesAt uint64
	// Earned are the denoms in which service earned something.
	Earned []string
}

// Write makes the book of an epoch. No lease is credited more than its due, nor more than its tenant's receipts allow. Leases
// to which nothing was due are left out, and so are denoms beyond those that a commitment holds. Where something was earned by
// leases of which nothing can be said, the tree is empty: who does not commit at all has missed the epoch.
func Write(epoch Epoch, leases []Lease) (Book, error) {
	book := Book{Epoch: epoch.Number, MaturesAt: epoch.MaturesAt}
	leases = slices.Clone(leases)
	slices.SortFunc(leases, func(a, b Lease) int {
		return cmp.Or(cmp.Compare(a.Denom, b.Denom), cmp.Compare(a.ID, b.ID))
	})
	for _, l := range leases {
		if l.DueSeconds == 0 || l.DueGrains.Sign() <= 0 {
			continue
		}
		entry, err := write(epoch, l)
		if err != nil {
			return Book{}, err
		}
		if n := len(book.Trees); n == 0 || book.Trees[n-1].Denom != l.Denom {
			if n == prooftypes.MaxRoots {
				break // no commitment holds more
			}
			book.Trees = append(book.Trees, Tree{Denom: l.Denom})
		}
		last := &book.Trees[len(book.Trees)-1]
		last.Entries = append(last.Entries, entry)
		book.Usage = add(book.Usage, l.Usage)
	}
	for _, denom := range epoch.Earned {
		has := slices.ContainsFunc(book.Trees, func(t Tree) bool { return t.Denom == denom })
		if !has && len(book.Trees) < prooftypes.MaxRoots {
			book.Trees = append(book.Trees, Tree{Denom: denom})
		}
	}
	slices.SortFunc(book.Trees, func(a, b Tree) int { return cmp.Compare(a.Denom, b.Denom) })
	return book, nil
}

func write(epoch Epoch, l Lease) (Entry, error) {
	leaf := prooftypes.Leaf{
		Epoch: epoch.Number, UpSeconds: upSeconds(epoch, l), DueSeconds: l.DueSeconds, Usage: l.Usage,
	}
	entry := Entry{Lease: l.ID}
	if l.Receipt != nil {
		text, err := l.Receipt.Marshal()
		if err != nil {
			return Entry{}, fmt.Errorf("encode the receipt of lease %d: %w", l.ID, err)
		}
		hash := sha256.Sum256(text)
		leaf.Evidence, leaf.EvidenceHash, entry.Receipt = prooftypes.Evidence_EVIDENCE_RECEIPT, hash[:], text
	}
	payload, err := leaf.Marshal()
	if err != nil {
		return Entry{}, fmt.Errorf("encode the leaf of lease %d: %w", l.ID, err)
	}
	credited := new(big.Int).Mul(l.DueGrains, new(big.Int).SetUint64(leaf.UpSeconds))
	entry.Sum, entry.Payload = credited.Quo(credited, new(big.Int).SetUint64(l.DueSeconds)).String(), payload
	return entry, nil
}

// upSeconds is the least of what was metered, what was paid for, and what the tenant's receipts say: after the last second
// that a receipt judges, its provider has the benefit of the doubt.
func upSeconds(epoch Epoch, l Lease) uint64 {
	up := min(l.UpSeconds, l.DueSeconds)
	bound := func(said, until uint64) {
		up = min(up, said+epoch.End-min(epoch.End, max(until, epoch.Start)))
	}
	if l.Receipt != nil {
		bound(l.Receipt.UpSeconds, l.Receipt.Until)
	}
	for _, w := range l.Words {
		bound(w.UpSeconds, w.Until)
	}
	return up
}

func add(a, b prooftypes.Usage) prooftypes.Usage {
	return prooftypes.Usage{
		CpuSeconds: a.CpuSeconds + b.CpuSeconds, MemoryMibSeconds: a.MemoryMibSeconds + b.MemoryMibSeconds,
		EgressBytes: a.EgressBytes + b.EgressBytes, GpuSeconds: a.GpuSeconds + b.GpuSeconds,
	}
}

// Built is a book with its trees.
type Built struct {
	book  Book
	trees []*sumtree.Tree // in the order of the book's
}

// Build makes the trees of a book, which takes time for many leases.
func (b Book) Build() (*Built, error) {
	built := &Built{book: b}
	for _, t := range b.Trees {
		tree, err := t.build()
		if err != nil {
			return nil, fmt.Errorf("epoch %d: %w", b.Epoch, err)
		}
		built.trees = append(built.trees, tree)
	}
	return built, nil
}

// Book is what it was built of.
func (b *Built) Book() Book { return b.book }

// Roots returns what the book commits to.
func (b *Built) Roots() []prooftypes.Root {
	roots := make([]prooftypes.Root, 0, len(b.trees))
	for i, tree := range b.trees {
		root := tree.Root()
		roots = append(roots, prooftypes.Root{
			Denom: b.book.Trees[i].Denom, Hash: root.Hash[:], Sum: math.NewIntFromBigInt(root.Sum.Big()), Count: root.N,
		})
	}
	return roots
}

// Shown is a leaf as it is shown to others, or its absence.
type Shown struct {
	Opening, Absence, Receipt []byte
}

// At opens the leaves that cover positions of a tree, in their order.
func (b *Built) At(denom string, positions []*big.Int) ([]Shown, error) {
	tree, built, err := b.tree(denom)
	if err != nil {
		return nil, err
	}
	shown := make([]Shown, 0, len(positions))
	for _, p := range positions {
		position, err := sumtree.FromBig(p)
		if err != nil {
			return nil, fmt.Errorf("position %s: %w", p, err)
		}
		opening, err := built.OpenAt(position)
		if err != nil {
			return nil, fmt.Errorf("open position %s of epoch %d in %s: %w", p, b.book.Epoch, denom, err)
		}
		s, err := tree.show(opening)
		if err != nil {
			return nil, err
		}
		shown = append(shown, s)
	}
	return shown, nil
}

// Of shows the leaf of a lease, or that there is none.
func (b *Built) Of(denom string, lease uint64) (Shown, error) {
	tree, built, err := b.tree(denom)
	if err != nil {
		return Shown{}, err
	}
	opening, err := built.OpenID(lease)
	if err == nil {
		return tree.show(opening)
	}
	if !errors.Is(err, sumtree.ErrNoLeaf) {
		return Shown{}, fmt.Errorf("open lease %d of epoch %d: %w", lease, b.book.Epoch, err)
	}
	absence, err := built.ProveAbsence(lease)
	if err != nil {
		return Shown{}, fmt.Errorf("show that lease %d is not in epoch %d: %w", lease, b.book.Epoch, err)
	}
	text, err := absence.Marshal()
	return Shown{Absence: text}, err
}

func (b *Built) tree(denom string) (Tree, *sumtree.Tree, error) {
	for i, t := range b.book.Trees {
		if t.Denom == denom {
			return t, b.trees[i], nil
		}
	}
	return Tree{}, nil, fmt.Errorf("epoch %d, %s: %w", b.book.Epoch, denom, ErrNoTree)
}

func (t Tree) build() (*sumtree.Tree, error) {
	leaves := make([]sumtree.Leaf, 0, len(t.Entries))
	for _, e := range t.Entries {
		value, ok := new(big.Int).SetString(e.Sum, 10)
		if !ok {
			return nil, fmt.Errorf("leaf of lease %d in %s: %.40q is no number", e.Lease, t.Denom, e.Sum)
		}
		sum, err := sumtree.FromBig(value)
		if err != nil {
			return nil, fmt.Errorf("leaf of lease %d in %s: %w", e.Lease, t.Denom, err)
		}
		leaves = append(leaves, sumtree.Leaf{ID: e.Lease, Sum: sum, Payload: e.Payload})
	}
	built, err := sumtree.Build(leaves)
	if err != nil {
		return nil, fmt.Errorf("tree in %s: %w", t.Denom, err)
	}
	return built, nil
}

func (t Tree) show(opening sumtree.Opening) (Shown, error) {
	text, err := opening.Marshal()
	if err != nil {
		return Shown{}, fmt.Errorf("encode an opening in %s: %w", t.Denom, err)
	}
	return Shown{Opening: text, Receipt: t.Entries[opening.Index].Receipt}, nil
}
