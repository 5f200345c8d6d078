package client

import (
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/cosmos/cosmos-sdk/crypto/hd"

	"github.com/souk-network/souk/app/scope"
)

var testAlgorithm = hd.Secp256k1

func TestMain(m *testing.M) {
	scope.Set()
	os.Exit(m.Run())
}

func testLog(testing.TB) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
