package history

import (
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"

	markettypes "github.com/souk-network/souk/x/market/types"
)

// collecting are the bids of open deployments that collect quotes, with their denoms: mostly those that still rest in the book.
func (w *world) collecting(s step) (bids []uint64, denoms map[uint64]string) {
	denoms = map[uint64]string{}
	for _, a := range w.accounts {
		if a.closed {
			continue
		}
		for _, id := range a.bids {
			b := w.bids[id]
			if b.spec.Quoted() && (w.wild || b.state == markettypes.BidState_BID_STATE_OPEN || s.C == 9) {
				bids, denoms[id] = append(bids, id), a.denom
			}
		}
	}
	slices.Sort(bids)
	return slices.Compact(bids), denoms
}

// quoteMessage offers a price for a bid, takes it back, or takes it. Which quotes stand the chain tells.
func (w *world) quoteMessage(n *net, s step) sdk.Msg {
	bids, denoms := w.collecting(s)
	if len(bids) == 0 {
		return nil
	}
	bid := pick(bids, s.A)
	if s.Kind == "quote" {
		standing := slices.DeleteFunc(slices.Clone(w.offers), func(o *offer) bool { return o.over && s.B != 11 })
		o := pick(standing, s.B)
		if o == nil {
			return nil
		}
		ask := asks(hourly + s.small(4))
		i := slices.IndexFunc(ask, func(a markettypes.Ask) bool { return (a.Denom == denoms[bid]) == (s.C != 8) })
		return &markettypes.MsgSubmitQuote{
			Signer: w.clerk(o.provider, s.C), Offer: o.id, Bid: bid, Ask: ask[i], Replicas: uint32(1 + s.N%3), ValidSeconds: 1 + s.N%300,
		}
	}
	r, err := n.queries().Quotes(n.Ctx(), &markettypes.QueryQuotesRequest{Bid: bid})
	if err != nil || len(r.Quotes) == 0 {
		return nil
	}
	quote := pick(r.Quotes, s.B)
	if s.Kind == "withdraw quote" {
		return &markettypes.MsgWithdrawQuote{Signer: w.clerk(quote.Provider, s.C), Provider: quote.Provider, Bid: bid}
	}
	m := &markettypes.MsgAcceptQuote{
		Signer: w.ownerOf(bid), Provider: quote.Provider, Bid: bid, Replicas: uint32(s.N % 3), MaxRate: quote.Rate,
	}
	switch s.C {
	case 10:
		m.MaxRate--
	case 11:
		m.Signer = w.names["stranger"]
	}
	return m
}

// ownerOf is whose bid it is.
func (w *world) ownerOf(bid uint64) string {
	i := slices.IndexFunc(w.accounts, func(a *account) bool { return slices.Contains(a.bids, bid) })
	return w.accounts[i].owner
}
