// Package sim runs the whole application in the Cosmos SDK's simulator: random genesis, random messages of all modules,
// random validators. It owns how long that takes and what must hold after every block; which messages there are, each module
// says itself, in its simulation package.
package sim

import (
	"os"
	"testing"

	"github.com/souk-network/souk/app/scope"
)

func TestMain(m *testing.M) {
	scope.Set()
	os.Exit(m.Run())
}
