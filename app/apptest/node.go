package apptest

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"
	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/rpc/client/local"
	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/server"
	"github.com/cosmos/cosmos-sdk/server/api"
	"github.com/cosmos/cosmos-sdk/server/config"
	servergrpc "github.com/cosmos/cosmos-sdk/server/grpc"
	servercmtlog "github.com/cosmos/cosmos-sdk/server/log"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/souk-network/souk/app"
	"github.com/souk-network/souk/app/scope"
)

// Node is a validator with CometBFT, gRPC and REST in this process, all on loopback. It makes blocks by the clock.
type Node struct {
	App      *app.App
	Accounts []*Account
	// RPC is CometBFT's interface.
	RPC *local.Local
	// Conn is a connection to the gRPC server at GRPCAddress.
	Conn        *grpc.ClientConn
	GRPCAddress string
	// RESTAddress is the gateway's URL.
	RESTAddress string
}

// StartNode starts a chain of one validator and waits for nothing; it stops with the test.
func StartNode(t testing.TB, opts Options) *Node {
	t.Helper()
	scope.Set()
	opts = opts.withDefaults()
	chain := newChain(t, opts)
	application := chain.App
	comet := startComet(t, chain)

	ports := freePorts(t, 2)
	cfg := config.DefaultConfig()
	cfg.GRPC.Address = fmt.Sprintf("127.0.0.1:%d", ports[0])
	cfg.API.Enable, cfg.API.Swagger = true, true
	cfg.API.Address = fmt.Sprintf("tcp://127.0.0.1:%d", ports[1])
	started := &Node{
		App: application, Accounts: chain.Accounts, RPC: local.New(comet), GRPCAddress: cfg.GRPC.Address,
		RESTAddress: fmt.Sprintf("http://127.0.0.1:%d", ports[1]),
	}
	conn, err := grpc.NewClient(cfg.GRPC.Address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(codec.NewProtoCodec(application.Encoding().InterfaceRegistry).GRPCCodec())))
	require.NoError(t, err)
	started.Conn = conn
	started.serve(t, cfg, opts)
	return started
}

// startComet runs consensus for the chain in memory, with a block every 100 ms.
func startComet(t testing.TB, chain *Chain) *node.Node {
	t.Helper()
	home := t.TempDir()
	cfg := cmtcfg.DefaultConfig()
	cfg.SetRoot(home)
	cfg.DBBackend = "memdb"
	cfg.RPC.ListenAddress = ""
	cfg.P2P.ListenAddress = fmt.Sprintf("tcp://127.0.0.1:%d", freePorts(t, 1)[0])
	cfg.Consensus.TimeoutCommit = 100 * time.Millisecond
	cfg.Consensus.SetWalFile(filepath.Join(home, "wal"))

	key := privval.NewFilePV(cmted25519.PrivKey(chain.consensus.Key), filepath.Join(home, "key.json"), filepath.Join(home, "state.json"))
	key.Save()
	genesis := &cmttypes.GenesisDoc{
		ChainID: chain.opts.ChainID, GenesisTime: time.Now(), InitialHeight: 1,
		ConsensusParams: app.DefaultConsensusParams(), AppState: chain.genesis(),
	}
	comet, err := node.NewNode(cfg, key, &p2p.NodeKey{PrivKey: cmted25519.GenPrivKey()},
		proxy.NewLocalClientCreator(server.NewCometABCIWrapper(chain.App)),
		func() (*cmttypes.GenesisDoc, error) { return genesis, nil },
		cmtcfg.DefaultDBProvider, node.DefaultMetricsProvider(cfg.Instrumentation),
		servercmtlog.CometLoggerWrapper{Logger: chain.opts.Logger})
	require.NoError(t, err)
	require.NoError(t, comet.Start())
	t.Cleanup(func() {
		require.NoError(t, comet.Stop())
		comet.Wait()
		require.NoError(t, chain.App.Close())
	})
	return comet
}

// serve starts the gRPC server and the REST gateway in front of it.
func (n *Node) serve(t testing.TB, cfg *config.Config, opts Options) {
	t.Helper()
	encoding := n.App.Encoding()
	clientCtx := client.Context{}.
		WithCodec(encoding.Codec).
		WithInterfaceRegistry(encoding.InterfaceRegistry).
		WithTxConfig(encoding.TxConfig).
		WithLegacyAmino(encoding.Amino).
		WithAccountRetriever(authtypes.AccountRetriever{}).
		WithChainID(opts.ChainID).
		WithClient(n.RPC).
		WithGRPCClient(n.Conn)
	n.App.RegisterTxService(clientCtx)
	n.App.RegisterTendermintService(clientCtx)
	n.App.RegisterNodeService(clientCtx, *cfg)

	grpcServer, clientCtx, err := servergrpc.NewGRPCServerAndContext(clientCtx, n.App, cfg.GRPC, opts.Logger)
	require.NoError(t, err)
	rest := api.New(clientCtx, opts.Logger, grpcServer)
	n.App.RegisterAPIRoutes(rest, cfg.API)

	ctx, stop := context.WithCancel(context.Background())
	var group errgroup.Group
	group.Go(func() error { return servergrpc.StartGRPCServer(ctx, opts.Logger, cfg.GRPC, grpcServer) })
	group.Go(func() error { return rest.Start(ctx, *cfg) })
	t.Cleanup(func() {
		require.NoError(t, n.Conn.Close())
		stop()
		require.NoError(t, group.Wait())
	})
}

// freePorts returns n free loopback ports below the range from which the system takes outgoing ones.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	const first, last = 20000, 32767
	var ports []int
	for port := first + int(time.Now().UnixNano()%8000); port <= last && len(ports) < n; port++ {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		require.NoError(t, listener.Close())
		ports = append(ports, port)
	}
	require.Len(t, ports, n, "free ports")
	return ports
}
