package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/provider/types"
)

// maxProvidersPage is the most providers a page, whatever is asked for.
const maxProvidersPage = 200

// queryServer answers the module's queries.
type queryServer struct {
	*types.UnimplementedQueryServer // until every query is answered
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

// Provider returns one provider and the bond it must hold.
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
	required, err := q.RequirementOf(ctx, operator)
	if err != nil {
		return nil, err
	}
	return &types.QueryProviderResponse{Provider: provider, Required: required}, nil
}

// Providers lists providers by operator. The total is not counted: that would walk all of them.
func (q queryServer) Providers(
	ctx context.Context, request *types.QueryProvidersRequest,
) (*types.QueryProvidersResponse, error) {
	page := &query.PageRequest{Limit: maxProvidersPage}
	if request != nil && request.Pagination != nil {
		page.Key, page.Offset, page.Reverse = request.Pagination.Key, request.Pagination.Offset, request.Pagination.Reverse
		if request.Pagination.Limit > 0 {
			page.Limit = min(request.Pagination.Limit, maxProvidersPage)
		}
	}
	providers, pageResponse, err := query.CollectionPaginate(ctx, q.providers, page,
		func(_ sdk.AccAddress, provider types.Provider) (types.Provider, error) { return provider, nil })
	if err != nil {
		return nil, types.ErrInvalidRequest.Wrap(err.Error())
	}
	return &types.QueryProvidersResponse{Providers: providers, Pagination: pageResponse}, nil
}

// ByAgent returns the provider of an agent account.
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
