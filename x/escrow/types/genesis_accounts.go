package types

import (
	"fmt"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// accountTally is an account with what its open streams add up to.
type accountTally struct {
	account Account
	streams uint32
	rate    math.Int
	paused  math.Int
}

func (v *genesisValidator) validateAccounts() error {
	last := uint64(0)
	for _, a := range v.genesis.Accounts {
		if a.Id <= last {
			return fmt.Errorf("account %d: ids must rise from 1", a.Id)
		}
		last = a.Id
		if err := v.validateAccount(a); err != nil {
			return fmt.Errorf("account %d: %w", a.Id, err)
		}
		v.accounts[a.Id] = &accountTally{account: a, rate: math.ZeroInt(), paused: math.ZeroInt()}
	}
	if v.genesis.NextAccount <= last || v.genesis.NextAccount > MaxAccounts {
		return fmt.Errorf("next_account is %d after account %d", v.genesis.NextAccount, last)
	}
	return nil
}

func (v *genesisValidator) validateAccount(a Account) error {
	if err := v.address(a.Owner); err != nil {
		return fmt.Errorf("owner: %w", err)
	}
	if err := sdk.ValidateDenom(a.Denom); err != nil {
		return err
	}
	low := a.State == AccountState_ACCOUNT_STATE_LOW
	closed := a.State == AccountState_ACCOUNT_STATE_CLOSED
	switch {
	case a.State != AccountState_ACCOUNT_STATE_FUNDED && !low && !closed:
		return fmt.Errorf("state %d", a.State)
	case !fitsAmount(a.PausedRate) || !low && !a.PausedRate.IsZero():
		return fmt.Errorf("paused rate out of range")
	case a.LowAt > a.ZeroAt || a.LowAt != 0 && (low || closed):
		return fmt.Errorf("low at %d, at its end at %d", a.LowAt, a.ZeroAt)
	case !fitsAmount(a.Held):
		return fmt.Errorf("held amount out of range")
	case !fits(a.Outflow.Intercept) || !fitsAmount(a.Outflow.Slope):
		return fmt.Errorf("outflow out of range")
	case a.Streams > MaxStreams || a.StreamsOpened > MaxStreamsOpened:
		return fmt.Errorf("%d streams open of %d", a.Streams, a.StreamsOpened)
	case closed && (a.Streams != 0 || !a.Held.IsZero() || a.ZeroAt != 0):
		return fmt.Errorf("closed while in use")
	case a.ExhaustedAt > v.genesis.Clock.Now():
		return fmt.Errorf("exhausted in the future")
	}
	return v.validateDeposits(a)
}

func (v *genesisValidator) validateDeposits(a Account) error {
	if len(a.Deposits) == 0 || len(a.Deposits) > MaxDeposits {
		return fmt.Errorf("%d deposits: want 1 to %d", len(a.Deposits), MaxDeposits)
	}
	type source struct{ depositor, grantee string }
	seen := make(map[source]bool, len(a.Deposits))
	for _, d := range a.Deposits {
		if err := v.address(d.Depositor); err != nil {
			return fmt.Errorf("depositor: %w", err)
		}
		if d.Grantee != "" {
			if err := v.address(d.Grantee); err != nil {
				return fmt.Errorf("grantee: %w", err)
			}
		}
		from := source{d.Depositor, d.Grantee}
		if !fitsAmount(d.Remainder) || !fitsAmount(d.Spent) || seen[from] {
			return fmt.Errorf("deposit of %s out of range or twice", d.Depositor)
		}
		if a.State == AccountState_ACCOUNT_STATE_CLOSED && d.Remainder.GTE(math.NewInt(grainsPerMicro)) {
			return fmt.Errorf("closed and not refunded")
		}
		seen[from] = true
	}
	return nil
}

func (v *genesisValidator) validateStreams() error {
	if err := v.eachStream(v.genesis.OpenStreams, v.countOpenStream); err != nil {
		return err
	}
	if err := v.eachStream(v.genesis.ClosedStreams, v.checkClosedStream); err != nil {
		return err
	}
	return v.validateChains()
}

// validateChains checks that the stream whose place another took is an older one of the same account, for the same ref and
// payee, that it is closed, and that nothing else took its place. It may be forgotten already.
func (v *genesisValidator) validateChains() error {
	streams := make(map[uint64]Stream, len(v.genesis.OpenStreams)+len(v.genesis.ClosedStreams))
	for _, s := range v.genesis.ClosedStreams {
		streams[s.Id] = s
	}
	for _, s := range v.genesis.OpenStreams {
		streams[s.Id] = Stream{} // matches none
	}
	replaced := make(map[uint64]bool)
	for _, list := range [][]Stream{v.genesis.OpenStreams, v.genesis.ClosedStreams} {
		for _, s := range list {
			if s.Previous == 0 {
				continue
			}
			before, found := streams[s.Previous]
			fits := before.Ref == s.Ref && before.Payee == s.Payee
			if s.Previous >= s.Id || AccountOfStream(s.Previous) != s.Account || replaced[s.Previous] || found && !fits {
				return fmt.Errorf("stream %d cannot have taken the place of %d", s.Id, s.Previous)
			}
			replaced[s.Previous] = true
		}
	}
	return nil
}

func (v *genesisValidator) eachStream(streams []Stream, check func(*accountTally, Stream) error) error {
	last := uint64(0)
	for _, s := range streams {
		if s.Id <= last {
			return fmt.Errorf("stream %d: ids must rise", s.Id)
		}
		last = s.Id
		tally, ok := v.accounts[s.Account]
		if !ok || AccountOfStream(s.Id) != s.Account || s.Id > StreamID(s.Account, tally.account.StreamsOpened) {
			return fmt.Errorf("stream %d does not belong to account %d", s.Id, s.Account)
		}
		if err := v.validateStream(s); err != nil {
			return fmt.Errorf("stream %d: %w", s.Id, err)
		}
		if err := check(tally, s); err != nil {
			return fmt.Errorf("stream %d: %w", s.Id, err)
		}
	}
	return nil
}

func (v *genesisValidator) validateStream(s Stream) error {
	if err := v.address(s.Payee); err != nil {
		return fmt.Errorf("payee: %w", err)
	}
	if err := ValidateRate(s.Rate); err != nil {
		return err
	}
	if err := ValidateKind(s.Kind); err != nil {
		return err
	}
	if s.FullRate != 0 && (s.Kind != StreamKind_STREAM_KIND_HOLD || s.FullRate >= MaxRate || s.FullRate < s.Rate) {
		return fmt.Errorf("stands in for a rate of %d", s.FullRate)
	}
	if s.OpenedAt == 0 || s.OpenedAt > v.genesis.Clock.Now() || s.ClosedAt > v.genesis.Clock.Now() {
		return fmt.Errorf("runs from %d to %d", s.OpenedAt, s.ClosedAt)
	}
	return nil
}

// countOpenStream adds a stream to its account and its pot. A stream that was stopped, because its account is exhausted
// and in quarantine, counts but does not flow. One that could not be stopped in its pot still flows there.
func (v *genesisValidator) countOpenStream(tally *accountTally, s Stream) error {
	tally.streams++
	if s.ClosedAt != 0 {
		if s.ClosedAt != tally.account.ExhaustedAt {
			return fmt.Errorf("open, but closed at %d", s.ClosedAt)
		}
		return nil
	}
	if tally.account.ExhaustedAt == 0 {
		tally.rate = tally.rate.Add(math.NewIntFromUint64(s.Rate))
		if s.FullRate != 0 {
			tally.paused = tally.paused.Add(math.NewIntFromUint64(s.FullRate - s.Rate))
		}
	}
	v.pot(potKey{s.Payee, tally.account.Denom}).add(s)
	return nil
}

func (v *genesisValidator) checkClosedStream(_ *accountTally, s Stream) error {
	if s.ClosedAt < s.OpenedAt {
		return fmt.Errorf("opened at %d, closed at %d", s.OpenedAt, s.ClosedAt)
	}
	return nil
}

func (v *genesisValidator) compareAccounts() error {
	for _, a := range v.genesis.Accounts {
		tally := v.accounts[a.Id]
		if a.Streams != tally.streams {
			return fmt.Errorf("account %d counts %d streams, has %d", a.Id, a.Streams, tally.streams)
		}
		if !a.Outflow.Slope.Equal(tally.rate) {
			return fmt.Errorf("account %d draws %s, its streams %s", a.Id, a.Outflow.Slope, tally.rate)
		}
		if !a.PausedRate.Equal(tally.paused) {
			return fmt.Errorf("account %d pauses %s, its streams %s", a.Id, a.PausedRate, tally.paused)
		}
	}
	return nil
}
