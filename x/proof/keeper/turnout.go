package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// judgeTurnouts judges who has not committed to epochs that are closed to commitments, the oldest epoch first: once through those
// who should have, to see how many are missing, and then once more, to judge those.
func (k *Keeper) judgeTurnouts(ctx context.Context, budget int) (int, error) {
	for budget > 0 {
		number, found, err := escrowtypes.FirstKey(ctx, k.turnouts.Iterate, new(collections.Range[uint64]))
		if err != nil || !found {
			return budget, err
		}
		epoch, err := k.Epoch(ctx, number)
		if err != nil {
			return 0, err
		}
		numbers, err := k.expectedAfter(ctx, epoch, budget)
		if err != nil {
			return 0, err
		}
		for _, provider := range numbers {
			epoch.Turnout.Cursor = provider
			if epoch, err = k.judgeOne(ctx, epoch, provider); err != nil {
				return 0, err
			}
		}
		if len(numbers) < budget {
			epoch.Turnout.Phase++
			epoch.Turnout.Cursor = 0
		}
		if epoch.Turnout.Phase == types.TurnoutDone {
			if err := k.turnouts.Remove(ctx, number); err != nil {
				return 0, fmt.Errorf("end the turnout of epoch %d: %w", number, err)
			}
		}
		if err := k.writeEpoch(ctx, epoch); err != nil {
			return 0, err
		}
		budget -= max(1, len(numbers))
	}
	return budget, nil
}

// expectedAfter returns the numbers of the next providers that were expected to prove something in an epoch, at most limit.
func (k *Keeper) expectedAfter(ctx context.Context, epoch types.Epoch, limit int) (numbers []uint64, err error) {
	after := collections.NewPrefixedPairRange[uint64, uint64](epoch.Number).StartExclusive(epoch.Turnout.Cursor)
	err = k.expected.Walk(ctx, after, func(key pairKey, _ types.Expected) (bool, error) {
		numbers = append(numbers, key.K2())
		return len(numbers) >= limit, nil
	})
	if err != nil {
		return nil, fmt.Errorf("walk who was expected in epoch %d: %w", epoch.Number, err)
	}
	return numbers, nil
}

// judgeOne counts or judges one provider. One that cannot be judged is left out: its pots stay pending until the epoch is forgotten.
func (k *Keeper) judgeOne(ctx context.Context, epoch types.Epoch, number uint64) (types.Epoch, error) {
	after := epoch
	err := escrowtypes.Isolate(sdk.UnwrapSDKContext(ctx), func(ctx sdk.Context) error {
		record, err := k.expected.Get(ctx, collections.Join(epoch.Number, number))
		if err != nil {
			return fmt.Errorf("read what is expected of provider %d in epoch %d: %w", number, epoch.Number, err)
		}
		operator, err := k.address(record.Provider)
		if err != nil {
			return err
		}
		_, committed, err := k.findCommitment(ctx, operator, epoch.Number)
		if err != nil {
			return err
		}
		if epoch.Turnout.Phase == types.TurnoutCounts {
			after, err = k.count(ctx, epoch, operator, !committed)
			return err
		}
		if committed || record.Missed {
			return nil
		}
		return k.miss(ctx, epoch, operator, number, record)
	})
	if err != nil {
		k.logger(ctx).Error("provider cannot be judged", "number", number, "epoch", epoch.Number, "err", err)
		return epoch, nil
	}
	return after, nil
}

// count adds the bond of a provider to the turnout.
func (k *Keeper) count(ctx context.Context, epoch types.Epoch, operator sdk.AccAddress, missing bool) (types.Epoch, error) {
	bond, err := k.provider.BondOf(ctx, operator)
	if err != nil {
		return types.Epoch{}, fmt.Errorf("count the turnout of epoch %d: %w", epoch.Number, err)
	}
	native := bond.AmountOf(types.NativeDenom)
	epoch.Turnout.Providers++
	epoch.Turnout.Bond = epoch.Turnout.Bond.Add(native)
	if missing {
		epoch.Turnout.Missing++
		epoch.Turnout.MissingBond = epoch.Turnout.MissingBond.Add(native)
	}
	return epoch, nil
}

// miss gives up what a provider has not committed to: nothing of it is proven. It counts against the provider unless it had
// declared maintenance, or so many are missing that it must have been the network (P4).
func (k *Keeper) miss(
	ctx context.Context, epoch types.Epoch, operator sdk.AccAddress, number uint64, record types.Expected,
) error {
	for _, denom := range record.Denoms {
		err := k.escrow.Credit(ctx, operator, denom, epoch.Number, math.ZeroInt())
		if err != nil && !errors.Is(err, escrowtypes.ErrEpochPot) {
			return fmt.Errorf("give up epoch %d in %s: %w", epoch.Number, denom, err)
		}
	}
	record.Missed = true
	if err := k.writeExpected(ctx, operator, number, record); err != nil {
		return err
	}
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	provider, err := k.provider.GetProvider(ctx, operator)
	if err != nil {
		return err
	}
	if epoch.Turnout.Outage(params) || maintained(provider, epoch) {
		return nil
	}
	return k.faultMiss(ctx, params, operator, epoch)
}

// maintained tells that a provider had declared maintenance in an epoch, or in so much of the time in which it could have committed
// to it that less was left than a commitment window. The quota of maintenance bounds how often that can be.
func maintained(provider providertypes.Provider, epoch types.Epoch) bool {
	if maintenanceWithin(provider, epoch.Start, epoch.End) > 0 {
		return true
	}
	left := epoch.LateUntil - epoch.ClosedAt - maintenanceWithin(provider, epoch.ClosedAt, epoch.LateUntil)
	return left < epoch.CommitUntil-epoch.ClosedAt
}

// maintenanceWithin returns the seconds of declared maintenance in [from, until): windows never overlap.
func maintenanceWithin(provider providertypes.Provider, from, until uint64) (seconds uint64) {
	for _, window := range provider.Maintenance {
		if start, end := max(window.From, from), min(window.Until, until); start < end {
			seconds += end - start
		}
	}
	return seconds
}

// shareOf says in words which share of the bond is missing.
func shareOf(t types.Turnout) string {
	if !t.Bond.IsPositive() {
		return "no bond"
	}
	bps := t.MissingBond.MulRaw(10_000).Quo(t.Bond).Int64()
	return fmt.Sprintf("%d.%02d %% of their bond", bps/100, bps%100)
}

// faultMiss notes a miss, and jails a provider that misses too often.
func (k *Keeper) faultMiss(ctx context.Context, params types.Params, operator sdk.AccAddress, epoch types.Epoch) error {
	standing, err := k.Standing(ctx, operator)
	if err != nil {
		return err
	}
	standing = standing.Miss(epoch.Number, params)
	missed := len(standing.Missed)
	fault := types.Fault{
		Provider: standing.Provider, Kind: types.FaultKind_FAULT_KIND_MISSED, Epoch: epoch.Number,
		Reason: fmt.Sprintf("no commitment to epoch %d by second %d: %d missed of the last %d; %d of %d providers missed it, with %s", epoch.Number,
			epoch.LateUntil, missed, params.ProbationEpochs, epoch.Turnout.Missing, epoch.Turnout.Providers, shareOf(epoch.Turnout)),
	}
	if params.TooManyMissed(missed) {
		cause := fmt.Sprintf("%d of %d epochs missed", missed, params.ProbationEpochs)
		if fault.Slashed, err = k.provider.SlashShare(ctx, operator, params.MissedSlashBps, cause); err != nil {
			return fmt.Errorf("slash %s: %w", standing.Provider, err)
		}
		if fault.JailedUntil, err = k.jail(ctx, operator, params.MissedJailSeconds, cause); err != nil {
			return err
		}
		standing.Missed, standing.CleanEpochs = nil, 0
	}
	if err := k.writeStanding(ctx, operator, standing); err != nil {
		return err
	}
	return k.addFault(ctx, operator, fault)
}
