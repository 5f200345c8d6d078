package history

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/souk-network/souk/app/scope"
)

// enough is how many histories are played unless HISTORIES says otherwise.
const enough = 10_000

func TestMain(m *testing.M) {
	scope.Set()
	flag.Parse()
	debug.SetGCPercent(400) // histories make much garbage and keep little
	if err := seed(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// seed makes SEED, or a seed that is told, the one that rapid starts from.
func seed() error {
	text := os.Getenv("SEED")
	if text == "" {
		text = strconv.FormatUint(rand.Uint64()>>1|1, 10)
	}
	if f := flag.Lookup("rapid.seed"); f.Value.String() == "0" {
		if err := flag.Set("rapid.seed", text); err != nil {
			return fmt.Errorf("SEED=%s: %w", text, err)
		}
		fmt.Println("SEED=" + text)
	}
	return nil
}

// histories is how many histories a test plays that plays a part of all, in percent.
func histories(t *testing.T, percent int) int {
	t.Helper()
	all := enough
	if text := os.Getenv("HISTORIES"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("HISTORIES: %v", err)
		}
		all = n
	}
	return (all*percent + 99) / 100
}
