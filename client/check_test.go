package client

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cometbft/cometbft/proto/tendermint/p2p"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/cosmos/cosmos-sdk/client/grpc/cmtservice"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
)

// someNode answers what a check asks over gRPC.
type someNode struct {
	cmtservice.UnimplementedServiceServer
	info *p2p.DefaultNodeInfo
}

func (n *someNode) GetNodeInfo(context.Context, *cmtservice.GetNodeInfoRequest) (*cmtservice.GetNodeInfoResponse, error) {
	return &cmtservice.GetNodeInfoResponse{DefaultNodeInfo: n.info}, nil
}

type someEscrow struct {
	escrowtypes.UnimplementedQueryServer
}

func (*someEscrow) Params(context.Context, *escrowtypes.QueryParamsRequest) (*escrowtypes.QueryParamsResponse, error) {
	return &escrowtypes.QueryParamsResponse{Params: escrowtypes.DefaultParams()}, nil
}

func TestBothAddressesMustBeOfTheNetwork(t *testing.T) {
	encoding, err := NewEncoding()
	require.NoError(t, err)
	node, network := &someNode{}, ""
	server := grpc.NewServer(grpc.ForceServerCodec(grpcCodec(encoding)))
	cmtservice.RegisterServiceServer(server, node)
	escrowtypes.RegisterQueryServer(server, &someEscrow{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		require.NoError(t, <-done)
	})
	rpc := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"result":{"node_info":{"network":"`+network+`"},"sync_info":{"latest_block_height":"1"}}}`)
	}))
	t.Cleanup(rpc.Close)
	c, err := Open(Config{NodeRPC: rpc.URL, GRPC: listener.Addr().String(), ChainID: "souk-test"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })

	network, node.info = "souk-test", &p2p.DefaultNodeInfo{Network: "souk-test"}
	require.NoError(t, c.Check(t.Context()))
	network = "souk-other"
	require.ErrorIs(t, c.Check(t.Context()), ErrOtherNetwork)
	network, node.info = "souk-test", &p2p.DefaultNodeInfo{Network: "souk-other"}
	err = c.Check(t.Context())
	require.ErrorIs(t, err, ErrOtherNetwork)
	require.ErrorContains(t, err, listener.Addr().String(), "which of the two addresses it is")
	node.info = nil
	err = c.Check(t.Context())
	require.ErrorContains(t, err, "does not say which network")
	require.NotErrorIs(t, err, ErrOtherNetwork)
}
