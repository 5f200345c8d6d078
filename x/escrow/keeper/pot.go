package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// currentPot returns the pot of a payee in a denom, rolled into the running epoch, but not yet written. A payee without
// one gets an empty pot.
func (k *Keeper) currentPot(ctx context.Context, clock types.Clock, payee sdk.AccAddress, denom string) (types.Pot, error) {
	pot, err := k.pot(ctx, payee, denom)
	if errors.Is(err, collections.ErrNotFound) {
		text, err := k.text(payee)
		if err != nil {
			return types.Pot{}, err
		}
		pot = types.Pot{Payee: text, Denom: denom, Epoch: clock.Epoch, Available: math.ZeroInt()}
		return withInflow(pot, ledger.Pot{Running: ledger.ZeroAccrual(), Next: ledger.ZeroAccrual()}), nil
	}
	if err != nil {
		return types.Pot{}, err
	}
	return k.roll(ctx, clock, payee, pot)
}

// roll brings a pot into the running epoch and makes the epoch pot of the one before. Idle pots may lie further back,
// because the sweep leaves them alone; a pot that could not be rolled for some epochs gets one epoch pot for all of them.
// One that was in quarantine is so no more.
func (k *Keeper) roll(ctx context.Context, clock types.Clock, payee sdk.AccAddress, pot types.Pot) (types.Pot, error) {
	if pot.Epoch == clock.Epoch {
		return pot, nil
	}
	inflow := inflowOf(pot)
	if inflow.Idle() {
		pot.Epoch = clock.Epoch
		return pot, k.releasePot(ctx, payee, pot.Denom)
	}
	if pot.Epoch+1 < clock.Epoch {
		inflow = inflow.Late()
	}
	service, hold, rolled := inflow.Roll(clock.EpochStart)
	if service.IsNegative() || hold.IsNegative() {
		return types.Pot{}, types.ErrBroken.Wrapf("pot of %s in %s: epoch %d earned %s and %s grains", pot.Payee, pot.Denom,
			pot.Epoch, service, hold)
	}
	if service.Add(hold).IsPositive() {
		if err := k.addEpochPot(ctx, clock, payee, pot, service, hold); err != nil {
			return types.Pot{}, err
		}
	}
	pot.Epoch = clock.Epoch
	return withInflow(pot, rolled), k.releasePot(ctx, payee, pot.Denom)
}

// addEpochPot keeps what was earned in the epoch before the running one, credited as far as the policy decides now.
func (k *Keeper) addEpochPot(
	ctx context.Context, clock types.Clock, payee sdk.AccAddress, pot types.Pot, service, hold math.Int,
) error {
	epochPot := withEarned(types.EpochPot{
		Payee: pot.Payee, Denom: pot.Denom, Epoch: pot.Epoch, MaturesAt: clock.MaturesAt,
	}, ledger.NewEpochPot(service, hold))
	return k.writeEpochPot(ctx, payee, k.applyPolicy(ctx, epochPot))
}

func (k *Keeper) pot(ctx context.Context, payee sdk.AccAddress, denom string) (types.Pot, error) {
	pot, err := k.pots.Get(ctx, collections.Join(payee, denom))
	if err != nil {
		return types.Pot{}, fmt.Errorf("read pot of %s: %w", denom, err)
	}
	return k.unpackPot(payee, denom, pot)
}

func (k *Keeper) unpackPot(payee sdk.AccAddress, denom string, pot types.Pot) (types.Pot, error) {
	text, err := k.text(payee)
	if err != nil {
		return types.Pot{}, err
	}
	pot.Payee, pot.Denom = text, denom
	return pot, nil
}

func (k *Keeper) unpackEpochPot(key epochPotKey, pot types.EpochPot) (types.EpochPot, error) {
	text, err := k.text(key.K1())
	if err != nil {
		return types.EpochPot{}, err
	}
	pot.Payee, pot.Denom, pot.Epoch = text, key.K2(), key.K3()
	return pot, nil
}

func (k *Keeper) writePot(ctx context.Context, payee sdk.AccAddress, pot types.Pot) error {
	if err := k.pots.Set(ctx, collections.Join(payee, pot.Denom), packPot(pot)); err != nil {
		return fmt.Errorf("write pot of %s in %s: %w", pot.Payee, pot.Denom, err)
	}
	return nil
}

func (k *Keeper) writeEpochPot(ctx context.Context, payee sdk.AccAddress, pot types.EpochPot) error {
	if err := k.epochPots.Set(ctx, collections.Join3(payee, pot.Denom, pot.Epoch), packEpochPot(pot)); err != nil {
		return fmt.Errorf("write epoch pot %d of %s in %s: %w", pot.Epoch, pot.Payee, pot.Denom, err)
	}
	return nil
}
