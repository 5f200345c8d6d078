package operator

import (
	"testing"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
)

func TestWhatALeasePaidWithinAPeriod(t *testing.T) {
	// Lease 7 was served from 100 to 200, paused until 300 at half its rate, then served again.
	streams := []escrowtypes.Stream{
		{Ref: 7, Rate: 3600, OpenedAt: 100, ClosedAt: 200},
		{Ref: 7, Rate: 1800, OpenedAt: 200, ClosedAt: 300, FullRate: 3600},
		{Ref: 7, Rate: 3600, OpenedAt: 300},
		{Ref: 8, Rate: 7200, OpenedAt: 120, ClosedAt: 130},
	}
	tests := []struct {
		name         string
		from, until  uint64
		seven, eight int64 // micro-denom
		seconds      uint64
	}{
		{"from the start", 0, 400, 100 + 50 + 100, 20, 300},
		{"within one stream", 110, 120, 10, 0, 10},
		{"over a pause", 190, 310, 10 + 50 + 10, 0, 120},
		{"after all but the last", 350, 400, 50, 0, 50},
		{"before anything", 0, 100, 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leases := map[uint64]*leaseEarned{}
			for _, s := range streams {
				addStream(leases, s, "usouk", tt.from, tt.until)
			}
			earned := func(id uint64) (micro int64, seconds uint64) {
				if l := leases[id]; l != nil {
					return l.grains.QuoRaw(grainsPerMicro).Int64(), l.Seconds
				}
				return 0, 0
			}
			micro, seconds := earned(7)
			require.Equal(t, tt.seven, micro)
			require.Equal(t, tt.seconds, seconds)
			micro, _ = earned(8)
			require.Equal(t, tt.eight, micro)
		})
	}
}

func TestWithdrawalsOfOthersAreNotCounted(t *testing.T) {
	event := func(payee, amount, fee string) abci.Event {
		quote := func(s string) string { return `"` + s + `"` }
		return abci.Event{Type: "souk.escrow.v1.EventWithdrawn", Attributes: []abci.EventAttribute{
			{Key: "payee", Value: quote(payee)},
			{Key: "amount", Value: quote(amount)},
			{Key: "fee", Value: quote(fee)},
			{Key: "msg_index", Value: "0"},
		}}
	}
	var p payments
	require.NoError(t, p.add([]abci.Event{
		event("me", "90usouk", "10usouk"), event("you", "500usouk", "1usouk"), event("me", "5ustable", "0ustable"),
		{Type: "transfer"},
		event("me", "9usouk", "1usouk"),
	}, "me"))
	require.Equal(t, sdk.NewCoins(sdk.NewInt64Coin("usouk", 99), sdk.NewInt64Coin("ustable", 5)), p.received)
	require.Equal(t, sdk.NewCoins(sdk.NewInt64Coin("usouk", 11)), p.fees)
	require.Error(t, p.add([]abci.Event{event("me", "many", "")}, "me"))
}
