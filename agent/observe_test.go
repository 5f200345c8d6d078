package agent

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/cosmos/cosmos-sdk/codec"
	grpctypes "github.com/cosmos/cosmos-sdk/types/grpc"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/manifest/manifestpb"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// idle is a runtime on which nothing runs.
type idle struct{ runtime.Runtime }

func (idle) Inventory(context.Context) (runtime.Inventory, error) { return runtime.Inventory{}, nil }
func (idle) List(context.Context) ([]runtime.Observed, error)     { return nil, nil }

// chainSide answers what a look asks over gRPC.
type chainSide struct {
	escrowtypes.UnimplementedQueryServer
	market
}

type market struct {
	markettypes.UnimplementedQueryServer
	height string // of the answers' state; "" when they do not say
	asked  func() // called at each question for leases
}

func (*chainSide) Clock(context.Context, *escrowtypes.QueryClockRequest) (*escrowtypes.QueryClockResponse, error) {
	return &escrowtypes.QueryClockResponse{Now: 1}, nil
}

func (m *market) Work(ctx context.Context, _ *markettypes.QueryWorkRequest) (*markettypes.QueryWorkResponse, error) {
	if m.asked != nil {
		m.asked()
	}
	if m.height != "" {
		if err := grpc.SetHeader(ctx, metadata.Pairs(grpctypes.GRPCBlockHeightHeader, m.height)); err != nil {
			return nil, err
		}
	}
	return &markettypes.QueryWorkResponse{}, nil
}

// serve opens a gRPC port as a node does and gives its address.
func serve(t *testing.T, c *chainSide) string {
	t.Helper()
	encoding, err := client.NewEncoding()
	require.NoError(t, err)
	server := grpc.NewServer(grpc.ForceServerCodec(codec.NewProtoCodec(encoding.Registry).GRPCCodec()))
	escrowtypes.RegisterQueryServer(server, c)
	markettypes.RegisterQueryServer(server, &c.market)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Stop()
		require.NoError(t, <-done)
	})
	return listener.Addr().String()
}

func TestAManifestThatComesWhileLeasesAreReadIsKept(t *testing.T) {
	status := statusText("souk-test", "100", "false")
	c := &chainSide{market: market{height: "100"}}
	a := newAgentOf(t, rpcOf(t, &status), serve(t, c))
	c.asked = func() { require.NoError(t, a.store.PutManifest(7, &manifestpb.Envelope{Group: []byte{1}})) }
	in, err := a.observe(t.Context())
	require.NoError(t, err)
	require.Empty(t, in.Manifests, "its lease may be newer than the answer")
	in, err = a.observe(t.Context())
	require.NoError(t, err)
	require.Len(t, in.Manifests, 1, "now the chain was asked after it came")
}
