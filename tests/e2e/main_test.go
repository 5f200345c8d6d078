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
func TestMain(m *testing.M) {
	scope.Set()
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
