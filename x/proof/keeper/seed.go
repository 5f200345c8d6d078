package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/proof/types"
)

// nextRound returns the first round of the beacon that nobody can know for the seed delay, and the second at which block hashes
// draw in its stead. A round that is known already, or is older than one that is, is never taken.
func (k *Keeper) nextRound(ctx context.Context, now uint64) (round, drawBy uint64, err error) {
	params, err := k.Params(ctx)
	if err != nil {
		return 0, 0, err
	}
	delay := uint64(params.SeedDelaySeconds)
	blockTime := sdk.UnwrapSDKContext(ctx).BlockTime().Unix()
	round = params.Beacon.Group().RoundAt(uint64(max(0, blockTime)) + delay)
	last, err := k.lastRound(ctx)
	if err != nil {
		return 0, 0, err
	}
	return max(round, last+1), now + delay + uint64(params.BeaconTimeoutSeconds), nil
}

// lastRound returns the highest round that is known; 0 when none is.
func (k *Keeper) lastRound(ctx context.Context) (last uint64, err error) {
	iterator, err := k.rounds.Iterate(ctx, new(collections.Range[uint64]).Descending())
	if err != nil {
		return 0, fmt.Errorf("look up the last round: %w", err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	if !iterator.Valid() {
		return 0, nil
	}
	if last, err = iterator.Key(); err != nil {
		return 0, fmt.Errorf("look up the last round: %w", err)
	}
	return last, nil
}

// awaitSeed names the round that draws the audits of an epoch to which nobody can commit in time any more.
func (k *Keeper) awaitSeed(ctx context.Context, epoch types.Epoch, now uint64) (types.Epoch, error) {
	var err error
	if epoch.Round, epoch.DrawBy, err = k.nextRound(ctx, now); err != nil {
		return types.Epoch{}, err
	}
	if err := k.awaitingEpochs.Set(ctx, collections.Join(epoch.Round, epoch.Number)); err != nil {
		return types.Epoch{}, fmt.Errorf("await round %d for epoch %d: %w", epoch.Round, epoch.Number, err)
	}
	if err := k.fileEpochAt(ctx, epoch.DrawBy, epoch.Number); err != nil {
		return types.Epoch{}, err
	}
	return epoch, k.writeEpoch(ctx, epoch)
}

// seedByHashes draws an epoch whose round did not come in time. Who makes blocks can bias that, so twice as many are audited.
func (k *Keeper) seedByHashes(ctx context.Context, epoch types.Epoch) (types.Epoch, error) {
	hashes, err := k.recentHashes(ctx)
	if err != nil {
		return types.Epoch{}, err
	}
	k.logger(ctx).Warn("the beacon's round did not come: block hashes draw the audits, twice as many", "epoch", epoch.Number, "round", epoch.Round)
	epoch.Seed, epoch.Doubled = types.FallbackSeed(hashes, epoch.Digest), true
	return epoch, k.sow(ctx, epoch)
}

// sow begins to draw the audits of an epoch that has got its seed.
func (k *Keeper) sow(ctx context.Context, epoch types.Epoch) error {
	err := errors.Join(
		k.awaitingEpochs.Remove(ctx, collections.Join(epoch.Round, epoch.Number)),
		k.epochQueue.Remove(ctx, collections.Join(epoch.DrawBy, epoch.Number)),
		k.drawing.Set(ctx, epoch.Number),
	)
	if err != nil {
		return fmt.Errorf("begin to draw epoch %d: %w", epoch.Number, err)
	}
	if err := k.fileEpoch(ctx, epoch); err != nil { // something else may have been due in the same second
		return err
	}
	if err := k.writeEpoch(ctx, epoch); err != nil {
		return err
	}
	return emit(ctx, types.NewEventSeeded(epoch))
}

// recentHashes returns the hashes of the last blocks, one after the other, the newest last.
func (k *Keeper) recentHashes(ctx context.Context) ([]byte, error) {
	hashes, err := k.blockHashes.Get(ctx)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return nil, fmt.Errorf("read block hashes: %w", err)
	}
	return hashes, nil
}

// keepHash remembers the hash of this block.
func (k *Keeper) keepHash(ctx context.Context) error {
	hash := sdk.UnwrapSDKContext(ctx).HeaderHash()
	if len(hash) != types.HashBytes {
		return nil
	}
	hashes, err := k.recentHashes(ctx)
	if err != nil {
		return err
	}
	hashes = append(hashes, hash...)
	if over := len(hashes) - types.MaxBlockHashes*types.HashBytes; over > 0 {
		hashes = hashes[over:]
	}
	if err := k.blockHashes.Set(ctx, hashes); err != nil {
		return fmt.Errorf("write block hashes: %w", err)
	}
	return nil
}
