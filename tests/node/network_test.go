package node

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/devnet"
)

const (
	epochSeconds = 5
	// holdbackEpochs is more than these tests take: what nobody claims does not go to the public meanwhile.
	holdbackEpochs = 100
	// aBlockOrMore is more than any few blocks take on a busy machine.
	aBlockOrMore = 90 * time.Second
)

// network is a devnet without providers whose validators this package runs itself: each may run another program, and may
// be killed at any moment.
type network struct {
	*devnet.Network

	home  string
	nodes []*node // the validators, and the full nodes that have joined
}

// newNetwork makes the homes of a new network. Nothing runs yet.
func newNetwork(t *testing.T, validators int, genesis map[string]any) *network {
	t.Helper()
	program := soukd(t)
	home := filepath.Join(t.TempDir(), "net")
	made, err := devnet.Create(t.Context(), home, devnet.Programs{Soukd: program},
		devnet.Size{Validators: validators, Ephemeral: true}, freePorts)
	require.NoError(t, err)
	n := &network{Network: made, home: home}
	t.Cleanup(func() { n.end(t) })
	for i, ports := range made.Validators {
		n.nodes = append(n.nodes, &node{
			name: fmt.Sprintf("validator-%d", i), home: filepath.Join(home, "nodes", fmt.Sprint(i)),
			ports: ports, program: program, logs: home,
		})
	}
	edits := map[string]any{
		"app_state.escrow.params.epoch_seconds":   epochSeconds,
		"app_state.escrow.params.holdback_epochs": holdbackEpochs,
		"app_state.escrow.clock.epoch_end":        fmt.Sprint(epochSeconds), // of the first epoch
	}
	for path, value := range genesis {
		edits[path] = value
	}
	for _, node := range n.nodes {
		editJSON(t, node.genesisFile(), edits)
	}
	n.introduce(t)
	return n
}

// introduce makes all nodes peers of each other.
func (n *network) introduce(t *testing.T) {
	t.Helper()
	var peers []string
	for _, node := range n.nodes {
		id := strings.TrimSpace(node.do(t, "comet", "show-node-id"))
		peers = append(peers, fmt.Sprintf("%s@127.0.0.1:%d", id, node.ports.P2P))
	}
	for _, node := range n.nodes {
		node.peers = strings.Join(peers, ",")
	}
}

// join makes the home of a full node of this network. It does not run yet.
func (n *network) join(t *testing.T, name string) *node {
	t.Helper()
	ports, err := freePorts.Allocate(4)
	require.NoError(t, err)
	first := n.nodes[0]
	joined := &node{
		name: name, home: filepath.Join(n.home, "nodes", name), program: first.program, logs: n.home, peers: first.peers,
		ports: devnet.NodePorts{P2P: ports[0], RPC: ports[1], GRPC: ports[2], REST: ports[3]},
	}
	joined.do(t, "init", name, "--chain-id", n.ChainID)
	genesis, err := os.ReadFile(first.genesisFile())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(joined.genesisFile(), genesis, 0o644))
	n.nodes = append(n.nodes, joined)
	return joined
}

// start starts all nodes and waits until each has made a block.
func (n *network) start(t *testing.T) {
	t.Helper()
	for _, node := range n.nodes {
		node.start(t)
	}
	for _, node := range n.nodes {
		node.awaitHeight(t, 1)
	}
}

// stop stops all nodes.
func (n *network) stop(t *testing.T) {
	t.Helper()
	for _, node := range n.nodes {
		node.stop(t)
	}
}

// end kills what still runs, and keeps the logs of a test that failed.
func (n *network) end(t *testing.T) {
	for _, node := range n.nodes {
		if node.running != nil {
			require.NoError(t, node.running.kill())
		}
	}
	if !t.Failed() {
		return
	}
	kept := filepath.Join(logsOfFailure, strings.ReplaceAll(t.Name(), "/", "-"))
	require.NoError(t, os.MkdirAll(kept, 0o755))
	logs, err := filepath.Glob(filepath.Join(n.home, "*.log"))
	require.NoError(t, err)
	for _, file := range logs {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(kept, filepath.Base(file)), text, 0o644))
	}
}

// editJSON sets values in a file, by the dotted paths of their keys, which have to be there.
func editJSON(t *testing.T, file string, edits map[string]any) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // 64-bit integers must survive
	var doc map[string]any
	require.NoError(t, decoder.Decode(&doc))
	for path, value := range edits {
		keys := strings.Split(path, ".")
		at := doc
		for _, key := range keys[:len(keys)-1] {
			child, ok := at[key].(map[string]any)
			require.True(t, ok, "%s has no %s", file, path)
			at = child
		}
		last := keys[len(keys)-1]
		require.Contains(t, at, last, path)
		at[last] = value
	}
	text, err = json.MarshalIndent(doc, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o644))
}

// outputOf runs a program to its end and returns what it printed.
func outputOf(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	require.NoError(t, cmd.Run(), "%s %s: %s", filepath.Base(program), strings.Join(args, " "), complaints.String())
	return out.String()
}
