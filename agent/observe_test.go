package agent

import (
	"context"
	"net"
	"testing"

	"github.com/cometbft/cometbft/proto/tendermint/p2p"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/cosmos/cosmos-sdk/client/grpc/cmtservice"
	"github.com/cosmos/cosmos-sdk/codec"
	grpctypes "github.com/cosmos/cosmos-sdk/types/grpc"
	"github.com/cosmos/cosmos-sdk/types/query"

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
	network string
}

type market struct {
	markettypes.UnimplementedQueryServer
	height  string // of the answers' state; "" when they do not say
	asked   func() // called at each question for leases
	custody []markettypes.Deployment
}

func (*chainSide) Clock(context.Context, *escrowtypes.QueryClockRequest) (*escrowtypes.QueryClockResponse, error) {
	return &escrowtypes.QueryClockResponse{Now: 1}, nil
}

func (m *market) Work(ctx context.Context, _ *markettypes.QueryWorkRequest) (*markettypes.QueryWorkResponse, error) {
	if m.asked != nil {
		m.asked()
	}
	return &markettypes.QueryWorkResponse{}, m.tellHeight(ctx)
}

func (m *market) tellHeight(ctx context.Context) error {
	if m.height == "" {
		return nil
	}
	return grpc.SetHeader(ctx, metadata.Pairs(grpctypes.GRPCBlockHeightHeader, m.height))
}

// Custody gives them one a page.
func (m *market) Custody(ctx context.Context, r *markettypes.QueryCustodyRequest) (*markettypes.QueryCustodyResponse, error) {
	i := 0
	if len(r.Pagination.Key) > 0 {
		i = int(r.Pagination.Key[0])
	}
	res := &markettypes.QueryCustodyResponse{Pagination: &query.PageResponse{}}
	if i < len(m.custody) {
		res.Deployments = m.custody[i : i+1]
	}
	if i+1 < len(m.custody) {
		res.Pagination.NextKey = []byte{byte(i + 1)}
	}
	return res, m.tellHeight(ctx)
}

// comet is the node behind the chain.
type comet struct {
	cmtservice.UnimplementedServiceServer
	network string
}

func (c *comet) GetNodeInfo(context.Context, *cmtservice.GetNodeInfoRequest) (*cmtservice.GetNodeInfoResponse, error) {
	return &cmtservice.GetNodeInfoResponse{DefaultNodeInfo: &p2p.DefaultNodeInfo{Network: c.network}}, nil
}

// serve opens a gRPC port as a node does and gives its address.
func serve(t *testing.T, c *chainSide) string {
	t.Helper()
	return serveAll(t, func(server *grpc.Server) {
		escrowtypes.RegisterQueryServer(server, c)
		markettypes.RegisterQueryServer(server, &c.market)
		cmtservice.RegisterServiceServer(server, &comet{network: c.network})
	})
}

// serveAll opens a gRPC port with services and gives its address.
func serveAll(t *testing.T, register func(*grpc.Server)) string {
	t.Helper()
	encoding, err := client.NewEncoding()
	require.NoError(t, err)
	server := grpc.NewServer(grpc.ForceServerCodec(codec.NewProtoCodec(encoding.Registry).GRPCCodec()))
	register(server)
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

func TestAGRPCThatKnowsLessThanTheAgentIsNotBelieved(t *testing.T) {
	status := statusText("souk-test", "100", "false")
	c := &chainSide{market: market{height: "100"}}
	a := newAgentOf(t, rpcOf(t, &status), serve(t, c))
	_, err := a.observe(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 100, a.Height())
	for _, tt := range []struct{ name, height, want string }{
		{"it is behind", "99", "block 100 was acted on"},
		{"it does not say", "", "sent 0 block heights"},
		{"it says nonsense", "many", `"many"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c.height = tt.height
			_, err := a.observe(t.Context())
			require.ErrorContains(t, err, tt.want)
		})
	}
	c.height = "102"
	_, err = a.observe(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 100, a.Height(), "no more than the RPC vouches for")
}

func TestAGRPCOfAnotherNetworkIsNotWaitedFor(t *testing.T) {
	status := statusText("souk-test", "100", "false")
	c, err := client.Open(client.Config{
		NodeRPC: rpcOf(t, &status), GRPC: serve(t, &chainSide{network: "souk-other"}), ChainID: "souk-test",
	})
	require.NoError(t, err)
	defer c.Close()
	_, err = AwaitProvider(t.Context(), c, Identity{Agent: "souk1agent"}, NewHealth(), silent)
	require.ErrorContains(t, err, "serves souk-other, not souk-test")
}
