package keeper

import (
	"context"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// Jail ends all leases of a provider at this second and keeps it from new ones for so many seconds, 1 to a year; then it
// may unjail itself. A share of its bond and of what is unbonding goes to the public. The time of a provider that is
// jailed already only becomes longer: its leases ended at the second of the first.
func (k *Keeper) Jail(ctx context.Context, operator sdk.AccAddress, seconds uint64, slashBps uint32, reason string) error {
	if err := types.ValidateJail(seconds, slashBps, reason); err != nil {
		return err
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return err
	}
	if _, err := k.SlashShare(ctx, operator, slashBps, reason); err != nil {
		return err
	}
	provider, err := k.readProvider(ctx, operator)
	if err != nil {
		return err
	}
	again := provider.Jailed()
	if !again {
		provider.JailedAt = now
	}
	provider.JailedUntil = types.JailedUntil(provider, now, seconds)
	if err := k.writeProvider(ctx, operator, provider); err != nil {
		return err
	}
	if err := k.noteJailing(ctx, operator); err != nil {
		return err
	}
	if err := emit(ctx, types.NewEventJailed(provider, reason)); err != nil {
		return err
	}
	if again || k.hooks == nil {
		return nil
	}
	return k.hooks.AfterJailed(ctx, operator, provider.Number, now)
}

// SlashShare takes a share of all that a provider has at stake, in basis points and rounded down, for the public as SlashToPublic
// does. It returns what was taken.
func (k *Keeper) SlashShare(ctx context.Context, operator sdk.AccAddress, bps uint32, reason string) (sdk.Coins, error) {
	if bps > types.WholeBps {
		return nil, types.ErrInvalidJail.Wrapf("%d basis points: want at most %d", bps, types.WholeBps)
	}
	if bps == 0 {
		return nil, nil
	}
	atStake, err := k.AtStake(ctx, operator)
	if err != nil {
		return nil, err
	}
	var slashed sdk.Coins
	for _, coin := range atStake {
		share := sdk.NewCoin(coin.Denom, coin.Amount.Mul(math.NewIntFromUint64(uint64(bps))).QuoRaw(types.WholeBps))
		taken, err := k.SlashToPublic(ctx, operator, share, reason)
		if err != nil {
			return nil, err
		}
		slashed = slashed.Add(taken)
	}
	return slashed, nil
}

func (k *Keeper) noteJailing(ctx context.Context, operator sdk.AccAddress) error {
	record, err := k.RecordOf(ctx, operator)
	if err != nil {
		return err
	}
	return k.writeRecord(ctx, operator, record.Jailed())
}
