package keeper

import (
	"context"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// InitGenesis writes a state into an empty store, builds indexes and queues, and checks that the bank holds the bonds.
func (k *Keeper) InitGenesis(ctx context.Context, genesis *types.GenesisState) error {
	if err := genesis.Validate(k.addresses); err != nil {
		return err
	}
	k.auth.GetModuleAccount(ctx, types.ModuleName)
	if err := k.importCounters(ctx, genesis); err != nil {
		return fmt.Errorf("import counters of x/%s: %w", types.ModuleName, err)
	}
	for _, provider := range genesis.Providers {
		if err := k.importProvider(ctx, provider); err != nil {
			return fmt.Errorf("import provider %s: %w", provider.Operator, err)
		}
	}
	for _, unbonding := range genesis.Unbondings {
		if err := k.importUnbonding(ctx, unbonding); err != nil {
			return fmt.Errorf("import unbonding %d: %w", unbonding.Id, err)
		}
	}
	for _, attestation := range genesis.Attestations {
		if err := k.importAttestation(ctx, attestation); err != nil {
			return fmt.Errorf("import attestation of %s: %w", attestation.Provider, err)
		}
	}
	if err := k.importCounts(ctx, genesis); err != nil {
		return err
	}
	return k.CheckConservation(ctx)
}

func (k *Keeper) importCounters(ctx context.Context, genesis *types.GenesisState) error {
	if err := k.params.Set(ctx, genesis.Params); err != nil {
		return err
	}
	if err := k.nextNumber.Set(ctx, genesis.NextNumber); err != nil {
		return err
	}
	return k.nextUnbonding.Set(ctx, genesis.NextUnbonding)
}

func (k *Keeper) importProvider(ctx context.Context, provider types.Provider) error {
	operator, err := k.address(provider.Operator)
	if err != nil {
		return err
	}
	if err := k.writeProvider(ctx, operator, provider); err != nil {
		return err
	}
	if provider.Lifecycle == types.Lifecycle_LIFECYCLE_GONE {
		return k.numbers.Set(ctx, provider.Number, operator)
	}
	agent, err := k.address(provider.Agent)
	if err != nil {
		return err
	}
	if err := k.index(ctx, operator, agent, provider.Number); err != nil {
		return err
	}
	if provider.NextAgent == "" {
		return nil
	}
	return k.fileRotation(ctx, operator, provider)
}

func (k *Keeper) importUnbonding(ctx context.Context, unbonding types.Unbonding) error {
	operator, err := k.address(unbonding.Provider)
	if err != nil {
		return err
	}
	return k.fileUnbonding(ctx, operator, unbonding)
}

func (k *Keeper) importAttestation(ctx context.Context, attestation types.Attestation) error {
	operator, err := k.address(attestation.Provider)
	if err != nil {
		return err
	}
	auditor, err := k.address(attestation.Auditor)
	if err != nil {
		return err
	}
	return k.writeAttestation(ctx, operator, auditor, attestation)
}

// importCounts writes what the market asks, and what became of leases.
func (k *Keeper) importCounts(ctx context.Context, genesis *types.GenesisState) error {
	for _, requirement := range genesis.Requirements {
		operator, err := k.address(requirement.Provider)
		if err != nil {
			return err
		}
		if err := k.requirements.Set(ctx, operator, requirement); err != nil {
			return fmt.Errorf("import requirement of %s: %w", requirement.Provider, err)
		}
	}
	for _, record := range genesis.Records {
		operator, err := k.address(record.Provider)
		if err != nil {
			return err
		}
		if err := k.writeRecord(ctx, operator, record); err != nil {
			return err
		}
	}
	return nil
}

// ExportGenesis returns the whole state, in the order of its keys.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	genesis := &types.GenesisState{}
	if err := k.exportCounters(ctx, genesis); err != nil {
		return nil, err
	}
	walks := []struct {
		of   string
		walk func() error
	}{
		{"providers", func() error {
			return k.providers.Walk(ctx, nil, func(_ sdk.AccAddress, p types.Provider) (bool, error) {
				genesis.Providers = append(genesis.Providers, p)
				return false, nil
			})
		}},
		{"requirements", func() error {
			return k.requirements.Walk(ctx, nil, func(_ sdk.AccAddress, r types.Requirement) (bool, error) {
				genesis.Requirements = append(genesis.Requirements, r)
				return false, nil
			})
		}},
		{"unbondings", func() error {
			return k.unbondings.Walk(ctx, nil, func(_ uint64, u types.Unbonding) (bool, error) {
				genesis.Unbondings = append(genesis.Unbondings, u)
				return false, nil
			})
		}},
		{"attestations", func() error {
			return k.attestations.Walk(ctx, nil, func(_ attestationKey, a types.Attestation) (bool, error) {
				genesis.Attestations = append(genesis.Attestations, a)
				return false, nil
			})
		}},
		{"records", func() error {
			return k.records.Walk(ctx, nil, func(_ sdk.AccAddress, r types.Record) (bool, error) {
				genesis.Records = append(genesis.Records, r)
				return false, nil
			})
		}},
	}
	for _, w := range walks {
		if err := w.walk(); err != nil {
			return nil, fmt.Errorf("export %s: %w", w.of, err)
		}
	}
	return genesis, nil
}

func (k *Keeper) exportCounters(ctx context.Context, genesis *types.GenesisState) (err error) {
	if genesis.Params, err = k.GetParams(ctx); err != nil {
		return err
	}
	if genesis.NextNumber, err = k.nextNumber.Peek(ctx); err != nil {
		return fmt.Errorf("export next number: %w", err)
	}
	if genesis.NextUnbonding, err = k.nextUnbonding.Peek(ctx); err != nil {
		return fmt.Errorf("export next unbonding: %w", err)
	}
	return nil
}
