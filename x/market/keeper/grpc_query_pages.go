package keeper

import (
	"context"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"cosmossdk.io/collections"

	"github.com/cosmos/cosmos-sdk/types/query"
)

const (
	// maxPage is the most entries of an answer.
	maxPage = 200
	// maxRead is the most records that a filtered list reads for one answer.
	maxRead = 1000
)

// page bounds what one query reads: no counting, no skipping, at most maxPage at once.
func page(request *query.PageRequest) (*query.PageRequest, error) {
	if request == nil {
		return &query.PageRequest{Limit: maxPage}, nil
	}
	if request.Offset > 0 || request.CountTotal {
		return nil, status.Error(codes.InvalidArgument, "page by key: there is no offset and no total")
	}
	bounded := *request
	if bounded.Limit == 0 || bounded.Limit > maxPage {
		bounded.Limit = maxPage
	}
	return &bounded, nil
}

// listed is a record of a list, and whether the request wants it.
type listed[T any] struct {
	entry  T
	wanted bool
}

// somePages lists the records that a request wants. It reads at most maxRead of them, so that the answer may be short, or
// empty, although the next key says that there are more to look at.
func somePages[K, T any](
	ctx context.Context, set collections.KeySet[K], request *query.PageRequest,
	read func(K, collections.NoValue) (listed[T], error), options ...func(*query.CollectionsPaginateOptions[K]),
) ([]T, *query.PageResponse, error) {
	bounds, err := page(request)
	if err != nil {
		return nil, nil, err
	}
	var entries []T
	limit := bounds.Limit
	for reads := uint64(0); ; {
		bounds.Limit = min(limit-uint64(len(entries)), maxRead-reads)
		records, next, err := query.CollectionPaginate(ctx, set, bounds, read, options...)
		if err != nil {
			return nil, nil, err
		}
		for _, record := range records {
			if record.wanted {
				entries = append(entries, record.entry)
			}
		}
		reads += bounds.Limit
		if len(next.NextKey) == 0 || uint64(len(entries)) == limit || reads >= maxRead {
			return entries, next, nil
		}
		bounds.Key = next.NextKey
	}
}
