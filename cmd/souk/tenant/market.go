package tenant

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/cmd/souk/output"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func marketCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "market", Short: "Look at the market as a whole", Args: cobra.NoArgs}
	cmd.AddCommand(clearingCommand())
	return cmd
}

func clearingCommand() *cobra.Command {
	var denom string
	cmd := &cobra.Command{
		Use:   "clearing",
		Short: "Show what the last clearing did, and how far it was from the best",
		Long: `Show the last clearing of bids in a denom: the welfare that it reached (what bids
would have paid at most, less what they pay, an hour), the bound that no clearing of
these bids and offers could exceed, and the class prices that prove the bound: what
capacity that bids can not tell apart was worth beyond its ask.`,
		Example: `  souk market clearing
  souk market clearing -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := openReader(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			return t.clearing(cmd.Context(), denom)
		},
	}
	cmd.Flags().StringVar(&denom, "denom", scope.Denom, "denom of the bids")
	return cmd
}

// clearingView is a clearing as it is printed for programs.
type clearingView struct {
	Denom   string            `json:"denom"`
	Number  uint64            `json:"number"` // 0 before the first
	Time    *time.Time        `json:"time,omitempty"`
	Bids    uint32            `json:"bids"`
	Offers  uint32            `json:"offers"`
	Leases  uint32            `json:"leases"`
	Welfare string            `json:"welfare_per_hour"`
	Bound   string            `json:"bound_per_hour"`
	GapPPM  uint32            `json:"gap_ppm"`
	Prices  []classPriceView  `json:"class_prices"`
	Weights map[string]uint64 `json:"weights"` // in the next one, 65536 for one
}

// classPriceView is what capacity of a class was worth beyond its ask, by resource, an hour.
type classPriceView struct {
	Offer  uint64            `json:"offer"` // the first of the class
	Prices map[string]uint64 `json:"prices_per_hour"`
}

// dimension is a resource as people call it, and the unit in which it is asked for.
type dimension struct {
	name, unit string
	of         func(markettypes.Resources) uint64
}

var dimensions = []dimension{
	{"cpu", "vCPU", func(r markettypes.Resources) uint64 { return r.CpuMillis }},
	{"memory", "GiB", func(r markettypes.Resources) uint64 { return r.MemoryMib }},
	{"ephemeral", "GiB", func(r markettypes.Resources) uint64 { return r.EphemeralMib }},
	{"hdd", "GiB", func(r markettypes.Resources) uint64 { return r.HddMib }},
	{"ssd", "GiB", func(r markettypes.Resources) uint64 { return r.SsdMib }},
	{"nvme", "GiB", func(r markettypes.Resources) uint64 { return r.NvmeMib }},
	{"gpu", "GPU", func(r markettypes.Resources) uint64 { return r.GpuMillis }},
	{"egress", "Mbit/s", func(r markettypes.Resources) uint64 { return r.EgressMbps }},
}

// amounts are the resources that are above zero, by name.
func amounts(r markettypes.Resources) map[string]uint64 {
	out := map[string]uint64{}
	for _, d := range dimensions {
		if n := d.of(r); n > 0 {
			out[d.name] = n
		}
	}
	return out
}

func (t *tenant) clearing(ctx context.Context, denom string) error {
	res, err := t.Market.Clearing(ctx, &markettypes.QueryClearingRequest{Denom: denom})
	if err != nil {
		return client.Explain("read the last clearing", err)
	}
	clock, err := t.serviceClock(ctx)
	if err != nil {
		return err
	}
	v := viewOfClearing(denom, res, clock.at)
	return t.Out.One(v, v.text(t.Out.Colours))
}

func viewOfClearing(denom string, res *markettypes.QueryClearingResponse, wall func(uint64) time.Time) clearingView {
	v := clearingView{Denom: denom, Welfare: "0", Bound: "0", Prices: []classPriceView{}, Weights: amounts(res.Weights.Weights)}
	c := res.Cleared
	if c == nil {
		return v
	}
	at := wall(c.Second)
	v.Number, v.Time, v.Bids, v.Offers, v.Leases, v.GapPPM = c.Number, &at, c.Bids, c.Offers, c.Leases, c.GapPpm
	v.Welfare, v.Bound = c.Welfare.String(), c.Bound.String()
	for _, p := range c.Prices {
		v.Prices = append(v.Prices, classPriceView{p.Offer, amounts(p.Price)})
	}
	return v
}

func (v clearingView) text(colours bool) string {
	if v.Number == 0 {
		return "nothing was cleared in " + output.Clean(v.Denom) + " yet\n"
	}
	var text strings.Builder
	perHour := func(amount string) string {
		if n, err := strconv.ParseUint(amount, 10, 64); err == nil {
			return output.PerHour(n, v.Denom)
		}
		return amount + " " + output.Clean(v.Denom) + "/h"
	}
	fmt.Fprintf(&text, "clearing %d, %s\ntook     %d bids, %d offers\nleases   %d\nwelfare  %s\nbound    %s\ngap      at most %.4f%%\n", v.Number,
		v.Time.Local().Format("2006-01-02 15:04:05"), v.Bids, v.Offers, v.Leases, perHour(v.Welfare), perHour(v.Bound), float64(v.GapPPM)/1e4)
	if len(v.Prices) > 0 {
		fmt.Fprintf(&text, "\n%s\n", v.rows().Coloured(colours))
	}
	return text.String()
}

// rows are the class prices.
func (v clearingView) rows() output.Rows {
	rows := output.Rows{Columns: []output.Column{{Name: "class of offer", Right: true}}}
	var used []dimension
	for _, d := range dimensions {
		for _, p := range v.Prices {
			if p.Prices[d.name] > 0 {
				used = append(used, d)
				rows.Columns = append(rows.Columns, output.Column{Name: d.name + " per " + d.unit, Right: true})
				break
			}
		}
	}
	for _, p := range v.Prices {
		cells := []string{fmt.Sprint(p.Offer)}
		for _, d := range used {
			cells = append(cells, output.PerHour(p.Prices[d.name], v.Denom))
		}
		rows.Cells = append(rows.Cells, cells)
	}
	return rows
}
