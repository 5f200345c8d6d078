package tenant

import (
	"fmt"
	"path/filepath"
	"sync"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// watchFees is what a watcher paid of its budget since the day began, in its folder. It implements client.Ledger.
type watchFees struct {
	file string

	mu   sync.Mutex
	book feeBook
}

type feeBook struct {
	Since time.Time            `json:"since,omitzero"`
	Fees  map[string]sdk.Coins `json:"fees"` // by transaction
}

// fees opens the folder's book.
func (s watchState) fees() (*watchFees, error) {
	f := &watchFees{file: filepath.Join(s.dir, "fees.json")}
	if _, err := readJSON(f.file, &f.book); err != nil {
		return nil, err
	}
	return f, nil
}

// Spent implements client.Ledger. A day that begins in the future, for the clock went back, begins now.
func (f *watchFees) Spent() (since time.Time, spent sdk.Coins) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fee := range f.book.Fees {
		spent = spent.Add(fee...)
	}
	if now := time.Now(); f.book.Since.After(now) {
		f.book.Since = now
	}
	return f.book.Since, spent
}

// Reserve implements client.Ledger.
func (f *watchFees) Reserve(since time.Time, hash string, fee sdk.Coins) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.book.Since.Equal(since) || f.book.Fees == nil {
		f.book = feeBook{Since: since, Fees: map[string]sdk.Coins{}}
	}
	f.book.Fees[hash] = fee
	return f.write()
}

// Release implements client.Ledger.
func (f *watchFees) Release(hash string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, reserved := f.book.Fees[hash]; !reserved {
		return nil
	}
	delete(f.book.Fees, hash)
	return f.write()
}

func (f *watchFees) write() error {
	if err := writeJSON(f.file, f.book); err != nil {
		return fmt.Errorf("write down the fee of a transaction: %w", err)
	}
	return nil
}
