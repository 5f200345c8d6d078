package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// Note counts n leases of a provider that ended, or began, in a way.
func (k *Keeper) Note(ctx context.Context, operator sdk.AccAddress, outcome types.Outcome, n uint64) error {
	record, err := k.RecordOf(ctx, operator)
	if err != nil {
		return err
	}
	record, err = record.Count(outcome, n)
	if err != nil {
		return err
	}
	return k.writeRecord(ctx, operator, record)
}

// RecordOf returns what a provider did with its leases; all zero if it had none.
func (k *Keeper) RecordOf(ctx context.Context, operator sdk.AccAddress) (types.Record, error) {
	record, err := k.records.Get(ctx, operator)
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return types.Record{}, fmt.Errorf("read record of %s: %w", k.show(operator), err)
	}
	if err != nil {
		text, err := k.addresses.BytesToString(operator)
		if err != nil {
			return types.Record{}, types.ErrInvalidAddress.Wrap(err.Error())
		}
		record.Provider = text
	}
	return record, nil
}

func (k *Keeper) writeRecord(ctx context.Context, operator sdk.AccAddress, record types.Record) error {
	if err := k.records.Set(ctx, operator, record); err != nil {
		return fmt.Errorf("write record of %s: %w", record.Provider, err)
	}
	return nil
}

// SetReputation notes how well a provider proves what it is paid for, in parts per million.
func (k *Keeper) SetReputation(ctx context.Context, operator sdk.AccAddress, ppm uint32) error {
	if ppm > types.WholePpm {
		return types.ErrInvalidRequest.Wrapf("reputation of %d: want at most %d", ppm, types.WholePpm)
	}
	provider, err := k.readProvider(ctx, operator)
	if err != nil || provider.Reputation == ppm {
		return err
	}
	rises := ppm > provider.Reputation
	provider.Reputation = ppm
	if err := k.writeProvider(ctx, operator, provider); err != nil || !rises || k.hooks == nil {
		return err
	}
	return k.hooks.AfterReputed(ctx, operator)
}
