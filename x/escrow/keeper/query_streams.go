package keeper

import (
	"context"
	"encoding/binary"
	"fmt"

	"cosmossdk.io/collections"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/escrow/types"
)

// pageStreams returns a page of the streams of an account. The key of a page is the id of its first stream, 8 bytes,
// big endian. Offsets are refused: they would walk what they skip.
func pageStreams(
	ctx context.Context, source collections.Map[uint64, types.Stream], account uint64, request *query.PageRequest,
) ([]types.Stream, *query.PageResponse, error) {
	if request.Offset != 0 || request.Reverse {
		return nil, nil, types.ErrInvalidRequest.Wrap("streams are paged forward, by key")
	}
	streamRange := streamsOf(account)
	if len(request.Key) != 0 {
		if len(request.Key) != 8 || types.AccountOfStream(binary.BigEndian.Uint64(request.Key)) != account {
			return nil, nil, types.ErrInvalidRequest.Wrapf("page key is not a stream of account %d", account)
		}
		streamRange = streamRange.StartInclusive(binary.BigEndian.Uint64(request.Key))
	}
	streams, response := []types.Stream{}, &query.PageResponse{}
	err := source.Walk(ctx, streamRange, func(id uint64, stream types.Stream) (bool, error) {
		if uint64(len(streams)) == request.Limit {
			response.NextKey = binary.BigEndian.AppendUint64(nil, id)
			return true, nil
		}
		streams = append(streams, unpackStream(id, stream))
		return false, nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("walk streams of account %d: %w", account, err)
	}
	return streams, response, nil
}
