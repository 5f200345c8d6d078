package agent

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/quote"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func TestTheOperatorIsToldOnceWhyABidIsNotQuoted(t *testing.T) {
	var out bytes.Buffer
	q := &quoting{Agent: &Agent{log: slog.New(slog.NewTextHandler(&out, nil))}, pauses: map[uint64]time.Time{}, said: map[uint64]string{}}
	lines := func() []string {
		defer out.Reset()
		return strings.Split(strings.TrimSpace(out.String()), "\n")
	}
	var passed []quote.Passed
	var bids []quote.Bid
	for id := range uint64(maxTold + 2) {
		passed = append(passed, quote.Passed{Bid: id, Why: "pool 0 has no room for a replica"})
		bids = append(bids, quote.Bid{Bid: markettypes.Bid{Id: id}})
	}
	q.tell(passed)
	told := lines()
	require.Len(t, told, maxTold)
	require.Contains(t, told[0], `level=INFO msg="bid not quoted" bid=0 why="pool 0 has no room for a replica"`)
	q.tell(passed)
	require.Len(t, lines(), 2, "the rest follows")
	q.tell(passed)
	require.Equal(t, []string{""}, lines(), "and nothing twice")
	passed[3].Why = "offer 7 has no price in usouk"
	q.tell(passed)
	require.Len(t, lines(), 1, "another reason is told")

	q.pauses[5] = time.Now()
	q.forgetSaid(bids[:2])
	require.Len(t, q.said, 3, "of what left the book nothing is remembered")
}
