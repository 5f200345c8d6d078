package keeper

import (
	"context"

	"github.com/souk-network/souk/x/escrow/types"
)

// ServeStream closes an open hold stream now and opens a service stream of a rate in its place, for the same ref and payee:
// who stood by takes over. That was promised when the hold stream opened, so that it happens in a halted denom too, and with
// the numbers that are kept for what was promised. In a low account the service opens paused, unless there is enough to
// resume with it. The account must last for one second. It returns the new stream.
func (k *Keeper) ServeStream(ctx context.Context, id, rate uint64) (types.Stream, error) {
	if err := types.ValidateRate(rate); err != nil {
		return types.Stream{}, err
	}
	hold, err := k.openOne(ctx, id)
	if err != nil {
		return types.Stream{}, err
	}
	if hold.Kind != types.StreamKind_STREAM_KIND_HOLD || hold.FullRate != 0 {
		return types.Stream{}, types.ErrInvalidKind.Wrapf("stream %d does not stand by", id)
	}
	c, err := k.liveChange(ctx, hold.Account)
	if err != nil {
		return types.Stream{}, err
	}
	if _, err := c.close(ctx, hold, c.now); err != nil {
		return types.Stream{}, err
	}
	return c.openAndSave(ctx, types.Stream{
		Ref: hold.Ref, Payee: hold.Payee, Rate: rate, Kind: types.StreamKind_STREAM_KIND_SERVICE,
		Previous: hold.Id,
	})
}
