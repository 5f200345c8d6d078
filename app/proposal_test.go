package app_test

import (
	"math"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/app"
	"github.com/souk-network/souk/app/apptest"
)

// TestProposedBlocksAreChecked plays a proposer that does not keep to max_gas, or puts in what is no transaction.
func TestProposedBlocksAreChecked(t *testing.T) {
	chain := apptest.New(t, apptest.Options{})
	alice, bob := chain.Accounts[0], chain.Accounts[1]
	wanting := func(gas ...uint64) [][]byte {
		txs := make([]apptest.Tx, len(gas))
		for i := range gas {
			txs[i] = send(alice, bob, 1)
			txs[i].Gas = gas[i]
		}
		return chain.Sign(txs...)
	}
	failing := send(alice, bob, math.MaxInt64)

	for _, test := range []struct {
		name     string
		txs      [][]byte
		accepted bool
	}{
		{"an empty block is accepted", nil, true},
		{"a block that wants exactly max_gas is accepted", wanting(app.MaxBlockGas/2, app.MaxBlockGas/2), true},
		{"a block that wants one gas too much is rejected", wanting(app.MaxBlockGas/2, app.MaxBlockGas/2+1), false},
		{"a transaction that alone wants too much is rejected", wanting(app.MaxBlockGas + 1), false},
		{"a sum that overflows is rejected", wanting(math.MaxInt64, math.MaxInt64, 2), false},
		{"bytes that are no transaction are rejected", [][]byte{{0xde, 0xad}}, false},
		{"a transaction followed by rubbish is rejected", append(wanting(100_000), []byte("rubbish")), false},
		{"a transaction that will fail is accepted, since it pays its fee", chain.Sign(failing), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.accepted, chain.Propose(time.Second, test.txs...))
		})
	}

	t.Run("an honest proposer leaves out what does not fit", func(t *testing.T) {
		offered := wanting(app.MaxBlockGas/2, app.MaxBlockGas/2, app.MaxBlockGas/2)
		prepared, err := chain.App.PrepareProposal(&abci.RequestPrepareProposal{
			Txs: offered, MaxTxBytes: app.MaxBlockBytes, Height: 1, Time: chain.Time.Add(time.Second),
		})
		require.NoError(t, err)
		require.Equal(t, offered[:2], prepared.Txs)
		require.True(t, chain.Propose(time.Second, prepared.Txs...))
	})
}
