package keeper

import (
	"context"
	"fmt"
	"slices"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/proof/types"
)

// PostReceipt puts a tenant's word on the chain. It is taken from the start of its epoch, while that runs, too, until the openings
// of the epoch are late: so that a tenant that turns dishonest cannot take back the pay of a day.
func (m msgServer) PostReceipt(ctx context.Context, msg *types.MsgPostReceipt) (*types.MsgPostReceiptResponse, error) {
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	receipt := msg.Receipt
	if chainID := sdk.UnwrapSDKContext(ctx).ChainID(); receipt.ChainId != chainID {
		return nil, types.ErrInvalidReceipt.Wrapf("it is of chain %.64q, not %s", receipt.ChainId, chainID)
	}
	lease, err := m.market.Lease(ctx, receipt.Lease)
	if err != nil {
		return nil, err
	}
	if lease.Stream == 0 {
		return nil, types.ErrInvalidReceipt.Wrapf("lease %d never paid for anything", lease.Id)
	}
	if err := m.mayWatch(ctx, lease, receipt.Signer()); err != nil {
		return nil, err
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.checkReceiptSpan(ctx, receipt, now); err != nil {
		return nil, err
	}
	if err := m.addWord(ctx, receipt, now); err != nil {
		return nil, err
	}
	return &types.MsgPostReceiptResponse{}, emit(ctx, types.NewEventReceiptPosted(receipt))
}

// checkReceiptSpan refuses a receipt about an epoch that has not begun, or whose openings are late, or about seconds that are not of
// it or have not passed.
func (k *Keeper) checkReceiptSpan(ctx context.Context, receipt types.Receipt, now uint64) error {
	clock, err := k.escrow.Clock(ctx)
	if err != nil {
		return err
	}
	switch {
	case receipt.Epoch > clock.Epoch:
		return types.ErrTooEarly.Wrapf("epoch %d runs, the receipt is of epoch %d", clock.Epoch, receipt.Epoch)
	case receipt.Epoch == clock.Epoch:
		return receipt.CheckSpan(clock.EpochStart, now)
	}
	epoch, err := k.Epoch(ctx, receipt.Epoch)
	if err != nil {
		return err
	}
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	if until := epoch.CommitUntil + uint64(params.OpenWindowSeconds); now >= until {
		return types.ErrTooLate.Wrapf("receipts of epoch %d were taken until second %d", epoch.Number, until)
	}
	return receipt.CheckSpan(epoch.Start, epoch.End)
}

// addWord notes what a receipt says after those before it.
func (k *Keeper) addWord(ctx context.Context, receipt types.Receipt, now uint64) error {
	posted, err := k.Posted(ctx, receipt.Epoch, receipt.Lease)
	if err != nil {
		return err
	}
	if last, ok := posted.Last(); ok && (receipt.Seq <= last.Seq || receipt.Until < last.Until || receipt.UpSeconds < last.UpSeconds) {
		return types.ErrStaleReceipt.Wrapf("number %d until second %d with %d seconds up: number %d until second %d with %d is there",
			receipt.Seq, receipt.Until, receipt.UpSeconds, last.Seq, last.Until, last.UpSeconds)
	} else if ok && receipt.UpSeconds-last.UpSeconds > receipt.Until-last.Until {
		// no receipt allows more than those before it: else a tenant could let its provider rely on one, and then have it dropped
		return types.ErrInvalidReceipt.Wrapf("up for %d seconds between %d and %d", receipt.UpSeconds-last.UpSeconds, last.Until, receipt.Until)
	}
	if len(posted.Words) >= types.MaxWords {
		posted.Words = slices.Delete(slices.Clone(posted.Words), 1, 2)
	}
	posted.Words = append(posted.Words, types.Word{
		Seq: receipt.Seq, UpSeconds: receipt.UpSeconds, Until: receipt.Until, PostedAt: now,
	})
	if err := k.posted.Set(ctx, collections.Join(posted.Epoch, posted.Lease), posted); err != nil {
		return fmt.Errorf("write the receipts of lease %d in epoch %d: %w", posted.Lease, posted.Epoch, err)
	}
	return nil
}
