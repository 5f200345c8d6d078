package operator

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/match"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func quoteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "quote",
		Short: "Answer bids that collect quotes, by hand; souk-agent can do it by itself",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(quoteListCommand(), quoteSubmitCommand(), quoteWithdrawCommand())
	return cmd
}

// openQuote is a bid that collects quotes, and how the provider's own stands.
type openQuote struct {
	Bid      uint64                `json:"bid"`
	Group    string                `json:"group"`
	Unit     markettypes.Resources `json:"unit"`
	Missing  uint32                `json:"missing_replicas"`
	Cap      uint64                `json:"cap_per_hour"`
	Denom    string                `json:"denom"`
	Quotes   int                   `json:"quotes"`
	Cheapest uint64                `json:"cheapest_per_hour,omitempty"`
	Own      uint64                `json:"own_per_hour,omitempty"`
	Rank     int                   `json:"own_rank,omitempty"` // from 1, the cheapest
}

func quoteListCommand() *cobra.Command {
	var provider string
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the bids that collect quotes, and how yours stand",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			op, err := openOperator(cmd)
			if err != nil {
				return err
			}
			defer op.Close()
			if provider == "" {
				provider = op.address
			}
			open, err := op.openQuotes(cmd.Context(), provider)
			if err != nil {
				return err
			}
			items := make([]any, len(open))
			for i, q := range open {
				items[i] = q
			}
			return op.Out.List(items, quoteRows(open))
		},
	}
	cmd.Flags().StringVar(&provider, "provider", "", "provider by its operator, when the agent's key asks")
	return cmd
}

func quoteRows(open []openQuote) output.Rows {
	rows := output.Rows{Columns: []output.Column{
		{Name: "bid", Right: true},
		{Name: "group"},
		{Name: "replicas", Right: true},
		{Name: "vcpu", Right: true},
		{Name: "memory", Right: true},
		{Name: "gpu", Right: true},
		{Name: "at most", Right: true},
		{Name: "quotes", Right: true},
		{Name: "cheapest", Right: true},
		{Name: "yours", Right: true},
		{Name: "rank", Right: true},
		{Name: "disk", Wide: true, Right: true},
		{Name: "egress", Wide: true, Right: true},
	}, Empty: "no bid collects quotes now"}
	for _, q := range open {
		cheapest, own, rank := "-", "-", "-"
		if q.Quotes > 0 {
			cheapest = output.PerHour(q.Cheapest, q.Denom)
		}
		if q.Rank > 0 {
			own, rank = output.PerHour(q.Own, q.Denom), fmt.Sprint(q.Rank)
		}
		rows.Cells = append(rows.Cells, []string{
			fmt.Sprint(q.Bid), q.Group, fmt.Sprint(q.Missing), fmt.Sprintf("%g", float64(q.Unit.CpuMillis)/1000), fmt.Sprintf("%d MiB", q.Unit.MemoryMib),
			fmt.Sprintf("%g", float64(q.Unit.GpuMillis)/1000), output.PerHour(q.Cap, q.Denom), fmt.Sprint(q.Quotes), cheapest, own, rank,
			fmt.Sprintf("%d MiB", q.Unit.EphemeralMib), fmt.Sprintf("%d Mbit/s", q.Unit.EgressMbps),
		})
	}
	return rows
}

// openQuotes lists the bids in the book that collect quotes.
func (op *operator) openQuotes(ctx context.Context, provider string) ([]openQuote, error) {
	var out []openQuote
	page := &query.PageRequest{Limit: 200}
	for {
		res, err := op.Market.OpenBids(ctx, &markettypes.QueryOpenBidsRequest{Pagination: page, Mode: markettypes.BidMode_BID_MODE_QUOTE})
		if err != nil {
			return nil, client.Explain("list the bids in the book", err)
		}
		for _, b := range res.Bids {
			quotes, err := op.quotes(ctx, b.Id)
			if err != nil {
				return nil, err
			}
			out = append(out, standing(b, quotes, provider))
		}
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			return out, nil
		}
		page = &query.PageRequest{Limit: 200, Key: res.Pagination.NextKey}
	}
}

func (op *operator) quotes(ctx context.Context, bid uint64) ([]markettypes.Quote, error) {
	res, err := op.Market.Quotes(ctx, &markettypes.QueryQuotesRequest{Bid: bid})
	if err != nil {
		return nil, client.Explain(fmt.Sprintf("read the quotes for bid %d", bid), err)
	}
	return res.Quotes, nil
}

// standing is how a provider's quote stands among those of a bid, which come cheapest first.
func standing(b markettypes.Bid, quotes []markettypes.Quote, provider string) openQuote {
	q := openQuote{
		Bid: b.Id, Group: b.Spec.Name, Unit: b.Spec.Unit, Cap: b.Spec.Cap, Denom: b.Denom, Quotes: len(quotes),
		Missing: b.Spec.Replicas - min(b.Spec.Replicas, b.Placed+b.Released),
	}
	for i, quote := range quotes {
		if i == 0 {
			q.Cheapest = quote.Rate
		}
		if quote.Provider == provider {
			q.Own, q.Rank = quote.Rate, i+1
		}
	}
	return q
}

// quoteOptions are what a quote is made of.
type quoteOptions struct {
	offer    uint64
	replicas uint32
	valid    time.Duration
	prices   priceFlags
	yes      bool
}

func quoteSubmitCommand() *cobra.Command {
	var o quoteOptions
	cmd := &cobra.Command{
		Use:   "submit BID",
		Short: "Quote a price for a bid; it takes the place of your last one",
		Long: `Quote a price for a bid that collects quotes. One of your offers stands behind it: its
pool, its labels and its terms. Without prices they are those of the offer. Nothing
is reserved: if the quote is accepted while the capacity is gone, nothing happens.`,
		Example: `  souk provider quote submit 12 --offer 3
  souk provider quote submit 12 --offer 3 --cpu 0.008SOUK --memory 0.002SOUK --replicas 2 --valid 30m`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			bid, err := bidID(args[0])
			if err != nil {
				return err
			}
			ask, err := o.ask()
			if err != nil {
				return session.Usage(err)
			}
			op, err := openOperator(cmd)
			if err != nil {
				return err
			}
			defer op.Close()
			return op.submitQuote(cmd.Context(), bid, o, ask)
		},
	}
	flags := cmd.Flags()
	flags.Uint64Var(&o.offer, "offer", 0, "offer that stands behind it; souk provider status lists them")
	flags.Uint32Var(&o.replicas, "replicas", 1, "how many replicas you would take")
	flags.DurationVar(&o.valid, "valid", time.Hour, "how long it may be accepted")
	flags.StringVar(&o.prices.cpu, "cpu", "", "price per vCPU and hour, such as 0.01SOUK")
	flags.StringVar(&o.prices.memory, "memory", "", "price per GiB of memory and hour")
	flags.StringVar(&o.prices.ephemeral, "disk", "", "price per GiB of scratch disk and hour")
	flags.StringVar(&o.prices.gpu, "gpu", "", "price per GPU and hour")
	flags.StringVar(&o.prices.egress, "egress", "", "price per Mbit/s and hour")
	flags.BoolVarP(&o.yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

func bidID(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil || id == 0 {
		return 0, session.Usage(fault.New("bid "+text+" is not a number", nil, "souk provider quote ls lists the bids"))
	}
	return id, nil
}

// ask is what the flags ask for; nil for the offer's own prices.
func (o quoteOptions) ask() (*markettypes.Ask, error) {
	switch {
	case o.offer == 0:
		return nil, fault.New("a quote needs an offer to stand behind it", nil, "souk provider quote submit BID --offer OFFER; souk provider status lists the offers")
	case o.replicas == 0:
		return nil, fault.New("--replicas 0 quotes nothing", nil, "souk provider quote withdraw BID takes a quote back")
	case o.valid < time.Second:
		return nil, fault.New("--valid "+o.valid.String()+" ends before anybody sees it", nil, "souk provider quote submit BID --offer OFFER --valid 1h")
	case o.prices.cpu == "" && o.prices.memory == "" && o.prices.ephemeral == "" && o.prices.gpu == "" && o.prices.egress == "":
		return nil, nil
	}
	ask, _, err := o.prices.parse()
	return &ask, err
}

func (op *operator) submitQuote(ctx context.Context, bid uint64, o quoteOptions, ask *markettypes.Ask) error {
	res, err := op.Market.Bid(ctx, &markettypes.QueryBidRequest{Id: bid})
	if err != nil {
		return client.Explain(fmt.Sprintf("look for bid %d", bid), err)
	}
	b := res.Bid
	if b.Spec.Mode != markettypes.BidMode_BID_MODE_QUOTE {
		return session.Usage(fault.New(fmt.Sprintf("bid %d collects no quotes", bid), nil, "souk provider quote ls lists those that do"))
	}
	if ask == nil {
		if ask, err = op.askOf(ctx, o.offer, b.Denom); err != nil {
			return err
		}
	}
	rate, err := match.Rate(b.Spec.Unit.Vector(), ask.Vector(), 1)
	if err != nil {
		return session.Usage(fault.New("price the quote", err, "lower prices"))
	}
	question := fmt.Sprintf("Quote %s a replica for %d of %s, for %s?", output.PerHour(rate, b.Denom), o.replicas, output.Clean(b.Spec.Name), o.valid)
	if rate > b.Spec.Cap {
		return session.Usage(fault.Newf(fmt.Sprintf("the quote is dearer than bid %d allows", bid), "lower prices",
			"it comes to %s a replica, the most is %s", output.PerHour(rate, b.Denom), output.PerHour(b.Spec.Cap, b.Denom)))
	}
	if err := op.Confirm(ctx, o.yes, question); err != nil {
		return err
	}
	receipt, err := op.send(ctx, fmt.Sprintf("quote for bid %d", bid), &markettypes.MsgSubmitQuote{
		Signer: op.address, Bid: bid, Offer: o.offer, Ask: *ask, Replicas: o.replicas, ValidSeconds: uint64(o.valid / time.Second),
	})
	if err != nil {
		return err
	}
	var answer markettypes.MsgSubmitQuoteResponse
	if err := receipt.Response(0, &answer); err != nil {
		return err
	}
	return op.Out.One(map[string]any{
		"bid": bid, "offer": o.offer, "rate_per_hour": answer.Rate, "denom": b.Denom, "replicas": o.replicas, "valid_seconds": uint64(o.valid / time.Second), "tx_hash": receipt.Hash,
	}, fmt.Sprintf("quoted   %s a replica for bid %d, for %s\n", output.PerHour(answer.Rate, b.Denom), bid, o.valid))
}

// askOf is what an offer asks in a denom.
func (op *operator) askOf(ctx context.Context, offer uint64, denom string) (*markettypes.Ask, error) {
	res, err := op.Market.Offer(ctx, &markettypes.QueryOfferRequest{Id: offer})
	if err != nil {
		return nil, client.Explain(fmt.Sprintf("look for offer %d", offer), err)
	}
	ask, ok := markettypes.AskIn(res.Offer.Asks, denom)
	if !ok {
		return nil, session.Usage(fault.New(fmt.Sprintf("offer %d has no prices in %s, in which the bid pays", offer, denom), nil, "give --cpu and --memory in that denom"))
	}
	return &ask, nil
}

func quoteWithdrawCommand() *cobra.Command {
	var (
		yes      bool
		provider string
	)
	cmd := &cobra.Command{
		Use:     "withdraw BID",
		Short:   "Take a quote back",
		Example: "  souk provider quote withdraw 12",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			bid, err := bidID(args[0])
			if err != nil {
				return err
			}
			op, err := openOperator(cmd)
			if err != nil {
				return err
			}
			defer op.Close()
			if provider == "" {
				provider = op.address
			}
			if err := op.Confirm(cmd.Context(), yes, fmt.Sprintf("Withdraw the quote for bid %d?", bid)); err != nil {
				return err
			}
			receipt, err := op.send(cmd.Context(), fmt.Sprintf("withdraw the quote for bid %d", bid), &markettypes.MsgWithdrawQuote{
				Signer: op.address, Provider: provider, Bid: bid,
			})
			if err != nil {
				return err
			}
			return op.Out.One(map[string]any{"bid": bid, "provider": provider, "tx_hash": receipt.Hash}, fmt.Sprintf("bid %d: quote withdrawn\n", bid))
		},
	}
	cmd.Flags().StringVar(&provider, "provider", "", "provider by its operator, when the agent's key signs")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}
