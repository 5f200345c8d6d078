package types

import (
	"fmt"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

type potKey struct{ payee, denom string }

// potTally is what the open streams pay into a pot, by kind.
type potTally struct{ service, hold math.Int }

func (t *potTally) add(s Stream) {
	rate := math.NewIntFromUint64(s.Rate)
	if s.Kind == StreamKind_STREAM_KIND_HOLD {
		t.hold = t.hold.Add(rate)
	} else {
		t.service = t.service.Add(rate)
	}
}

func (v *genesisValidator) pot(key potKey) *potTally {
	tally, ok := v.pots[key]
	if !ok {
		tally = &potTally{service: math.ZeroInt(), hold: math.ZeroInt()}
		v.pots[key] = tally
	}
	return tally
}

func (v *genesisValidator) validatePots() error {
	seen := make(map[potKey]bool, len(v.genesis.Pots))
	for _, p := range v.genesis.Pots {
		key := potKey{p.Payee, p.Denom}
		if seen[key] {
			return fmt.Errorf("pot of %s in %s twice", p.Payee, p.Denom)
		}
		seen[key] = true
		if err := v.validatePot(p); err != nil {
			return fmt.Errorf("pot of %s in %s: %w", p.Payee, p.Denom, err)
		}
	}
	// The streams are walked again, and not the tallies, so that one genesis always gives one and the same error.
	for _, s := range v.genesis.OpenStreams {
		key := potKey{s.Payee, v.accounts[s.Account].account.Denom}
		if s.ClosedAt == 0 && !seen[key] {
			return fmt.Errorf("stream %d pays a pot that is missing", s.Id)
		}
	}
	return nil
}

func (v *genesisValidator) validatePot(p Pot) error {
	if err := v.validatePotKey(p.Payee, p.Denom); err != nil {
		return err
	}
	clock := v.genesis.Clock
	next := Accrual{Service: zeroLine(), Hold: zeroLine()}
	if p.Next != nil {
		next = *p.Next
	}
	switch {
	case p.Epoch == 0 || p.Epoch > clock.Epoch:
		return fmt.Errorf("epoch %d", p.Epoch)
	case !p.Running.fits() || !next.fits() || !fitsAmount(p.Available):
		return fmt.Errorf("amount out of range")
	}
	tally := v.pot(potKey{p.Payee, p.Denom})
	service, hold := p.Running.Service.Slope.Add(next.Service.Slope), p.Running.Hold.Slope.Add(next.Hold.Slope)
	if !service.Equal(tally.service) || !hold.Equal(tally.hold) {
		return fmt.Errorf("earns %s and %s, its streams pay %s and %s", service, hold, tally.service, tally.hold)
	}
	return nil
}

func (v *genesisValidator) validatePotKey(payee, denom string) error {
	if err := v.address(payee); err != nil {
		return fmt.Errorf("payee: %w", err)
	}
	return sdk.ValidateDenom(denom)
}

func (v *genesisValidator) validateEpochPots() error {
	type key struct {
		potKey
		epoch uint64
	}
	seen := make(map[key]bool, len(v.genesis.EpochPots))
	for _, p := range v.genesis.EpochPots {
		if err := v.validatePotKey(p.Payee, p.Denom); err != nil {
			return err
		}
		k := key{potKey{p.Payee, p.Denom}, p.Epoch}
		if seen[k] || p.Epoch == 0 || p.Epoch >= v.genesis.Clock.Epoch {
			return fmt.Errorf("pot of %s in %s: epoch %d twice or not closed", p.Payee, p.Denom, p.Epoch)
		}
		seen[k] = true
		if err := p.validateAmounts(); err != nil {
			return fmt.Errorf("pot of %s in %s, epoch %d: %w", p.Payee, p.Denom, p.Epoch, err)
		}
	}
	return nil
}

func (p EpochPot) validateAmounts() error {
	split := []math.Int{p.Payable, p.Refundable, p.Forfeited, p.Refunded, p.Settled}
	for _, amount := range append([]math.Int{p.Service, p.Hold}, split...) {
		if !fitsAmount(amount) {
			return fmt.Errorf("amount out of range")
		}
	}
	sum := math.ZeroInt()
	for _, part := range split {
		sum = sum.Add(part)
	}
	switch {
	case p.Credited && !sum.Equal(p.Service.Add(p.Hold)):
		return fmt.Errorf("credited, but not in full")
	case p.Credited && p.Payable.LT(p.Hold):
		return fmt.Errorf("credited, but not what was held")
	case !p.Credited && !sum.IsZero():
		return fmt.Errorf("not credited, but payable")
	}
	return nil
}

func (v *genesisValidator) validateDust() error {
	seen := make(map[string]bool, len(v.genesis.Dust))
	for _, d := range v.genesis.Dust {
		if err := sdk.ValidateDenom(d.Denom); err != nil {
			return err
		}
		if !fitsAmount(d.Grains) || seen[d.Denom] {
			return fmt.Errorf("%s out of range or twice", d.Denom)
		}
		seen[d.Denom] = true
	}
	return nil
}

func (v *genesisValidator) validateSweep() error {
	sweep := v.genesis.Sweep
	if sweep == nil || sweep.Payee == "" {
		return nil
	}
	return v.validatePotKey(sweep.Payee, sweep.Denom)
}

func zeroLine() Line { return Line{Intercept: math.ZeroInt(), Slope: math.ZeroInt()} }

func (a Accrual) fits() bool {
	for _, amount := range []math.Int{a.Service.Intercept, a.Service.Slope, a.Hold.Intercept, a.Hold.Slope} {
		if !fits(amount) {
			return false
		}
	}
	return true
}
