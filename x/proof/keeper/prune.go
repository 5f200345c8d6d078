package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/proof/types"
)

// maxPruned is the most records that one item forgets.
const maxPruned = 256

// pruneEpoch forgets an epoch whose pots have matured, as much of it as one item may; the rest follows in the next second. One that
// is not judged to its end is kept for as long again as it was. Faults keep copies of what they need.
func (k *Keeper) pruneEpoch(ctx context.Context, epoch types.Epoch, now uint64) error {
	if !epoch.Drawn || epoch.Turnout.Phase != types.TurnoutDone {
		return k.fileEpochAt(ctx, now+max(1, epoch.End-epoch.Start), epoch.Number)
	}
	budget := maxPruned
	for _, forget := range []func(context.Context, uint64, int) (int, error){
		k.pruneClaims, k.prunePosted, k.pruneCommitments, k.pruneExpected,
	} {
		pruned, err := forget(ctx, epoch.Number, budget)
		if err != nil {
			return err
		}
		escrowtypes.Weigh(ctx, uint32(pruned))
		if budget -= pruned; budget <= 0 {
			return k.fileEpochAt(ctx, now+1, epoch.Number)
		}
	}
	if err := k.epochs.Remove(ctx, epoch.Number); err != nil {
		return fmt.Errorf("forget epoch %d: %w", epoch.Number, err)
	}
	return nil
}

func (k *Keeper) pruneClaims(ctx context.Context, epoch uint64, limit int) (int, error) {
	return pruneMap(ctx, k.claims, epoch, limit)
}

func (k *Keeper) prunePosted(ctx context.Context, epoch uint64, limit int) (int, error) {
	return pruneMap(ctx, k.posted, epoch, limit)
}

// pruneMap removes what a map has of an epoch, at most limit, and returns how much.
func pruneMap[V any](ctx context.Context, records collections.Map[pairKey, V], epoch uint64, limit int) (int, error) {
	keys, err := keysUnder(ctx, records.Iterate, epoch, limit)
	if err != nil {
		return 0, err
	}
	for _, key := range keys {
		if err := records.Remove(ctx, key); err != nil {
			return 0, fmt.Errorf("forget a record of epoch %d: %w", epoch, err)
		}
	}
	return len(keys), nil
}

// keysUnder returns the keys of an epoch, at most limit.
func keysUnder[I interface {
	Valid() bool
	Next()
	Key() (pairKey, error)
	Close() error
}](
	ctx context.Context, iterate func(context.Context, collections.Ranger[pairKey]) (I, error), epoch uint64, limit int,
) (keys []pairKey, err error) {
	iterator, err := iterate(ctx, collections.NewPrefixedPairRange[uint64, uint64](epoch))
	if err != nil {
		return nil, fmt.Errorf("walk records of epoch %d: %w", epoch, err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	for ; iterator.Valid() && len(keys) < limit; iterator.Next() {
		key, err := iterator.Key()
		if err != nil {
			return nil, fmt.Errorf("walk records of epoch %d: %w", epoch, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// pruneCommitments forgets commitments of an epoch. One that nothing could decide counts as proven: that was not its provider's
// fault, and a pot that stays pending would keep all later ones from it.
func (k *Keeper) pruneCommitments(ctx context.Context, epoch uint64, limit int) (int, error) {
	keys, err := keysUnder(ctx, k.commitmentsIn.Iterate, epoch, limit)
	if err != nil {
		return 0, err
	}
	for _, key := range keys {
		c, err := k.readCommitment(ctx, key.K2())
		if err != nil {
			return 0, err
		}
		if !c.State.Decided() {
			k.isolated(ctx, c, func(ctx sdk.Context) error { return k.settleUndecided(ctx, c) })
		}
		if err := k.forgetCommitment(ctx, c); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

func (k *Keeper) settleUndecided(ctx context.Context, c types.Commitment) error {
	provider, err := k.address(c.Provider)
	if err != nil {
		return err
	}
	_, err = k.prove(ctx, provider, c)
	return err
}

// pruneExpected forgets who was expected to prove what in an epoch. What was forfeited and nobody claimed goes to the public.
func (k *Keeper) pruneExpected(ctx context.Context, epoch uint64, limit int) (int, error) {
	keys, err := keysUnder(ctx, k.expected.Iterate, epoch, limit)
	if err != nil {
		return 0, err
	}
	for _, key := range keys {
		record, err := k.expected.Get(ctx, key)
		if err != nil {
			return 0, fmt.Errorf("read what is expected of provider %d in epoch %d: %w", key.K2(), epoch, err)
		}
		provider, err := k.address(record.Provider)
		if err != nil {
			return 0, err
		}
		if record.Forfeited {
			k.settleForfeited(ctx, provider, record)
		}
		err = errors.Join(
			k.expected.Remove(ctx, key),
			k.expectedOf.Remove(ctx, collections.Join(provider, epoch)),
		)
		if err != nil {
			return 0, fmt.Errorf("forget what is expected of %s in epoch %d: %w", record.Provider, epoch, err)
		}
	}
	return len(keys), nil
}

// settleForfeited gives what is left of forfeited pots to the public. One that cannot be is left to the payee's next withdrawal.
func (k *Keeper) settleForfeited(ctx context.Context, provider sdk.AccAddress, record types.Expected) {
	for _, denom := range record.Denoms {
		err := escrowtypes.Isolate(sdk.UnwrapSDKContext(ctx), func(ctx sdk.Context) error {
			return k.escrow.SettleForfeited(ctx, provider, denom, record.Epoch)
		})
		if err != nil {
			k.logger(ctx).Error("forfeited pot not settled", "provider", record.Provider, "denom", denom, "epoch", record.Epoch, "err", err)
		}
	}
}
