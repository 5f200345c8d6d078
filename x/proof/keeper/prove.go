package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/proof/types"
)

// prove credits what a provider committed to, in every denom in which it was expected to prove something, and notes that it did. A
// pot that was forfeited meanwhile stays so.
func (k *Keeper) prove(ctx context.Context, provider sdk.AccAddress, c types.Commitment) (types.Commitment, error) {
	share, judged, err := k.creditAll(ctx, provider, c)
	if err != nil {
		return types.Commitment{}, err
	}
	if c.OpenBy != 0 {
		if err := k.openQueue.Remove(ctx, collections.Join(c.OpenBy, c.Id)); err != nil {
			return types.Commitment{}, fmt.Errorf("take commitment %d out of the queue: %w", c.Id, err)
		}
	}
	c.State = types.CommitmentState_COMMITMENT_STATE_PROVEN
	if err := k.writeCommitment(ctx, c); err != nil {
		return types.Commitment{}, err
	}
	standing, err := k.Standing(ctx, provider)
	if err != nil {
		return types.Commitment{}, err
	}
	if err := k.writeStanding(ctx, provider, standing.Proved(c.Empty(), c.OpenBy != 0)); err != nil {
		return types.Commitment{}, err
	}
	if judged {
		if err := k.moveReputation(ctx, provider, share); err != nil {
			return types.Commitment{}, err
		}
	}
	return c, emit(ctx, types.NewEventProven(c))
}

// creditAll credits a commitment in every denom. It returns the share of the epoch's service that it proves, in parts per million,
// the mean of the denoms; judged is false when there was no service, or the pots are credited already.
func (k *Keeper) creditAll(ctx context.Context, provider sdk.AccAddress, c types.Commitment) (share uint64, judged bool, err error) {
	params, err := k.Params(ctx)
	if err != nil {
		return 0, false, err
	}
	denoms, err := k.denomsOf(ctx, provider, c)
	if err != nil {
		return 0, false, err
	}
	credited := uint64(0)
	for _, denom := range denoms {
		pot, err := k.escrow.EpochPot(ctx, provider, denom, c.Epoch)
		if err != nil {
			return 0, false, fmt.Errorf("credit epoch %d in %s: %w", c.Epoch, denom, err)
		}
		if pot.Credited {
			continue
		}
		proven := math.MinInt(c.EarnedIn(denom, params), pot.Service)
		if err := k.escrow.Credit(ctx, provider, denom, c.Epoch, proven); err != nil {
			return 0, false, fmt.Errorf("credit epoch %d in %s: %w", c.Epoch, denom, err)
		}
		if pot.Service.IsPositive() {
			share += proven.MulRaw(types.WholePpm).Quo(pot.Service).Uint64()
			credited++
		}
	}
	if credited == 0 {
		return 0, false, nil
	}
	return share / credited, true, nil
}

// denomsOf returns the denoms in which a provider was expected to prove something, or committed to something, sorted.
func (k *Keeper) denomsOf(ctx context.Context, provider sdk.AccAddress, c types.Commitment) ([]string, error) {
	record, _, err := k.findExpected(ctx, provider, c.Epoch)
	if err != nil {
		return nil, err
	}
	denoms := slices.Clone(record.Denoms)
	for _, root := range c.Roots {
		denoms = append(denoms, root.Denom)
	}
	slices.Sort(denoms)
	return slices.Compact(denoms), nil
}

// forfeit takes from a provider what it earned by service in all epochs whose pots are held back. It returns what that was, in
// grains by denom.
func (k *Keeper) forfeit(ctx context.Context, provider sdk.AccAddress) (sdk.Coins, error) {
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	epochs, err := k.epochsOf(ctx, provider)
	if err != nil {
		return nil, err
	}
	var taken sdk.Coins
	for _, epoch := range epochs {
		record, found, err := k.findExpected(ctx, provider, epoch.K2())
		if err != nil {
			return nil, err
		}
		if !found || record.Forfeited {
			continue
		}
		more, err := k.forfeitEpoch(ctx, provider, record, now)
		if err != nil {
			return nil, err
		}
		taken = taken.Add(more...)
		record.Forfeited = true
		if err := k.expected.Set(ctx, collections.Join(record.Epoch, epoch.K1()), record); err != nil {
			return nil, fmt.Errorf("note that epoch %d is forfeited: %w", record.Epoch, err)
		}
	}
	return taken, nil
}

// epochsOf returns the (number of the provider, epoch) of all epochs in which a provider was expected to prove something and that
// are not forgotten.
func (k *Keeper) epochsOf(ctx context.Context, provider sdk.AccAddress) ([]pairKey, error) {
	var epochs []pairKey
	err := k.expectedOf.Walk(ctx, collections.NewPrefixedPairRange[sdk.AccAddress, uint64](provider),
		func(key providerKey, number uint64) (bool, error) {
			epochs = append(epochs, collections.Join(number, key.K2()))
			return false, nil
		})
	if err != nil {
		return nil, fmt.Errorf("walk what is expected of a provider: %w", err)
	}
	return epochs, nil
}

// forfeitEpoch forfeits what has not matured of an epoch.
func (k *Keeper) forfeitEpoch(ctx context.Context, provider sdk.AccAddress, record types.Expected, now uint64) (sdk.Coins, error) {
	var taken sdk.Coins
	escrowtypes.Weigh(ctx, uint32(len(record.Denoms)))
	for _, denom := range record.Denoms {
		pot, err := k.escrow.EpochPot(ctx, provider, denom, record.Epoch)
		if errors.Is(err, escrowtypes.ErrEpochPot) {
			continue // paid out, or not made yet
		}
		if err != nil {
			return nil, fmt.Errorf("forfeit epoch %d in %s: %w", record.Epoch, denom, err)
		}
		if now >= pot.MaturesAt {
			continue
		}
		grains, err := k.escrow.Forfeit(ctx, provider, denom, record.Epoch)
		if err != nil {
			return nil, fmt.Errorf("forfeit epoch %d in %s: %w", record.Epoch, denom, err)
		}
		taken = taken.Add(sdk.NewCoin(denom, grains))
	}
	return taken, nil
}
