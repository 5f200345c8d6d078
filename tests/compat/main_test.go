package compat

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/app/scope"
)

const startTimeout = 2 * time.Minute

var shared struct {
	sync.Once
	network *network
	err     error
}

// TestMain takes the shared network down after the last test. When this process is killed or times out, the network's
// guard does it.
func TestMain(m *testing.M) {
	scope.Set()
	// They wait most of the time, whatever the number of processors.
	if err := flag.Set("test.parallel", "4"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if shared.network != nil {
		if err := shared.network.close(code != 0); err != nil {
			fmt.Fprintln(os.Stderr, "the network was not taken down cleanly:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// theNetwork starts the shared network with the first test that needs it.
func theNetwork(t *testing.T) *network {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a node: left out by -short")
	}
	shared.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		shared.network, shared.err = newNetwork(ctx)
	})
	require.NoError(t, shared.err, "start the network")
	return shared.network
}
