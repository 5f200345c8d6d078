package types

import (
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Isolate is Attempt for block hooks: a panic counts as an error, so that a bad item cannot stop the chain. In a transaction
// running out of gas must end it.
func Isolate(ctx sdk.Context, f func(sdk.Context) error) error {
	return Attempt(ctx, func(ctx sdk.Context) error { return Guard(func() error { return f(ctx) }) })
}

// Attempt runs f in a cache context that is written only if f succeeds.
func Attempt(ctx sdk.Context, f func(sdk.Context) error) error {
	cache, write := ctx.CacheContext()
	if err := f(cache); err != nil {
		return err
	}
	write()
	return nil
}

// Guard turns a panic into an error.
func Guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = ErrPanic.Wrapf("%v", r)
		}
	}()
	return f()
}
