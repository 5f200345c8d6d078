package history

import (
	"context"
	"encoding/binary"

	corestore "cosmossdk.io/core/store"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
)

const sentinelStore = "sentinel"

// sentinel is a source of deadlines with one item in every block, due in its second. It is registered last: once that item is
// processed, so is all else that was due.
type sentinel struct {
	store corestore.KVStoreService
	now   func(context.Context) (uint64, error)
}

var (
	_           escrowtypes.DeadlineSource = sentinel{}
	sentinelKey                            = []byte{0}
)

func (sentinel) Name() string { return sentinelStore }

// done tells whether the item of this block is processed.
func (s sentinel) done(ctx context.Context) (bool, error) {
	last, err := s.store.OpenKVStore(ctx).Get(sentinelKey)
	return string(last) == string(height(ctx)), err
}

func height(ctx context.Context) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(sdk.UnwrapSDKContext(ctx).BlockHeight()))
}

func (s sentinel) NextDeadline(ctx context.Context) (uint64, bool, error) {
	done, err := s.done(ctx)
	if err != nil || done {
		return 0, false, err
	}
	now, err := s.now(ctx)
	return now, true, err
}

func (s sentinel) ProcessNext(ctx context.Context) (uint64, error) {
	return 0, s.store.OpenKVStore(ctx).Set(sentinelKey, height(ctx))
}

func (s sentinel) Quarantine(ctx context.Context) (uint64, error) { return s.ProcessNext(ctx) }

func (sentinel) Retry(context.Context, uint64) error { return nil }
