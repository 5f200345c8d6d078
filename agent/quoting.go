package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cosmos/cosmos-sdk/types/query"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/offer/price"
	"github.com/souk-network/souk/agent/quote"
	"github.com/souk-network/souk/agent/reconcile"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/match"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	// quoteEvery is how often the book is looked through for bids that collect quotes.
	quoteEvery   = 5 * time.Second
	quoteTimeout = time.Minute
	// maxRead bids of the book are read, and maxQuoted of those that collect quotes are looked at, in one go.
	maxRead   = 5000
	maxQuoted = 100
	// maxSubmitted quotes of one go; others follow in the next.
	maxSubmitted = 16
	// maxTold bids of one go are logged as not quoted.
	maxTold = 10
	// beatenPause follows a quote that the chain did not take, most likely since there are cheaper ones.
	beatenPause = time.Minute
)

// quoting answers bids that collect quotes. It is of one loop; the chain says what was quoted already.
type quoting struct {
	*Agent

	pauses    map[uint64]time.Time // by bid, until when it is left alone
	said      map[uint64]string    // by bid, why it is not quoted
	lastError string
}

// keepQuoting quotes, again and again.
func (a *Agent) keepQuoting(ctx context.Context) {
	if !a.cfg.Quotes.On {
		return
	}
	q := &quoting{Agent: a, pauses: map[uint64]time.Time{}, said: map[uint64]string{}}
	ticker := time.NewTicker(quoteEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := q.round(ctx)
		switch {
		case ctx.Err() != nil:
		case err == nil:
			q.lastError = ""
		case err.Error() != q.lastError:
			q.lastError = err.Error()
			q.metrics.errors.WithLabelValues("quotes").Inc()
			q.log.Warn("bids could not be quoted, will look again", "error", err)
		}
	}
}

// round looks through the book once and sends what is missing.
func (q *quoting) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, quoteTimeout)
	defer cancel()
	if err := q.healthy(); err != nil {
		return err
	}
	in, err := q.observe(ctx)
	if err != nil {
		return err
	}
	q.forgetSaid(in.Bids)
	if len(in.Bids) == 0 {
		return nil
	}
	var errs []error
	for _, msg := range q.plan(ctx, in) {
		if err := q.submit(ctx, msg); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// plan is what to submit, with prices.
func (q *quoting) plan(ctx context.Context, in quote.Input) []*markettypes.MsgSubmitQuote {
	in.Ask = func(bid markettypes.Bid, listed markettypes.Ask) *markettypes.Ask {
		return q.price(ctx, in, bid, listed)
	}
	msgs, passed := quote.Plan(in)
	q.tell(passed)
	return msgs[:min(len(msgs), maxSubmitted)]
}

// tell logs why bids are not quoted, once for each reason and some in one go; others follow.
func (q *quoting) tell(passed []quote.Passed) {
	told := 0
	for _, p := range passed {
		if told == maxTold {
			return
		}
		if q.say(p.Bid, p.Why) {
			told++
		}
	}
}

// say logs why a bid is not quoted, unless that was what was said of it last.
func (q *quoting) say(bid uint64, why string) bool {
	if q.said[bid] == why {
		return false
	}
	q.said[bid] = why
	q.log.Info("bid not quoted", "bid", bid, "why", why)
	return true
}

// forgetSaid forgets bids that are in the book no more.
func (q *quoting) forgetSaid(bids []quote.Bid) {
	open := map[uint64]bool{}
	for _, b := range bids {
		open[b.Bid.Id] = true
	}
	maps.DeleteFunc(q.said, func(bid uint64, _ string) bool {
		_, paused := q.pauses[bid]
		return !open[bid] && !paused
	})
}

// price is what a replica of a bid is quoted at; nil for no quote.
func (q *quoting) price(ctx context.Context, in quote.Input, bid markettypes.Bid, listed markettypes.Ask) *markettypes.Ask {
	s := q.cfg.Quotes
	if s.Script == nil {
		ask := quote.Discounted(listed, s.DiscountBps)
		return &ask
	}
	v := price.View{Base: price.Sorted(q.cfg.Offer.Asks), Present: []markettypes.Ask{listed}}
	if i := slices.IndexFunc(in.Pools, func(p markettypes.CapacityPool) bool { return p.Id == q.cfg.Offer.Pool }); i >= 0 {
		v.Total, v.Allocated = in.Pools[i].Total.Vector(), in.Pools[i].Allocated.Vector()
	}
	ask, err := s.Script.Quote(ctx, v, price.Wanted{
		Bid: bid.Id, Denom: bid.Denom, Unit: bid.Spec.Unit.Vector(), Replicas: bid.Spec.Replicas, Cap: bid.Spec.Cap,
		Class: bid.Spec.Class, Seconds: bid.Spec.LeaseSeconds,
	})
	if err != nil {
		q.money.priceErrors.Inc()
		q.log.Error("a bid is not quoted", "bid", bid.Id, "error", err)
		q.pauses[bid.Id] = time.Now().Add(beatenPause)
		return nil
	}
	return ask
}

// observe reads all that a decision needs but prices.
func (q *quoting) observe(ctx context.Context) (quote.Input, error) {
	in := quote.Input{Provider: q.provider, ValidSeconds: uint64(q.cfg.Quotes.Valid / time.Second)}
	bids, err := q.collecting(ctx)
	if err != nil || len(bids) == 0 {
		return in, err
	}
	service, err := q.chain.Escrow.Clock(ctx, &escrowtypes.QueryClockRequest{})
	if err != nil {
		return in, fmt.Errorf("read the service clock: %w", err)
	}
	in.Now = service.Now
	own, err := q.chain.Market.ProviderOffers(ctx, &markettypes.QueryProviderOffersRequest{Provider: q.provider})
	if err != nil {
		return in, fmt.Errorf("read the own offers: %w", err)
	}
	in.Pools, in.Offers = own.Pools, own.Offers
	if in.Attested, err = q.attested(ctx, in.Now); err != nil {
		return in, err
	}
	for _, bid := range bids {
		if err := q.addBid(ctx, &in, bid); err != nil {
			return in, err
		}
	}
	in.Fits = func(unit match.Vector, replicas uint32) uint32 {
		screening, err := q.Screen(reconcile.Vector(unit), replicas)
		if err != nil {
			return 0
		}
		return screening.Fits
	}
	return in, nil
}

// collecting lists open bids that collect quotes and are not left alone for now.
func (q *quoting) collecting(ctx context.Context) ([]markettypes.Bid, error) {
	now := time.Now()
	for bid, until := range q.pauses {
		if now.After(until) {
			delete(q.pauses, bid)
		}
	}
	var bids []markettypes.Bid
	page := &query.PageRequest{Limit: workPage}
	for read := 0; read < maxRead && len(bids) < maxQuoted; {
		res, err := q.chain.Market.OpenBids(ctx, &markettypes.QueryOpenBidsRequest{Pagination: page})
		if err != nil {
			return nil, fmt.Errorf("read the open bids: %w", err)
		}
		for _, b := range res.Bids {
			if _, left := q.pauses[b.Id]; b.Spec.Quoted() && !left && len(bids) < maxQuoted {
				bids = append(bids, b)
			}
		}
		read += len(res.Bids)
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			break
		}
		page = &query.PageRequest{Limit: workPage, Key: res.Pagination.NextKey}
	}
	return bids, nil
}

// addBid reads who bids, and whether that was quoted.
func (q *quoting) addBid(ctx context.Context, in *quote.Input, bid markettypes.Bid) error {
	deployment, err := q.chain.Market.Deployment(ctx, &markettypes.QueryDeploymentRequest{Id: bid.Deployment})
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read deployment %d: %w", bid.Deployment, err)
	}
	res, err := q.chain.Market.Quotes(ctx, &markettypes.QueryQuotesRequest{Bid: bid.Id})
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the quotes of bid %d: %w", bid.Id, err)
	}
	in.Bids = append(in.Bids, quote.Bid{Bid: bid, Tenant: markettypes.Tenant{Owner: deployment.Deployment.Owner, Denom: bid.Denom}})
	for _, standing := range res.Quotes {
		if standing.Provider == q.provider {
			in.Quotes = append(in.Quotes, standing)
		}
	}
	return nil
}

// attested is what auditors vouch for of this provider at a service second.
func (q *quoting) attested(ctx context.Context, now uint64) ([]markettypes.Attested, error) {
	res, err := q.chain.Provider.Attestations(ctx, &providertypes.QueryAttestationsRequest{Operator: q.provider})
	if err != nil {
		return nil, fmt.Errorf("read what auditors say: %w", err)
	}
	out := make([]markettypes.Attested, 0, len(res.Attestations))
	for _, a := range res.Attestations {
		if a.ExpiresAt <= now {
			continue
		}
		one := markettypes.Attested{Auditor: a.Auditor}
		for _, l := range a.Labels {
			one.Labels = append(one.Labels, markettypes.Label{Key: l.Key, Value: l.Value})
		}
		out = append(out, one)
	}
	return out, nil
}

// submit sends a quote. One that the chain does not take is left alone for a while.
func (q *quoting) submit(ctx context.Context, msg *markettypes.MsgSubmitQuote) error {
	msg.Signer = q.queue.Address()
	receipt, err := q.queue.Do(ctx, client.Request{Msgs: []sdk.Msg{msg}, Note: "quote", Alone: true})
	if err != nil {
		q.metrics.quotes.WithLabelValues("failed").Inc()
		q.pauses[msg.Bid] = time.Now().Add(beatenPause)
		if errors.Is(err, markettypes.ErrQuoteBeaten) {
			q.say(msg.Bid, "others quoted less")
			return nil
		}
		return fmt.Errorf("quote bid %d: %w", msg.Bid, err)
	}
	q.metrics.quotes.WithLabelValues("ok").Inc()
	var res markettypes.MsgSubmitQuoteResponse
	if err := receipt.Response(0, &res); err != nil {
		return err
	}
	delete(q.said, msg.Bid)
	q.log.Info("bid quoted", "bid", msg.Bid, "offer", msg.Offer, "replicas", msg.Replicas, "rate", res.Rate, "tx", receipt.Hash)
	return nil
}
