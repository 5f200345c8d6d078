package types

import (
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

const (
	maxTickSeconds       = 3600
	maxEpochSeconds      = 31 * 24 * 3600
	maxHoldbackEpochs    = 10_000
	maxRunwaySeconds     = 31 * 24 * 3600
	maxPauseBps          = 10_000
	maxFeeBps            = 5_000
	maxDenoms            = 16
	maxDeadlinesPerBlock = 100_000
)

// DefaultDenom is the native denom.
const DefaultDenom = "usouk"

// DefaultParams returns the parameters of a public network.
func DefaultParams() Params {
	return Params{
		MaxTickSeconds:       20,
		EpochSeconds:         3600,
		HoldbackEpochs:       24,
		MinRunwaySeconds:     7200,
		FeeBps:               200,
		Denoms:               []DenomParams{{Denom: DefaultDenom, MinDeposit: math.NewInt(1_000_000)}},
		MaxDeadlinesPerBlock: 1000,
		PauseRunwaySeconds:   3600,
		PauseBps:             1000,
	}
}

// Validate checks every range. The minimal runway is at least one second, so that no stream is due when it opens, and no
// shorter than that at which services are paused, so that none is paused when it opens.
func (p Params) Validate() error {
	ranges := []struct {
		name     string
		value    uint32
		from, to uint32
	}{
		{"max_tick_seconds", p.MaxTickSeconds, 1, maxTickSeconds},
		{"epoch_seconds", p.EpochSeconds, 1, maxEpochSeconds},
		{"holdback_epochs", p.HoldbackEpochs, 0, maxHoldbackEpochs},
		{"min_runway_seconds", p.MinRunwaySeconds, 1, maxRunwaySeconds},
		{"pause_runway_seconds", p.PauseRunwaySeconds, 0, p.MinRunwaySeconds},
		{"pause_bps", p.PauseBps, 0, maxPauseBps},
		{"fee_bps", p.FeeBps, 0, maxFeeBps},
		{"max_deadlines_per_block", p.MaxDeadlinesPerBlock, 1, maxDeadlinesPerBlock},
	}
	for _, r := range ranges {
		if r.value < r.from || r.value > r.to {
			return ErrInvalidParams.Wrapf("%s is %d: want %d to %d", r.name, r.value, r.from, r.to)
		}
	}
	return p.validateDenoms()
}

func (p Params) validateDenoms() error {
	if len(p.Denoms) > maxDenoms {
		return ErrInvalidParams.Wrapf("%d denoms: want at most %d", len(p.Denoms), maxDenoms)
	}
	last := ""
	for _, d := range p.Denoms {
		if err := sdk.ValidateDenom(d.Denom); err != nil {
			return ErrInvalidParams.Wrap(err.Error())
		}
		if d.Denom <= last {
			return ErrInvalidParams.Wrapf("denoms not sorted and unique at %q", d.Denom)
		}
		if err := ValidateAmount(d.MinDeposit); err != nil {
			return ErrInvalidParams.Wrapf("min_deposit of %s: %s", d.Denom, err)
		}
		last = d.Denom
	}
	return nil
}

// Denom returns the parameters of a settlement denom, and whether it is one.
func (p Params) Denom(denom string) (DenomParams, bool) {
	for _, d := range p.Denoms {
		if d.Denom == denom {
			return d, true
		}
	}
	return DenomParams{}, false
}
