package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	cmtcfg "github.com/cometbft/cometbft/config"

	"github.com/cosmos/cosmos-sdk/server/config"

	"github.com/souk-network/souk/app/scope"
)

const (
	// minGasPrices is what a validator asks for unless its operator says otherwise: an ordinary transaction of 100,000 gas
	// then costs 100 usouk.
	minGasPrices = "0.001" + scope.Denom
	// queryGasLimit bounds the work that one query may cause on a public node.
	queryGasLimit = 50_000_000
	// timeoutCommit is the pause between blocks.
	timeoutCommit = time.Second
	// mempoolSize is the number of waiting transactions a node keeps; all are checked again after every block, so a longer
	// queue would make blocks late.
	mempoolSize = 2000
	// snapshotInterval and snapshotKeep keep every state-sync snapshot for more than two hours.
	snapshotInterval = 2000
	snapshotKeep     = 3
)

// appConfig returns the app.toml of a new node: queries and gateway are on, and listen on loopback.
func appConfig() *config.Config {
	cfg := config.DefaultConfig()
	cfg.MinGasPrices = minGasPrices
	cfg.QueryGasLimit = queryGasLimit
	cfg.API.Enable = true
	cfg.StateSync.SnapshotInterval = snapshotInterval
	cfg.StateSync.SnapshotKeepRecent = snapshotKeep
	return cfg
}

// nodeConfig returns the config.toml of a new node.
func nodeConfig() *cmtcfg.Config {
	cfg := cmtcfg.DefaultConfig()
	cfg.Consensus.TimeoutCommit = timeoutCommit
	cfg.Mempool.Size = mempoolSize
	return cfg
}

// writeNodeConfig writes config.toml below home if there is none. Left to itself, the SDK would take a pause of one second
// between blocks for an oversight and write five.
func writeNodeConfig(home string) error {
	path := filepath.Join(home, "config", "config.toml")
	_, err := os.Stat(path)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for %s: %w", path, err)
	}
	for _, dir := range []string{filepath.Join(home, "config"), filepath.Join(home, "data")} {
		if err := os.MkdirAll(dir, cmtcfg.DefaultDirPerm); err != nil {
			return fmt.Errorf("create %s: %w", dir, err)
		}
	}
	cmtcfg.WriteConfigFile(path, nodeConfig())
	return nil
}
