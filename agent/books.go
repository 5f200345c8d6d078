package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/souk-network/souk/agent/prover"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// builtBooks are kept in memory: audits and tenants ask for leaves of the latest.
const builtBooks = 4

// errNoBook says that no book in the journal is what was committed to.
var errNoBook = errors.New("its book is not in the journal")

// books are what this provider vouches for. Of an epoch there may be several: one is written down before its commitment is
// sent, and when it is not known what became of that, another one is added and never takes its place. The chain tells
// which one counts.
type books struct {
	mu    sync.Mutex
	roots map[uint64][][]prooftypes.Root // of each edition, by epoch; read from the journal once
	built []*prover.Built                // the latest asked for, last
}

// edition is a book as it is journalled.
type edition struct {
	Roots []prooftypes.Root `json:"roots"`
	Book  prover.Book       `json:"book"`
}

// addBook journals a book before it is committed to.
func (a *Agent) addBook(built *prover.Built) error {
	b := &a.books
	b.mu.Lock()
	defer b.mu.Unlock()
	epoch := built.Book().Epoch
	if _, err := b.rootsOf(a, epoch); err != nil {
		return err
	}
	if err := a.store.AddBook(epoch, edition{Roots: built.Roots(), Book: built.Book()}); err != nil {
		return err
	}
	b.roots[epoch] = append(b.roots[epoch], built.Roots())
	b.keep(built)
	return nil
}

// bookOf gives the book of an epoch that has these roots; errNoBook when there is none.
func (a *Agent) bookOf(epoch uint64, roots []prooftypes.Root) (*prover.Built, error) {
	b := &a.books
	b.mu.Lock()
	defer b.mu.Unlock()
	all, err := b.rootsOf(a, epoch)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(all, func(one []prooftypes.Root) bool { return prover.SameRoots(one, roots) }) {
		return nil, fmt.Errorf("epoch %d: %w", epoch, errNoBook)
	}
	for _, built := range b.built {
		if built.Book().Epoch == epoch && prover.SameRoots(built.Roots(), roots) {
			return built, nil
		}
	}
	editions, err := a.editions(epoch)
	if err != nil {
		return nil, err
	}
	for _, e := range editions {
		if !prover.SameRoots(e.Roots, roots) {
			continue
		}
		built, err := e.Book.Build()
		if err != nil {
			return nil, err
		}
		if !prover.SameRoots(built.Roots(), roots) {
			return nil, fmt.Errorf("the book of epoch %d was changed on the disk: %w", epoch, errNoBook)
		}
		b.keep(built)
		return built, nil
	}
	return nil, fmt.Errorf("epoch %d: %w", epoch, errNoBook)
}

// hasBook tells the same without building it.
func (a *Agent) hasBook(epoch uint64, roots []prooftypes.Root) (bool, error) {
	b := &a.books
	b.mu.Lock()
	defer b.mu.Unlock()
	all, err := b.rootsOf(a, epoch)
	return slices.ContainsFunc(all, func(one []prooftypes.Root) bool { return prover.SameRoots(one, roots) }), err
}

// editions reads all books of an epoch.
func (a *Agent) editions(epoch uint64) (all []edition, err error) {
	err = a.store.Books(epoch, func(raw []byte) error {
		var e edition
		if err := json.Unmarshal(raw, &e); err != nil { // as good as lost: it must not keep other epochs from being proven
			a.log.Error("a book in the journal can not be read", "epoch", epoch, "error", err)
			return nil
		}
		all = append(all, e)
		return nil
	})
	return all, err
}

// rootsOf gives the roots of all editions, with b.mu held.
func (b *books) rootsOf(a *Agent, epoch uint64) ([][]prooftypes.Root, error) {
	if known, ok := b.roots[epoch]; ok {
		return known, nil
	}
	editions, err := a.editions(epoch)
	if err != nil {
		return nil, err
	}
	if b.roots == nil {
		b.roots = map[uint64][][]prooftypes.Root{}
	}
	roots := [][]prooftypes.Root{}
	for _, e := range editions {
		roots = append(roots, e.Roots)
	}
	b.roots[epoch] = roots
	return roots, nil
}

// keep holds a built book in memory, with b.mu held.
func (b *books) keep(built *prover.Built) {
	b.built = append(b.built, built)
	if len(b.built) > builtBooks {
		b.built = slices.Delete(b.built, 0, 1)
	}
}

// dropBooks forgets an epoch.
func (a *Agent) dropBooks(epoch uint64) error {
	b := &a.books
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := a.store.DropEpoch(epoch); err != nil {
		return err
	}
	delete(b.roots, epoch)
	b.built = slices.DeleteFunc(b.built, func(built *prover.Built) bool { return built.Book().Epoch == epoch })
	return nil
}
