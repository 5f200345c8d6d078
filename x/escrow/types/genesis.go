package types

import (
	"fmt"

	"cosmossdk.io/core/address"
)

// nanosPerSecond converts the clock to seconds.
const nanosPerSecond = uint64(1_000_000_000)

// DefaultGenesis is an empty escrow at the first second.
func DefaultGenesis() *GenesisState {
	params := DefaultParams()
	return &GenesisState{Params: params, Clock: FirstClock(params), NextAccount: 1}
}

// FirstClock is the clock of a new chain: second 1, epoch 1.
func FirstClock(params Params) Clock {
	return Clock{
		Nanos:      nanosPerSecond,
		Frontier:   1,
		Epoch:      1,
		EpochStart: 1,
		EpochEnd:   1 + uint64(params.EpochSeconds),
	}
}

// Now returns the clock in whole seconds.
func (c Clock) Now() uint64 { return c.Nanos / nanosPerSecond }

// Validate checks that seconds count from 1 and lie in their order.
func (c Clock) Validate() error {
	switch {
	case c.Epoch == 0:
		return fmt.Errorf("epochs count from 1")
	case c.EpochStart == 0:
		return fmt.Errorf("seconds count from 1")
	case c.EpochEnd <= c.EpochStart:
		return fmt.Errorf("epoch ends at %d, not after its start at %d", c.EpochEnd, c.EpochStart)
	case (c.Epoch == 1) != (c.MaturesAt == 0) || c.Epoch > 1 && c.MaturesAt < c.EpochStart:
		return fmt.Errorf("what was earned before epoch %d matures at %d", c.Epoch, c.MaturesAt)
	case c.Frontier > c.Now():
		return fmt.Errorf("frontier %d lies after now %d", c.Frontier, c.Now())
	case c.Frontier < c.EpochStart:
		return fmt.Errorf("frontier %d lies before the running epoch's start %d", c.Frontier, c.EpochStart)
	}
	return nil
}

// Validate checks what can be checked without the bank: ranges, order, and that the parts fit together: rates of
// accounts and pots are the sums over their streams. Conservation is checked against the bank on import.
func (g GenesisState) Validate(addresses address.Codec) error {
	v := genesisValidator{
		genesis:   g,
		addresses: addresses,
		accounts:  make(map[uint64]*accountTally, len(g.Accounts)),
		pots:      make(map[potKey]*potTally, len(g.Pots)),
	}
	checks := []struct {
		what  string
		check func() error
	}{
		{"params", g.Params.Validate},
		{"clock", g.Clock.Validate},
		{"accounts", v.validateAccounts},
		{"streams", v.validateStreams},
		{"retained", v.validateRetained},
		{"rates of accounts", v.compareAccounts},
		{"pots", v.validatePots},
		{"epoch pots", v.validateEpochPots},
		{"dust", v.validateDust},
		{"quarantine", v.validateQuarantine},
		{"sweep", v.validateSweep},
		{"untold epochs", v.validateUntold},
	}
	for _, c := range checks {
		if err := c.check(); err != nil {
			return ErrInvalidGenesis.Wrapf("%s: %s", c.what, err)
		}
	}
	return nil
}

// genesisValidator gathers sums over one part of the state to compare them with another.
type genesisValidator struct {
	genesis   GenesisState
	addresses address.Codec
	accounts  map[uint64]*accountTally
	pots      map[potKey]*potTally
}

// address checks that a text is an address of this chain.
func (v *genesisValidator) address(text string) error {
	_, err := v.addresses.StringToBytes(text)
	return err
}

func (v *genesisValidator) validateQuarantine() error {
	type key struct {
		source string
		id     uint64
	}
	seen := make(map[key]bool, len(v.genesis.Quarantine))
	for _, q := range v.genesis.Quarantine {
		k := key{q.Source, q.Id}
		if q.Source == "" || len(q.Source) > MaxSourceBytes || len(q.Error) > MaxErrorBytes || seen[k] {
			return fmt.Errorf("item %d of %q: too long or twice", q.Id, q.Source)
		}
		seen[k] = true
	}
	for _, a := range v.genesis.Accounts {
		finished := a.ExhaustedAt == 0 || a.State == AccountState_ACCOUNT_STATE_CLOSED
		if !finished && !seen[key{AccountSource, a.Id}] {
			return fmt.Errorf("account %d ran out and nothing would finish it", a.Id)
		}
	}
	return nil
}
