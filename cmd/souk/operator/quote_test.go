package operator

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	markettypes "github.com/souk-network/souk/x/market/types"
)

func TestAProviderSeesHowItsQuoteStands(t *testing.T) {
	bid := markettypes.Bid{Id: 7, Denom: "usouk", Placed: 1, Spec: markettypes.BidSpec{Name: "web", Replicas: 3, Cap: 99}}
	quotes := []markettypes.Quote{{Provider: "a", Rate: 10}, {Provider: "b", Rate: 12}}
	none := standing(bid, nil, "a")
	require.Equal(t, openQuote{Bid: 7, Group: "web", Missing: 2, Cap: 99, Denom: "usouk"}, none)
	second := standing(bid, quotes, "b")
	require.Equal(t, []any{2, uint64(10), uint64(12), 2}, []any{second.Quotes, second.Cheapest, second.Own, second.Rank})
	require.Zero(t, standing(bid, quotes, "c").Rank)
	cells := quoteRows([]openQuote{none, second}).Cells
	require.Equal(t, []string{"0", "-", "-", "-"}, cells[0][7:11])
	require.Equal(t, []string{"2", "0.00001 SOUK/h", "0.000012 SOUK/h", "2"}, cells[1][7:11])
}

func TestAQuoteIsCheckedBeforeAnythingIsAsked(t *testing.T) {
	whole := quoteOptions{offer: 1, replicas: 1, valid: time.Hour}
	ask, err := whole.ask()
	require.NoError(t, err)
	require.Nil(t, ask, "the offer's own prices")
	priced := whole
	priced.prices.cpu, priced.prices.memory = "0.01SOUK", "0.002SOUK"
	ask, err = priced.ask()
	require.NoError(t, err)
	require.Equal(t, &markettypes.Ask{Denom: "usouk", Cpu: 10_000, Memory: 2000}, ask)
	for name, change := range map[string]func(*quoteOptions){
		"no offer":    func(o *quoteOptions) { o.offer = 0 },
		"no replicas": func(o *quoteOptions) { o.replicas = 0 },
		"no time":     func(o *quoteOptions) { o.valid = time.Millisecond },
		"no price":    func(o *quoteOptions) { o.prices.gpu = "cheap" },
	} {
		o := whole
		change(&o)
		_, err := o.ask()
		require.Error(t, err, name)
	}
}
