package node

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/devnet"
)

const (
	smallBlockGas = 1_000_000
	gasOfEach     = 300_000 // three fit into a block
	senders       = 12
	sendsOfEach   = 3
)

// TestAProposerThatIgnoresMaxGasIsOutvoted lets one of four validators propose all it has ever heard of, while more waits
// than a block may hold. The others vote its blocks down and go on without it.
func TestAProposerThatIgnoresMaxGasIsOutvoted(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, 4, map[string]any{"consensus.params.block.max_gas": fmt.Sprint(smallBlockGas)})
	greedy := n.nodes[3]
	greedy.program, greedy.env = soukdNext(t), []string{"GREEDY=1"}
	n.start(t)
	m := &market{network: n}
	m.connect(t)

	var rejected atomic.Int64
	for _, honest := range n.nodes[:3] {
		honest.running.lines.listen(func(line string) {
			if strings.Contains(line, "rejecting proposed block") {
				rejected.Add(1)
			}
		})
	}
	m.crowd(t)
	require.Positive(t, rejected.Load(), "the proposer has tried")

	height := n.nodes[0].height(t) + 4 // each of them has its turn
	m.requireBlocksWithin(t, height, smallBlockGas)
	for _, node := range n.nodes {
		require.Equal(t, n.nodes[0].appHash(t.Context(), t, height), node.appHash(t.Context(), t, height))
	}
}

// crowd has many accounts send at the same time, each its next as soon as the last is in a block.
func (m *market) crowd(t *testing.T) {
	t.Helper()
	faucet := m.queue(t, 0, devnet.KeyFaucet)
	var funding []sdk.Msg
	var queues []*client.Queue
	for i := range senders {
		key := fmt.Sprintf("sender-%d", i)
		m.newKey(t, key)
		funding = append(funding, &banktypes.MsgSend{
			FromAddress: faucet.Address(), ToAddress: m.address(t, key), Amount: coins(100 * micro),
		})
		q, err := client.NewQueue(m.chain, client.QueueConfig{Keyring: m.ring, Key: key, MinGas: gasOfEach})
		require.NoError(t, err)
		t.Cleanup(q.Close)
		queues = append(queues, q)
	}
	m.send(t, faucet, funding...)

	ctx, cancel := context.WithTimeout(t.Context(), 2*aBlockOrMore)
	defer cancel()
	var crowd errgroup.Group
	for _, q := range queues {
		crowd.Go(func() error {
			for range sendsOfEach {
				_, err := q.Send(ctx, &banktypes.MsgSend{FromAddress: q.Address(), ToAddress: faucet.Address(), Amount: coins(1)})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, crowd.Wait())
}

// requireBlocksWithin checks that no block up to a height holds more than the gas allowed, that some are full, and that
// some needed a second proposer.
func (m *market) requireBlocksWithin(t *testing.T, height, gas int64) {
	t.Helper()
	decode := m.chain.Encoding.TxConfig.TxDecoder()
	m.nodes[0].awaitHeight(t, height+1)
	full, again := 0, 0
	for at := int64(1); at <= height; at++ {
		block, err := m.nodes[0].client(t).Block(t.Context(), &at)
		require.NoError(t, err)
		var wanted int64
		for _, bytes := range block.Block.Txs {
			tx, err := decode(bytes)
			require.NoError(t, err)
			wanted += int64(tx.(sdk.FeeTx).GetGas())
		}
		require.LessOrEqual(t, wanted, gas, "gas wanted in block %d", at)
		if wanted+gasOfEach > gas {
			full++
		}
		if block.Block.LastCommit.Round > 0 {
			again++
		}
	}
	t.Logf("of %d blocks %d were full and %d were another proposer's", height, full, again)
	require.Positive(t, full)
	require.Positive(t, again)
}
