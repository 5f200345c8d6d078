package client

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdkmath "cosmossdk.io/math"
	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/souk-network/souk/client/fault"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func mustDec(s string) sdkmath.LegacyDec { return sdkmath.LegacyMustNewDecFromStr(s) }

func TestAddresses(t *testing.T) {
	tests := []struct {
		grpc   string
		target string
		secure bool
		bad    bool
	}{
		{grpc: "127.0.0.1:9090", target: "127.0.0.1:9090"},
		{grpc: "localhost:9090", target: "localhost:9090"},
		{grpc: "[::1]:9090", target: "[::1]:9090"},
		{grpc: "grpc.example.com:443", target: "grpc.example.com:443", secure: true},
		{grpc: "https://127.0.0.1:9090", target: "127.0.0.1:9090", secure: true},
		{grpc: "http://node:9090/", target: "node:9090"},
		{grpc: "tcp://node:9090", target: "node:9090", secure: true},
		{grpc: "node", bad: true},
		{grpc: "", bad: true},
		{grpc: ":9090", bad: true},
	}
	for _, tt := range tests {
		target, secure, err := Config{GRPC: tt.grpc}.grpcTarget()
		if tt.bad {
			require.Error(t, err, tt.grpc)
			continue
		}
		require.NoError(t, err, tt.grpc)
		require.Equal(t, tt.target, target)
		require.Equal(t, tt.secure, secure, tt.grpc)
	}
	u, err := Config{NodeRPC: "tcp://127.0.0.1:26657"}.rpcURL()
	require.NoError(t, err)
	require.Equal(t, "http://127.0.0.1:26657", u.String())
	for _, bad := range []string{"", "127.0.0.1:26657", "ftp://x", "http://"} {
		_, err := Config{NodeRPC: bad}.rpcURL()
		require.Error(t, err, bad)
	}
}

// errBetween is what a node says of which a query wants the state of the block that it has just committed.
var errBetween = status.Error(codes.Unknown, "codespace sdk code 26: invalid height: context did not contain latest block height in either check state or finalize block state (31)")

func TestANodeThatIsBetweenTwoBlocksIsAskedAgain(t *testing.T) {
	ask := func(ctx context.Context, answers ...error) (calls int, err error) {
		err = askAgain(ctx, "/x", nil, nil, nil, func(context.Context, string, any, any, *grpc.ClientConn, ...grpc.CallOption) error {
			calls++
			return answers[min(calls, len(answers))-1]
		})
		return calls, err
	}
	calls, err := ask(t.Context(), errBetween, errBetween, nil)
	require.NoError(t, err)
	require.Equal(t, 3, calls)
	calls, err = ask(t.Context(), status.Error(codes.Unknown, "not found"))
	require.Error(t, err)
	require.Equal(t, 1, calls)
	calls, err = ask(t.Context(), errBetween)
	require.ErrorIs(t, err, errBetween)
	require.Equal(t, betweenTries, calls, "not for ever")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	calls, err = ask(ctx, errBetween)
	require.ErrorIs(t, err, errBetween)
	require.Equal(t, 1, calls)
}

func TestErrorsAreSortedByWhatToDoAboutThem(t *testing.T) {
	tests := []struct {
		err  error
		want class
	}{
		{sdkerrors.ErrWrongSequence.Wrap("x"), classSequence},
		{&ChainError{Codespace: "sdk", Code: 32}, classSequence},
		{&ChainError{Codespace: "sdk", Code: 11}, classGas},
		{&ChainError{Codespace: "sdk", Code: 20}, classTransient},
		{&ChainError{Codespace: "sdk", Code: 30}, classExpired},
		{&ChainError{Codespace: "market", Code: 26}, classPermanent},
		{fmt.Errorf("simulate: %w", markettypes.ErrBondTooLow), classPermanent},
		{fmt.Errorf("x: %w", status.Error(codes.Unavailable, "down")), classTransient},
		{fmt.Errorf("x: %w", status.Error(codes.DeadlineExceeded, "slow")), classTransient},
		{fmt.Errorf("x: %w", errBetween), classTransient},
		{&rpcError{Code: -32603, Message: "Internal error"}, classTransient},
		{&rpcError{Code: -32602, Message: "Invalid params"}, classPermanent},
		{ErrFeeBudget, classPermanent},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, classify(tt.err), "%v", tt.err)
	}
}

func TestAChainErrorIsTheModulesOwn(t *testing.T) {
	err := fmt.Errorf("post offer: %w", &ChainError{Codespace: markettypes.ErrBondTooLow.Codespace(), Code: markettypes.ErrBondTooLow.ABCICode(), Log: "5 usouk short"})
	require.ErrorIs(t, err, markettypes.ErrBondTooLow)
	require.ErrorContains(t, err, "5 usouk short")
}

func TestNotFound(t *testing.T) {
	require.True(t, IsNotFound(fmt.Errorf("x: %w", status.Error(codes.NotFound, "no"))))
	require.True(t, IsNotFound(status.Error(codes.Unknown, "lease 7: lease not found")))
	require.False(t, IsNotFound(status.Error(codes.Unavailable, "not found")))
	require.False(t, IsNotFound(nil))
}

func TestExplainKeepsFaultsAndAddsRemedies(t *testing.T) {
	f := fault.New("a", nil, "b")
	require.Equal(t, error(f), Explain("x", f))
	var got *fault.Fault
	require.ErrorAs(t, Explain("send coins", sdkerrors.ErrInsufficientFunds.Wrap("5 short")), &got)
	require.Equal(t, "send coins", got.Summary)
	require.Contains(t, got.Try, "coins")
	require.NoError(t, Explain("x", nil))
}

func TestHeadersTellTheirHeight(t *testing.T) {
	height, err := headerHeight([]byte(`{"result":{"data":{"type":"x","value":{"header":{"height":"42"}}}}}`))
	require.NoError(t, err)
	require.EqualValues(t, 42, height)
	height, err = headerHeight([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`))
	require.NoError(t, err)
	require.Zero(t, height)
	for _, bad := range []string{`{`, `{"error":{"code":-1,"message":"no"}}`, `{"result":{"data":{"value":{"header":{"height":"-1"}}}}}`} {
		_, err := headerHeight([]byte(bad))
		require.Error(t, err, bad)
	}
}

// fakeRPC is a node's RPC that announces blocks.
type fakeRPC struct {
	height atomic.Int64
	silent atomic.Bool
	subs   atomic.Int64
	lives  atomic.Int64 // of the node; a restart ends all subscriptions
}

func (f *fakeRPC) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/websocket" {
		fmt.Fprintf(w, `{"result":{"node_info":{"network":"souk-test","other":{"tx_index":"on"}},"sync_info":{"latest_block_height":"%d"}}}`, f.height.Load())
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow() //nolint:errcheck // the test is over
	if _, _, err := conn.Read(r.Context()); err != nil {
		return
	}
	f.subs.Add(1)
	life := f.lives.Load()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for range ticker.C {
		if f.lives.Load() != life {
			return
		}
		if f.silent.Load() {
			continue
		}
		text := fmt.Sprintf(`{"result":{"data":{"value":{"header":{"height":"%d"}}}}}`, f.height.Add(1))
		if conn.Write(r.Context(), websocket.MessageText, []byte(text)) != nil {
			return
		}
	}
}

func TestHeightsSurviveRestartsAndSilence(t *testing.T) {
	node := &fakeRPC{}
	server := httptest.NewServer(node)
	defer server.Close()
	c, err := Open(Config{NodeRPC: server.URL, GRPC: "127.0.0.1:1", ChainID: "souk-test"})
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithCancel(t.Context())
	heights := c.Heights(ctx, testLog(t))
	var last int64
	reaches := func(want int64) {
		t.Helper()
		deadline := time.After(10 * time.Second)
		for last < want {
			select {
			case last = <-heights:
			case <-deadline:
				t.Fatalf("stuck at height %d, want %d", last, want)
			}
		}
	}
	reaches(5)
	node.lives.Add(1)
	require.Eventually(t, func() bool { return node.subs.Load() == 2 }, 10*time.Second, time.Millisecond, "it subscribes again")
	reaches(node.height.Load() + 5)
	node.silent.Store(true)
	node.height.Add(100)
	reaches(node.height.Load())
	cancel()
	for range heights { // it is closed
	}
}

func TestANodeOfAnotherNetworkIsRefused(t *testing.T) {
	server := httptest.NewServer(&fakeRPC{})
	defer server.Close()
	_, err := Dial(t.Context(), Config{NodeRPC: server.URL, GRPC: "127.0.0.1:1", ChainID: "souk-1"})
	require.ErrorContains(t, err, "souk-test")
	var f *fault.Fault
	require.ErrorAs(t, err, &f)
	require.NotEmpty(t, f.Try)
}

func TestAnUnreachableNodeSaysWhatToDo(t *testing.T) {
	_, err := Dial(t.Context(), Config{NodeRPC: "http://127.0.0.1:1", GRPC: "127.0.0.1:1", ChainID: "souk-1"})
	var f *fault.Fault
	require.ErrorAs(t, err, &f)
	require.Contains(t, f.Summary, "http://127.0.0.1:1")
	require.Contains(t, f.Try, "curl")
}

func TestAFileKeyringOpensWithoutAPerson(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "passphrase")
	require.NoError(t, os.WriteFile(file, []byte("correct horse\nsecond line\n"), 0o600))
	e, err := NewEncoding()
	require.NoError(t, err)
	for range 2 { // made, then opened again
		input, err := Passphrase(file)
		require.NoError(t, err)
		ring, err := OpenKeyring(e, keyring.BackendFile, dir, input)
		require.NoError(t, err)
		if _, err := ring.Key("a"); err != nil {
			_, _, err = ring.NewMnemonic("a", keyring.English, "m/44'/118'/0'/0/0", "", testAlgorithm)
			require.NoError(t, err)
		}
		address, err := KeyAddress(ring, "a")
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(address.String(), "souk1"))
	}
	_, err = OpenKeyring(e, "wallet", dir, nil)
	require.ErrorContains(t, err, "wallet")
}
