package agent

import (
	"context"
	"fmt"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	grpctypes "github.com/cosmos/cosmos-sdk/types/grpc"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/client/fault"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const workPage = 200

// readWork reads all live leases of the provider, and the height of the oldest state that they were read from. It believes
// no page of a state that is older than what was acted on: the gRPC address may lead to another node than the RPC's.
func (a *Agent) readWork(ctx context.Context) (leases []workload.Lease, height int64, err error) {
	page := &query.PageRequest{Limit: workPage}
	for {
		var header metadata.MD
		res, err := a.chain.Market.Work(ctx,
			&markettypes.QueryWorkRequest{Provider: a.provider, Pagination: page}, grpc.Header(&header))
		if err != nil {
			return nil, 0, fmt.Errorf("read the provider's leases: %w", err)
		}
		at, err := a.believed(header)
		if err != nil {
			return nil, 0, err
		}
		if height == 0 || at < height {
			height = at
		}
		for _, w := range res.Work {
			leases = append(leases, workload.FromChain(w))
		}
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			return leases, height, nil
		}
		page = &query.PageRequest{Limit: workPage, Key: res.Pagination.NextKey}
	}
}

// believed gives the height of the state that an answer was read from; an error when that is unknown or too low.
func (a *Agent) believed(header metadata.MD) (int64, error) {
	address := a.cfg.Client.GRPC
	values := header.Get(grpctypes.GRPCBlockHeightHeader)
	if len(values) != 1 {
		return 0, fault.Newf("the node's gRPC does not say what it knows",
			"set grpc to a node's own port, or let the proxy before it pass the header "+grpctypes.GRPCBlockHeightHeader,
			"%s sent %d block heights with its answer", address, len(values))
	}
	height, err := strconv.ParseInt(values[0], 10, 64)
	if err != nil || height <= 0 {
		return 0, fmt.Errorf("%s sent the block height %.32q with its answer", address, values[0])
	}
	if acted := a.Height(); height < acted {
		return 0, fault.Newf("the node's gRPC is behind", "wait for it, or set grpc and node to the same node",
			"%s answers as of height %d, block %d was acted on", address, height, acted)
	}
	return height, nil
}
