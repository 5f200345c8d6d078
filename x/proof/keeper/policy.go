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
	providertypes "github.com/souk-network/souk/x/provider/types"
)

var _ escrowtypes.CreditPolicy = Policy{}

// Policy tells escrow what of an epoch's service was proven: at once when that is known, by Credit and Forfeit later.
type Policy struct{ k *Keeper }

// Policy returns what escrow has to ask.
func (k *Keeper) Policy() Policy { return Policy{k} }

// OnEpochClosed opens an epoch to commitments.
func (p Policy) OnEpochClosed(ctx context.Context, epoch escrowtypes.Epoch) error {
	return p.k.openEpoch(ctx, epoch)
}

// CheckParams refuses a hold-back that the windows outlast. What leaves epochs and hold-back as they are passes: a denom must be
// halted also on a chain that was born with a short one.
func (p Policy) CheckParams(ctx context.Context, params escrowtypes.Params) error {
	before, err := p.k.escrow.Params(ctx)
	if err != nil {
		return err
	}
	if before.EpochSeconds == params.EpochSeconds && before.HoldbackEpochs == params.HoldbackEpochs {
		return nil
	}
	own, err := p.k.Params(ctx)
	if err != nil {
		return err
	}
	return own.Fits(params)
}

// OnEpochPot notes that a provider is expected to prove what it earned by service. What was earned otherwise needs no proof:
// holds, and what flows to somebody who provides nothing. Nor does what is rolled into an epoch that is forgotten here.
func (p Policy) OnEpochPot(ctx context.Context, pot escrowtypes.EpochPot) (math.Int, bool, error) {
	if pot.Service.IsZero() {
		return math.ZeroInt(), true, nil
	}
	payee, err := p.k.address(pot.Payee)
	if err != nil {
		return math.Int{}, false, err
	}
	provider, err := p.k.provider.GetProvider(ctx, payee)
	if errors.Is(err, providertypes.ErrNotFound) {
		return pot.Service, true, nil
	}
	if err != nil {
		return math.Int{}, false, fmt.Errorf("look up who earned in epoch %d: %w", pot.Epoch, err)
	}
	forgotten, err := p.k.forgotten(ctx, pot.Epoch)
	if err != nil || forgotten {
		return pot.Service, forgotten, err
	}
	return p.k.expect(ctx, payee, provider.Number, pot)
}

// forgotten tells that an epoch is pruned, or closed before this module was: an older one than any that is known.
func (k *Keeper) forgotten(ctx context.Context, number uint64) (bool, error) {
	first, ok, err := escrowtypes.FirstKey(ctx, k.epochs.Iterate, new(collections.Range[uint64]))
	if err != nil {
		return false, fmt.Errorf("look up the oldest epoch: %w", err)
	}
	return ok && number < first, nil
}

// expect notes a pot that a provider is to prove, unless that is decided already.
func (k *Keeper) expect(ctx context.Context, payee sdk.AccAddress, number uint64, pot escrowtypes.EpochPot) (math.Int, bool, error) {
	record, found, err := k.findExpected(ctx, payee, pot.Epoch)
	if err != nil {
		return math.Int{}, false, err
	}
	if !found {
		record = types.Expected{Epoch: pot.Epoch, Provider: pot.Payee}
		if record.Missed, err = k.tooLateFor(ctx, payee, pot.Epoch); err != nil {
			return math.Int{}, false, err
		}
	}
	if i, listed := slices.BinarySearch(record.Denoms, pot.Denom); !listed {
		record.Denoms = slices.Insert(record.Denoms, i, pot.Denom)
	}
	if err := k.writeExpected(ctx, payee, number, record); err != nil {
		return math.Int{}, false, err
	}
	return k.provenOf(ctx, payee, record, pot.Denom)
}

// tooLateFor tells that a provider that nobody expected so far has not committed to an epoch that is closed to commitments.
func (k *Keeper) tooLateFor(ctx context.Context, payee sdk.AccAddress, number uint64) (bool, error) {
	epoch, found, err := k.findEpoch(ctx, number)
	if err != nil || !found || epoch.Turnout.Phase == types.TurnoutWaits {
		return false, err
	}
	_, committed, err := k.findCommitment(ctx, payee, number)
	return !committed, err
}

// provenOf returns what is proven of a pot as far as that is known.
func (k *Keeper) provenOf(ctx context.Context, payee sdk.AccAddress, record types.Expected, denom string) (math.Int, bool, error) {
	if record.Missed || record.Forfeited {
		return math.ZeroInt(), true, nil
	}
	commitment, found, err := k.findCommitment(ctx, payee, record.Epoch)
	if err != nil || !found {
		return math.Int{}, false, err
	}
	switch {
	case commitment.State.Forfeited():
		return math.ZeroInt(), true, nil
	case !commitment.State.Proven():
		return math.Int{}, false, nil
	}
	params, err := k.Params(ctx)
	if err != nil {
		return math.Int{}, false, err
	}
	return commitment.EarnedIn(denom, params), true, nil
}

// findExpected returns what a provider is expected to prove of an epoch.
func (k *Keeper) findExpected(ctx context.Context, payee sdk.AccAddress, epoch uint64) (types.Expected, bool, error) {
	number, err := k.expectedOf.Get(ctx, collections.Join(payee, epoch))
	if errors.Is(err, collections.ErrNotFound) {
		return types.Expected{}, false, nil
	}
	if err != nil {
		return types.Expected{}, false, fmt.Errorf("look up what is expected in epoch %d: %w", epoch, err)
	}
	record, err := k.expected.Get(ctx, collections.Join(epoch, number))
	if err != nil {
		return types.Expected{}, false, fmt.Errorf("read what is expected of provider %d in epoch %d: %w", number, epoch, err)
	}
	return record, true, nil
}

func (k *Keeper) writeExpected(ctx context.Context, payee sdk.AccAddress, number uint64, record types.Expected) error {
	err := errors.Join(
		k.expected.Set(ctx, collections.Join(record.Epoch, number), record),
		k.expectedOf.Set(ctx, collections.Join(payee, record.Epoch), number),
	)
	if err != nil {
		return fmt.Errorf("write what is expected of %s in epoch %d: %w", record.Provider, record.Epoch, err)
	}
	return nil
}
