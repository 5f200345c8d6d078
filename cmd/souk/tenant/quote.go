package tenant

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func quotesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "quotes NAME[/GROUP]",
		Short: "List what providers quote for a deployment, the cheapest first",
		Example: `  souk quotes shop
  souk quotes shop/batch -o wide`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := parseTarget(args[0])
			if err != nil {
				return err
			}
			t, err := openReader(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			return t.listQuotes(cmd.Context(), g)
		},
	}
}

func quoteCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "quote", Short: "Act on single quotes for a deployment", Args: cobra.NoArgs}
	cmd.AddCommand(quoteAcceptCommand())
	return cmd
}

// quoteView is a quote with what is to be known of who made it.
type quoteView struct {
	Group    string  `json:"group"`
	Bid      uint64  `json:"bid"`
	Provider string  `json:"provider"`
	Name     string  `json:"name,omitempty"`
	Offer    uint64  `json:"offer"`
	Rate     uint64  `json:"rate_per_hour"` // of one replica
	Denom    string  `json:"denom"`
	Replicas uint32  `json:"replicas"`
	ValidFor uint64  `json:"valid_for_seconds"`
	Region   string  `json:"region,omitempty"`
	Class    string  `json:"isolation,omitempty"`
	Percent  float64 `json:"reputation_percent"`

	quote markettypes.Quote
}

// quoting are the bids of a deployment that collect quotes, or the one of a group.
func (d *open) quoting(group string) ([]markettypes.Bid, error) {
	var found []markettypes.Bid
	for _, b := range d.bids {
		if b.State != markettypes.BidState_BID_STATE_CLOSED && b.Spec.Mode == markettypes.BidMode_BID_MODE_QUOTE && (group == "" || b.Spec.Name == group) {
			found = append(found, b)
		}
	}
	if len(found) == 0 {
		return nil, fault.New((target{d.Name, group}).String()+" collects no quotes", nil,
			"x-souk: {mode: quote} in the file, or souk up --quotes, asks for them")
	}
	return found, nil
}

func (t *tenant) listQuotes(ctx context.Context, g target) error {
	d, err := t.mustFind(ctx, g.deployment)
	if err != nil {
		return err
	}
	bids, err := d.quoting(g.service)
	if err != nil {
		return err
	}
	var views []quoteView
	for _, b := range bids {
		found, err := t.quoteViews(ctx, b)
		if err != nil {
			return err
		}
		views = append(views, found...)
	}
	items := make([]any, len(views))
	for i, v := range views {
		items[i] = v
	}
	if err := t.Out.List(items, quoteRows(views, "no provider has quoted yet")); err != nil {
		return err
	}
	if len(views) > 0 {
		t.Notef("accept one with: souk quote accept %s PROVIDER", target{d.Name, views[0].Group})
	}
	return nil
}

// quoteViews are the quotes of a bid that can be accepted, the cheapest first.
func (t *tenant) quoteViews(ctx context.Context, b markettypes.Bid) ([]quoteView, error) {
	res, err := t.Market.Quotes(ctx, &markettypes.QueryQuotesRequest{Bid: b.Id})
	if err != nil {
		return nil, client.Explain("read the quotes for "+b.Spec.Name, err)
	}
	clock, err := t.serviceClock(ctx)
	if err != nil {
		return nil, err
	}
	var views []quoteView
	for _, q := range byPrice(res.Quotes) {
		v := quoteView{
			Group: b.Spec.Name, Bid: b.Id, Provider: q.Provider, Offer: q.Offer, Rate: q.Rate, Denom: b.Denom, Replicas: q.Replicas, quote: q,
		}
		if q.ExpiresAt > clock.now {
			v.ValidFor = q.ExpiresAt - clock.now
		}
		p, err := t.provider(ctx, q.Provider)
		if err != nil {
			return nil, err
		}
		v.Name, v.Percent = p.Info.Name, float64(p.Reputation)/1e4
		offer, err := t.Market.Offer(ctx, &markettypes.QueryOfferRequest{Id: q.Offer})
		if err != nil {
			return nil, client.Explain(fmt.Sprintf("read offer %d", q.Offer), err)
		}
		v.Region, v.Class = labelOr(offer.Offer.Labels, "region", ""), labelOr(offer.Offer.Labels, "isolation", "")
		views = append(views, v)
	}
	return views, nil
}

// quoteRows are quotes as a table; with numbers when they are chosen from.
func quoteRows(views []quoteView, empty string) output.Rows {
	rows := output.Rows{Columns: []output.Column{
		{Name: "group"},
		{Name: "#", Right: true},
		{Name: "provider"},
		{Name: "name"},
		{Name: "per hour", Right: true},
		{Name: "per month", Right: true},
		{Name: "replicas", Right: true},
		{Name: "valid for"},
		{Name: "region"},
		{Name: "reputation", Right: true},
		{Name: "isolation", Wide: true},
		{Name: "offer", Wide: true, Right: true},
	}, Empty: empty}
	or := func(text string) string {
		if text == "" {
			return "-"
		}
		return text
	}
	number := map[string]int{}
	for _, v := range views {
		number[v.Group]++
		rows.Cells = append(rows.Cells, []string{
			v.Group, fmt.Sprint(number[v.Group]), v.Provider, or(v.Name), output.PerHour(v.Rate, v.Denom), output.PerMonth(v.Rate, v.Denom), fmt.Sprint(v.Replicas),
			output.Runway(v.ValidFor), or(v.Region), fmt.Sprintf("%.1f%%", v.Percent), or(v.Class), fmt.Sprint(v.Offer),
		})
	}
	return rows
}

func quoteAcceptCommand() *cobra.Command {
	var (
		yes      bool
		replicas uint32
	)
	cmd := &cobra.Command{
		Use:   "accept NAME[/GROUP] PROVIDER",
		Short: "Take a provider's quote: it becomes a lease",
		Long: `Take a provider's quote, by its address or name: it becomes a lease at the price that
was quoted, or at less. If the provider has become dearer meanwhile nothing happens.`,
		Example: `  souk quote accept shop souk1...
  souk quote accept shop/batch example-provider --replicas 2`,
		Args: cobra.ExactArgs(2), ValidArgsFunction: completeQuotes,
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := parseTarget(args[0])
			if err != nil {
				return err
			}
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			return t.acceptQuote(cmd.Context(), g, args[1], replicas, yes)
		},
	}
	cmd.Flags().Uint32Var(&replicas, "replicas", 0, "how many to take; all that were quoted and are missing if 0")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

func (t *tenant) acceptQuote(ctx context.Context, g target, provider string, replicas uint32, yes bool) error {
	d, err := t.mustFind(ctx, g.deployment)
	if err != nil {
		return err
	}
	v, err := t.quoteOf(ctx, d, g, provider)
	if err != nil {
		return err
	}
	question := fmt.Sprintf("Take %s of %s at %s for %s each?", replicasText(max(replicas, 1)), v.Group, v.Provider, output.PerHour(v.Rate, v.Denom))
	if replicas == 0 {
		question = fmt.Sprintf("Take what %s quotes for %s, %s a replica?", v.Provider, v.Group, output.PerHour(v.Rate, v.Denom))
	}
	if err := t.Confirm(ctx, yes, question); err != nil {
		return err
	}
	receipt, err := t.Send(ctx, t.Client, t.owner, "accept the quote of "+v.Provider, &markettypes.MsgAcceptQuote{
		Signer: t.owner, Bid: v.Bid, Provider: v.Provider, Replicas: replicas, MaxRate: v.Rate,
	})
	if err != nil {
		return err
	}
	var answer markettypes.MsgAcceptQuoteResponse
	if err := receipt.Response(0, &answer); err != nil {
		return err
	}
	return t.Out.One(map[string]any{
		"deployment": d.Name, "group": v.Group, "lease": answer.Lease, "provider": v.Provider, "rate_per_hour": v.Rate, "denom": v.Denom, "tx_hash": receipt.Hash,
	}, fmt.Sprintf("lease %d  %s  %s\nnext     souk up FILE   hands its manifest over\n", answer.Lease, v.Provider, output.PerHour(v.Rate, v.Denom)))
}

// quoteOf finds a provider's quote, by the provider's address or name.
func (t *tenant) quoteOf(ctx context.Context, d *open, g target, provider string) (quoteView, error) {
	bids, err := d.quoting(g.service)
	if err != nil {
		return quoteView{}, err
	}
	var found []quoteView
	for _, b := range bids {
		views, err := t.quoteViews(ctx, b)
		if err != nil {
			return quoteView{}, err
		}
		found = append(found, slices.DeleteFunc(views, func(v quoteView) bool { return v.Provider != provider && v.Name != provider })...)
	}
	switch len(found) {
	case 0:
		return quoteView{}, fault.New(fmt.Sprintf("%s quotes nothing for %s", provider, g), nil, "souk quotes "+g.String())
	case 1:
		return found[0], nil
	default:
		return quoteView{}, session.Usage(fault.New(fmt.Sprintf("%s names several quotes for %s", provider, g), nil,
			fmt.Sprintf("souk quote accept %s %s", target{d.Name, found[0].Group}, found[0].Provider)))
	}
}

// completeQuotes completes a deployment, then the providers that quote for it.
func completeQuotes(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return completeNames(cmd, args, typed)
	}
	return ask(cmd, func(ctx context.Context, t *tenant) ([]string, error) {
		g, err := parseTarget(args[0])
		if err != nil {
			return nil, err
		}
		d, err := t.mustFind(ctx, g.deployment)
		if err != nil {
			return nil, err
		}
		bids, err := d.quoting(g.service)
		var out []string
		for _, b := range bids {
			res, err := t.Market.Quotes(ctx, &markettypes.QueryQuotesRequest{Bid: b.Id})
			if err != nil {
				return nil, err
			}
			for _, q := range res.Quotes {
				out = append(out, cobra.CompletionWithDesc(q.Provider, output.PerHour(q.Rate, b.Denom)))
			}
		}
		return out, err
	}), noFiles
}
