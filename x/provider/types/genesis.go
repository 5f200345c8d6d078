package types

import (
	"cosmossdk.io/core/address"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// DefaultGenesis has no providers; providers and unbondings count from 1.
func DefaultGenesis() *GenesisState {
	return &GenesisState{Params: DefaultParams(), NextNumber: 1, NextUnbonding: 1}
}

// Validate checks every record, that what must be unique is, and that what belongs to a provider has one. Whether the bank
// holds the bonds is checked on import.
func (g GenesisState) Validate(addresses address.Codec) error {
	if err := g.Params.Validate(); err != nil {
		return err
	}
	if g.NextNumber == 0 || g.NextUnbonding == 0 {
		return ErrInvalidGenesis.Wrap("next_number and next_unbonding count from 1")
	}
	providers, err := g.validateProviders(addresses)
	if err != nil {
		return err
	}
	if err := g.validateRequirements(providers); err != nil {
		return err
	}
	if err := g.validateUnbondings(providers); err != nil {
		return err
	}
	if err := g.validateAttestations(providers); err != nil {
		return err
	}
	return g.validateRecords(providers)
}

// validateProviders returns the providers by operator.
func (g GenesisState) validateProviders(addresses address.Codec) (map[string]Provider, error) {
	providers := make(map[string]Provider, len(g.Providers))
	agents, numbers := make(map[string]bool, len(g.Providers)), make(map[uint64]bool, len(g.Providers))
	for _, p := range g.Providers {
		if err := p.Validate(addresses); err != nil {
			return nil, ErrInvalidGenesis.Wrapf("provider %s: %s", p.Operator, err)
		}
		if _, twice := providers[p.Operator]; twice || numbers[p.Number] || p.Number >= g.NextNumber {
			return nil, ErrInvalidGenesis.Wrapf("provider %s or its number %d occurs twice, or that is to come", p.Operator, p.Number)
		}
		providers[p.Operator], numbers[p.Number] = p, true
		for _, agent := range p.agents() {
			if agents[agent] {
				return nil, ErrInvalidGenesis.Wrapf("agent %s of %s occurs twice", agent, p.Operator)
			}
			agents[agent] = true
		}
	}
	return providers, nil
}

// agents returns the accounts that nobody else may have as agents.
func (p Provider) agents() []string {
	switch {
	case p.Lifecycle == Lifecycle_LIFECYCLE_GONE:
		return nil
	case p.NextAgent != "":
		return []string{p.Agent, p.NextAgent}
	default:
		return []string{p.Agent}
	}
}

func (g GenesisState) validateRequirements(providers map[string]Provider) error {
	required := make(map[string]bool, len(g.Requirements))
	for _, r := range g.Requirements {
		if err := ValidateStoredBond(r.Coins); err != nil {
			return ErrInvalidGenesis.Wrapf("requirement of %s: %s", r.Provider, err)
		}
		if _, found := providers[r.Provider]; !found || required[r.Provider] || r.Coins.Empty() {
			return ErrInvalidGenesis.Wrapf("requirement of %s: no such provider, twice or empty", r.Provider)
		}
		required[r.Provider] = true
	}
	return nil
}

func (g GenesisState) validateUnbondings(providers map[string]Provider) error {
	seen := make(map[uint64]bool, len(g.Unbondings))
	for _, u := range g.Unbondings {
		if err := ValidateStoredBond(sdk.Coins{u.Amount}); err != nil {
			return ErrInvalidGenesis.Wrapf("unbonding %d: %s", u.Id, err)
		}
		p, found := providers[u.Provider]
		switch {
		case !found || p.Lifecycle == Lifecycle_LIFECYCLE_GONE:
			return ErrInvalidGenesis.Wrapf("unbonding %d: no such provider %s, or it is gone", u.Id, u.Provider)
		case seen[u.Id] || u.Id == 0 || u.Id >= g.NextUnbonding:
			return ErrInvalidGenesis.Wrapf("unbonding %d: twice, or its id is to come", u.Id)
		case u.CompletesAt == 0 || u.CompletesAt > maxSecond:
			return ErrInvalidGenesis.Wrapf("unbonding %d returns at second %d", u.Id, u.CompletesAt)
		}
		seen[u.Id] = true
	}
	return nil
}

func (g GenesisState) validateAttestations(providers map[string]Provider) error {
	seen := make(map[[2]string]bool, len(g.Attestations))
	for _, a := range g.Attestations {
		if err := validateAttestedLabels(a.Labels); err != nil {
			return ErrInvalidGenesis.Wrapf("attestation of %s by %s: %s", a.Provider, a.Auditor, err)
		}
		key := [2]string{a.Provider, a.Auditor}
		if !providers[a.Provider].names(a.Auditor) || seen[key] || a.ExpiresAt <= a.AttestedAt {
			return ErrInvalidGenesis.Wrapf("attestation of %s by %s: not an auditor of it, twice, or never counts", a.Provider, a.Auditor)
		}
		seen[key] = true
	}
	return nil
}

func (g GenesisState) validateRecords(providers map[string]Provider) error {
	seen := make(map[string]bool, len(g.Records))
	for _, r := range g.Records {
		if _, found := providers[r.Provider]; !found || seen[r.Provider] {
			return ErrInvalidGenesis.Wrapf("record of %s: no such provider, or twice", r.Provider)
		}
		seen[r.Provider] = true
	}
	return nil
}
