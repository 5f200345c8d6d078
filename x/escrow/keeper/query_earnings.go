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
	heldBack, matured, err := q.sumEarned(ctx, payee, request.Denom, now)
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
		Accruing:  ledger.FloorMicro(accruing),
		HeldBack:  ledger.FloorMicro(heldBack),
		Available: ledger.FloorMicro(available.Add(matured)),
		Rate:      rate,
	}, nil
}

// sumEarned sums up the epoch pots of a payee: what waits, and what a withdrawal could merge. It walks all of them; the
// gas limit of queries bounds it.
func (q queryServer) sumEarned(
	ctx context.Context, payee sdk.AccAddress, denom string, now uint64,
) (heldBack, matured math.Int, err error) {
	heldBack, matured = math.ZeroInt(), math.ZeroInt()
	// A withdrawal merges the oldest first, up to the first that has not matured. Later ones may have, if parameters changed.
	waiting := false
	prefix := collections.NewSuperPrefixedTripleRange[sdk.AccAddress, string, uint64](payee, denom)
	err = q.epochPots.Walk(ctx, prefix, func(_ epochPotKey, pot types.EpochPot) (bool, error) {
		waiting = waiting || !pot.Credited || pot.MaturesAt > now
		switch {
		case !pot.Credited:
			heldBack = heldBack.Add(pot.Service).Add(pot.Hold)
		case waiting:
			heldBack = heldBack.Add(pot.Payable)
		default:
			matured = matured.Add(pot.Payable)
		}
		return false, nil
	})
	if err != nil {
		return math.Int{}, math.Int{}, fmt.Errorf("walk epoch pots: %w", err)
	}
	return heldBack, matured, nil
}
