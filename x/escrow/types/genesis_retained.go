package types

import "fmt"

// validateRetained checks that the queue of what is to be forgotten is in order and names what is closed. What is closed
// and not in it is in quarantine.
func (v *genesisValidator) validateRetained() error {
	open := make(map[uint64]bool, len(v.genesis.OpenStreams))
	for _, s := range v.genesis.OpenStreams {
		open[s.Id] = true
	}
	waiting := make(map[uint64]bool, len(v.genesis.Retained))
	last := Retained{}
	for _, r := range v.genesis.Retained {
		if r.Second < last.Second || r.Second == last.Second && r.Id <= last.Id || waiting[r.Id] {
			return fmt.Errorf("item %d: not in order, or twice", r.Id)
		}
		last = r
		waiting[r.Id] = true
		if err := v.checkRetained(r.Id, open); err != nil {
			return err
		}
	}
	for _, q := range v.genesis.Quarantine {
		if q.Source == RetainedSource {
			waiting[q.Id] = true
		}
	}
	for _, a := range v.genesis.Accounts {
		if a.State == AccountState_ACCOUNT_STATE_CLOSED && !waiting[StreamID(a.Id, 0)] {
			return fmt.Errorf("closed account %d would stay forever", a.Id)
		}
	}
	return nil
}

// checkRetained refuses items that are not closed. A stream may be gone already, with its account.
func (v *genesisValidator) checkRetained(id uint64, open map[uint64]bool) error {
	account := AccountOfStream(id)
	if account == 0 {
		return fmt.Errorf("item %d is of no account", id)
	}
	if open[id] {
		return fmt.Errorf("stream %d is open", id)
	}
	tally, found := v.accounts[account]
	if id == StreamID(account, 0) && (!found || tally.account.State != AccountState_ACCOUNT_STATE_CLOSED) {
		return fmt.Errorf("account %d is not closed", account)
	}
	return nil
}
