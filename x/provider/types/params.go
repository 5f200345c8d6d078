package types

// maxBondHours bounds the hours that must be bonded: a year.
const maxBondHours = 8760

// DefaultParams returns the parameters of a public network.
func DefaultParams() Params { return Params{BondHours: 30, FreeBondHours: 3} }

// Validate checks every range.
func (p Params) Validate() error {
	if p.BondHours > maxBondHours || p.FreeBondHours > maxBondHours {
		return ErrInvalidParams.Wrapf("bond_hours %d, free_bond_hours %d: want at most %d", p.BondHours, p.FreeBondHours,
			maxBondHours)
	}
	return nil
}
