package client

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// rpc speaks JSON-RPC with CometBFT. The few calls that Souk needs are made here directly, so that a program does not
// carry the node's own client and its reconnection rules.
type rpc struct {
	url  *url.URL
	http *http.Client
}

// rpcError is what the node answers when it understood a call and refuses it.
type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    string `json:"data"`
}

func (e *rpcError) Error() string {
	return strings.TrimSpace(e.Message + " " + e.Data)
}

func (r *rpc) call(ctx context.Context, method string, params, result any) error {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request for %s: %w", method, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.http.Do(req)
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return fmt.Errorf("read answer to %s: %w", method, err)
	}
	var envelope struct {
		Result json.RawMessage `json:"result"`
		Error  *rpcError       `json:"error"`
	}
	if err := json.Unmarshal(raw, &envelope); err != nil {
		return fmt.Errorf("%s answered %s without JSON: %w", method, resp.Status, err)
	}
	if envelope.Error != nil {
		return envelope.Error
	}
	if err := json.Unmarshal(envelope.Result, result); err != nil {
		return fmt.Errorf("decode answer to %s: %w", method, err)
	}
	return nil
}

// NodeStatus is what a node says of itself.
type NodeStatus struct {
	ChainID    string
	Height     int64     // of its last block
	BlockTime  time.Time // of the same; zero when it does not say
	CatchingUp bool
	TxIndex    bool // it can look transactions up
}

// Status asks the node where it stands.
func (c *Client) Status(ctx context.Context) (NodeStatus, error) {
	var out struct {
		NodeInfo struct {
			Network string `json:"network"`
			Other   struct {
				TxIndex string `json:"tx_index"`
			} `json:"other"`
		} `json:"node_info"`
		SyncInfo struct {
			LatestBlockHeight string    `json:"latest_block_height"`
			LatestBlockTime   time.Time `json:"latest_block_time"`
			CatchingUp        bool      `json:"catching_up"`
		} `json:"sync_info"`
	}
	if err := c.rpc.call(ctx, "status", map[string]any{}, &out); err != nil {
		return NodeStatus{}, err
	}
	height, err := strconv.ParseInt(out.SyncInfo.LatestBlockHeight, 10, 64)
	if err != nil {
		return NodeStatus{}, fmt.Errorf("height in the node's status: %w", err)
	}
	return NodeStatus{
		ChainID:    out.NodeInfo.Network,
		Height:     height,
		BlockTime:  out.SyncInfo.LatestBlockTime,
		CatchingUp: out.SyncInfo.CatchingUp,
		TxIndex:    out.NodeInfo.Other.TxIndex != "off",
	}, nil
}

// simulate runs a transaction without effect. Unlike the gRPC service of the same name, the query keeps codespace and
// code of an error, which decide whether a transaction is tried again.
func (c *Client) simulate(ctx context.Context, tx []byte) (gasUsed uint64, err error) {
	var out struct {
		Response struct {
			Code      uint32 `json:"code"`
			Codespace string `json:"codespace"`
			Log       string `json:"log"`
			Value     string `json:"value"`
		} `json:"response"`
	}
	params := map[string]any{"path": "/app/simulate", "data": hex.EncodeToString(tx), "height": "0", "prove": false}
	if err := c.rpc.call(ctx, "abci_query", params, &out); err != nil {
		return 0, err
	}
	if out.Response.Code != 0 {
		return 0, errorsmod.ABCIError(out.Response.Codespace, out.Response.Code, trimLog(out.Response.Log))
	}
	value, err := base64.StdEncoding.DecodeString(out.Response.Value)
	if err != nil {
		return 0, fmt.Errorf("decode simulation: %w", err)
	}
	var res sdk.SimulationResponse
	if err := c.Encoding.Codec.UnmarshalJSON(value, &res); err != nil {
		return 0, fmt.Errorf("decode simulation: %w", err)
	}
	return res.GasInfo.GasUsed, nil
}

// trimLog takes the words that say nothing new out of an ABCI log.
func trimLog(log string) string {
	log = strings.TrimSuffix(log, ": failed to simulate tx")
	return strings.TrimPrefix(log, "failed to simulate tx: ")
}
