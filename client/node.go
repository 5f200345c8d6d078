package client

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	errorsmod "cosmossdk.io/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"

	"github.com/souk-network/souk/client/fault"
)

// node is what a queue needs of the chain.
type node interface {
	// account gives number and next sequence.
	account(ctx context.Context, address string) (number, sequence uint64, err error)
	// simulate gives the gas used.
	simulate(ctx context.Context, tx []byte) (uint64, error)
	// broadcast puts a transaction into the mempool; a *ChainError says that the node refused it.
	broadcast(ctx context.Context, tx []byte) error
	// included finds a transaction in a block; errTxNotFound when there is none yet.
	included(ctx context.Context, hash string) (inclusion, error)
	// tip is the last block.
	tip(ctx context.Context) (tip, error)
}

// tip is where the chain stands.
type tip struct {
	height int64
	time   time.Time // of the block; zero when the node does not say
}

// inclusion is a transaction in a block.
type inclusion struct {
	height    int64
	code      uint32
	codespace string
	log       string
	gasUsed   int64
	gasWanted int64
	responses []*codectypes.Any
}

func (c *Client) account(ctx context.Context, address string) (number, sequence uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	res, err := c.Auth.AccountInfo(ctx, &authtypes.QueryAccountInfoRequest{Address: address})
	if IsNotFound(err) {
		return 0, 0, fault.Newf("the account can not pay", "send it some coins first; fees are paid from it",
			"%s does not exist on %s", address, c.Config.ChainID)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look up account %s: %w", address, err)
	}
	return res.Info.AccountNumber, res.Info.Sequence, nil
}

func (c *Client) broadcast(ctx context.Context, tx []byte) error {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	res, err := c.Tx.BroadcastTx(ctx, &txtypes.BroadcastTxRequest{TxBytes: tx, Mode: txtypes.BroadcastMode_BROADCAST_MODE_SYNC})
	if err != nil {
		return fmt.Errorf("broadcast: %w", err)
	}
	if r := res.TxResponse; r.Code != 0 {
		return newChainError(r)
	}
	return nil
}

func (c *Client) included(ctx context.Context, hash string) (inclusion, error) {
	ctx, cancel := context.WithTimeout(ctx, rpcTimeout)
	defer cancel()
	res, err := c.Tx.GetTx(ctx, &txtypes.GetTxRequest{Hash: hash})
	if status.Code(err) == codes.NotFound {
		return inclusion{}, errTxNotFound
	}
	if err != nil {
		return inclusion{}, fmt.Errorf("look up transaction %s: %w", hash, err)
	}
	r := res.TxResponse
	in := inclusion{
		height: r.Height, code: r.Code, codespace: r.Codespace, log: r.RawLog,
		gasUsed: r.GasUsed, gasWanted: r.GasWanted,
	}
	if r.Code != 0 {
		return in, nil
	}
	in.responses, err = decodeResponses(r)
	return in, err
}

func (c *Client) tip(ctx context.Context) (tip, error) {
	s, err := c.Status(ctx)
	if err == nil && !s.TxIndex {
		return tip{}, fault.New("it could not be seen whether a transaction takes place", errNoTxIndex,
			`set indexer = "kv" under [tx_index] in the node's config.toml, or use another node`)
	}
	return tip{s.Height, s.BlockTime}, err
}

func newChainError(r *sdk.TxResponse) *ChainError {
	log := r.RawLog
	if log == "" {
		log = errorsmod.ABCIError(r.Codespace, r.Code, "refused").Error()
	}
	return &ChainError{Hash: r.TxHash, Height: r.Height, Codespace: r.Codespace, Code: r.Code, Log: log}
}

func decodeResponses(r *sdk.TxResponse) ([]*codectypes.Any, error) {
	raw, err := hex.DecodeString(r.Data)
	if err != nil {
		return nil, fmt.Errorf("decode result of %s: %w", r.TxHash, err)
	}
	var data sdk.TxMsgData
	if err := data.Unmarshal(raw); err != nil {
		return nil, fmt.Errorf("decode result of %s: %w", r.TxHash, err)
	}
	return data.MsgResponses, nil
}
