package types

import (
	"bytes"
	"errors"
	"slices"

	"cosmossdk.io/core/address"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// DefaultGenesis has no epochs; commitments, faults and requests count from 1.
func DefaultGenesis() *GenesisState {
	return &GenesisState{Params: DefaultParams(), NextCommitment: 1, NextFault: 1, NextForced: 1}
}

// Validate checks every record, that what must be unique is, and that what belongs to an epoch has one.
func (g GenesisState) Validate(addresses address.Codec) error {
	if err := g.Params.Validate(); err != nil {
		return err
	}
	if g.NextCommitment == 0 || g.NextFault == 0 || g.NextForced == 0 {
		return ErrInvalidGenesis.Wrap("next_commitment, next_fault and next_forced count from 1")
	}
	if len(g.BlockHashes) > MaxBlockHashes {
		return ErrInvalidGenesis.Wrapf("%d block hashes: at most %d", len(g.BlockHashes), MaxBlockHashes)
	}
	for _, hash := range g.BlockHashes {
		if len(hash) != HashBytes {
			return ErrInvalidGenesis.Wrapf("block hash of %d bytes", len(hash))
		}
	}
	epochs, err := g.validateEpochs()
	if err != nil {
		return err
	}
	for _, check := range []func(address.Codec, map[uint64]Epoch) error{
		g.validateCommitments, g.validateExpected, g.validateRounds, g.validateFaults, g.validateStandings, g.validateForced,
		g.validateClaims, g.validatePosted,
	} {
		if err := check(addresses, epochs); err != nil {
			return invalid(err)
		}
	}
	return nil
}

// invalid makes any error one of the genesis.
func invalid(err error) error {
	if errors.Is(err, ErrInvalidGenesis) {
		return err
	}
	return ErrInvalidGenesis.Wrap(err.Error())
}

// validateEpochs returns the epochs by number.
func (g GenesisState) validateEpochs() (map[uint64]Epoch, error) {
	epochs := make(map[uint64]Epoch, len(g.Epochs))
	for _, e := range g.Epochs {
		if err := e.validate(); err != nil {
			return nil, err
		}
		if _, twice := epochs[e.Number]; twice {
			return nil, ErrInvalidGenesis.Wrapf("epoch %d occurs twice", e.Number)
		}
		epochs[e.Number] = e
	}
	return epochs, nil
}

func (e Epoch) validate() error {
	bad := func(what string) error { return ErrInvalidGenesis.Wrapf("epoch %d: %s", e.Number, what) }
	switch {
	case e.Number == 0 || e.Start >= e.End || e.ClosedAt < e.End || e.MaturesAt < e.End || e.LateUntil > maxSecond || e.MaturesAt > maxSecond:
		return bad("number or seconds")
	case e.CommitUntil <= e.ClosedAt || e.LateUntil < e.CommitUntil:
		return bad("windows")
	case (e.Round == 0) != (e.DrawBy == 0) || e.Seeded() && e.Round == 0 || e.DrawBy > maxSecond:
		return bad("round")
	case !validHash(e.Seed) || !validHash(e.Digest):
		return bad("seed or digest")
	case e.Doubled && !e.Seeded() || e.Drawn && !e.Seeded() || e.DrawnUpTo != 0 && !e.Seeded():
		return bad("drawn without a seed")
	}
	return e.Turnout.validate(e.Number)
}

func (t Turnout) validate(epoch uint64) error {
	if t.Phase > TurnoutDone || t.Missing > t.Providers || !fits(t.Bond) || !fits(t.MissingBond) || t.MissingBond.GT(t.Bond) {
		return ErrInvalidGenesis.Wrapf("turnout of epoch %d", epoch)
	}
	return nil
}

// validHash accepts a hash, or none.
func validHash(hash []byte) bool { return len(hash) == 0 || len(hash) == HashBytes }

// fits tells that a stored amount is set, not negative and small enough to be summed up.
func fits(amount math.Int) bool {
	return !amount.IsNil() && !amount.IsNegative() && amount.BigInt().BitLen() <= maxBookBits
}

func (g GenesisState) validateCommitments(addresses address.Codec, epochs map[uint64]Epoch) error {
	type of struct {
		provider string
		epoch    uint64
	}
	ids, seen := make(map[uint64]bool, len(g.Commitments)), make(map[of]bool, len(g.Commitments))
	for _, c := range g.Commitments {
		if err := c.validate(addresses); err != nil {
			return err
		}
		if _, found := epochs[c.Epoch]; !found || c.Id >= g.NextCommitment || ids[c.Id] || seen[of{c.Provider, c.Epoch}] {
			return ErrInvalidGenesis.Wrapf("commitment %d: occurs twice, is to come, or has no epoch", c.Id)
		}
		ids[c.Id], seen[of{c.Provider, c.Epoch}] = true, true
	}
	return nil
}

func (c Commitment) validate(addresses address.Codec) error {
	bad := func(what string) error { return ErrInvalidGenesis.Wrapf("commitment %d: %s", c.Id, what) }
	if err := validateAddresses(addresses, c.Provider); err != nil {
		return err
	}
	if err := ValidateRoots(c.Roots); err != nil {
		return err
	}
	_, known := CommitmentState_name[int32(c.State)]
	audited := c.State == CommitmentState_COMMITMENT_STATE_AUDITED
	switch {
	case c.Id == 0 || c.Epoch == 0 || !known || c.State == CommitmentState_COMMITMENT_STATE_UNSPECIFIED:
		return bad("id, epoch or state")
	case c.Late != (c.Round != 0 || c.AwaitsOwnRound()) || (c.Round != 0) != (c.DrawBy != 0) || c.DrawBy > maxSecond || c.OpenBy > maxSecond || c.CommittedAt > maxSecond ||
		c.ReceiptGraceSeconds > maxSeconds:
		return bad("round or seconds")
	case !validHash(c.Seed) || audited && (c.OpenBy == 0 || len(c.Seed) == 0):
		return bad("audited without a seed or a second")
	case !slices.IsSorted(c.Opened) || len(c.Opened) > len(c.Roots) || len(slices.Compact(slices.Clone(c.Opened))) != len(c.Opened):
		return bad("opened")
	}
	for _, denom := range c.Opened {
		if _, ok := c.RootOf(denom); !ok {
			return bad("opened what it has no root of")
		}
	}
	for i, w := range c.Withheld {
		if _, ok := c.RootOf(w.Denom); !ok || !fits(w.Grains) || i > 0 && c.Withheld[i-1].Denom >= w.Denom {
			return bad("withheld")
		}
	}
	return nil
}

func (g GenesisState) validateExpected(addresses address.Codec, _ map[uint64]Epoch) error {
	type of struct {
		provider string
		epoch    uint64
	}
	seen := make(map[of]bool, len(g.Expected))
	for _, e := range g.Expected {
		if err := validateAddresses(addresses, e.Provider); err != nil {
			return err
		}
		key := of{e.Provider, e.Epoch}
		if seen[key] || e.Epoch == 0 || len(e.Denoms) == 0 || !sortedDenoms(e.Denoms) {
			return ErrInvalidGenesis.Wrapf("expected of %s in epoch %d", e.Provider, e.Epoch)
		}
		seen[key] = true
	}
	return nil
}

func sortedDenoms(denoms []string) bool {
	for i, denom := range denoms {
		if sdk.ValidateDenom(denom) != nil || i > 0 && denoms[i-1] >= denom {
			return false
		}
	}
	return true
}

func (g GenesisState) validateRounds(address.Codec, map[uint64]Epoch) error {
	seen := make(map[uint64]bool, len(g.Rounds))
	for _, r := range g.Rounds {
		if r.Number == 0 || seen[r.Number] || len(r.Randomness) != HashBytes || r.KnownAt > maxSecond {
			return ErrInvalidGenesis.Wrapf("round %d", r.Number)
		}
		seen[r.Number] = true
	}
	return nil
}

func (g GenesisState) validateFaults(addresses address.Codec, _ map[uint64]Epoch) error {
	seen := make(map[uint64]bool, len(g.Faults))
	for _, f := range g.Faults {
		if err := validateAddresses(addresses, f.Provider); err != nil {
			return err
		}
		_, known := FaultKind_name[int32(f.Kind)]
		if f.Id == 0 || f.Id >= g.NextFault || seen[f.Id] || !known || f.Kind == FaultKind_FAULT_KIND_UNSPECIFIED ||
			len(f.Reason) > maxReasonBytes || f.At > maxSecond {
			return ErrInvalidGenesis.Wrapf("fault %d", f.Id)
		}
		seen[f.Id] = true
		if f.Commitment != nil {
			if err := f.Commitment.validate(addresses); err != nil {
				return ErrInvalidGenesis.Wrapf("fault %d: %s", f.Id, err)
			}
		}
		for _, coins := range []sdk.Coins{f.Slashed, f.Forfeited} {
			if err := coins.Validate(); err != nil {
				return ErrInvalidGenesis.Wrapf("fault %d: %s", f.Id, err)
			}
		}
	}
	return nil
}

func (g GenesisState) validateStandings(addresses address.Codec, _ map[uint64]Epoch) error {
	seen := make(map[string]bool, len(g.Standings))
	for _, s := range g.Standings {
		if err := validateAddresses(addresses, s.Provider); err != nil {
			return err
		}
		if seen[s.Provider] || !slices.IsSorted(s.Missed) || !slices.IsSorted(s.Failed) || len(s.Failed) > maxFailedLeases+1 {
			return ErrInvalidGenesis.Wrapf("standing of %s", s.Provider)
		}
		seen[s.Provider] = true
	}
	return nil
}

func (g GenesisState) validateForced(addresses address.Codec, _ map[uint64]Epoch) error {
	ids, seen, of := make(map[uint64]bool), make(map[[2]uint64]bool), make(map[string]int)
	for _, f := range g.Forced {
		if err := validateAddresses(addresses, f.Provider, f.By); err != nil {
			return err
		}
		if err := validateCoin("bond", f.Bond); err != nil {
			return err
		}
		key := [2]uint64{f.Lease, f.Epoch}
		if f.Id == 0 || f.Id >= g.NextForced || ids[f.Id] || seen[key] || f.Lease == 0 || f.AnswerBy == 0 || f.AnswerBy > maxSecond {
			return ErrInvalidGenesis.Wrapf("forced opening %d", f.Id)
		}
		ids[f.Id], seen[key] = true, true
		if of[f.Provider]++; of[f.Provider] > MaxAnswers {
			return ErrInvalidGenesis.Wrapf("more than %d forced openings of %s", MaxAnswers, f.Provider)
		}
	}
	return nil
}

func (g GenesisState) validateClaims(_ address.Codec, epochs map[uint64]Epoch) error {
	seen := make(map[[2]uint64]bool, len(g.Claims))
	for _, c := range g.Claims {
		key := [2]uint64{c.Epoch, c.Lease}
		if _, found := epochs[c.Epoch]; !found || seen[key] || c.Lease == 0 || !fits(c.Paid) {
			return ErrInvalidGenesis.Wrapf("claim of lease %d in epoch %d", c.Lease, c.Epoch)
		}
		seen[key] = true
	}
	return nil
}

func (g GenesisState) validatePosted(_ address.Codec, _ map[uint64]Epoch) error {
	seen := make(map[[2]uint64]bool, len(g.Posted))
	for _, p := range g.Posted {
		key := [2]uint64{p.Epoch, p.Lease}
		if seen[key] || p.Epoch == 0 || p.Lease == 0 || len(p.Words) == 0 || len(p.Words) > MaxWords {
			return ErrInvalidGenesis.Wrapf("receipts of lease %d in epoch %d", p.Lease, p.Epoch)
		}
		seen[key] = true
		for i, w := range p.Words {
			if w.Seq == 0 || w.Until > maxSecond || w.PostedAt > maxSecond ||
				i > 0 && (p.Words[i-1].Seq >= w.Seq || p.Words[i-1].PostedAt > w.PostedAt) {
				return ErrInvalidGenesis.Wrapf("receipt %d of lease %d in epoch %d", w.Seq, p.Lease, p.Epoch)
			}
		}
	}
	return nil
}

// JoinHashes puts block hashes one after the other, as they are drawn by.
func JoinHashes(hashes [][]byte) []byte { return bytes.Join(hashes, nil) }

// SplitHashes is the inverse of JoinHashes.
func SplitHashes(joined []byte) [][]byte {
	var hashes [][]byte
	for i := 0; i+HashBytes <= len(joined); i += HashBytes {
		hashes = append(hashes, joined[i:i+HashBytes])
	}
	return hashes
}
