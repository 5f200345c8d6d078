package node

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/devnet"
)

// node is one soukd with its home.
type node struct {
	name    string
	home    string
	logs    string // folder of its log
	ports   devnet.NodePorts
	peers   string
	program string
	env     []string // for all its runs

	running *process // nil when stopped in order
	rpc     *rpchttp.HTTP
}

func (n *node) genesisFile() string { return filepath.Join(n.home, "config", "genesis.json") }
func (n *node) rpcAddress() string  { return fmt.Sprintf("http://127.0.0.1:%d", n.ports.RPC) }

// do runs a command of the node's program on its home and returns what it printed.
func (n *node) do(t *testing.T, args ...string) string {
	t.Helper()
	return outputOf(t, n.program, append(args, "--home", n.home)...)
}

// start runs the node, with an environment for this run alone.
func (n *node) start(t *testing.T, env ...string) {
	t.Helper()
	running, err := n.launch(n.program, env...)
	require.NoError(t, err)
	n.running = running
}

// launch runs a program as this node.
func (n *node) launch(program string, env ...string) (*process, error) {
	env = append([]string{
		"SOUKD_CONSENSUS_TIMEOUT_COMMIT=300ms", "SOUKD_P2P_ALLOW_DUPLICATE_IP=true", "SOUKD_P2P_ADDR_BOOK_STRICT=false",
		// With peer exchange, a node that starts may reach a peer of its address book before its consensus part is ready; then it
		// never tells that peer its votes (CometBFT 0.40).
		"SOUKD_P2P_PEX=false",
	}, append(n.env, env...)...)
	return startProcess(
		filepath.Join(n.logs, n.name+".log"), env, program,
		"start", "--home", n.home, "--log_no_color", "--log_level", "info",
		"--p2p.laddr", fmt.Sprintf("tcp://127.0.0.1:%d", n.ports.P2P), "--p2p.persistent_peers", n.peers,
		"--rpc.laddr", fmt.Sprintf("tcp://127.0.0.1:%d", n.ports.RPC), "--rpc.pprof_laddr", "",
		"--grpc.address", fmt.Sprintf("127.0.0.1:%d", n.ports.GRPC),
		"--api.address", fmt.Sprintf("tcp://127.0.0.1:%d", n.ports.REST),
	)
}

func (n *node) stop(t *testing.T) {
	t.Helper()
	if n.running != nil {
		require.NoError(t, n.running.stop())
		n.running = nil
	}
}

// client is the node's RPC.
func (n *node) client(t *testing.T) *rpchttp.HTTP {
	t.Helper()
	if n.rpc == nil {
		var err error
		n.rpc, err = rpchttp.New(n.rpcAddress(), "/websocket")
		require.NoError(t, err)
	}
	return n.rpc
}

// height is that of the node's last block, 0 when it does not answer.
func (n *node) height(t *testing.T) int64 {
	t.Helper()
	status, err := n.client(t).Status(t.Context())
	if err != nil {
		return 0
	}
	return status.SyncInfo.LatestBlockHeight
}

// awaitHeight waits until the application has committed a block.
func (n *node) awaitHeight(t *testing.T, height int64) {
	t.Helper()
	await(t, aBlockOrMore, fmt.Sprintf("%s has block %d", n.name, height), func() error {
		require.True(t, n.running == nil || n.running.alive(), "%s has ended", n.name)
		info, err := n.client(t).ABCIInfo(t.Context())
		if err != nil {
			return err
		}
		if at := info.Response.LastBlockHeight; at < height {
			return fmt.Errorf("it is at %d", at)
		}
		return nil
	})
}

// appHash is the state after a block as the next block's header has it.
func (n *node) appHash(ctx context.Context, t *testing.T, height int64) string {
	t.Helper()
	after := height + 1
	n.awaitHeight(t, after)
	block, err := n.client(t).Commit(ctx, &after)
	require.NoError(t, err)
	return block.AppHash.String()
}
