package node

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	snapshotInterval = 10 // blocks
	// snapshotsKept outlive the time in which a peer fetches one: 10 blocks of about half a second, 30 times.
	snapshotsKept = 30
)

// TestAStateIsTakenElsewhere follows one state on all the ways that lead it to another node or back: state sync, a
// snapshot carried over in a file, a rollback, and a new network from an export.
func TestAStateIsTakenElsewhere(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 2, nil)
	for _, node := range n.nodes {
		node.set(t, "app", "state-sync.snapshot-interval", strconv.Itoa(snapshotInterval))
		node.set(t, "app", "state-sync.snapshot-keep-recent", strconv.Itoa(snapshotsKept))
	}
	m := openMarket(t, n)
	m.run(t, 1, 2, 3)
	m.create(t, 1, 1)

	steps := []struct {
		name string
		take func(*testing.T)
	}{
		{"state sync brings a new node to the state of its peers", m.syncANewNode},
		{"a snapshot in a file brings a new node to the state of its peers", m.restoreASnapshot},
		{"a node that is rolled back comes to the same state again", m.rollBack},
		{"a network starts anew from an export", m.startAnew},
	}
	for _, step := range steps {
		require.True(t, t.Run(step.name, step.take))
	}
}

// set changes a setting in a file of the node.
func (n *node) set(t *testing.T, file, key, value string) {
	t.Helper()
	n.do(t, "config", "set", file, key, value)
}

func (m *market) syncANewNode(t *testing.T) {
	first := m.nodes[0]
	// The snapshot is of a state with everything in it.
	next := (first.height(t)/snapshotInterval + 1) * snapshotInterval
	first.awaitHeight(t, next+2)

	joined := m.join(t, "synced")
	joined.set(t, "config", "statesync.enable", "true")
	joined.set(t, "config", "statesync.discovery_time", "5s")
	joined.trust(t, m.nodes[0], m.nodes[1])
	joined.start(t)
	m.requireFollows(t, joined)
}

// trust names the servers from which the node learns headers, and one header to begin with.
func (n *node) trust(t *testing.T, servers ...*node) {
	t.Helper()
	height := servers[0].height(t) - 1
	commit, err := servers[0].client(t).Commit(t.Context(), &height)
	require.NoError(t, err)
	var addresses []string
	for _, server := range servers {
		addresses = append(addresses, server.rpcAddress())
	}
	n.set(t, "config", "statesync.rpc_servers", strings.Join(addresses, ","))
	n.set(t, "config", "statesync.trust_height", strconv.FormatInt(height, 10))
	n.set(t, "config", "statesync.trust_hash", commit.Hash().String())
}

// requireFollows checks that a node began with a snapshot, that it goes on with the network, and that its books are the
// network's.
func (m *market) requireFollows(t *testing.T, joined *node) {
	t.Helper()
	height := m.nodes[0].height(t) + 3
	joined.awaitHeight(t, height)
	status, err := joined.client(t).Status(t.Context())
	require.NoError(t, err)
	require.Greater(t, status.SyncInfo.EarliestBlockHeight, int64(1), "it has not replayed the chain")

	require.Equal(t, m.nodes[0].appHash(t.Context(), t, height), joined.appHash(t.Context(), t, height))
	theirs, its := m.booksAt(t, m.dialNode(t, m.nodes[0]), height), m.booksAt(t, m.dialNode(t, joined), height)
	require.Equal(t, theirs, its)
	m.requireExact(t, its)
}

func (m *market) restoreASnapshot(t *testing.T) {
	source := m.nodes[len(m.nodes)-1]
	source.stop(t)
	source.do(t, "snapshots", "export")
	height, format := newestSnapshot(t, source.do(t, "snapshots", "list"))
	archive := filepath.Join(t.TempDir(), "snapshot.tar.gz")
	source.do(t, "snapshots", "dump", height, format, "--output", archive)
	source.start(t)

	joined := m.join(t, "restored")
	joined.do(t, "snapshots", "load", archive)
	joined.do(t, "snapshots", "restore", height, format)
	joined.trust(t, m.nodes[0], m.nodes[1])
	joined.do(t, "comet", "bootstrap-state", "--height", height)
	joined.start(t)
	m.requireFollows(t, joined)
}

// newestSnapshot finds height and format of the newest in a list of snapshots.
func newestSnapshot(t *testing.T, list string) (height, format string) {
	t.Helper()
	newest := 0
	for _, found := range regexp.MustCompile(`height: (\d+) format: (\d+)`).FindAllStringSubmatch(list, -1) {
		at, err := strconv.Atoi(found[1])
		require.NoError(t, err)
		if at > newest {
			newest, height, format = at, found[1], found[2]
		}
	}
	require.NotZero(t, newest, "no snapshot in %q", list)
	return height, format
}

// rollBack takes one block back on a validator, which executes it again, and on a full node, which fetches it again.
func (m *market) rollBack(t *testing.T) {
	validator, full := m.nodes[1], m.nodes[2]
	for node, args := range map[*node][]string{validator: {"rollback"}, full: {"rollback", "--hard"}} {
		node.stop(t)
		out := node.do(t, args...)
		found := regexp.MustCompile(`Rolled back state to height (\d+)`).FindStringSubmatch(out)
		require.NotNil(t, found, out)
		height, err := strconv.ParseInt(found[1], 10, 64)
		require.NoError(t, err)
		undone := height + 1
		node.start(t)
		require.Equal(t, m.nodes[0].appHash(t.Context(), t, undone), node.appHash(t.Context(), t, undone))
		books := m.booksAt(t, m.dialNode(t, node), undone)
		require.Equal(t, m.booksAt(t, m.dialNode(t, m.nodes[0]), undone), books)
		m.requireExact(t, books)
	}
}

// startAnew stops the network and starts another from its export, with the same validators.
func (m *market) startAnew(t *testing.T) {
	height := m.nodes[0].height(t)
	for _, node := range m.nodes[:2] {
		node.awaitHeight(t, height)
	}
	before := m.booksAt(t, m.dialNode(t, m.nodes[0]), height)
	m.stop(t)
	m.nodes = m.nodes[:2]
	var genesis string
	for _, node := range m.nodes {
		exported := node.do(t, "export", "--for-zero-height", "--height", fmt.Sprint(height))
		if genesis == "" {
			genesis = exported
		}
		require.JSONEq(t, genesis, exported, "every node exports the same")
	}

	m.ChainID += "-anew"
	for _, node := range m.nodes {
		node.do(t, "comet", "unsafe-reset-all")
		require.NoError(t, os.WriteFile(node.genesisFile(), []byte(genesis), 0o644))
		editJSON(t, node.genesisFile(), map[string]any{
			"chain_id": m.ChainID, "genesis_time": before.clock.LastBlockTime.Add(time.Second).Format(time.RFC3339Nano),
		})
	}
	m.start(t)
	m.reconnect(t)
	m.nodes[0].awaitHeight(t, 5)
	after := m.booksAt(t, m.chain, 5)
	m.requireExact(t, after)
	require.Equal(t, before.sums.Bank.String(), after.sums.Bank.String())
	require.GreaterOrEqual(t, after.now, before.now)
	m.requireEpochsGoOn(t, after)
	m.requireBusiness(t, after.clock.Epoch)
}

// contains is a listener that closes found with the first line that contains text.
func contains(text string, found chan<- struct{}) func(string) {
	done := false
	return func(line string) {
		if !done && strings.Contains(line, text) {
			done = true
			close(found)
		}
	}
}
