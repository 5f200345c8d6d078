package tenant

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/book"
	"github.com/souk-network/souk/client/book/filter"
	"github.com/souk-network/souk/client/fault"
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

type offerOptions struct{ sort, denom string }

func offersCommand() *cobra.Command {
	var o offerOptions
	cmd := &cobra.Command{
		Use:   "offers [EXPRESSION]",
		Short: "List what providers offer, and at what price",
		Long:  offersHelp(),
		Example: `  souk offers
  souk offers 'cpu >= 8 && price < 0.05' --sort price
  souk offers 'gpu.model == "a100" && price < 2'
  souk offers 'region.startsWith("eu") && labels["tier"] == "gold"'`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeExpression,
		RunE: func(cmd *cobra.Command, args []string) error {
			chosen, err := compileOffers(strings.Join(args, ""), o)
			if err != nil {
				return err
			}
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
			if orders.Entries, err = chooseOffers(orders.Entries, chosen, o); err != nil {
				return err
			}
			return printOffers(s, orders)
		},
	}
	cmd.Flags().StringVar(&o.sort, "sort", "", "field to sort by, from the least; with a minus before it from the most")
	cmd.Flags().StringVar(&o.denom, "denom", scope.Denom, "denom of the prices in the expression")
	completeFlag(cmd, "sort", words(filter.Names()...))
	return cmd
}

func offersHelp() string {
	var text strings.Builder
	text.WriteString(`List the offers in the order book: all, or those of which an expression is true.
Expressions are CEL: comparisons, && || !, in, has, startsWith, matches, size.
Prices are in the display denom. Fields:

`)
	for _, f := range filter.Fields {
		fmt.Fprintf(&text, "  %-14s  %s\n", f.Name, f.Doc)
	}
	return strings.TrimRight(text.String(), "\n")
}

// compileOffers checks expression and order before anybody is asked; nil for all offers.
func compileOffers(expression string, o offerOptions) (*filter.Filter, error) {
	if o.sort != "" {
		if err := filter.Sort(nil, o.sort, o.denom); err != nil {
			try := "souk offers --help lists the fields"
			if near := filter.Nearest(strings.TrimPrefix(o.sort, "-")); near != "" {
				try = "souk offers --sort " + near
			}
			return nil, session.Usage(fault.New("sort the offers", err, try))
		}
	}
	if expression == "" {
		return nil, nil
	}
	chosen, err := filter.Compile(expression, o.denom)
	if err != nil {
		return nil, session.Usage(fault.New("the expression can not be used", err, "souk offers --help lists the fields"))
	}
	return chosen, nil
}

func chooseOffers(entries []markettypes.BookEntry, chosen *filter.Filter, o offerOptions) ([]markettypes.BookEntry, error) {
	out := entries
	if chosen != nil {
		out = nil
		for _, e := range entries {
			matched, err := chosen.Match(e)
			if err != nil {
				return nil, session.Usage(fault.New("the expression can not be used", err, "souk offers --help lists the fields"))
			}
			if matched {
				out = append(out, e)
			}
		}
	}
	if o.sort == "" {
		return out, nil
	}
	return out, filter.Sort(out, o.sort, o.denom)
}

// completeExpression completes the field that is being typed.
func completeExpression(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	at := strings.LastIndexAny(typed, " !(&|<>=+-*/,[") + 1
	var out []string
	for _, f := range filter.Fields {
		if strings.HasPrefix(f.Name, typed[at:]) {
			out = append(out, cobra.CompletionWithDesc(typed[:at]+f.Name, f.Doc))
		}
	}
	return out, noFiles | cobra.ShellCompDirectiveNoSpace
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
			{Name: "reputation", Wide: true, Right: true},
			{Name: "labels", Wide: true},
			{Name: "operator", Wide: true},
		},
		Empty: "nobody offers that now",
	}
	var items []any
	for _, e := range orders.Entries {
		item, cells := offerRow(e)
		items = append(items, item)
		rows.Cells = append(rows.Cells, cells...)
	}
	return s.Out.List(items, rows)
}

// offerRow is an offer for programs, and for people with a line for each denom.
func offerRow(e markettypes.BookEntry) (offerItem, [][]string) {
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
	var cells [][]string
	for _, ask := range e.Offer.Asks {
		price := func(amount uint64) string { return strings.TrimSuffix(output.PerHour(amount, ask.Denom), "/h") }
		cells = append(cells, []string{
			fmt.Sprint(e.Offer.Id), nameOf(e), labelOr(e.Offer.Labels, "region", "-"),
			fmt.Sprintf("%g", float64(free[match.CPUMillis])/1000), gib(free[match.MemoryMiB]), gib(free[match.EphemeralMiB]),
			fmt.Sprintf("%g", float64(free[match.GPUMillis])/1000), price(ask.Cpu), price(ask.Memory),
			price(ask.Gpu), fmt.Sprintf("%.1f%%", float64(e.Reputation)/1e4), strings.Join(labels, " "), e.Offer.Provider,
		})
	}
	return item, cells
}

func gib(mib uint64) string { return fmt.Sprintf("%.1f GiB", float64(mib)/1024) }
