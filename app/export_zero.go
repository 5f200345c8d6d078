package app

import (
	"errors"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"
	distrtypes "github.com/cosmos/cosmos-sdk/x/distribution/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/souk-network/souk/app/scope"
)

// restartHeights rewrites the state so that nothing in it refers to a block of the old chain. Souk's own modules count
// seconds of the service clock and need no such step. If allowed is not empty, all validators that it does not name are
// jailed.
func (app *App) restartHeights(ctx sdk.Context, allowed []string) error {
	keep, err := operators(allowed)
	if err != nil {
		return err
	}
	if err := app.restartRewards(ctx); err != nil {
		return fmt.Errorf("restart rewards: %w", err)
	}
	if err := app.restartStake(ctx, keep); err != nil {
		return fmt.Errorf("restart stake: %w", err)
	}
	if err := app.restartSigning(ctx); err != nil {
		return fmt.Errorf("restart signing records: %w", err)
	}
	return nil
}

func operators(addresses []string) (map[string]bool, error) {
	set := make(map[string]bool, len(addresses))
	for _, address := range addresses {
		if _, err := scope.ValidatorAddressCodec().StringToBytes(address); err != nil {
			return nil, fmt.Errorf("validator %q: %w", address, err)
		}
		set[address] = true
	}
	return set, nil
}

// restartRewards pays out every reward, gives the fractions that cannot be paid to the community pool, and starts the
// reward periods of all validators and delegations anew at height 0.
func (app *App) restartRewards(ctx sdk.Context) error {
	validators, err := app.StakingKeeper.GetAllValidators(ctx)
	if err != nil {
		return err
	}
	delegations, err := app.StakingKeeper.GetAllSDKDelegations(ctx)
	if err != nil {
		return err
	}

	if err := app.payRewards(ctx, validators, delegations); err != nil {
		return err
	}
	app.DistributionKeeper.DeleteAllValidatorSlashEvents(ctx)
	app.DistributionKeeper.DeleteAllValidatorHistoricalRewards(ctx)

	ctx = ctx.WithBlockHeight(0)
	for _, validator := range validators {
		if err := app.restartValidatorRewards(ctx, validator); err != nil {
			return fmt.Errorf("validator %s: %w", validator.OperatorAddress, err)
		}
	}
	for _, delegation := range delegations {
		if err := app.restartDelegationRewards(ctx, delegation); err != nil {
			return fmt.Errorf("delegation of %s to %s: %w", delegation.DelegatorAddress, delegation.ValidatorAddress, err)
		}
	}
	return nil
}

func (app *App) payRewards(ctx sdk.Context, validators []stakingtypes.Validator, delegations []stakingtypes.Delegation) error {
	for _, validator := range validators {
		operator, err := scope.ValidatorAddressCodec().StringToBytes(validator.OperatorAddress)
		if err != nil {
			return err
		}
		_, err = app.DistributionKeeper.WithdrawValidatorCommission(ctx, operator)
		if err != nil && !errors.Is(err, distrtypes.ErrNoValidatorCommission) {
			return fmt.Errorf("pay commission of %s: %w", validator.OperatorAddress, err)
		}
	}
	for _, delegation := range delegations {
		delegator, operator, err := delegationParties(delegation)
		if err != nil {
			return err
		}
		if _, err := app.DistributionKeeper.WithdrawDelegationRewards(ctx, delegator, operator); err != nil {
			return fmt.Errorf("pay rewards of %s: %w", delegation.DelegatorAddress, err)
		}
	}
	return nil
}

func (app *App) restartValidatorRewards(ctx sdk.Context, validator stakingtypes.Validator) error {
	operator, err := scope.ValidatorAddressCodec().StringToBytes(validator.OperatorAddress)
	if err != nil {
		return err
	}
	fractions, err := app.DistributionKeeper.GetValidatorOutstandingRewardsCoins(ctx, operator)
	if err != nil {
		return err
	}
	pool, err := app.DistributionKeeper.FeePool.Get(ctx)
	if err != nil {
		return err
	}
	pool.CommunityPool = pool.CommunityPool.Add(fractions...)
	if err := app.DistributionKeeper.FeePool.Set(ctx, pool); err != nil {
		return err
	}
	return app.DistributionKeeper.Hooks().AfterValidatorCreated(ctx, operator)
}

func (app *App) restartDelegationRewards(ctx sdk.Context, delegation stakingtypes.Delegation) error {
	delegator, operator, err := delegationParties(delegation)
	if err != nil {
		return err
	}
	if err := app.DistributionKeeper.Hooks().BeforeDelegationCreated(ctx, delegator, operator); err != nil {
		return err
	}
	return app.DistributionKeeper.Hooks().AfterDelegationModified(ctx, delegator, operator)
}

func delegationParties(delegation stakingtypes.Delegation) (sdk.AccAddress, sdk.ValAddress, error) {
	delegator, err := scope.AddressCodec().StringToBytes(delegation.DelegatorAddress)
	if err != nil {
		return nil, nil, fmt.Errorf("delegator %q: %w", delegation.DelegatorAddress, err)
	}
	operator, err := scope.ValidatorAddressCodec().StringToBytes(delegation.ValidatorAddress)
	if err != nil {
		return nil, nil, fmt.Errorf("validator %q: %w", delegation.ValidatorAddress, err)
	}
	return delegator, operator, nil
}

// restartStake resets the heights in unbondings and redelegations, and jails the validators that are not to be kept.
func (app *App) restartStake(ctx sdk.Context, keep map[string]bool) error {
	if err := app.restartUnbondings(ctx); err != nil {
		return err
	}
	validators, err := app.StakingKeeper.GetAllValidators(ctx)
	if err != nil {
		return err
	}
	for _, validator := range validators {
		validator.UnbondingHeight = 0
		if len(keep) > 0 && !keep[validator.OperatorAddress] && !validator.Jailed {
			if err := app.StakingKeeper.DeleteValidatorByPowerIndex(ctx, validator); err != nil {
				return err
			}
			validator.Jailed = true
		}
		if err := app.StakingKeeper.SetValidator(ctx, validator); err != nil {
			return err
		}
	}
	_, err = app.StakingKeeper.ApplyAndReturnValidatorSetUpdates(ctx)
	return err
}

func (app *App) restartUnbondings(ctx sdk.Context) error {
	var redelegations []stakingtypes.Redelegation
	err := app.StakingKeeper.IterateRedelegations(ctx, func(_ int64, red stakingtypes.Redelegation) bool {
		redelegations = append(redelegations, red)
		return false
	})
	if err != nil {
		return err
	}
	for _, red := range redelegations {
		for i := range red.Entries {
			red.Entries[i].CreationHeight = 0
		}
		if err := app.StakingKeeper.SetRedelegation(ctx, red); err != nil {
			return err
		}
	}

	var unbondings []stakingtypes.UnbondingDelegation
	err = app.StakingKeeper.IterateUnbondingDelegations(ctx, func(_ int64, ubd stakingtypes.UnbondingDelegation) bool {
		unbondings = append(unbondings, ubd)
		return false
	})
	if err != nil {
		return err
	}
	for _, ubd := range unbondings {
		for i := range ubd.Entries {
			ubd.Entries[i].CreationHeight = 0
		}
		if err := app.StakingKeeper.SetUnbondingDelegation(ctx, ubd); err != nil {
			return err
		}
	}
	return nil
}

// restartSigning makes every validator's record of missed blocks start at height 0.
func (app *App) restartSigning(ctx sdk.Context) error {
	infos := []slashingtypes.SigningInfo{}
	err := app.SlashingKeeper.IterateValidatorSigningInfos(ctx, func(address sdk.ConsAddress, info slashingtypes.ValidatorSigningInfo) bool {
		infos = append(infos, slashingtypes.SigningInfo{Address: string(address), ValidatorSigningInfo: info})
		return false
	})
	if err != nil {
		return err
	}
	for _, info := range infos {
		info.ValidatorSigningInfo.StartHeight = 0
		if err := app.SlashingKeeper.SetValidatorSigningInfo(ctx, sdk.ConsAddress(info.Address), info.ValidatorSigningInfo); err != nil {
			return err
		}
	}
	return nil
}
