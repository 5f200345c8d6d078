package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/proof/types"
)

// PostRound takes a round of the beacon that something waits for: it draws the epochs that do, and in the block hook the late
// commitments. Anybody may bring it, nobody can choose it.
func (m msgServer) PostRound(ctx context.Context, msg *types.MsgPostRound) (*types.MsgPostRoundResponse, error) {
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	params, err := m.Params(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.checkAwaited(ctx, msg.Round); err != nil {
		return nil, err
	}
	sdk.UnwrapSDKContext(ctx).GasMeter().ConsumeGas(params.BeaconGas, "verify a round of the beacon")
	randomness, err := params.Beacon.Group().Verify(msg.Round, msg.Signature)
	if err != nil {
		return nil, types.ErrInvalidSignature.Wrap(err.Error())
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.learn(ctx, types.Round{Number: msg.Round, Randomness: randomness[:], KnownAt: now}); err != nil {
		return nil, err
	}
	if err := m.rebate(ctx, msg.Signer, params.BeaconRebate); err != nil {
		return nil, err
	}
	return &types.MsgPostRoundResponse{}, emit(ctx, types.NewEventRoundKnown(msg.Round))
}

// checkAwaited refuses a round that is known, or that nothing waits for.
func (k *Keeper) checkAwaited(ctx context.Context, round uint64) error {
	known, err := k.rounds.Has(ctx, round)
	if err != nil {
		return fmt.Errorf("look up round %d: %w", round, err)
	}
	if known {
		return types.ErrKnown.Wrapf("round %d", round)
	}
	late, err := k.awaits(ctx, k.awaitingLate, round)
	if err != nil || late {
		return err
	}
	epoch, err := k.awaits(ctx, k.awaitingEpochs, round)
	if err == nil && !epoch {
		err = types.ErrNotAwaited.Wrapf("round %d", round)
	}
	return err
}

// awaits tells whether anything of a set waits for a round.
func (k *Keeper) awaits(ctx context.Context, set collections.KeySet[pairKey], round uint64) (bool, error) {
	_, found, err := escrowtypes.FirstKey(ctx, set.Iterate, collections.NewPrefixedPairRange[uint64, uint64](round))
	if err != nil {
		return false, fmt.Errorf("look up who waits for round %d: %w", round, err)
	}
	return found, nil
}

// learn stores a round, and seeds what waits for it.
func (k *Keeper) learn(ctx context.Context, round types.Round) error {
	if err := k.rounds.Set(ctx, round.Number, round); err != nil {
		return fmt.Errorf("write round %d: %w", round.Number, err)
	}
	late, err := k.awaits(ctx, k.awaitingLate, round.Number)
	if err != nil {
		return err
	}
	if late {
		if err := k.ripe.Set(ctx, round.Number); err != nil {
			return fmt.Errorf("note that round %d is ripe: %w", round.Number, err)
		}
	}
	epochs, err := k.waitingFor(ctx, k.awaitingEpochs, round.Number, maxSeeded)
	if err != nil {
		return err
	}
	for _, number := range epochs {
		epoch, err := k.Epoch(ctx, number)
		if err != nil {
			return err
		}
		epoch.Seed = types.EpochSeed(round.Randomness, number)
		if err := k.sow(ctx, epoch); err != nil {
			return err
		}
	}
	return nil
}

// maxSeeded is the most epochs that a round seeds: more never wait for the same one, because they close one after the other.
// What would be left over is drawn by block hashes.
const maxSeeded = 64

// waitingFor returns the ids that wait for a round, the lowest first, at most limit.
func (k *Keeper) waitingFor(ctx context.Context, set collections.KeySet[pairKey], round uint64, limit int) (ids []uint64, err error) {
	if limit <= 0 {
		return nil, nil
	}
	err = set.Walk(ctx, collections.NewPrefixedPairRange[uint64, uint64](round), func(key pairKey) (bool, error) {
		ids = append(ids, key.K2())
		return len(ids) >= limit, nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk what waits for round %d: %w", round, err)
	}
	return ids, nil
}

// rebate pays for a round, as far as the module has coins that are nobody's bond.
func (k *Keeper) rebate(ctx context.Context, signer string, rebate sdk.Coin) error {
	if rebate.IsZero() {
		return nil
	}
	bonds, err := k.bonds(ctx, rebate.Denom)
	if err != nil {
		return err
	}
	held := k.bank.GetBalance(ctx, k.auth.GetModuleAddress(types.ModuleName), rebate.Denom).Amount
	free := math.MinInt(rebate.Amount, held.Sub(bonds))
	if !free.IsPositive() {
		return nil
	}
	poster, err := k.address(signer)
	if err != nil {
		return err
	}
	paid := sdk.NewCoins(sdk.NewCoin(rebate.Denom, free))
	if err := k.bank.SendCoinsFromModuleToAccount(ctx, types.ModuleName, poster, paid); err != nil {
		return fmt.Errorf("pay %s for a round: %w", paid, err)
	}
	return nil
}
