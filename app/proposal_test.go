package app_test

import (
	"fmt"
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

// TestAFullBlockOfDeploymentsIsMadeAndAnOverfullOneIsNot has a proposer put in one deployment more than max_gas allows. What
// an honest one makes of the same transactions is accepted, and every deployment in it opens.
func TestAFullBlockOfDeploymentsIsMadeAndAnOverfullOneIsNot(t *testing.T) {
	const fits = 40
	chain := apptest.New(t, apptest.Options{Accounts: 3})
	tenant := chain.Accounts[0]
	chain.Deliver(time.Second)
	shop := chain.OpenShop(time.Second, chain.Accounts[1], chain.Accounts[2], 2*fits, 100_000_000_000)

	var txs []apptest.Tx
	for i := range fits + 1 {
		tx := apptest.Create(tenant, fmt.Sprintf("web-%d", i), 1, 10_000_000)
		tx.Gas = app.MaxBlockGas / fits
		txs = append(txs, tx)
	}
	offered := chain.Sign(txs...)
	require.False(t, chain.Propose(time.Second, offered...), "one too many")

	prepared, err := chain.App.PrepareProposal(&abci.RequestPrepareProposal{
		Txs: offered, MaxTxBytes: app.MaxBlockBytes, Height: chain.Height + 1, Time: chain.Time.Add(time.Second),
	})
	require.NoError(t, err)
	require.Equal(t, offered[:fits], prepared.Txs)
	require.True(t, chain.Propose(time.Second, prepared.Txs...))
	for i, result := range chain.DeliverBytes(time.Second, prepared.Txs...).Txs {
		require.Zero(t, result.Code, "deployment %d: %s", i, result.Log)
	}
	require.Len(t, chain.Pending(shop), fits)
}
