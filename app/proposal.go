package app

import (
	abci "github.com/cometbft/cometbft/abci/types"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// processProposal returns the check that a validator makes on a proposed block before it votes for it. It rejects a block
// that holds bytes which are no transaction, or whose transactions together want more gas than the consensus parameter
// max_gas; what is left goes to the next handler. The SDK's default accepts both, so one careless or hostile proposer
// could make every validator execute an unbounded block.
//
// Transactions that decode but would fail are left in: they pay their fee and do no harm, and an honest proposer may
// include one that turned invalid after it entered the mempool.
func processProposal(decode sdk.TxDecoder, next sdk.ProcessProposalHandler) sdk.ProcessProposalHandler {
	return func(ctx sdk.Context, req *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
		if reason := refuseProposal(decode, maxBlockGas(ctx), req.Txs); reason != "" {
			ctx.Logger().Error("rejecting proposed block", "height", req.Height, "txs", len(req.Txs), "reason", reason)
			return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
		}
		return next(ctx, req)
	}
}

// refuseProposal returns why the transactions cannot make up a block, or nothing. A maxGas of 0 is no limit.
func refuseProposal(decode sdk.TxDecoder, maxGas uint64, txs [][]byte) string {
	var wanted uint64
	for _, bz := range txs {
		tx, err := decode(bz)
		if err != nil {
			return "a transaction does not decode"
		}
		gasTx, ok := tx.(sdk.GasTx)
		if !ok {
			return "a transaction states no gas"
		}
		gas := gasTx.GetGas()
		if maxGas == 0 {
			continue
		}
		if gas > maxGas-wanted {
			return "the transactions want more gas than a block may have"
		}
		wanted += gas
	}
	return ""
}

// maxBlockGas returns the consensus parameter max_gas, 0 when there is no limit.
func maxBlockGas(ctx sdk.Context) uint64 {
	block := ctx.ConsensusParams().Block
	if block == nil || block.MaxGas <= 0 {
		return 0
	}
	return uint64(block.MaxGas)
}
