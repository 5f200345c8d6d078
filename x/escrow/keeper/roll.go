package keeper

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/types"
)

// rollOrQuarantine rolls one pot into the running epoch. One that fails is left as it is, for the next sweep, and noted in
// quarantine.
func (k *Keeper) rollOrQuarantine(ctx sdk.Context, clock types.Clock, key potKey) error {
	failure := types.Isolate(ctx, func(ctx sdk.Context) error { return k.rollPot(ctx, clock, key) })
	if failure == nil {
		return nil
	}
	return k.addQuarantined(ctx, types.Quarantined{
		Source: types.PotSource, Id: PotID(key.K1(), key.K2()), Second: clock.EpochStart,
		Error: fmt.Sprintf("%X in %s: %s", []byte(key.K1()), key.K2(), brief(failure)),
	})
}

// rollPot rolls one pot into the running epoch. One in which nothing accrues is left as it is, or dropped when it is
// empty too.
func (k *Keeper) rollPot(ctx context.Context, clock types.Clock, key potKey) error {
	pot, err := k.pot(ctx, key.K1(), key.K2())
	if err != nil {
		return err
	}
	idle := inflowOf(pot).Idle()
	switch {
	case idle && pot.Available.IsZero():
		return k.pots.Remove(ctx, key)
	case idle, pot.Epoch == clock.Epoch:
		return nil
	}
	if pot, err = k.roll(ctx, clock, key.K1(), pot); err != nil {
		return err
	}
	return k.writePot(ctx, key.K1(), pot)
}

// releasePot takes a pot out of quarantine, if it is there.
func (k *Keeper) releasePot(ctx context.Context, payee sdk.AccAddress, denom string) error {
	if err := k.quarantine.Remove(ctx, collections.Join(types.PotSource, PotID(payee, denom))); err != nil {
		return fmt.Errorf("release a pot in %s from quarantine: %w", denom, err)
	}
	return nil
}

// PotID names a pot in quarantine: the first 8 bytes, big endian, of the SHA-256 of the denom, a zero byte and the payee.
func PotID(payee sdk.AccAddress, denom string) uint64 {
	sum := sha256.Sum256(append(append([]byte(denom), 0), payee...))
	return binary.BigEndian.Uint64(sum[:8])
}

// retryPot rolls a pot that was quarantined; one that was dropped needs nothing more.
func (k *Keeper) retryPot(ctx context.Context, id uint64) error {
	clock, err := k.Clock(ctx)
	if err != nil {
		return err
	}
	key, found, err := k.findPot(ctx, id)
	if err != nil || !found {
		return err
	}
	return k.rollPot(ctx, clock, key)
}

// findPot looks for a pot among all: for governance only.
func (k *Keeper) findPot(ctx context.Context, id uint64) (key potKey, found bool, err error) {
	iterator, err := k.pots.Iterate(ctx, nil)
	if err != nil {
		return key, false, fmt.Errorf("walk pots: %w", err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	for ; iterator.Valid(); iterator.Next() {
		if key, err = iterator.Key(); err != nil {
			return key, false, fmt.Errorf("walk pots: %w", err)
		}
		if PotID(key.K1(), key.K2()) == id {
			return key, true, nil
		}
	}
	return key, false, nil
}
