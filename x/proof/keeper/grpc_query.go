package keeper

import (
	"context"
	"math"

	"cosmossdk.io/collections"
	sdkmath "cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/proof/types"
)

const (
	// maxPage is the most records of an answer, maxDues the most dues.
	maxPage = 100
	maxDues = 1000
	// maxAwaited is the most rounds of an answer.
	maxAwaited = 100
)

// queryServer answers the module's queries.
type queryServer struct {
	*Keeper
	types.UnimplementedQueryServer
}

// NewQueryServer returns the query service of the module.
func NewQueryServer(k *Keeper) types.QueryServer { return &queryServer{Keeper: k} }

// page bounds what one query reads: no counting, no skipping. Newest first is what is asked for by default.
func page(request *query.PageRequest, limit uint64, newestFirst bool) (*query.PageRequest, error) {
	if request == nil {
		return &query.PageRequest{Limit: limit, Reverse: newestFirst}, nil
	}
	if request.Offset > 0 || request.CountTotal {
		return nil, types.ErrInvalidRequest.Wrap("page by key: there is no offset and no total")
	}
	bounded := *request
	if bounded.Limit == 0 || bounded.Limit > limit {
		bounded.Limit = limit
	}
	return &bounded, nil
}

var errEmpty = types.ErrInvalidRequest.Wrap("empty request")

// Params returns the parameters.
func (q *queryServer) Params(ctx context.Context, _ *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	params, err := q.Keeper.Params(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryParamsResponse{Params: params}, nil
}

// Epoch returns one epoch.
func (q *queryServer) Epoch(ctx context.Context, request *types.QueryEpochRequest) (*types.QueryEpochResponse, error) {
	if request == nil {
		return nil, errEmpty
	}
	epoch, err := q.Keeper.Epoch(ctx, request.Epoch)
	if err != nil {
		return nil, err
	}
	return &types.QueryEpochResponse{Epoch: epoch}, nil
}

// Epochs lists epochs, the newest first unless a page is asked for.
func (q *queryServer) Epochs(ctx context.Context, request *types.QueryEpochsRequest) (*types.QueryEpochsResponse, error) {
	if request == nil {
		return nil, errEmpty
	}
	bounds, err := page(request.Pagination, maxPage, true)
	if err != nil {
		return nil, err
	}
	epochs, next, err := query.CollectionPaginate(ctx, q.epochs, bounds,
		func(_ uint64, epoch types.Epoch) (types.Epoch, error) { return epoch, nil })
	if err != nil {
		return nil, err
	}
	return &types.QueryEpochsResponse{Epochs: epochs, Pagination: next}, nil
}

// Beacon returns the beacon with the rounds that are awaited and not known, the oldest first.
func (q *queryServer) Beacon(ctx context.Context, _ *types.QueryBeaconRequest) (*types.QueryBeaconResponse, error) {
	params, err := q.Keeper.Params(ctx)
	if err != nil {
		return nil, err
	}
	awaited, err := q.awaited(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryBeaconResponse{Beacon: params.Beacon, Awaited: awaited}, nil
}

// awaited merges the rounds of epochs and of late commitments.
func (q *queryServer) awaited(ctx context.Context) ([]uint64, error) {
	var awaited []uint64
	for from := uint64(unnamed + 1); len(awaited) < maxAwaited; {
		next, found := uint64(math.MaxUint64), false
		for _, set := range []collections.KeySet[pairKey]{q.awaitingEpochs, q.awaitingLate} {
			round, ok, err := firstRound(ctx, set, from)
			if err != nil {
				return nil, err
			}
			if ok && round <= next {
				next, found = round, true
			}
		}
		if !found {
			break
		}
		known, err := q.rounds.Has(ctx, next)
		if err != nil {
			return nil, err
		}
		if !known {
			awaited = append(awaited, next)
		}
		if next == math.MaxUint64 {
			break
		}
		from = next + 1
	}
	return awaited, nil
}

// firstRound returns the first round, from one on, for which anything of a set waits.
func firstRound(ctx context.Context, set collections.KeySet[pairKey], from uint64) (round uint64, found bool, err error) {
	after := new(collections.Range[pairKey]).StartInclusive(collections.Join(from, uint64(0)))
	err = set.Walk(ctx, after, func(key pairKey) (bool, error) {
		round, found = key.K1(), true
		return true, nil
	})
	return round, found, err
}

// Commitment returns what a provider committed to in an epoch. While it is audited, the positions that are still to be opened are
// told too.
func (q *queryServer) Commitment(
	ctx context.Context, request *types.QueryCommitmentRequest,
) (*types.QueryCommitmentResponse, error) {
	if request == nil {
		return nil, errEmpty
	}
	provider, err := q.address(request.Provider)
	if err != nil {
		return nil, err
	}
	c, err := q.Keeper.Commitment(ctx, provider, request.Epoch)
	if err != nil {
		return nil, err
	}
	drawn, err := q.drawn(ctx, provider, c)
	if err != nil {
		return nil, err
	}
	return &types.QueryCommitmentResponse{Commitment: c, Drawn: drawn}, nil
}

func (q *queryServer) drawn(ctx context.Context, provider sdk.AccAddress, c types.Commitment) ([]types.Drawn, error) {
	if c.State != types.CommitmentState_COMMITMENT_STATE_AUDITED {
		return nil, nil
	}
	params, err := q.Keeper.Params(ctx)
	if err != nil {
		return nil, err
	}
	var drawn []types.Drawn
	for _, root := range c.Roots {
		if _, err := toOpen(c, root.Denom); err != nil {
			continue
		}
		positions, err := q.positions(provider, c, root, params)
		if err != nil {
			return nil, err
		}
		of := types.Drawn{Denom: root.Denom}
		for _, position := range positions {
			of.Positions = append(of.Positions, sdkmath.NewIntFromBigInt(position.Big()))
		}
		drawn = append(drawn, of)
	}
	return drawn, nil
}

// Commitments lists the commitments of a provider by epoch, the newest first unless a page is asked for.
func (q *queryServer) Commitments(
	ctx context.Context, request *types.QueryCommitmentsRequest,
) (*types.QueryCommitmentsResponse, error) {
	if request == nil {
		return nil, errEmpty
	}
	provider, err := q.address(request.Provider)
	if err != nil {
		return nil, err
	}
	bounds, err := page(request.Pagination, maxPage, true)
	if err != nil {
		return nil, err
	}
	commitments, next, err := query.CollectionPaginate(ctx, q.commitmentsOf, bounds,
		func(_ providerKey, id uint64) (types.Commitment, error) { return q.readCommitment(ctx, id) },
		query.WithCollectionPaginationPairPrefix[sdk.AccAddress, uint64](provider))
	if err != nil {
		return nil, err
	}
	return &types.QueryCommitmentsResponse{Commitments: commitments, Pagination: next}, nil
}

// Standing returns what is remembered of a provider, and the chance that its next epoch is audited.
func (q *queryServer) Standing(ctx context.Context, request *types.QueryStandingRequest) (*types.QueryStandingResponse, error) {
	if request == nil {
		return nil, errEmpty
	}
	provider, err := q.address(request.Provider)
	if err != nil {
		return nil, err
	}
	params, err := q.Keeper.Params(ctx)
	if err != nil {
		return nil, err
	}
	standing, err := q.Keeper.Standing(ctx, provider)
	if err != nil {
		return nil, err
	}
	return &types.QueryStandingResponse{Standing: standing, AuditPpm: params.ChanceOf(standing.CleanEpochs, false)}, nil
}

// Faults lists what a provider did wrong, the newest first unless a page is asked for.
func (q *queryServer) Faults(ctx context.Context, request *types.QueryFaultsRequest) (*types.QueryFaultsResponse, error) {
	if request == nil {
		return nil, errEmpty
	}
	provider, err := q.address(request.Provider)
	if err != nil {
		return nil, err
	}
	bounds, err := page(request.Pagination, maxPage, true)
	if err != nil {
		return nil, err
	}
	faults, next, err := query.CollectionPaginate(ctx, q.faultsOf, bounds,
		func(key providerKey, _ collections.NoValue) (types.Fault, error) { return q.faults.Get(ctx, key.K2()) },
		query.WithCollectionPaginationPairPrefix[sdk.AccAddress, uint64](provider))
	if err != nil {
		return nil, err
	}
	return &types.QueryFaultsResponse{Faults: faults, Pagination: next}, nil
}
