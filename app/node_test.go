package app_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"

	"github.com/cosmos/cosmos-sdk/client/grpc/cmtservice"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
)

// TestAStartedNodeAnswersQueries guards against a node that makes blocks but fails every query, as one does whose database
// library is not the one that the SDK pins.
func TestAStartedNodeAnswersQueries(t *testing.T) {
	node := apptest.StartNode(t, apptest.Options{})
	alice := node.Accounts[0]
	request := &banktypes.QueryBalanceRequest{Address: alice.String(), Denom: scope.Denom}
	ask := func() (*banktypes.QueryBalanceResponse, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return banktypes.NewQueryClient(node.Conn).Balance(ctx, request, grpc.WaitForReady(true))
	}
	require.Eventually(t, func() bool {
		status, err := node.RPC.Status(t.Context())
		return err == nil && status.SyncInfo.LatestBlockHeight >= 3
	}, 30*time.Second, 50*time.Millisecond, "three blocks")

	t.Run("over gRPC", func(t *testing.T) {
		response, err := ask()
		require.NoError(t, err)
		require.Equal(t, "1000000000000", response.Balance.Amount.String())

		block, err := cmtservice.NewServiceClient(node.Conn).GetLatestBlock(t.Context(), &cmtservice.GetLatestBlockRequest{})
		require.NoError(t, err)
		require.Equal(t, apptest.ChainID, block.SdkBlock.Header.ChainID)
	})
	t.Run("over REST", func(t *testing.T) {
		var body struct {
			Balance struct{ Amount string }
		}
		get(t, node.RESTAddress+"/cosmos/bank/v1beta1/balances/"+alice.String()+"/by_denom?denom="+scope.Denom, &body)
		require.Equal(t, "1000000000000", body.Balance.Amount)

		var clock struct{ Now string }
		get(t, node.RESTAddress+"/souk/escrow/v1/clock", &clock)
		require.NotEmpty(t, clock.Now)
		var book struct{ Entries []any }
		get(t, node.RESTAddress+"/souk/market/v1/book", &book)
		require.Empty(t, book.Entries)
	})
	t.Run("over reflection", func(t *testing.T) {
		stream, err := reflectionv1alpha.NewServerReflectionClient(node.Conn).ServerReflectionInfo(t.Context())
		require.NoError(t, err)
		//nolint:staticcheck // the SDK serves this version and no other
		request := &reflectionv1alpha.ServerReflectionRequest{MessageRequest: &reflectionv1alpha.ServerReflectionRequest_ListServices{}}
		require.NoError(t, stream.Send(request))
		answer, err := stream.Recv()
		require.NoError(t, err)
		require.Contains(t, answer.String(), `"cosmos.bank.v1beta1.Query"`)
		require.Contains(t, answer.String(), `"cosmos.tx.v1beta1.Service"`)
		require.NoError(t, stream.CloseSend())
	})
}

// get reads the JSON answer of a URL.
func get(t *testing.T, url string, into any) {
	t.Helper()
	var raw []byte
	require.Eventually(t, func() bool {
		response, err := http.Get(url)
		if err != nil {
			return false
		}
		defer response.Body.Close()
		raw, err = io.ReadAll(response.Body)
		return err == nil && response.StatusCode == http.StatusOK
	}, 10*time.Second, 50*time.Millisecond, "GET %s", url)
	require.NoError(t, json.Unmarshal(raw, into))
}
