package e2e

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	markettypes "github.com/souk-network/souk/x/market/types"
)

var leastDeposit = regexp.MustCompile(`x-souk\.deposit: ([0-9.]+)`)

func TestALeaseEndsAtTheSecondAtWhichItsMoneyDoes(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	before := x.balance(t)
	refused := x.do(t, "up", "-y", x.file(t, service{name: "brief", terms: "deposit: 1usouk"}))
	require.Equal(t, exitUsage, refused.code, refused.stderr)
	least := leastDeposit.FindStringSubmatch(refused.stderr)
	require.NotNil(t, least, refused.stderr)

	d := x.up(t, x.file(t, service{name: "brief", terms: "deposit: " + least[1]}))
	paid := before.Sub(x.balance(t)).Sub(x.fees(t))
	answer(t, d)
	lease := x.leaseState(t, d.lease())
	await(t, 4*time.Minute, "the money has run out", func() error {
		lease = x.leaseState(t, d.lease())
		if lease.State != markettypes.LeaseState_LEASE_STATE_CLOSED {
			return fmt.Errorf("lease %d is %s", lease.Id, lease.State)
		}
		return nil
	})
	require.Equal(t, markettypes.Reason_REASON_INSUFFICIENT_FUNDS, lease.Reason)
	// At the full rate until the runway is short, then for half of it, rounded up: to the last whole second that is paid for.
	grains, rate := paid.MulRaw(grainsPerMicro), int64(lease.Rate)
	hold := (rate + 1) / 2
	served := grains.QuoRaw(rate).Int64() - pauseRunwaySeconds
	left := grains.SubRaw(served * rate)
	kept := left.QuoRaw(hold).Int64()
	require.EqualValues(t, served+kept, lease.ClosedAt-lease.AckedAt, "%s at %d an hour", paid, rate)

	x.awaitGone(t, "brief")
	require.Empty(t, x.ps(t))
	require.True(t, x.conservation(t).Conserved)
	await(t, 10*time.Second, "what is less than a second's price has come back", func() error {
		back := x.balance(t).Sub(before.Sub(x.fees(t)).Sub(paid))
		want := left.SubRaw(kept * hold).QuoRaw(grainsPerMicro)
		if !back.Equal(want) {
			return fmt.Errorf("%s came back, not %s", back, want)
		}
		return nil
	})
}
