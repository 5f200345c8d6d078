package types

const (
	// maxBondHours bounds the hours that must be bonded: a year.
	maxBondHours = 8760
	// maxSeconds bounds every time that is a parameter: a year.
	maxSeconds = 365 * 24 * 3600
	// maxRotationEpochs bounds how long a new agent waits.
	maxRotationEpochs = 1000
)

// DefaultParams returns the parameters of a public network.
func DefaultParams() Params {
	return Params{
		BondHours:                30,
		FreeBondHours:            3,
		UnbondingSeconds:         21 * 24 * 3600,
		MaintenanceNoticeSeconds: 2 * 3600,
		MaintenanceQuotaSeconds:  4 * 3600,
		MaintenancePeriodSeconds: 30 * 24 * 3600,
		RotationEpochs:           2,
	}
}

// Validate checks every range. Nothing that takes time may take none: it would be due when it begins.
func (p Params) Validate() error {
	ranges := []struct {
		name            string
		value, from, to uint32
	}{
		{"bond_hours", p.BondHours, 0, maxBondHours},
		{"free_bond_hours", p.FreeBondHours, 0, maxBondHours},
		{"unbonding_seconds", p.UnbondingSeconds, 1, maxSeconds},
		{"maintenance_notice_seconds", p.MaintenanceNoticeSeconds, 1, maxSeconds},
		{"maintenance_quota_seconds", p.MaintenanceQuotaSeconds, 0, p.MaintenancePeriodSeconds},
		{"maintenance_period_seconds", p.MaintenancePeriodSeconds, 1, maxSeconds},
		{"rotation_epochs", p.RotationEpochs, 1, maxRotationEpochs},
	}
	for _, r := range ranges {
		if r.value < r.from || r.value > r.to {
			return ErrInvalidParams.Wrapf("%s is %d: want %d to %d", r.name, r.value, r.from, r.to)
		}
	}
	if err := ValidateBond(p.MinBond); err != nil {
		return ErrInvalidParams.Wrapf("min_bond: %s", err)
	}
	return nil
}
