package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cosmossdk.io/math"

	abci "github.com/cometbft/cometbft/abci/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/cmd/souk/output"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// earnings is what a provider earned, for programs. Amounts are in micro-denom, rounded down.
type earnings struct {
	Provider string         `json:"provider"`
	Since    uint64         `json:"since"` // service second; 0 for as long as the chain knows
	Until    uint64         `json:"until"`
	Coins    []coinEarnings `json:"coins"`
	Leases   []leaseEarned  `json:"leases"`
}

// coinEarnings is one pot.
type coinEarnings struct {
	Denom     string   `json:"denom"`
	Rate      math.Int `json:"rate_per_hour"`
	Accruing  math.Int `json:"accruing"`
	HeldBack  math.Int `json:"held_back"`  // in closed epochs, proven or not
	Unproven  math.Int `json:"unproven"`   // part of it that waits for its proof
	Refund    math.Int `json:"refundable"` // not proven: it waits for tenants' claims
	Forfeited math.Int `json:"forfeited"`  // for a fault, likewise
	Available math.Int `json:"available"`
	Next      *matures `json:"matures_next,omitempty"` // nil when nothing that is credited is held back
	Last      *matures `json:"matures_last,omitempty"`
	Withdrawn math.Int `json:"withdrawn"` // paid to the payout account, as far as the node's index of transactions reaches
	Fees      math.Int `json:"withdrawal_fees"`
}

// matures is when held back money can be withdrawn, as things stand.
type matures struct {
	Epoch  uint64   `json:"epoch"`
	Amount math.Int `json:"amount"` // of that epoch
	At     uint64   `json:"at"`     // service second
}

// leaseEarned is what accrued by a lease in the period, before refunds.
type leaseEarned struct {
	Lease      uint64   `json:"lease"`
	Deployment string   `json:"deployment,omitempty"`
	State      string   `json:"state"`
	Denom      string   `json:"denom"`
	Rate       uint64   `json:"rate_per_hour"`
	Seconds    uint64   `json:"seconds"` // that were paid for
	Earned     math.Int `json:"earned"`
	grains     math.Int
}

func earningsCommand() *cobra.Command {
	var since time.Duration
	cmd := &cobra.Command{
		Use:   "earnings [OPERATOR]",
		Short: "Show what leases pay: accruing, held back, unproven, refundable, forfeited, available, withdrawn, and each lease's part",
		Long: `Show the provider's pots: what accrues in the running epoch, what is held back, what of
that waits for its proof, what was not proven and waits for tenants' claims, what was
forfeited for a fault, what can be withdrawn, and what was, as far as the node's index of transactions reaches.
Below them stand the live leases with what accrued by them, before refunds, and the
ended ones of the same accounts as long as the chain remembers them. --since counts
the last hours or days.`,
		Example: "  souk provider earnings\n  souk provider earnings --since 24h -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: ofProvider(func(ctx context.Context, op *operator, address string) error {
			if _, err := op.mustFind(ctx, address); err != nil {
				return err
			}
			e, err := op.earnings(ctx, address, since)
			if err != nil {
				return err
			}
			return op.Out.One(e, e.text())
		}),
	}
	cmd.Flags().DurationVar(&since, "since", 0, "count what leases paid in this time only, such as 24h")
	return cmd
}

func (op *operator) earnings(ctx context.Context, address string, since time.Duration) (earnings, error) {
	e := earnings{Provider: address, Coins: []coinEarnings{}, Leases: []leaseEarned{}}
	var err error
	if e.Until, err = op.now(ctx); err != nil {
		return e, err
	}
	if period := uint64(max(since, 0) / time.Second); period > 0 {
		e.Since = e.Until - min(e.Until, period)
	}
	params, err := op.Escrow.Params(ctx, &escrowtypes.QueryParamsRequest{})
	if err != nil {
		return e, client.Explain("read the coins that leases are paid in", err)
	}
	paid, err := op.withdrawn(ctx, address)
	if err != nil {
		return e, err
	}
	for _, d := range params.Params.Denoms {
		pot, err := op.Escrow.Earnings(ctx, &escrowtypes.QueryEarningsRequest{Payee: address, Denom: d.Denom})
		if err != nil {
			return e, client.Explain("read the earnings of "+address, err)
		}
		pots, err := op.epochPots(ctx, address, d.Denom)
		if err != nil {
			return e, err
		}
		refundable, forfeited := claimable(pots, e.Until)
		next, last := maturing(pots, e.Until)
		e.Coins = append(e.Coins, coinEarnings{
			Denom: d.Denom, Rate: pot.Rate, Accruing: pot.Accruing, HeldBack: pot.HeldBack, Available: pot.Available,
			Unproven: unprovenOf(pots), Refund: refundable, Forfeited: forfeited, Next: next, Last: last,
			Withdrawn: paid.received.AmountOf(d.Denom), Fees: paid.fees.AmountOf(d.Denom),
		})
	}
	work, err := op.work(ctx, address)
	if err != nil {
		return e, err
	}
	e.Leases, err = op.earnedByLease(ctx, address, work, e.Since, e.Until)
	return e, err
}

// unprovenOf is what was earned in epochs that are not credited yet, in micro-denom.
func unprovenOf(pots []escrowtypes.EpochPot) math.Int {
	grains := math.ZeroInt()
	for _, pot := range pots {
		if !pot.Credited {
			grains = grains.Add(pot.Service).Add(pot.Hold)
		}
	}
	return grains.QuoRaw(grainsPerMicro)
}

// claimable is what waits for tenants' claims in epochs that have not matured, in micro-denom: not proven, and forfeited.
func claimable(pots []escrowtypes.EpochPot, now uint64) (refundable, forfeited math.Int) {
	refundable, forfeited = math.ZeroInt(), math.ZeroInt()
	for _, pot := range pots {
		if now < pot.MaturesAt {
			refundable, forfeited = refundable.Add(pot.Refundable), forfeited.Add(pot.Forfeited)
		}
	}
	return refundable.QuoRaw(grainsPerMicro), forfeited.QuoRaw(grainsPerMicro)
}

// maturing finds the first and the last of the pots that are credited and held back; nil if there is none.
func maturing(pots []escrowtypes.EpochPot, now uint64) (next, last *matures) {
	for _, pot := range pots {
		if !pot.Credited || pot.MaturesAt <= now || !pot.Payable.IsPositive() {
			continue
		}
		m := matures{Epoch: pot.Epoch, Amount: pot.Payable.QuoRaw(grainsPerMicro), At: pot.MaturesAt}
		if next == nil || m.At < next.At {
			next = &m
		}
		if last == nil || m.At > last.At {
			last = &m
		}
	}
	return next, last
}

// earnedByLease reads the streams of the accounts that pay the provider now.
func (op *operator) earnedByLease(ctx context.Context, payee string, work []markettypes.Work, from, until uint64) ([]leaseEarned, error) {
	known := map[uint64]markettypes.Work{}
	accounts := map[uint64]string{} // denom of each
	for _, w := range work {
		known[w.Lease.Id] = w
		accounts[w.Lease.Account] = w.Lease.Denom
	}
	byLease := map[uint64]*leaseEarned{}
	for account, denom := range accounts {
		streams, err := op.streams(ctx, account)
		if err != nil {
			return nil, err
		}
		for _, s := range streams {
			if s.Payee == payee {
				addStream(byLease, s, denom, from, until)
			}
		}
	}
	all := []leaseEarned{}
	for id, l := range byLease {
		l.Earned, l.State = l.grains.QuoRaw(grainsPerMicro), "ended"
		if w, live := known[id]; live {
			l.Deployment, l.Rate = w.Name, w.Lease.Rate
			l.State = strings.ToLower(strings.TrimPrefix(w.Lease.State.String(), "LEASE_STATE_"))
		}
		all = append(all, *l)
	}
	slices.SortFunc(all, func(a, b leaseEarned) int { return int(a.Lease) - int(b.Lease) })
	return all, nil
}

// grainsPerMicro: a rate of one micro-denom an hour is one grain a second.
const grainsPerMicro = 3600

// addStream counts what a stream paid within a period.
func addStream(leases map[uint64]*leaseEarned, s escrowtypes.Stream, denom string, from, until uint64) {
	end := until
	if s.ClosedAt != 0 {
		end = min(end, s.ClosedAt)
	}
	start := max(from, s.OpenedAt)
	if end <= start {
		return
	}
	l := leases[s.Ref]
	if l == nil {
		l = &leaseEarned{Lease: s.Ref, Denom: denom, grains: math.ZeroInt()}
		leases[s.Ref] = l
	}
	l.Rate = s.Rate
	l.Seconds += end - start
	l.grains = l.grains.Add(math.NewIntFromUint64(s.Rate).Mul(math.NewIntFromUint64(end - start)))
}

// streams lists those of an account, the closed ones that are still known too.
func (op *operator) streams(ctx context.Context, account uint64) (all []escrowtypes.Stream, err error) {
	for _, closed := range []bool{false, true} {
		var key []byte
		for {
			res, err := op.Escrow.Streams(ctx, &escrowtypes.QueryStreamsRequest{
				Account: account, Closed: closed, Pagination: &query.PageRequest{Limit: 200, Key: key},
			})
			if err != nil {
				return nil, client.Explain(fmt.Sprintf("read the streams of account %d", account), err)
			}
			all = append(all, res.Streams...)
			if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
				break
			}
			key = res.Pagination.NextKey
		}
	}
	return all, nil
}

// payments are what withdrawals paid.
type payments struct{ received, fees sdk.Coins }

// maxPages of transactions that are read, the newest first.
const maxPages = 50

// withdrawn sums the withdrawals that the node has indexed.
func (op *operator) withdrawn(ctx context.Context, payee string) (payments, error) {
	var sum payments
	service := txtypes.NewServiceClient(op.Conn())
	for page := uint64(1); page <= maxPages; page++ {
		res, err := service.GetTxsEvent(ctx, &txtypes.GetTxsEventRequest{
			Query: fmt.Sprintf(`souk.escrow.v1.EventWithdrawn.payee='"%s"'`, payee), Page: page, Limit: 100,
			OrderBy: txtypes.OrderBy_ORDER_BY_DESC,
		})
		if err != nil {
			return sum, client.Explain("look for withdrawals of "+payee, err)
		}
		for _, tx := range res.TxResponses {
			if err := sum.add(tx.Events, payee); err != nil {
				return sum, fmt.Errorf("read the withdrawal in %s: %w", tx.TxHash, err)
			}
		}
		if page*100 >= res.Total {
			break
		}
	}
	return sum, nil
}

func (p *payments) add(events []abci.Event, payee string) error {
	for _, e := range events {
		if e.Type != "souk.escrow.v1.EventWithdrawn" {
			continue
		}
		said := map[string]string{}
		for _, a := range e.Attributes {
			var text string
			if json.Unmarshal([]byte(a.Value), &text) == nil {
				said[a.Key] = text
			}
		}
		if said["payee"] != payee {
			continue
		}
		for key, to := range map[string]*sdk.Coins{"amount": &p.received, "fee": &p.fees} {
			coins, err := sdk.ParseCoinsNormalized(said[key])
			if err != nil {
				return err
			}
			*to = to.Add(coins...)
		}
	}
	return nil
}

// empty tells that nothing was ever earned in the coin, as far as is known.
func (c coinEarnings) empty() bool {
	sum := c.Rate
	for _, part := range []math.Int{c.Accruing, c.HeldBack, c.Refund, c.Forfeited, c.Available, c.Withdrawn} {
		sum = sum.Add(part)
	}
	return sum.IsZero()
}

func (e earnings) text() string {
	coins := output.Rows{Columns: []output.Column{
		{Name: "coin"},
		{Name: "rate", Right: true},
		{Name: "accruing", Right: true},
		{Name: "held back", Right: true},
		{Name: "unproven", Right: true},
		{Name: "refundable", Right: true},
		{Name: "forfeited", Right: true},
		{Name: "available", Right: true},
		{Name: "withdrawn", Right: true},
	}}
	for i, c := range e.Coins {
		if i > 0 && c.empty() {
			continue
		}
		rate := uint64(0)
		if c.Rate.IsUint64() {
			rate = c.Rate.Uint64()
		}
		coins.Cells = append(coins.Cells, []string{
			c.Denom, output.PerHour(rate, c.Denom), output.Money(c.Accruing, c.Denom), output.Money(c.HeldBack, c.Denom),
			output.Money(c.Unproven, c.Denom), output.Money(c.Refund, c.Denom), output.Money(c.Forfeited, c.Denom),
			output.Money(c.Available, c.Denom), output.Money(c.Withdrawn, c.Denom),
		})
	}
	leases := output.Rows{Empty: "no lease pays now", Columns: []output.Column{
		{Name: "lease", Right: true},
		{Name: "state"},
		{Name: "deployment"},
		{Name: "rate", Right: true},
		{Name: "paid for", Right: true},
		{Name: "accrued", Right: true},
	}}
	for _, l := range e.Leases {
		leases.Cells = append(leases.Cells, []string{
			fmt.Sprint(l.Lease), l.State, output.Clean(l.Deployment), output.PerHour(l.Rate, l.Denom), output.Runway(l.Seconds), output.Money(l.Earned, l.Denom),
		})
	}
	return coins.Text(true) + "\n" + e.maturesText() + "\n" + textOf(leases) + "\n"
}

// maturesText says until when money is held back.
func (e earnings) maturesText() string {
	var text strings.Builder
	for _, c := range e.Coins {
		if c.Next == nil {
			continue
		}
		fmt.Fprintf(&text, "%s of epoch %d can be withdrawn %s", output.Money(c.Next.Amount, c.Denom), c.Next.Epoch, inText(c.Next.At, e.Until))
		if c.Last.Epoch != c.Next.Epoch {
			fmt.Fprintf(&text, ", all that is proven by now %s", inText(c.Last.At, e.Until))
		}
		text.WriteString("\n")
	}
	return text.String()
}
