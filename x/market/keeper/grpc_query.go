package keeper

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cosmos/cosmos-sdk/types/query"

	"cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

const maxPage = 200



type queryServer struct {
	*types.UnimplementedQueryServer // until every query is answered
	*Keeper
}

// NewQueryServer returns the handlers of the module's queries.
func NewQueryServer(k *Keeper) types.QueryServer { return queryServer{Keeper: k} }

var errEmptyRequest = status.Error(codes.InvalidArgument, "empty request")

// page bounds what one query reads: no counting, no skipping, at most maxPage at once.
func page(request *query.PageRequest) (*query.PageRequest, error) {
	if request == nil {
		return &query.PageRequest{Limit: maxPage}, nil
	}
	if request.Offset > 0 || request.CountTotal {
		return nil, status.Error(codes.InvalidArgument, "page by key: there is no offset and no total")
	}
	bounded := *request
	if bounded.Limit == 0 || bounded.Limit > maxPage {
		bounded.Limit = maxPage
	}
	return &bounded, nil
}

// account decodes an address of a request.
func (k *Keeper) account(text string) (sdk.AccAddress, error) {
	account, err := k.addresses.StringToBytes(text)
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "address: %v", err)
	}
	return account, nil
}

// asStatus gives what was not found the code that says so.
func asStatus(err error) error {
	if errors.IsOf(err, types.ErrPoolNotFound, types.ErrOfferNotFound, types.ErrDeploymentNotFound, types.ErrBidNotFound,
		types.ErrLeaseNotFound) {
		return status.Error(codes.NotFound, err.Error())
	}
	return err
}
