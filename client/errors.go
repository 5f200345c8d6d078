package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	errorsmod "cosmossdk.io/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
)

var (
	// ErrOutcomeUnknown: the caller stopped waiting while a transaction was on its way. It may yet take place; its intent
	// stays in the journal.
	ErrOutcomeUnknown = errors.New("it is not known yet whether the transaction took place")
	// ErrFeeBudget: the transaction would cost more than the queue may spend.
	ErrFeeBudget = errors.New("fee budget is used up")
	// ErrOtherNetwork says that a node belongs to a network that was not asked for.
	ErrOtherNetwork = errors.New("not the network that is meant")
	// ErrTooLate: the chain's time has passed the request's Before without it.
	ErrTooLate = errors.New("no block has taken the transaction in time")
	// ErrQueueClosed: the queue was closed before the transaction was sent.
	ErrQueueClosed = errors.New("transaction queue is closed")
	// errTxNotFound: the node knows no included transaction of that hash.
	errTxNotFound = errors.New("transaction not found")
	// errNoTxIndex: the node can not look transactions up.
	errNoTxIndex = errors.New("the node does not index transactions")
)

// ChainError is a transaction that the chain refused, before or after it was put into a block. The registered error of the
// module is found with errors.Is.
type ChainError struct {
	Hash      string // "" when it was refused before it was sent
	Height    int64  // 0 when it is in no block
	Codespace string
	Code      uint32
	Log       string
}

// Error gives the chain's own words.
func (e *ChainError) Error() string {
	return fmt.Sprintf("%s (%s %d)", e.Log, e.Codespace, e.Code)
}

// Unwrap gives the registered error.
func (e *ChainError) Unwrap() error {
	return errorsmod.ABCIError(e.Codespace, e.Code, e.Log)
}

// class says what to do about a failed step.
type class int

const (
	classPermanent class = iota // the same transaction will be refused again
	classTransient              // the node may take it later
	classSequence               // the account's sequence has moved
	classGas                    // it needs more gas than it was given
	classExpired                // its last possible block has passed
)

// classify sorts an error of one step: simulation, account query, broadcast or inclusion.
func classify(err error) class {
	switch {
	case errors.Is(err, sdkerrors.ErrWrongSequence), errors.Is(err, sdkerrors.ErrInvalidSequence):
		return classSequence
	case errors.Is(err, sdkerrors.ErrOutOfGas):
		return classGas
	case errors.Is(err, sdkerrors.ErrTxTimeoutHeight), errors.Is(err, sdkerrors.ErrTxTimeout):
		return classExpired
	case errors.Is(err, sdkerrors.ErrMempoolIsFull):
		return classTransient
	}
	var chain *ChainError
	var abci *errorsmod.Error
	if errors.As(err, &chain) || errors.As(err, &abci) {
		return classPermanent
	}
	if IsUnreachable(err) {
		return classTransient
	}
	return classPermanent
}

// isBetweenBlocks tells whether a node could not answer because it has just committed a block. The SDK gives that no code of its own.
func isBetweenBlocks(err error) bool {
	s, ok := status.FromError(rootStatus(err))
	return ok && s.Code() == codes.Unknown && strings.Contains(s.Message(), "context did not contain latest block height")
}

// IsUnreachable tells whether err says nothing but that the node did not answer.
func IsUnreachable(err error) bool {
	if isBetweenBlocks(err) {
		return true
	}
	switch status.Code(rootStatus(err)) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.ResourceExhausted, codes.Aborted:
		return true
	}
	var network net.Error
	var address *url.Error
	var refused *rpcError
	switch {
	case errors.As(err, &refused):
		// -32603 is CometBFT's "internal error": starting, stopping, or too many requests.
		return refused.Code == -32603
	case errors.As(err, &address), errors.As(err, &network):
		return !errors.Is(err, context.Canceled)
	}
	return false
}

// IsNotFound tells whether a query found nothing.
func IsNotFound(err error) bool {
	if err == nil {
		return false
	}
	s, ok := status.FromError(rootStatus(err))
	if !ok {
		return errors.Is(err, sdkerrors.ErrNotFound)
	}
	return s.Code() == codes.NotFound || s.Code() == codes.Unknown && strings.Contains(s.Message(), "not found")
}

// rootStatus finds the gRPC status in a chain of wrapped errors.
func rootStatus(err error) error {
	var s interface{ GRPCStatus() *status.Status }
	if errors.As(err, &s) {
		return s.GRPCStatus().Err()
	}
	return err
}
