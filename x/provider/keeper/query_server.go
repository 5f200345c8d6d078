package keeper

import (
	"context"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/provider/types"
)

// maxPage is the most records a page, whatever is asked for.
const maxPage = 200

// queryServer answers the module's queries.
type queryServer struct {
	*Keeper
}

// NewQueryServer returns the query service of the module.
func NewQueryServer(k *Keeper) types.QueryServer { return queryServer{Keeper: k} }

// Params returns the parameters.
func (q queryServer) Params(ctx context.Context, _ *types.QueryParamsRequest) (*types.QueryParamsResponse, error) {
	params, err := q.GetParams(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryParamsResponse{Params: params}, nil
}

// Provider returns one provider with the bond that it must hold, its record, and whether it may serve at present.
func (q queryServer) Provider(ctx context.Context, request *types.QueryProviderRequest) (*types.QueryProviderResponse, error) {
	if request == nil {
		return nil, types.ErrInvalidRequest.Wrap("which provider?")
	}
	operator, err := q.address(request.Operator)
	if err != nil {
		return nil, err
	}
	provider, err := q.GetProvider(ctx, operator)
	if err != nil {
		return nil, err
	}
	required, err := q.required(ctx, operator)
	if err != nil {
		return nil, err
	}
	record, err := q.RecordOf(ctx, operator)
	if err != nil {
		return nil, err
	}
	now, err := q.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	return &types.QueryProviderResponse{
		Provider: provider, Required: required, Record: record, Jailed: provider.Jailed(),
		InMaintenance: types.InMaintenance(provider, now),
	}, nil
}

// Providers lists providers by operator, with the agents that they have at present; all, or those of a lifecycle. The
// total is not counted: that would walk all of them.
func (q queryServer) Providers(
	ctx context.Context, request *types.QueryProvidersRequest,
) (*types.QueryProvidersResponse, error) {
	now, err := q.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	wanted, page := types.Lifecycle_LIFECYCLE_UNSPECIFIED, bounded(nil)
	if request != nil {
		wanted, page = request.Lifecycle, bounded(request.Pagination)
	}
	providers, pageResponse, err := query.CollectionFilteredPaginate(ctx, q.providers, page,
		func(_ sdk.AccAddress, provider types.Provider) (bool, error) {
			return wanted == types.Lifecycle_LIFECYCLE_UNSPECIFIED || provider.Lifecycle == wanted, nil
		},
		func(_ sdk.AccAddress, provider types.Provider) (types.Provider, error) { return provider.At(now), nil })
	if err != nil {
		return nil, types.ErrInvalidRequest.Wrap(err.Error())
	}
	return &types.QueryProvidersResponse{Providers: providers, Pagination: pageResponse}, nil
}

// bounded returns the page asked for, of at most maxPage records and without a total.
func bounded(asked *query.PageRequest) *query.PageRequest {
	page := &query.PageRequest{Limit: maxPage}
	if asked == nil {
		return page
	}
	page.Key, page.Offset, page.Reverse = asked.Key, asked.Offset, asked.Reverse
	if asked.Limit > 0 {
		page.Limit = min(asked.Limit, maxPage)
	}
	return page
}

// Unbondings lists the bond of a provider that is on its way back, by id. Of a provider whose deadlines are far behind
// there may be more than 7; at most a page is shown.
func (q queryServer) Unbondings(
	ctx context.Context, request *types.QueryUnbondingsRequest,
) (*types.QueryUnbondingsResponse, error) {
	if request == nil {
		return nil, types.ErrInvalidRequest.Wrap("of which provider?")
	}
	operator, err := q.address(request.Operator)
	if err != nil {
		return nil, err
	}
	unbondings, err := q.unbondingsSince(ctx, operator, 0, maxPage)
	if err != nil {
		return nil, err
	}
	return &types.QueryUnbondingsResponse{Unbondings: unbondings}, nil
}

// Attestations lists what auditors say of a provider, by auditor.
func (q queryServer) Attestations(
	ctx context.Context, request *types.QueryAttestationsRequest,
) (*types.QueryAttestationsResponse, error) {
	if request == nil {
		return nil, types.ErrInvalidRequest.Wrap("of which provider?")
	}
	operator, err := q.address(request.Operator)
	if err != nil {
		return nil, err
	}
	attestations, err := q.AttestationsOf(ctx, operator)
	if err != nil {
		return nil, err
	}
	return &types.QueryAttestationsResponse{Attestations: attestations}, nil
}

// AttestationsBy lists what an auditor says of providers, by provider.
func (q queryServer) AttestationsBy(
	ctx context.Context, request *types.QueryAttestationsByRequest,
) (*types.QueryAttestationsByResponse, error) {
	if request == nil {
		return nil, types.ErrInvalidRequest.Wrap("by which auditor?")
	}
	auditor, err := q.address(request.Auditor)
	if err != nil {
		return nil, err
	}
	attestations, pageResponse, err := query.CollectionPaginate(ctx, q.attestationsBy, bounded(request.Pagination),
		func(key attestationKey, _ collections.NoValue) (types.Attestation, error) {
			return q.attestations.Get(ctx, collections.Join(key.K2(), key.K1()))
		},
		query.WithCollectionPaginationPairPrefix[sdk.AccAddress, sdk.AccAddress](auditor))
	if err != nil {
		return nil, types.ErrInvalidRequest.Wrap(err.Error())
	}
	return &types.QueryAttestationsByResponse{Attestations: attestations, Pagination: pageResponse}, nil
}

// ByAgent returns the provider for which an agent account works at present.
func (q queryServer) ByAgent(ctx context.Context, request *types.QueryByAgentRequest) (*types.QueryByAgentResponse, error) {
	if request == nil {
		return nil, types.ErrInvalidRequest.Wrap("which agent?")
	}
	agent, err := q.address(request.Agent)
	if err != nil {
		return nil, err
	}
	provider, err := q.ProviderOfAgent(ctx, agent)
	if err != nil {
		return nil, err
	}
	return &types.QueryByAgentResponse{Provider: provider}, nil
}
