package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// While souk shows a tenant what runs it signs receipts of that, on which the provider's leaves rest.
func TestReceiptsAreSignedWhileSoukRuns(t *testing.T) {
	needsMachine(t)
	bin, err := programs()
	require.NoError(t, err)
	m, err := newMarket(t.Context(), bin, 1)
	t.Cleanup(func() { require.NoError(t, m.close(t.Failed())) })
	require.NoError(t, err)
	x := m.newTenant(t)
	seen := x.up(t, x.file(t, service{name: "seen", on: 0}))
	lease := x.serving(t, seen)

	whole := m.clock(t).Clock.Epoch + 1
	require.Equal(t, "provider's word", x.evidence(t, lease.Id, lease.Provider, whole))

	for _, look := range [][]string{{"top", "seen", "--every", "1s"}, {"logs", "--follow", "seen"}} {
		end := x.runs(t, look...)
		seen := false
		for range 5 { // on a busy machine a look may take as long as an epoch
			m.epochBegins(t)
			number := m.epochBegins(t) - 1
			if seen = strings.HasPrefix(x.evidence(t, lease.Id, lease.Provider, number), "receipt"); seen {
				break
			}
		}
		require.True(t, seen, "souk %s", look[0])
		end()
	}

	// Who does not want it says so.
	end := x.runs(t, "logs", "--follow", "seen", "--receipts=false")
	m.epochBegins(t)
	number := m.epochBegins(t)
	require.Equal(t, "provider's word", x.evidence(t, lease.Id, lease.Provider, number))
	end()

	// A session that may only read signs none either, though the account's key is at hand.
	x.must(t, "login", "seen", "--scope", "read", "-y")
	end = x.runs(t, "logs", "--follow", "seen")
	m.epochBegins(t)
	number = m.epochBegins(t)
	require.Equal(t, "provider's word", x.evidence(t, lease.Id, lease.Provider, number))
	end()
	require.True(t, x.conservation(t).Conserved)
}

// evidence is what the leaf of an epoch rests on, once that is proven.
func (x *tenant) evidence(t *testing.T, lease uint64, provider string, number uint64) string {
	t.Helper()
	c := x.awaitDecided(t, provider, number)
	require.Equal(t, prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN, c.State)
	var view struct {
		Evidence string `json:"evidence"`
	}
	await(t, provenIn, "its leaf is shown", func() error {
		r := x.do(t, "leaf", fmt.Sprint(lease), fmt.Sprint(number), "-o", "json")
		if r.code != 0 {
			return fmt.Errorf("%s", r.stderr)
		}
		return json.Unmarshal([]byte(r.stdout), &view)
	})
	return view.Evidence
}
