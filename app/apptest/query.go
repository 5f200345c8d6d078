package apptest

import (
	"context"
	"errors"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Conn returns a connection for the generated query clients that asks the committed state, through the same door as a
// query that reaches a node over CometBFT: banktypes.NewQueryClient(chain.Conn()).
func (c *Chain) Conn() grpc.ClientConnInterface { return connection{c} }

type connection struct{ chain *Chain }

// Invoke asks the application.
func (conn connection) Invoke(ctx context.Context, method string, request, response any, _ ...grpc.CallOption) error {
	in, ok := request.(proto.Message)
	if !ok {
		return fmt.Errorf("query %s: %T is no protobuf message", method, request)
	}
	out, ok := response.(proto.Message)
	if !ok {
		return fmt.Errorf("query %s: %T is no protobuf message", method, response)
	}
	bz, err := proto.Marshal(in)
	if err != nil {
		return fmt.Errorf("query %s: %w", method, err)
	}
	result, err := conn.chain.App.Query(ctx, &abci.RequestQuery{Path: method, Data: bz})
	if err != nil {
		return fmt.Errorf("query %s: %w", method, err)
	}
	if result.Code != 0 {
		return fmt.Errorf("query %s: %s %d: %s", method, result.Codespace, result.Code, result.Log)
	}
	return conn.chain.App.Encoding().Codec.Unmarshal(result.Value, out)
}

// NewStream is refused: the chain has no streaming queries.
func (connection) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, errors.New("the chain has no streaming queries")
}

// Balance returns what the account holds of the denom.
func (c *Chain) Balance(account *Account, denom string) math.Int {
	return c.App.BankKeeper.GetBalance(c.Context(), account.Address, denom).Amount
}

// Unpack reads the responses of a transaction's messages, in order, from its result.
func (c *Chain) Unpack(result *abci.ExecTxResult, responses ...proto.Message) {
	c.t.Helper()
	var data sdk.TxMsgData
	require.NoError(c.t, proto.Unmarshal(result.Data, &data))
	require.GreaterOrEqual(c.t, len(data.MsgResponses), len(responses), "responses in the result")
	for i, response := range responses {
		require.Equal(c.t, sdk.MsgTypeURL(response), data.MsgResponses[i].TypeUrl)
		require.NoError(c.t, proto.Unmarshal(data.MsgResponses[i].Value, response))
	}
}
