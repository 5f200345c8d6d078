package client

import (
	"errors"

	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/souk-network/souk/client/fault"
)

// remedies say what people can do about errors that the chain registers.
var remedies = []struct {
	is  error
	try string
}{
	{sdkerrors.ErrInsufficientFunds, "send the account more coins: souk bank balances ADDRESS shows what it has"},
	{sdkerrors.ErrInsufficientFee, "raise --gas-prices to the least that the node takes"},
	{sdkerrors.ErrUnauthorized, "sign with the key that owns it: --from"},
	{sdkerrors.ErrKeyNotFound, "list the keys with `souk keys list`"},
	{sdkerrors.ErrMempoolIsFull, "the network is busy: try again in a minute"},
	{sdkerrors.ErrTxTooLarge, "split it into smaller transactions"},
	{sdkerrors.ErrOutOfGas, "the state changed under it: try again"},
	{sdkerrors.ErrTxTimeoutHeight, "nothing was spent: try again"},
	{ErrOutcomeUnknown, "run the same command again: it looks the transaction up before it sends anything"},
}

// Explain turns an error of a query or a transaction into one that people can act on. What is a fault already stays so.
func Explain(summary string, err error) error {
	if err == nil {
		return nil
	}
	var f *fault.Fault
	if errors.As(err, &f) {
		return err
	}
	for _, r := range remedies {
		if errors.Is(err, r.is) {
			return fault.New(summary, err, r.try)
		}
	}
	if IsUnreachable(err) {
		return fault.New(summary, err, "check that the node runs and that its address is right")
	}
	return fault.New(summary, err, "")
}
