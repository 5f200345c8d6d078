package keeper

import (
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// maxEpochsPerBlock: an epoch that closes late makes the next one end now, and that one can close at once too.
const maxEpochsPerBlock = 2

// closeEpochs closes the running epoch once the frontier has reached its end, and rolls pots into the next one, as many
// as a block may. No epoch closes before all pots are rolled out of the one before.
func (k *Keeper) closeEpochs(ctx sdk.Context, params types.Params) error {
	budget := params.MaxDeadlinesPerBlock
	for range maxEpochsPerBlock + 1 {
		left, done, err := k.rollPots(ctx, budget)
		if err != nil || !done {
			return err
		}
		budget = left
		closed, err := k.closeEpoch(ctx, params)
		if err != nil || !closed {
			return err
		}
	}
	return nil
}

// closeEpoch starts the next epoch, and the sweep into it, if the frontier allows.
func (k *Keeper) closeEpoch(ctx sdk.Context, params types.Params) (bool, error) {
	clock, err := k.Clock(ctx)
	if err != nil {
		return false, err
	}
	if clock.Frontier < clock.EpochEnd {
		return false, nil
	}
	closed := types.Epoch{
		Number: clock.Epoch, Start: clock.EpochStart, End: clock.EpochEnd, ClosedAt: clock.Now(),
		MaturesAt: clock.EpochEnd + uint64(params.HoldbackEpochs)*uint64(params.EpochSeconds),
	}
	clock.Epoch++
	clock.EpochStart, clock.MaturesAt = closed.End, closed.MaturesAt
	clock.EpochEnd = ledger.NextEpochEnd(clock.EpochStart, uint64(params.EpochSeconds), clock.Now())
	if err := k.clock.Set(ctx, clock); err != nil {
		return false, fmt.Errorf("write service clock: %w", err)
	}
	if err := k.sweep.Set(ctx, types.Sweep{}); err != nil {
		return false, fmt.Errorf("start sweep: %w", err)
	}
	if err := emit(ctx, types.NewEventEpochClosed(closed)); err != nil {
		return false, err
	}
	return true, k.tellClosed(ctx, closed)
}

// rollPots goes on with the sweep that is under way, by at most budget pots. It returns what is left of the budget, and
// whether no sweep is under way any more.
func (k *Keeper) rollPots(ctx sdk.Context, budget uint32) (uint32, bool, error) {
	sweep, err := k.sweep.Get(ctx)
	if errors.Is(err, collections.ErrNotFound) {
		return budget, true, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("read sweep: %w", err)
	}
	clock, err := k.Clock(ctx)
	if err != nil {
		return 0, false, err
	}
	keys, err := k.potsAfter(ctx, sweep, budget)
	if err != nil {
		return 0, false, err
	}
	for _, key := range keys {
		if err := k.rollOrQuarantine(ctx, clock, key); err != nil {
			return 0, false, err
		}
	}
	if uint32(len(keys)) < budget {
		return budget - uint32(len(keys)), true, k.sweep.Remove(ctx)
	}
	return 0, false, k.rememberSweep(ctx, keys)
}

// potsAfter returns the keys of the next pots of a sweep.
func (k *Keeper) potsAfter(ctx sdk.Context, sweep types.Sweep, limit uint32) (keys []potKey, err error) {
	from := new(collections.Range[potKey])
	if sweep.Payee != "" {
		payee, err := k.address(sweep.Payee)
		if err != nil {
			return nil, err
		}
		from = from.StartExclusive(collections.Join(payee, sweep.Denom))
	}
	iterator, err := k.pots.Iterate(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("walk pots: %w", err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	for ; iterator.Valid() && uint32(len(keys)) < limit; iterator.Next() {
		key, err := iterator.Key() // and not the value, which may be broken
		if err != nil {
			return nil, fmt.Errorf("walk pots: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (k *Keeper) rememberSweep(ctx sdk.Context, keys []potKey) error {
	if len(keys) == 0 {
		return nil
	}
	last := keys[len(keys)-1]
	payee, err := k.text(last.K1())
	if err != nil {
		return err
	}
	return k.sweep.Set(ctx, types.Sweep{Payee: payee, Denom: last.K2()})
}
