package tenant

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	markettypes "github.com/souk-network/souk/x/market/types"
)

func TestTheLastClearingIsShownWithWhatProvesIt(t *testing.T) {
	wall := func(second uint64) time.Time { return time.Unix(int64(second), 0) }
	none := viewOfClearing("usouk", &markettypes.QueryClearingResponse{}, wall)
	require.Equal(t, "nothing was cleared in usouk yet\n", none.text(false))
	v := viewOfClearing("usouk", &markettypes.QueryClearingResponse{
		Cleared: &markettypes.Cleared{
			Denom: "usouk", Number: 12, Second: 100, Bids: 3, Offers: 2, Leases: 2, Welfare: math.NewInt(990_000), Bound: math.NewInt(1_000_000), GapPpm: 10_000,
			Prices: []markettypes.ClassPrice{{Offer: 4, Price: markettypes.Resources{CpuMillis: 2500}}, {Offer: 9, Price: markettypes.Resources{CpuMillis: 10, GpuMillis: 7}}},
		},
		Weights: markettypes.Weights{Weights: markettypes.Resources{CpuMillis: 65536}},
	}, wall)
	require.Equal(t, map[string]uint64{"cpu": 65536}, v.Weights)
	text := v.text(false)
	for _, part := range []string{"clearing 12, ", "took     3 bids, 2 offers", "welfare  0.99 SOUK/h", "bound    1 SOUK/h", "gap      at most 1.0000%"} {
		require.Contains(t, text, part)
	}
	rows := v.rows()
	require.Equal(t, []string{"class of offer", "cpu per vCPU", "gpu per GPU"}, []string{rows.Columns[0].Name, rows.Columns[1].Name, rows.Columns[2].Name})
	require.Equal(t, [][]string{{"4", "0.0025 SOUK/h", "0 SOUK/h"}, {"9", "0.00001 SOUK/h", "0.000007 SOUK/h"}}, rows.Cells)
	huge := clearingView{Denom: "usouk", Number: 1, Time: &time.Time{}, Welfare: "99999999999999999999999", Bound: "1"}
	require.Contains(t, huge.text(false), "99999999999999999999999 usouk/h")
}
