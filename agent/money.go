package agent

import (
	"github.com/prometheus/client_golang/prometheus"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Money counts what the agent spends and brings in, in micro-denom.
type Money struct {
	fees        *prometheus.CounterVec
	spent       *prometheus.GaugeVec
	budget      *prometheus.GaugeVec
	withdrawn   *prometheus.CounterVec
	withdrawals *prometheus.CounterVec
	priceErrors prometheus.Counter
	pricesOK    prometheus.Gauge
}

// NewMoney registers the counters; budget is what may be spent on fees in a day.
func NewMoney(registry prometheus.Registerer, budget sdk.Coins) *Money {
	const prefix = "souk_agent_"
	m := &Money{
		fees:        prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "fees_total", Help: "Fees paid, in micro-denom."}, []string{"denom"}),
		spent:       prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "fees_spent", Help: "Fees paid within the window of the budget, in micro-denom."}, []string{"denom"}),
		budget:      prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: prefix + "fee_budget", Help: "Most that may be paid in fees in 24 hours, in micro-denom; none without a bound."}, []string{"denom"}),
		withdrawn:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "withdrawn_total", Help: "Earnings paid out, after the fee, in micro-denom."}, []string{"denom"}),
		withdrawals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: prefix + "withdrawals_total", Help: "Withdrawals by result."}, []string{"denom", "result"}),
		priceErrors: prometheus.NewCounter(prometheus.CounterOpts{Name: prefix + "price_errors_total", Help: "Questions to the program that sets prices that brought none."}),
		pricesOK:    prometheus.NewGauge(prometheus.GaugeOpts{Name: prefix + "prices_ok", Help: "1 while the strategy sets prices, 0 while the last ones stay since it fails."}),
	}
	registry.MustRegister(m.fees, m.spent, m.budget, m.withdrawn, m.withdrawals, m.priceErrors, m.pricesOK)
	m.pricesOK.Set(1)
	for _, c := range budget {
		m.budget.WithLabelValues(c.Denom).Set(micro(c.Amount))
	}
	return m
}

// reservePercent of the fee budget is for acknowledgements alone: new prices and withdrawals can wait, leases cannot.
const reservePercent = 25

// FeeReserve is the part of a fee budget that is kept for acknowledgements, rounded down.
func FeeReserve(budget sdk.Coins) sdk.Coins {
	reserve := sdk.Coins{}
	for _, c := range budget {
		reserve = reserve.Add(sdk.NewCoin(c.Denom, c.Amount.MulRaw(reservePercent).QuoRaw(100)))
	}
	return reserve
}

// Paid counts a fee, and what is spent of the budget by now.
func (m *Money) Paid(fee, spent sdk.Coins) {
	for _, c := range fee {
		m.fees.WithLabelValues(c.Denom).Add(micro(c.Amount))
	}
	m.spent.Reset()
	for _, c := range spent {
		m.spent.WithLabelValues(c.Denom).Set(micro(c.Amount))
	}
}

// micro is an amount as a metric has it: not exact above 2^53.
func micro(amount math.Int) float64 {
	f, _ := amount.BigInt().Float64()
	return f
}
