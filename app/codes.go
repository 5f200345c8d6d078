package app

import (
	"context"
	"errors"
	"slices"

	gogogrpc "github.com/cosmos/gogoproto/grpc"
	"google.golang.org/grpc"

	errorsmod "cosmossdk.io/errors"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
)

// codedServer registers message services whose errors keep the code of the registered error that caused them, however
// often it was wrapped on its way: clients decide by codespace and code. The SDK looks for it only behind its own wrappers.
type codedServer struct{ gogogrpc.Server }

// RegisterService registers a service with such errors.
func (s codedServer) RegisterService(service *grpc.ServiceDesc, handler any) {
	coded := *service
	coded.Methods = slices.Clone(service.Methods)
	for i, method := range service.Methods {
		answer := method.Handler
		coded.Methods[i].Handler = func(
			srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor,
		) (any, error) {
			res, err := answer(srv, ctx, decode, interceptor)
			return res, withCode(err)
		}
	}
	s.Server.RegisterService(&coded, handler)
}

// codedError is an error with the code of one that caused it.
type codedError struct {
	error
	registered *errorsmod.Error
}

// Error is what happened, without positions in source code.
func (e codedError) Error() string { return escrowtypes.ErrorText(e.error, maxErrorBytes) }

// maxErrorBytes is the most that a transaction's log tells of an error.
const maxErrorBytes = 4096

// Unwrap gives the causes.
func (e codedError) Unwrap() error { return e.error }

// ABCICode is that of the cause.
func (e codedError) ABCICode() uint32 { return e.registered.ABCICode() }

// Codespace is that of the cause.
func (e codedError) Codespace() string { return e.registered.Codespace() }

// withCode finds the registered error that caused another one.
func withCode(err error) error {
	var registered *errorsmod.Error
	if err == nil || !errors.As(err, &registered) {
		return err
	}
	return codedError{err, registered}
}
