package keeper

import (
	"context"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// InitGenesis writes a state into an empty store, builds the index of agents, and checks that the bank holds the bonds.
func (k *Keeper) InitGenesis(ctx context.Context, genesis *types.GenesisState) error {
	if err := genesis.Validate(k.addresses); err != nil {
		return err
	}
	k.auth.GetModuleAccount(ctx, types.ModuleName)
	if err := k.params.Set(ctx, genesis.Params); err != nil {
		return fmt.Errorf("import params of x/%s: %w", types.ModuleName, err)
	}
	for _, provider := range genesis.Providers {
		if err := k.importProvider(ctx, provider); err != nil {
			return fmt.Errorf("import provider %s: %w", provider.Operator, err)
		}
	}
	for _, requirement := range genesis.Requirements {
		operator, err := k.address(requirement.Provider)
		if err != nil {
			return err
		}
		if err := k.requirements.Set(ctx, operator, requirement); err != nil {
			return fmt.Errorf("import requirement of %s: %w", requirement.Provider, err)
		}
	}
	return k.CheckConservation(ctx)
}

func (k *Keeper) importProvider(ctx context.Context, provider types.Provider) error {
	operator, err := k.address(provider.Operator)
	if err != nil {
		return err
	}
	agent, err := k.address(provider.Agent)
	if err != nil {
		return err
	}
	if err := k.agents.Set(ctx, agent, operator); err != nil {
		return err
	}
	return k.writeProvider(ctx, operator, provider)
}

// ExportGenesis returns the whole state, in the order of its keys.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	params, err := k.GetParams(ctx)
	if err != nil {
		return nil, err
	}
	genesis := &types.GenesisState{Params: params}
	err = k.providers.Walk(ctx, nil, func(_ sdk.AccAddress, provider types.Provider) (bool, error) {
		genesis.Providers = append(genesis.Providers, provider)
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("export providers: %w", err)
	}
	err = k.requirements.Walk(ctx, nil, func(_ sdk.AccAddress, requirement types.Requirement) (bool, error) {
		genesis.Requirements = append(genesis.Requirements, requirement)
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("export requirements: %w", err)
	}
	return genesis, nil
}
