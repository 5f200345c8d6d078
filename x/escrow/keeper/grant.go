package keeper

import (
	"context"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/ledger"
	"github.com/souk-network/souk/x/escrow/types"
)

// grant returns what a granter allows a grantee to deposit, and until when; nil when nothing stands.
func (k *Keeper) grant(
	ctx context.Context, grantee, granter sdk.AccAddress,
) (*types.DepositAuthorization, *time.Time) {
	authorization, expires := k.authz.GetAuthorization(ctx, grantee, granter, types.DepositURL())
	grant, ok := authorization.(*types.DepositAuthorization)
	if !ok || expires != nil && !expires.After(sdk.UnwrapSDKContext(ctx).BlockTime()) {
		return nil, nil
	}
	return grant, expires
}

// spendGrant takes a deposit off what a granter allows the grantee to deposit. The grant stays when it is spent, so that
// a refund can restore it.
func (k *Keeper) spendGrant(
	ctx context.Context, account uint64, grantee, granter sdk.AccAddress, amount sdk.Coin,
) error {
	if err := k.checkReceiver(granter); err != nil {
		return err
	}
	grant, expires := k.grant(ctx, grantee, granter)
	if grant == nil {
		return types.ErrGrant.Wrap("no grant of deposits stands")
	}
	left, err := grant.Spend(account, amount)
	if err != nil {
		return err
	}
	return k.authz.SaveGrant(ctx, grantee, granter, left, expires)
}

// restoreGrant gives a refund back to the limit of the grant under which it was spent, if that still stands. Whatever is wrong with a grant never
// keeps a refund from its owner.
func (k *Keeper) restoreGrant(
	ctx context.Context, account uint64, source ledger.Source, granter sdk.AccAddress, refund sdk.Coin,
) error {
	grantee, err := k.address(source.Grantee)
	if err != nil {
		return err
	}
	grant, expires := k.grant(ctx, grantee, granter)
	if grant == nil {
		return nil
	}
	grant, restored, err := grant.Restore(account, refund)
	if err == nil && !restored.IsPositive() {
		return nil
	}
	cache, write := sdk.UnwrapSDKContext(ctx).CacheContext()
	if err == nil {
		err = k.authz.SaveGrant(cache, grantee, granter, grant, expires)
	}
	if err != nil {
		k.logger(ctx).Error("grant not restored", "granter", source.Depositor, "grantee", source.Grantee, "err", err)
		return nil
	}
	write()
	return emit(ctx, types.NewEventGrantRestored(source.Depositor, source.Grantee, restored))
}
