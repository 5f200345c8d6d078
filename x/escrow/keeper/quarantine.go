package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/types"
)

func (k *Keeper) addQuarantined(ctx sdk.Context, item types.Quarantined) error {
	k.logger(ctx).Error("deadline quarantined", "source", item.Source, "id", item.Id, "second", item.Second, "err", item.Error)
	if err := k.quarantine.Set(ctx, collections.Join(item.Source, item.Id), item); err != nil {
		return fmt.Errorf("quarantine item %d of %s: %w", item.Id, item.Source, err)
	}
	return emit(ctx, types.NewEventQuarantined(item))
}

// RetryQuarantined processes a quarantined item at the present second, and takes it out of quarantine if that succeeds.
func (k *Keeper) RetryQuarantined(ctx context.Context, name string, id uint64) error {
	retry, err := k.retry(name)
	if err != nil {
		return err
	}
	key := collections.Join(name, id)
	found, err := k.quarantine.Has(ctx, key)
	if err != nil {
		return fmt.Errorf("read quarantine: %w", err)
	}
	if !found {
		return types.ErrNotQuarantined.Wrapf("item %d of %s", id, name)
	}
	err = types.Isolate(sdk.UnwrapSDKContext(ctx), func(ctx sdk.Context) error { return retry(ctx, id) })
	if err != nil {
		return fmt.Errorf("retry item %d of %s: %w", id, name, err)
	}
	if err := k.quarantine.Remove(ctx, key); err != nil {
		return fmt.Errorf("release item %d of %s from quarantine: %w", id, name, err)
	}
	return emit(ctx, types.NewEventRetried(name, id))
}

// retry returns what processes a quarantined item of a source.
func (k *Keeper) retry(name string) (func(ctx context.Context, id uint64) error, error) {
	if source, ok := k.source(name); ok {
		return source.Retry, nil
	}
	switch name {
	case types.PotSource:
		return k.retryPot, nil
	case types.EpochSource:
		return k.retryEpoch, nil
	}
	return nil, types.ErrUnknownSource.Wrapf("%.*q", types.MaxSourceBytes, name)
}

func (k *Keeper) source(name string) (types.DeadlineSource, bool) {
	for _, source := range k.sources {
		if source.Name() == name {
			return source, true
		}
	}
	return nil, false
}

// brief returns what quarantine keeps of an error.
func brief(err error) string { return types.ErrorText(err, types.MaxErrorBytes) }
