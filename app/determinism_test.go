package app_test

import (
	"fmt"
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/app/apptest"
)

// history makes blocks of random but repeatable transactions and returns the state hash after each. If vote is set, it is
// called with every block before that is final.
func history(t *testing.T, settings map[string]any, vote func(*apptest.Chain, [][]byte)) []string {
	t.Helper()
	chain := apptest.New(t, apptest.Options{Accounts: 8, Settings: settings})
	random := rand.New(rand.NewSource(7))
	var hashes []string
	for range 6 {
		var txs []apptest.Tx
		for range 20 {
			from := chain.Accounts[random.Intn(len(chain.Accounts))]
			to := chain.Accounts[random.Intn(len(chain.Accounts))]
			tx := send(from, to, 1+random.Int63n(1000))
			tx.Fee = usouk(1 + random.Int63n(300))
			txs = append(txs, tx)
		}
		signed := chain.Sign(txs...)
		if vote != nil {
			vote(chain, signed)
		}
		block := chain.DeliverBytes(time.Second, signed...)
		for i, result := range block.Txs {
			require.Zero(t, result.Code, "transaction %d: %s", i, result.Log)
		}
		hashes = append(hashes, fmt.Sprintf("%X", block.AppHash))
	}
	return hashes
}

func TestTwoNodesGivenTheSameBlocksHaveTheSameState(t *testing.T) {
	require.Equal(t, history(t, nil, nil), history(t, nil, nil))
}

func TestParallelExecutionLeavesTheSameStateAsSequential(t *testing.T) {
	parallel := map[string]any{"block-executor": "block-stm", "block-stm-workers": 4}
	require.Equal(t, history(t, nil, nil), history(t, parallel, nil))
}

// TestABlockThatRanWhileItWasVotedOnLeavesTheSameState plays a node that executes a proposal before it is final, and one
// that did so with a proposal that was not chosen.
func TestABlockThatRanWhileItWasVotedOnLeavesTheSameState(t *testing.T) {
	want := history(t, nil, nil)
	require.Equal(t, want, history(t, nil, func(chain *apptest.Chain, txs [][]byte) {
		require.True(t, chain.Propose(time.Second, txs...))
	}))
	require.Equal(t, want, history(t, nil, func(chain *apptest.Chain, txs [][]byte) {
		require.True(t, chain.Propose(time.Second, txs[1:]...))
	}))
}
