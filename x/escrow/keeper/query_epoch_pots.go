package keeper

import (
	"context"
	"encoding/binary"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/escrow/types"
)

// EpochPots lists what a payee earned in one denom, by closed epoch.
func (q queryServer) EpochPots(
	ctx context.Context, request *types.QueryEpochPotsRequest,
) (*types.QueryEpochPotsResponse, error) {
	if request == nil || request.Denom == "" {
		return nil, types.ErrInvalidRequest.Wrap("whose epoch pots, in which denom?")
	}
	payee, err := q.address(request.Payee)
	if err != nil {
		return nil, err
	}
	pots, response, err := q.pageEpochPots(ctx, payee, request.Denom, page(request.Pagination, maxEpochPotsPage))
	if err != nil {
		return nil, err
	}
	return &types.QueryEpochPotsResponse{EpochPots: pots, Pagination: response}, nil
}

// pageEpochPots returns a page of epoch pots. The key of a page is its first epoch, 8 bytes, big endian. Offsets are
// refused: they would walk what they skip.
func (q queryServer) pageEpochPots(
	ctx context.Context, payee sdk.AccAddress, denom string, request *query.PageRequest,
) ([]types.EpochPot, *query.PageResponse, error) {
	if request.Offset != 0 || request.Reverse {
		return nil, nil, types.ErrInvalidRequest.Wrap("epoch pots are paged forward, by key")
	}
	first := uint64(0)
	if len(request.Key) != 0 {
		if len(request.Key) != 8 {
			return nil, nil, types.ErrInvalidRequest.Wrap("page key is not an epoch")
		}
		first = binary.BigEndian.Uint64(request.Key)
	}
	start := new(collections.Range[epochPotKey]).
		StartInclusive(collections.Join3(payee, denom, first)).
		EndInclusive(collections.Join3(payee, denom, ^uint64(0)))
	pots, response := []types.EpochPot{}, &query.PageResponse{}
	err := q.epochPots.Walk(ctx, start, func(key epochPotKey, pot types.EpochPot) (bool, error) {
		if uint64(len(pots)) == request.Limit {
			response.NextKey = binary.BigEndian.AppendUint64(nil, key.K3())
			return true, nil
		}
		pot, err := q.unpackEpochPot(key, pot)
		pots = append(pots, pot)
		return false, err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("walk epoch pots: %w", err)
	}
	return pots, response, nil
}
