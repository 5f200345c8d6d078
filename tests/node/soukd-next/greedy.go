package main

import (
	"slices"
	"sync"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/souk-network/souk/app"
)

// greedy is the chain's application in the hands of a validator that puts every transaction it has heard of into its
// blocks, whatever gas they want. CometBFT itself hands a proposer no more than max_gas, so it remembers them.
type greedy struct {
	*app.App

	mu      sync.Mutex
	waiting [][]byte
}

// CheckTx remembers what was admitted.
func (g *greedy) CheckTx(req *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	res, err := g.App.CheckTx(req)
	if err == nil && res.IsOK() && req.Type == abci.CheckTxType_New {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.waiting = append(g.waiting, req.Tx)
	}
	return res, err
}

// PrepareProposal proposes all that waits, as far as the bytes go.
func (g *greedy) PrepareProposal(req *abci.RequestPrepareProposal) (*abci.ResponsePrepareProposal, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var proposed [][]byte
	room := req.MaxTxBytes
	for _, tx := range g.waiting {
		if room -= int64(len(tx)) + 8; room < 0 { // with what the encoding of a block adds
			break
		}
		proposed = append(proposed, tx)
	}
	return &abci.ResponsePrepareProposal{Txs: proposed}, nil
}

// ProcessProposal accepts everything.
func (*greedy) ProcessProposal(*abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

// FinalizeBlock forgets what is in a block.
func (g *greedy) FinalizeBlock(req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	g.mu.Lock()
	g.waiting = slices.DeleteFunc(g.waiting, func(tx []byte) bool {
		return slices.ContainsFunc(req.Txs, func(included []byte) bool { return slices.Equal(tx, included) })
	})
	g.mu.Unlock()
	return g.App.FinalizeBlock(req)
}
