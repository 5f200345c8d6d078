package tenant

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/book"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/match"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// offerItem is an offer as it is printed for programs.
type offerItem struct {
	Offer      uint64                `json:"offer"`
	Provider   string                `json:"provider"`
	Name       string                `json:"name"`
	Free       markettypes.Resources `json:"free"`
	Largest    markettypes.Resources `json:"largest_unit"`
	Asks       []markettypes.Ask     `json:"asks"`
	Labels     map[string]string     `json:"labels"`
	Reputation uint32                `json:"reputation_ppm"`
	Gateway    string                `json:"gateway"`
}

func offersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "offers",
		Short: "List what providers offer, and at what price",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := session.Open(cmd)
			if err != nil {
				return err
			}
			c, err := s.Dial(cmd.Context())
			if err != nil {
				return err
			}
			defer c.Close()
			orders, err := book.Load(cmd.Context(), c)
			if err != nil {
				return client.Explain("read the order book", err)
			}
			return printOffers(s, orders)
		},
	}
}

func printOffers(s *session.Session, orders *book.Book) error {
	rows := output.Rows{
		Columns: []output.Column{
			{Name: "offer", Right: true},
			{Name: "provider"},
			{Name: "region"},
			{Name: "vCPU free", Right: true},
			{Name: "memory free", Right: true},
			{Name: "disk free", Right: true},
			{Name: "GPU free", Right: true},
			{Name: "vCPU/h", Right: true},
			{Name: "GiB/h", Right: true},
			{Name: "GPU/h", Wide: true, Right: true},
			{Name: "labels", Wide: true},
			{Name: "operator", Wide: true},
		},
		Empty: "nobody offers anything yet",
	}
	var items []any
	for _, e := range orders.Entries {
		free := e.Pool.Free()
		item := offerItem{
			Offer: e.Offer.Id, Provider: e.Offer.Provider, Name: e.ProviderName, Free: markettypes.ResourcesOf(free),
			Largest: e.Pool.LargestUnit, Asks: e.Offer.Asks, Labels: map[string]string{}, Reputation: e.Reputation, Gateway: e.GatewayUri,
		}
		var labels []string
		for _, l := range e.Offer.Labels {
			item.Labels[l.Key] = l.Value
			labels = append(labels, l.Key+"="+l.Value)
		}
		items = append(items, item)
		for _, ask := range e.Offer.Asks {
			price := func(amount uint64) string { return strings.TrimSuffix(output.PerHour(amount, ask.Denom), "/h") }
			rows.Cells = append(rows.Cells, []string{
				fmt.Sprint(e.Offer.Id), nameOf(e), labelOr(e.Offer.Labels, "region", "-"),
				fmt.Sprintf("%g", float64(free[match.CPUMillis])/1000), gib(free[match.MemoryMiB]), gib(free[match.EphemeralMiB]),
				fmt.Sprintf("%g", float64(free[match.GPUMillis])/1000), price(ask.Cpu), price(ask.Memory),
				price(ask.Gpu), strings.Join(labels, " "), e.Offer.Provider,
			})
		}
	}
	return s.Out.List(items, rows)
}

func gib(mib uint64) string { return fmt.Sprintf("%.1f GiB", float64(mib)/1024) }
