package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/match"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// requirement returns the bond that a provider must hold, by denom: bond_hours of the rates of its live leases, and
// free_bond_hours of its free capacity at the highest asks; at least min_bond in a denom that its offers ask in.
func (k *Keeper) requirement(ctx context.Context, provider sdk.AccAddress) (sdk.Coins, error) {
	params, err := k.provider.GetParams(ctx)
	if err != nil {
		return nil, fmt.Errorf("read provider parameters: %w", err)
	}
	exposures, err := k.exposuresOf(ctx, provider)
	if err != nil {
		return nil, err
	}
	pools, err := k.providerPools(ctx, provider)
	if err != nil {
		return nil, err
	}
	var required, least sdk.Coins
	for _, e := range exposures {
		required = required.Add(bond(e.Denom, e.Rate, params.BondHours))
	}
	for _, pool := range pools {
		for _, ask := range pool.HighestAsks {
			required = required.Add(bond(ask.Denom, rateOfAll(pool.Free(), ask), params.FreeBondHours))
			least = least.Max(sdk.NewCoins(minBond(params, ask.Denom)))
		}
	}
	return required.Max(least), nil
}

// minBond is the least bond of a provider whose offers ask in a denom.
func minBond(params providertypes.Params, denom string) sdk.Coin {
	return sdk.NewCoin(denom, params.MinBond.AmountOf(denom))
}

func bond(denom string, ratePerHour uint64, hours uint32) sdk.Coin {
	return sdk.NewCoin(denom, math.NewIntFromUint64(ratePerHour).MulRaw(int64(hours)))
}

// rateOfAll is what all free capacity would cost in an hour. It saturates at the highest rate of a lease.
func rateOfAll(free match.Vector, ask types.Ask) uint64 {
	rate, err := match.Rate(free, ask.Vector(), 1)
	if err != nil {
		return types.MaxRate
	}
	return rate
}

// requireBond makes a change to what a provider offers, and refuses when the change makes the provider need more bond than
// it has. A provider that is short may always offer less. The change tells whether bids may be served that could not be
// before.
func (k *Keeper) requireBond(
	ctx context.Context, provider sdk.AccAddress, change func() (gained bool, err error),
) error {
	before, err := k.requirement(ctx, provider)
	if err != nil {
		return err
	}
	gained, err := change()
	if err != nil {
		return err
	}
	after, err := k.requirement(ctx, provider)
	if err != nil {
		return err
	}
	atStake, err := k.provider.BondOf(ctx, provider)
	if err != nil {
		return fmt.Errorf("read bond of %s: %w", provider, err)
	}
	for _, need := range after {
		have := atStake.AmountOf(need.Denom)
		if need.Amount.GT(have) && need.Amount.GT(before.AmountOf(need.Denom)) {
			return types.ErrBondTooLow.Wrapf("%s needed, %s%s missing", need, need.Amount.Sub(have), need.Denom)
		}
	}
	if gained {
		return k.gain(ctx, provider)
	}
	return k.unsettle(ctx, provider)
}

// gain notes that the offers of a provider may serve more than before: at the end of the block its new requirement is
// told to x/provider, and the bids that rest are tried beside its offers.
func (k *Keeper) gain(ctx context.Context, provider sdk.AccAddress) error {
	if err := k.unsettled.Set(ctx, provider, true); err != nil {
		return fmt.Errorf("note gain at %s: %w", provider, err)
	}
	return nil
}

// unsettle notes that a provider offers less than before, or serves more: at the end of the block its new requirement is
// told to x/provider. No bid that rests can be served for that.
func (k *Keeper) unsettle(ctx context.Context, provider sdk.AccAddress) error {
	noted, err := k.unsettled.Has(ctx, provider)
	if err == nil && !noted {
		err = k.unsettled.Set(ctx, provider, false)
	}
	if err != nil {
		return fmt.Errorf("note change at %s: %w", provider, err)
	}
	return nil
}

// maxSettled is how many providers' requirements one block tells; more wait for the next one.
const maxSettled = 1000

// noteGains puts the providers that gained into the set that the next sweep is about, and tells whether anything has
// changed at all. The clearing makes none gain.
func (k *Keeper) noteGains(ctx context.Context) (changed bool, err error) {
	changes, err := k.changes(ctx)
	if err != nil {
		return false, err
	}
	for _, change := range changes {
		if !change.Value {
			continue
		}
		err := errors.Join(k.gained.Set(ctx, change.Key), k.unsettled.Set(ctx, change.Key, false))
		if err != nil {
			return false, fmt.Errorf("note gain at %s: %w", change.Key, err)
		}
	}
	return len(changes) > 0, nil
}

// settle tells x/provider the requirements that changed. All are computed before anything is written: walking a set
// that is being written to is slow.
func (k *Keeper) settle(ctx sdk.Context) error {
	changes, err := k.changes(ctx)
	if err != nil {
		return err
	}
	providers := make([]sdk.AccAddress, len(changes))
	for i, change := range changes {
		providers[i] = change.Key
	}
	required := make([]sdk.Coins, len(providers))
	failures := make([]error, len(providers))
	for i, provider := range providers {
		failures[i] = escrowtypes.Guard(func() (err error) {
			required[i], err = k.requirement(ctx, provider)
			return err
		})
	}
	for i, provider := range providers {
		if failures[i] == nil {
			failures[i] = escrowtypes.Isolate(ctx, func(ctx sdk.Context) error {
				return k.provider.SetRequirement(ctx, provider, required[i])
			})
		}
		if failures[i] != nil {
			k.logger(ctx).Error("requirement not told", "provider", provider.String(), "err", failures[i])
		}
		if err := k.unsettled.Remove(ctx, provider); err != nil {
			return fmt.Errorf("settle %s: %w", provider, err)
		}
	}
	return nil
}

// changes returns the first maxSettled providers that something has changed for, and whether they gained.
func (k *Keeper) changes(ctx context.Context) (changes []collections.KeyValue[sdk.AccAddress, bool], err error) {
	iterator, err := k.unsettled.Iterate(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("walk unsettled providers: %w", err)
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	for ; iterator.Valid() && len(changes) < maxSettled; iterator.Next() {
		change, err := iterator.KeyValue()
		if err != nil {
			return nil, fmt.Errorf("walk unsettled providers: %w", err)
		}
		changes = append(changes, change)
	}
	return changes, nil
}

// rateRoom is the further lease rate that a bond covers.
func rateRoom(bond math.Int, exposure uint64, bondHours uint32) uint64 {
	room := types.MaxRate
	if bondHours > 0 {
		if covered := bond.QuoRaw(int64(bondHours)); covered.LT(math.NewIntFromUint64(room)) {
			room = covered.Uint64()
		}
	}
	return room - min(room, exposure)
}

// expose adds a lease's rate to what a provider must be good for.
func (k *Keeper) expose(ctx context.Context, provider sdk.AccAddress, denom string, rate uint64) error {
	before, err := k.exposure(ctx, provider, denom)
	if err != nil {
		return err
	}
	if rate > types.MaxRate-min(types.MaxRate, before) {
		return types.ErrBondTooLow.Wrapf("the leases of %s would cost more than 2^63-1%s an hour", provider, denom)
	}
	if err := k.exposures.Set(ctx, collections.Join(provider, denom), before+rate); err != nil {
		return fmt.Errorf("write exposure of %s: %w", provider, err)
	}
	return nil
}

// unexpose takes an ended lease's rate off.
func (k *Keeper) unexpose(ctx context.Context, provider sdk.AccAddress, denom string, rate uint64) error {
	before, err := k.exposure(ctx, provider, denom)
	if err != nil {
		return err
	}
	if rate > before {
		return types.ErrBroken.Wrapf("exposure of %s is %d%s, not %d", provider, before, denom, rate)
	}
	key := collections.Join(provider, denom)
	if rate == before {
		err = k.exposures.Remove(ctx, key)
	} else {
		err = k.exposures.Set(ctx, key, before-rate)
	}
	if err != nil {
		return fmt.Errorf("write exposure of %s: %w", provider, err)
	}
	return nil
}

func (k *Keeper) exposure(ctx context.Context, provider sdk.AccAddress, denom string) (uint64, error) {
	rate, err := k.exposures.Get(ctx, collections.Join(provider, denom))
	if err != nil && !errors.Is(err, collections.ErrNotFound) {
		return 0, fmt.Errorf("read exposure of %s: %w", provider, err)
	}
	return rate, nil
}

// exposuresOf returns the exposures of a provider by denom: at most one for every settlement denom.
func (k *Keeper) exposuresOf(ctx context.Context, provider sdk.AccAddress) ([]types.Exposure, error) {
	iterator, err := k.exposures.Iterate(ctx, collections.NewPrefixedPairRange[sdk.AccAddress, string](provider))
	if err != nil {
		return nil, fmt.Errorf("walk exposures of %s: %w", provider, err)
	}
	entries, err := iterator.KeyValues()
	if err != nil {
		return nil, fmt.Errorf("walk exposures of %s: %w", provider, err)
	}
	text, err := k.addresses.BytesToString(provider)
	if err != nil {
		return nil, fmt.Errorf("provider of an exposure: %w", err)
	}
	exposures := make([]types.Exposure, len(entries))
	for i, entry := range entries {
		exposures[i] = types.Exposure{Provider: text, Denom: entry.Key.K2(), Rate: entry.Value}
	}
	return exposures, nil
}
