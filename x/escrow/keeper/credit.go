package keeper

import (
	"context"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/types"
)

// creditAll is the policy of a chain without proofs: all service counts as proven.
type creditAll struct{}

func (creditAll) OnEpochClosed(context.Context, types.Epoch) error { return nil }

func (creditAll) OnEpochPot(_ context.Context, pot types.EpochPot) (math.Int, bool, error) {
	return pot.Service, true, nil
}

func (creditAll) CheckParams(context.Context, types.Params) error { return nil }

// Credit splits the service accrual of a pending epoch pot: proven grains become payable, the rest refundable. Hold
// accrual is paid in full. A pot is credited once.
func (k *Keeper) Credit(ctx context.Context, payee sdk.AccAddress, denom string, epoch uint64, proven math.Int) error {
	if proven.IsNil() {
		return types.ErrInvalidAmount.Wrap("credit nothing, or 0 grains?")
	}
	pot, err := k.EpochPot(ctx, payee, denom, epoch)
	if err != nil {
		return err
	}
	if pot.Credited {
		return types.ErrEpochPot.Wrapf("pot in %s for epoch %d was credited before", denom, epoch)
	}
	return k.writeEpochPot(ctx, payee, withEarned(pot, earnedOf(pot).Credit(proven)))
}

// applyPolicy asks the policy what was proven. Whatever goes wrong in it leaves the pot pending: the money waits.
func (k *Keeper) applyPolicy(ctx context.Context, pot types.EpochPot) types.EpochPot {
	proven, decided := math.Int{}, false
	err := types.Isolate(sdk.UnwrapSDKContext(ctx), func(ctx sdk.Context) (err error) {
		proven, decided, err = k.policy.OnEpochPot(ctx, pot)
		return err
	})
	if err != nil {
		k.logger(ctx).Error("credit policy failed, pot stays pending", "payee", pot.Payee, "denom", pot.Denom,
			"epoch", pot.Epoch, "err", err)
		return pot
	}
	if !decided || proven.IsNil() {
		return pot
	}
	return withEarned(pot, earnedOf(pot).Credit(proven))
}
