package keeper

import (
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// isolate runs f in a cache context that is written only if f succeeds. A panic counts as an error, so that a bad item
// cannot stop the chain; for block hooks only: in a transaction running out of gas must end it.
func isolate(ctx sdk.Context, f func(sdk.Context) error) error {
	return guard(func() error { return attempt(ctx, f) })
}

// guard turns a panic into an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = types.ErrPanic.Wrapf("%v", r)
		}
	}()
	return f()
}

// attempt runs f in a cache context that is written only if f succeeds.
func attempt(ctx sdk.Context, f func(sdk.Context) error) error {
	cache, write := ctx.CacheContext()
	if err := f(cache); err != nil {
		return err
	}
	write()
	return nil
}
