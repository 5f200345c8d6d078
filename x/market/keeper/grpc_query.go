package keeper

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

type queryServer struct{ *Keeper }

// NewQueryServer returns the handlers of the module's queries.
func NewQueryServer(k *Keeper) types.QueryServer { return queryServer{Keeper: k} }

var errEmptyRequest = status.Error(codes.InvalidArgument, "empty request")

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
