package e2e

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/souk-network/souk/app/scope"
)

// TestMain takes the shared market down after the last test. When this process is killed or times out, the market's
// guard does it.
// keepRefunds is the setting by which agents claim refunds for their tenants; souk watch does, too.
const keepRefunds = "SOUK_AGENT_CLAIM_REFUNDS"

func TestMain(m *testing.M) {
	scope.Set()
	// What a busy machine serves too late its agent gives back, and leases last longer than tests reckon.
	if err := os.Setenv(keepRefunds, "false"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Most of them wait most of the time, whatever the number of processors.
	if err := flag.Set("test.parallel", "4"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := closeShared(code != 0); err != nil {
		fmt.Fprintln(os.Stderr, "the market was not taken down cleanly:", err)
		code = 1
	}
	os.Exit(code)
}
