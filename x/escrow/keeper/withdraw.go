package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// WithdrawEarnings pays all matured earnings of a payee in a denom to a recipient, less the fee, which goes to the
// community pool. It merges at most MaxMerge epochs; a payee who waited longer calls again. Less than one micro-denom
// stays in the pot.
func (k *Keeper) WithdrawEarnings(
	ctx context.Context, payee, recipient sdk.AccAddress, denom string,
) (net, fee sdk.Coin, err error) {
	if err := k.checkReceiver(recipient); err != nil {
		return sdk.Coin{}, sdk.Coin{}, err
	}
	if err := sdk.ValidateDenom(denom); err != nil {
		return sdk.Coin{}, sdk.Coin{}, types.ErrDenom.Wrap(err.Error())
	}
	params, err := k.Params(ctx)
	if err != nil {
		return sdk.Coin{}, sdk.Coin{}, err
	}
	// One that is not listed any more pays out all the same.
	if denomParams, _ := params.Denom(denom); denomParams.Halted {
		return sdk.Coin{}, sdk.Coin{}, types.ErrHalted.Wrap(denom)
	}
	clock, now, err := k.present(ctx)
	if err != nil {
		return sdk.Coin{}, sdk.Coin{}, err
	}
	pot, err := k.currentPot(ctx, clock, payee, denom)
	if err != nil {
		return sdk.Coin{}, sdk.Coin{}, err
	}
	merged, err := k.mergeMatured(ctx, payee, &pot, now)
	if err != nil {
		return sdk.Coin{}, sdk.Coin{}, err
	}
	amount, rest := ledger.SplitMicro(pot.Available)
	if amount.IsZero() && merged < types.MaxMerge {
		return sdk.Coin{}, sdk.Coin{}, types.ErrNothingToWithdraw.Wrapf("%s earned no matured %s", pot.Payee, denom)
	}
	pot.Available = rest
	if err := k.writePot(ctx, payee, pot); err != nil {
		return sdk.Coin{}, sdk.Coin{}, err
	}
	if amount.IsZero() {
		// A full batch stays merged, so that many poor epochs never keep a rich one from its turn.
		nothing := sdk.NewCoin(denom, math.ZeroInt())
		return nothing, nothing, nil
	}
	return k.payOut(ctx, params, pot, recipient, amount)
}

// payOut splits an amount in micro-denom between the recipient and the community pool.
func (k *Keeper) payOut(
	ctx context.Context, params types.Params, pot types.Pot, recipient sdk.AccAddress, amount math.Int,
) (net, fee sdk.Coin, err error) {
	recipientText, err := k.text(recipient)
	if err != nil {
		return sdk.Coin{}, sdk.Coin{}, err
	}
	fee = sdk.NewCoin(pot.Denom, ledger.Fee(amount, params.FeeBps))
	net = sdk.NewCoin(pot.Denom, amount.Sub(fee.Amount))
	if err := k.bank.SendCoinsFromModuleToAccount(ctx, types.ModuleName, recipient, sdk.NewCoins(net)); err != nil {
		return sdk.Coin{}, sdk.Coin{}, fmt.Errorf("pay earnings of %s: %w", pot.Payee, err)
	}
	if err := k.fundCommunity(ctx, fee); err != nil {
		return sdk.Coin{}, sdk.Coin{}, err
	}
	return net, fee, emit(ctx, types.NewEventWithdrawn(pot.Payee, recipientText, net, fee))
}

// mergeMatured adds the payable part of matured epochs to what is available in a pot, oldest first, drops their pots, and
// tells how many. What nobody claimed of them goes to the community pool, and what was forfeited to the public. It stops at an
// epoch that is not credited or not matured.
func (k *Keeper) mergeMatured(ctx context.Context, payee sdk.AccAddress, pot *types.Pot, now uint64) (int, error) {
	matured, err := k.maturedPots(ctx, payee, pot.Denom, now)
	if err != nil {
		return 0, err
	}
	unclaimed, forfeited := math.ZeroInt(), math.ZeroInt()
	for _, m := range matured {
		pot.Available = pot.Available.Add(m.Payable)
		unclaimed, forfeited = unclaimed.Add(m.Refundable), forfeited.Add(m.Forfeited)
		if err := k.epochPots.Remove(ctx, collections.Join3(payee, pot.Denom, m.Epoch)); err != nil {
			return 0, fmt.Errorf("drop epoch pot %d of %s: %w", m.Epoch, pot.Payee, err)
		}
	}
	micro, dust := ledger.SplitMicro(unclaimed)
	if err := k.addDust(ctx, pot.Denom, dust); err != nil {
		return 0, err
	}
	if err := k.fundCommunity(ctx, sdk.NewCoin(pot.Denom, micro)); err != nil {
		return 0, err
	}
	return len(matured), k.settlePublic(ctx, pot.Payee, pot.Denom, forfeited)
}

// maturedPots returns the oldest epoch pots that may be merged, at most MaxMerge.
func (k *Keeper) maturedPots(ctx context.Context, payee sdk.AccAddress, denom string, now uint64) ([]types.EpochPot, error) {
	var matured []types.EpochPot
	prefix := collections.NewSuperPrefixedTripleRange[sdk.AccAddress, string, uint64](payee, denom)
	err := k.epochPots.Walk(ctx, prefix, func(key epochPotKey, pot types.EpochPot) (bool, error) {
		if !pot.Credited || pot.MaturesAt > now {
			return true, nil
		}
		pot.Epoch = key.K3()
		matured = append(matured, pot)
		return len(matured) == types.MaxMerge, nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk epoch pots: %w", err)
	}
	return matured, nil
}

func (k *Keeper) fundCommunity(ctx context.Context, coin sdk.Coin) error {
	if coin.IsZero() {
		return nil
	}
	sender := k.auth.GetModuleAddress(types.ModuleName)
	if err := k.communityPool.FundCommunityPool(ctx, sdk.NewCoins(coin), sender); err != nil {
		return fmt.Errorf("fund the community pool with %s: %w", coin, err)
	}
	return nil
}

func (k *Keeper) burn(ctx context.Context, coin sdk.Coin) error {
	if coin.IsZero() {
		return nil
	}
	if err := k.bank.BurnCoins(ctx, types.ModuleName, sdk.NewCoins(coin)); err != nil {
		return fmt.Errorf("burn %s: %w", coin, err)
	}
	return nil
}
