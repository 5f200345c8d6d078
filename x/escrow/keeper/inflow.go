package keeper

import (
	"context"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// inflows gathers what happens to the pots that an account pays into, so that every pot is read and written once,
// however many streams pay it.
type inflows struct {
	keeper *Keeper
	clock  types.Clock
	denom  string
	payees []string // in the order of their first event
	pots   map[string]types.Pot
}

func (k *Keeper) inflows(clock types.Clock, denom string) *inflows {
	return &inflows{keeper: k, clock: clock, denom: denom, pots: make(map[string]types.Pot, 1)}
}

// start lets a stream pay from its opened_at on.
func (f *inflows) start(ctx context.Context, s types.Stream) error {
	return f.record(ctx, s.Payee, ledgerKind(s.Kind), s.OpenedAt, func(l ledger.Line) ledger.Line {
		return l.Start(s.Rate, s.OpenedAt)
	})
}

// stop lets a stream pay up to its closed_at.
func (f *inflows) stop(ctx context.Context, s types.Stream) error {
	return f.record(ctx, s.Payee, ledgerKind(s.Kind), s.ClosedAt, func(l ledger.Line) ledger.Line {
		return l.Stop(s.Rate, s.ClosedAt)
	})
}

// pay gives a payee grains once, for capacity kept free.
func (f *inflows) pay(ctx context.Context, payee string, grains math.Int, second uint64) error {
	return f.record(ctx, payee, ledger.Hold, second, func(l ledger.Line) ledger.Line { return l.Shift(grains) })
}

// record applies an event of the given second to what a payee earns.
func (f *inflows) record(
	ctx context.Context, text string, kind ledger.Kind, second uint64, change func(ledger.Line) ledger.Line,
) error {
	pot, found := f.pots[text]
	if !found {
		payee, err := f.keeper.address(text)
		if err != nil {
			return err
		}
		if pot, err = f.load(ctx, payee, second); err != nil {
			return err
		}
	}
	pot = withInflow(pot, inflowOf(pot).Record(kind, second, f.clock.EpochEnd, change)) // a broken one may panic
	if !found {
		f.payees = append(f.payees, text)
	}
	f.pots[text] = pot
	return nil
}

// load reads a pot for an event. Only what could not be recorded in its time, because the pot was broken, is recorded in
// an epoch that has closed: there before the pot is rolled.
func (f *inflows) load(ctx context.Context, payee sdk.AccAddress, second uint64) (types.Pot, error) {
	if second < f.clock.EpochStart {
		return f.keeper.pot(ctx, payee, f.denom)
	}
	return f.keeper.currentPot(ctx, f.clock, payee, f.denom)
}

// write stores the pots.
func (f *inflows) write(ctx context.Context) error {
	for _, text := range f.payees {
		payee, err := f.keeper.address(text)
		if err != nil {
			return err
		}
		if err := f.keeper.writePot(ctx, payee, f.pots[text]); err != nil {
			return err
		}
	}
	return nil
}
