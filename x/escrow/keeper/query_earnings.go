package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// Earnings returns what a payee earned in one denom.
func (q queryServer) Earnings(ctx context.Context, request *types.QueryEarningsRequest) (*types.QueryEarningsResponse, error) {
	if request == nil || request.Denom == "" {
		return nil, types.ErrInvalidRequest.Wrap("whose earnings, in which denom?")
	}
	payee, err := q.address(request.Payee)
	if err != nil {
		return nil, err
	}
	now, err := q.Now(ctx)
	if err != nil {
		return nil, err
	}
	sum, err := q.sumEarned(ctx, payee, request.Denom, now)
	if err != nil {
		return nil, err
	}
	accruing, available, rate := math.ZeroInt(), math.ZeroInt(), math.ZeroInt()
	pot, err := q.pot(ctx, payee, request.Denom)
	switch {
	case err == nil:
		inflow := inflowOf(pot)
		accruing, available, rate = inflow.At(now), pot.Available, inflow.Rate()
	case !errors.Is(err, collections.ErrNotFound):
		return nil, err
	}
	return &types.QueryEarningsResponse{
		Accruing:   ledger.FloorMicro(accruing),
		HeldBack:   ledger.FloorMicro(sum.heldBack),
		Available:  ledger.FloorMicro(available.Add(sum.matured)),
		Rate:       rate,
		Refundable: ledger.FloorMicro(sum.refundable),
		Forfeited:  ledger.FloorMicro(sum.forfeited),
	}, nil
}

// earnedSum is what epoch pots add up to, in grains.
type earnedSum struct{ heldBack, matured, refundable, forfeited math.Int }

// sumEarned sums up the epoch pots of a payee: what waits, what a withdrawal could merge, and what waits for claims. It walks all of them; the
// gas limit of queries bounds it.
func (q queryServer) sumEarned(
	ctx context.Context, payee sdk.AccAddress, denom string, now uint64,
) (earnedSum, error) {
	sum := earnedSum{math.ZeroInt(), math.ZeroInt(), math.ZeroInt(), math.ZeroInt()}
	// A withdrawal merges the oldest first, up to the first that has not matured. Later ones may have, if parameters changed.
	waiting := false
	prefix := collections.NewSuperPrefixedTripleRange[sdk.AccAddress, string, uint64](payee, denom)
	err := q.epochPots.Walk(ctx, prefix, func(_ epochPotKey, pot types.EpochPot) (bool, error) {
		waiting = waiting || !pot.Credited || pot.MaturesAt > now
		switch {
		case !pot.Credited:
			sum.heldBack = sum.heldBack.Add(pot.Service).Add(pot.Hold)
		case waiting:
			sum.heldBack = sum.heldBack.Add(pot.Payable)
		default:
			sum.matured = sum.matured.Add(pot.Payable)
		}
		sum.refundable, sum.forfeited = sum.refundable.Add(pot.Refundable), sum.forfeited.Add(pot.Forfeited)
		return false, nil
	})
	if err != nil {
		return earnedSum{}, fmt.Errorf("walk epoch pots: %w", err)
	}
	return sum, nil
}
