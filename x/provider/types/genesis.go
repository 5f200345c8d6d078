package types

import (
	"cosmossdk.io/core/address"
)

// DefaultGenesis has no providers.
func DefaultGenesis() *GenesisState { return &GenesisState{Params: DefaultParams()} }

// Validate checks every provider, and that operators and agents are unique. Whether the bank holds the bonds is checked
// on import.
func (g GenesisState) Validate(addresses address.Codec) error {
	if err := g.Params.Validate(); err != nil {
		return err
	}
	operators, agents := make(map[string]bool, len(g.Providers)), make(map[string]bool, len(g.Providers))
	for _, p := range g.Providers {
		if err := p.Validate(addresses); err != nil {
			return ErrInvalidGenesis.Wrapf("provider %s: %s", p.Operator, err)
		}
		if operators[p.Operator] || agents[p.Agent] {
			return ErrInvalidGenesis.Wrapf("provider %s or its agent occurs twice", p.Operator)
		}
		operators[p.Operator], agents[p.Agent] = true, true
	}
	required := make(map[string]bool, len(g.Requirements))
	for _, r := range g.Requirements {
		if err := ValidateStoredBond(r.Coins); err != nil {
			return ErrInvalidGenesis.Wrapf("requirement of %s: %s", r.Provider, err)
		}
		if !operators[r.Provider] || required[r.Provider] || r.Coins.Empty() {
			return ErrInvalidGenesis.Wrapf("requirement of %s: no such provider, twice or empty", r.Provider)
		}
		required[r.Provider] = true
	}
	return nil
}
