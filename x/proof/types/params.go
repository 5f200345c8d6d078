package types

import (
	"bytes"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/beacon"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
)

const (
	// maxSeconds bounds every time that is a parameter: a year.
	maxSeconds = 365 * 24 * 3600
	// FaultSeconds are how long a fault is kept, in service seconds: a year.
	FaultSeconds = 365 * 24 * 3600
	// maxEpochs bounds every count of epochs.
	maxEpochs = 10_000
	// maxPenalty bounds what withholding a leaf costs, in dues.
	maxPenalty = 1000
	// maxFailedLeases bounds the entries of a standing.
	maxFailedLeases = 1000
	maxDraws        = 10_000
	maxBeaconGas    = 100_000_000
	minBeaconGas    = 100_000
	// maxCoinBits bounds amounts that are parameters.
	maxCoinBits = 96
	// spareEpochs are the least epochs that a hold-back has beyond those in which commitments are still taken: to audit late
	// ones, to ask for leaves, and to claim.
	spareEpochs = 3
)

// DefaultParams returns the parameters of a public network, drawn by drand's quicknet.
func DefaultParams() Params {
	group := beacon.Quicknet()
	return Params{
		TickSeconds:          60,
		CommitWindowSeconds:  240,
		SeedDelaySeconds:     60,
		OpenWindowSeconds:    2700, // an operator who is called out has the time to bring an agent back
		LateEpochs:           2,
		LateFeeBps:           100,
		AuditPpm:             250_000,
		Openings:             8,
		ProbationEpochs:      168,
		ForgedSlashBps:       500,
		ForgedJailSeconds:    24 * 3600,
		MissedPpm:            50_000,
		MissedSlashBps:       50,
		MissedJailSeconds:    3600,
		OutagePpm:            200_000,
		FailedLeases:         5,
		FailedJailSeconds:    3600,
		ForceBond:            sdk.NewInt64Coin(NativeDenom, 100_000),
		ForceWindowSeconds:   3600,
		ForcePenalty:         10,
		WithheldPpm:          10_000,
		BeaconTimeoutSeconds: 600,
		BeaconGas:            300_000,
		BeaconRebate:         sdk.NewInt64Coin(NativeDenom, 0),
		Beacon:               NewBeacon(group),
		DrawsPerBlock:        200,
		ReceiptGraceSeconds:  60,
	}
}

// NewBeacon is a group as the parameters hold it.
func NewBeacon(group beacon.Group) Beacon {
	return Beacon{PublicKey: group.PublicKey, Genesis: group.GenesisTime, Period: group.PeriodSeconds}
}

// Group is the beacon as package beacon verifies it.
func (b Beacon) Group() beacon.Group {
	return beacon.Group{PublicKey: b.PublicKey, GenesisTime: b.Genesis, PeriodSeconds: b.Period}
}

// Equal tells that two beacons are the same.
func (b Beacon) Equal(other Beacon) bool {
	return bytes.Equal(b.PublicKey, other.PublicKey) && b.Genesis == other.Genesis && b.Period == other.Period
}

// Validate checks every range. Nothing that takes time may take none: it would be due when it begins.
func (p Params) Validate() error {
	ranges := []struct {
		name            string
		value, from, to uint64
	}{
		{"tick_seconds", uint64(p.TickSeconds), 1, maxSeconds},
		{"commit_window_seconds", uint64(p.CommitWindowSeconds), 1, maxSeconds},
		{"seed_delay_seconds", uint64(p.SeedDelaySeconds), 1, maxSeconds},
		{"open_window_seconds", uint64(p.OpenWindowSeconds), 1, maxSeconds},
		{"late_epochs", uint64(p.LateEpochs), 0, maxEpochs},
		{"late_fee_bps", uint64(p.LateFeeBps), 0, WholeBps},
		{"audit_ppm", uint64(p.AuditPpm), 0, WholePpm},
		{"openings", uint64(p.Openings), 1, MaxOpenings},
		{"probation_epochs", uint64(p.ProbationEpochs), 1, maxEpochs},
		{"forged_slash_bps", uint64(p.ForgedSlashBps), 0, WholeBps},
		{"forged_jail_seconds", uint64(p.ForgedJailSeconds), 1, maxSeconds},
		{"missed_ppm", uint64(p.MissedPpm), 0, WholePpm},
		{"missed_slash_bps", uint64(p.MissedSlashBps), 0, WholeBps},
		{"missed_jail_seconds", uint64(p.MissedJailSeconds), 1, maxSeconds},
		{"outage_ppm", uint64(p.OutagePpm), 0, WholePpm},
		{"failed_leases", uint64(p.FailedLeases), 1, maxFailedLeases},
		{"failed_jail_seconds", uint64(p.FailedJailSeconds), 1, maxSeconds},
		{"force_window_seconds", uint64(p.ForceWindowSeconds), 1, maxSeconds},
		{"force_penalty", uint64(p.ForcePenalty), 0, maxPenalty},
		{"withheld_ppm", uint64(p.WithheldPpm), 0, WholePpm},
		{"beacon_timeout_seconds", uint64(p.BeaconTimeoutSeconds), 1, maxSeconds},
		{"beacon_gas", p.BeaconGas, minBeaconGas, maxBeaconGas},
		{"draws_per_block", uint64(p.DrawsPerBlock), 1, maxDraws},
		{"receipt_grace_seconds", uint64(p.ReceiptGraceSeconds), 0, maxSeconds},
	}
	for _, r := range ranges {
		if r.value < r.from || r.value > r.to {
			return ErrInvalidParams.Wrapf("%s is %d: want %d to %d", r.name, r.value, r.from, r.to)
		}
	}
	if err := validateCoin("force_bond", p.ForceBond); err != nil {
		return err
	}
	if err := validateCoin("beacon_rebate", p.BeaconRebate); err != nil {
		return err
	}
	if err := p.Beacon.Group().Validate(); err != nil {
		return ErrInvalidParams.Wrapf("beacon: %s", err)
	}
	return nil
}

func validateCoin(name string, coin sdk.Coin) error {
	if err := coin.Validate(); err != nil {
		return ErrInvalidParams.Wrapf("%s: %s", name, err)
	}
	if coin.Amount.BigInt().BitLen() > maxCoinBits {
		return ErrInvalidParams.Wrapf("%s must be below 2^%d", name, maxCoinBits)
	}
	return nil
}

// Fits refuses windows that outlast the hold-back of x/escrow: all that decides on an epoch must be over when its pots mature.
func (p Params) Fits(e escrowtypes.Params) error {
	holdback, epoch := uint64(e.HoldbackEpochs), uint64(e.EpochSeconds)
	if holdback < uint64(p.LateEpochs)+spareEpochs {
		return ErrInvalidParams.Wrapf("pots are held back for %d epochs: late_epochs of %d want at least %d", holdback, p.LateEpochs,
			p.LateEpochs+spareEpochs)
	}
	late := max(uint64(p.CommitWindowSeconds), uint64(p.LateEpochs)*epoch)
	draw := uint64(p.SeedDelaySeconds) + uint64(p.BeaconTimeoutSeconds)
	taken := late + draw + uint64(p.OpenWindowSeconds) + 2*uint64(p.ForceWindowSeconds)
	if taken >= holdback*epoch {
		return ErrInvalidParams.Wrapf("the windows take %d seconds, pots are held back for %d", taken, holdback*epoch)
	}
	return nil
}
