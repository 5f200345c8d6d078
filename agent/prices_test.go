package agent

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/offer/price"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func priced(cpu uint64) []markettypes.Ask {
	return []markettypes.Ask{{Denom: "usouk", Cpu: cpu}}
}

// reading is what a counter or gauge shows.
func reading(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	require.NoError(t, m.Write(&out))
	return out.GetCounter().GetValue() + out.GetGauge().GetValue()
}

func TestAProgramThatFailsLeavesTheLastPrices(t *testing.T) {
	status := statusText("souk-test", "1", "false")
	a := newAgent(t, &status)
	a.money = NewMoney(prometheus.NewRegistry(), nil)
	answers := filepath.Join(t.TempDir(), "answers")
	program := answers + ".sh"
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\ncat "+answers+"\n"), 0o700))
	script := price.Script{
		Bounds: price.Bounds{FloorPercent: 50, CeilingPercent: 200}, Path: program,
		Limits: price.Limits{Time: 10 * time.Second, MemoryMiB: 64},
	}
	a.cfg.Pricing = script
	view := price.View{Base: priced(100)}

	require.Equal(t, priced(100), a.ask(t.Context(), view), "before the first answer: the list")
	view.Present = priced(120)
	require.Equal(t, priced(120), a.ask(t.Context(), view), "after a restart: what is offered already")
	said := a.notePrices(a.askScript(t.Context(), script), "")
	require.Contains(t, said, "answers")
	require.Equal(t, priced(120), a.ask(t.Context(), view))
	require.Zero(t, reading(t, a.money.pricesOK))

	require.NoError(t, os.WriteFile(answers, []byte(`{"asks":[{"denom":"usouk","cpu":150}]}`), 0o600))
	require.Empty(t, a.notePrices(a.askScript(t.Context(), script), said))
	require.Equal(t, priced(150), a.ask(t.Context(), view))
	require.Len(t, a.wake, 1, "the offer follows at once")
	require.EqualValues(t, 1, reading(t, a.money.pricesOK))

	require.NoError(t, os.WriteFile(answers, []byte(`{"asks":[{"denom":"usouk","cpu":1}]}`), 0o600))
	require.Contains(t, a.notePrices(a.askScript(t.Context(), script), ""), "not within 50 and 200")
	require.Equal(t, priced(150), a.ask(t.Context(), view))
	require.EqualValues(t, 2, reading(t, a.money.priceErrors))

	require.Empty(t, a.ask(t.Context(), price.View{Present: priced(7)}), "without a list, the offer is the operator's own")
}

func TestWhatIsWorthAWithdrawal(t *testing.T) {
	above := sdk.NewCoins(sdk.NewInt64Coin("usouk", 1000))
	prices := sdk.NewDecCoins(sdk.NewDecCoinFromDec("ufee", math.LegacyNewDecWithPrec(25, 3)))
	for _, tt := range []struct {
		name   string
		amount sdk.Coin
		want   bool
	}{
		{"nothing", sdk.NewInt64Coin("usouk", 0), false},
		{"less than is worth it", sdk.NewInt64Coin("usouk", 999), false},
		{"enough", sdk.NewInt64Coin("usouk", 1000), true},
		{"a coin without a bound", sdk.NewInt64Coin("uatom", 1), true},
		{"nothing of a coin without a bound", sdk.NewInt64Coin("uatom", 0), false},
		{"less than ten fees of the coin of fees", sdk.NewInt64Coin("ufee", 62_499), false},
		{"ten fees", sdk.NewInt64Coin("ufee", 62_500), true},
	} {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, isWorthwhile(tt.amount, above, prices)) })
	}
}

func TestFeesAreCountedAgainstTheBudget(t *testing.T) {
	coins := func(n int64) sdk.Coins { return sdk.NewCoins(sdk.NewInt64Coin("usouk", n)) }
	m := NewMoney(prometheus.NewRegistry(), coins(1000))
	m.Paid(coins(10), coins(10))
	m.Paid(coins(5), coins(15))
	require.EqualValues(t, 15, reading(t, m.spent.WithLabelValues("usouk")))
	m.Paid(nil, nil) // a new day
	m.Paid(coins(7), coins(7))
	require.EqualValues(t, 22, reading(t, m.fees.WithLabelValues("usouk")))
	require.EqualValues(t, 7, reading(t, m.spent.WithLabelValues("usouk")))
	require.EqualValues(t, 1000, reading(t, m.budget.WithLabelValues("usouk")))
}

func TestAQuarterOfTheFeeBudgetIsKeptForAcknowledgements(t *testing.T) {
	require.Equal(t, "25uatom,1usouk", FeeReserve(sdk.NewCoins(sdk.NewInt64Coin("usouk", 7), sdk.NewInt64Coin("uatom", 100))).String())
	require.Empty(t, FeeReserve(sdk.NewCoins(sdk.NewInt64Coin("usouk", 3))), "too little to share")
	require.Empty(t, FeeReserve(nil), "without a budget")
}

func TestARestartDoesNotWithdrawAgain(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for _, tt := range []struct {
		name        string
		last        time.Time
		every, want time.Duration
	}{
		{"for the first time", time.Time{}, 6 * time.Hour, firstWithdrawal},
		{"within the interval", now.Add(-2 * time.Hour), 6 * time.Hour, 4 * time.Hour},
		{"when it is due", now.Add(-7 * time.Hour), 6 * time.Hour, firstWithdrawal},
		{"with a clock that was wrong", now.Add(time.Hour), 6 * time.Hour, firstWithdrawal},
		{"with a short interval", time.Time{}, 5 * time.Second, 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, untilWithdrawal(now, tt.last, tt.every)) })
	}
	status := statusText("souk-test", "1", "false")
	a := newAgent(t, &status)
	last, err := a.store.Withdrawn()
	require.NoError(t, err)
	require.True(t, last.IsZero())
	a.noteWithdrawal()
	last, err = a.store.Withdrawn()
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), last, time.Minute)
}
