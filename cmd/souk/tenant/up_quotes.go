package tenant

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/manifest"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// What --accept takes.
const (
	acceptAsk      = ""         // choose on the terminal
	acceptCheapest = "cheapest" // after --quotes-for
	acceptNone     = "none"     // leave it to souk quote accept
)

// byQuotes lets all groups of a file collect quotes.
func (p *project) byQuotes() error {
	for i, d := range p.Demands {
		if d.Standbys > 0 {
			return fault.New("group "+d.Group+" has standbys, which are placed by auction only", nil, "souk up without --quotes, or the file without x-souk.standbys")
		}
		p.Demands[i].Mode = manifest.Quote
	}
	return nil
}

// checkChoice refuses, before anything is signed, to collect quotes among which nobody would choose.
func (u *upRun) checkChoice() error {
	if u.choosable() {
		return nil
	}
	for _, d := range u.project.Demands {
		if d.Mode == manifest.Quote {
			return session.Usage(fault.New("nobody is asked which quote of "+d.Group+" to take", nil,
				u.again+" -y --accept cheapest   (after --quotes-for), or --accept none and then souk quote accept"))
		}
	}
	return nil
}

// choosable tells that somebody or something chooses among quotes.
func (u *upRun) choosable() bool {
	return u.options.accept != acceptAsk || u.Interactive() && !u.options.yes
}

// takeQuotes accepts quotes until no bid that collects them lacks replicas.
func (u *upRun) takeQuotes(ctx context.Context) error {
	for _, b := range u.deployment.bids {
		if b.Spec.Mode != markettypes.BidMode_BID_MODE_QUOTE {
			continue
		}
		for lacksReplicas(b) {
			u.unchanged = false
			if err := u.takeQuotesOf(ctx, b); err != nil {
				return err
			}
			d, err := u.mustFind(ctx, u.project.Name)
			if err != nil {
				return err
			}
			u.deployment = d
			for _, now := range d.bids {
				if now.Id == b.Id {
					b = now
				}
			}
		}
	}
	return nil
}

// takeQuotesOf collects quotes for a bid for a while, chooses among them, and accepts.
func (u *upRun) takeQuotesOf(ctx context.Context, b markettypes.Bid) error {
	if u.options.accept == acceptNone || !u.choosable() {
		return u.notReady(fault.New("group "+b.Spec.Name+" collects quotes, and none is accepted yet", nil,
			"souk quotes "+u.project.Name+", or: "+u.again+" --accept cheapest"))
	}
	views, err := u.collectQuotes(ctx, b)
	if err != nil {
		return err
	}
	lacking := b.Spec.Replicas - b.Placed - b.Released
	quotes := make([]markettypes.Quote, len(views))
	for i, v := range views {
		quotes[i] = v.quote
	}
	var chosen []taking
	if u.options.accept == acceptCheapest {
		chosen = cheapestOf(quotes, lacking)
	} else if chosen, err = u.chooseQuotes(ctx, b, views, quotes, lacking); err != nil {
		return err
	}
	accepted := 0
	for _, c := range chosen {
		ok, err := u.accept(ctx, b, c)
		if err != nil {
			return err
		}
		if ok {
			accepted++
		}
	}
	if accepted == 0 && len(chosen) > 0 && u.options.accept == acceptCheapest {
		return u.notReady(fault.New("none of the quotes for "+b.Spec.Name+" could be accepted", nil, u.again))
	}
	return nil
}

// collectQuotes waits for quotes: with a person who chooses until there is one, else all of the time.
func (u *upRun) collectQuotes(ctx context.Context, b markettypes.Bid) ([]quoteView, error) {
	until := time.Now().Add(u.options.quotesFor)
	var views []quoteView
	err := u.during(ctx, "quotes", u.options.quotesFor, func(say func(string)) error {
		for {
			found, err := u.quoteViews(ctx, b)
			if err == nil {
				views = found
			}
			say(quotesSoFar(b.Spec.Name, views))
			if !time.Now().Before(until) || len(views) > 0 && u.options.accept == acceptAsk {
				return nil
			}
			select {
			case <-ctx.Done():
				return u.notReady(fault.New("interrupted", ctx.Err(), u.again))
			case <-time.After(pollEvery):
			}
		}
	})
	if err == nil && len(views) == 0 && u.options.accept != acceptAsk {
		return nil, u.notReady(fault.New(fmt.Sprintf("no provider quotes for %s after %s", b.Spec.Name, u.options.quotesFor), nil,
			u.again+"   (goes on collecting), or: souk down "+u.project.Name+"   (refunds the rest)"))
	}
	return views, err
}

func quotesSoFar(group string, views []quoteView) string {
	if len(views) == 0 {
		return "for " + group + ": none yet"
	}
	return fmt.Sprintf("for %s: %d so far, from %s", group, len(views), output.PerHour(views[0].Rate, views[0].Denom))
}

// chooseQuotes shows the quotes and asks which to take. Nothing chosen means to look again.
func (u *upRun) chooseQuotes(ctx context.Context, b markettypes.Bid, views []quoteView, quotes []markettypes.Quote, lacking uint32) ([]taking, error) {
	question := fmt.Sprintf("Nobody has quoted for %s. Wait on? [Y/n]", b.Spec.Name)
	if len(views) > 0 {
		u.Notef("\n%s", quoteRows(views, "").Coloured(u.Colours()))
		question = fmt.Sprintf("Which take %s of %s? [1, numbers, w to wait for more, n for none]", replicasText(lacking), b.Spec.Name)
	}
	for {
		answer, err := u.Ask(ctx, question)
		if err != nil {
			return nil, u.notReady(err)
		}
		switch word := strings.ToLower(answer); {
		case word == "n" || word == "no" || word == "none":
			return nil, u.notReady(fault.New("no quote for "+b.Spec.Name+" is accepted", session.ErrNotConfirmed, "souk quotes "+u.project.Name+", or: souk down "+u.project.Name+"   (refunds the rest)"))
		case word == "w" || len(views) == 0:
			return nil, u.pauseForQuotes(ctx)
		}
		chosen, err := chosenOf(quotes, lacking, answer)
		if err == nil {
			return chosen, nil
		}
		u.Notef("%v", err)
	}
}

// quotesPause is how long a person who wants to see more quotes waits for them.
const quotesPause = 5 * time.Second

func (u *upRun) pauseForQuotes(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return u.notReady(fault.New("interrupted", ctx.Err(), u.again))
	case <-time.After(quotesPause):
		return nil
	}
}

// accept makes a lease of a quote; false if the provider cannot serve it any more, which is told.
func (u *upRun) accept(ctx context.Context, b markettypes.Bid, c taking) (bool, error) {
	receipt, err := u.transact(ctx, "accept a quote for", &markettypes.MsgAcceptQuote{
		Signer: u.owner, Bid: b.Id, Provider: c.quote.Provider, Replicas: c.replicas, MaxRate: c.quote.Rate,
	})
	switch {
	case session.ExitCode(err) == session.ExitNotConfirmed:
		return false, err
	case err != nil && ctx.Err() != nil:
		return false, u.notReady(fault.New("interrupted", errors.Join(ctx.Err(), err), u.again))
	case err != nil:
		u.Notef("warning: the quote of %s is gone: %v", c.quote.Provider, err)
		return false, nil
	}
	var answer markettypes.MsgAcceptQuoteResponse
	if err := receipt.Response(0, &answer); err != nil {
		return false, err
	}
	u.Notef("accepted lease %d  %s  %s a replica", answer.Lease, c.quote.Provider, output.PerHour(c.quote.Rate, b.Denom))
	return true, nil
}

// check refuses what flags about quotes can not mean.
func (o upOptions) check() error {
	switch {
	case o.accept != acceptAsk && o.accept != acceptCheapest && o.accept != acceptNone:
		return fault.Newf("--accept "+o.accept, "souk up --accept cheapest", "want cheapest or none")
	case o.quotesFor < time.Second || o.quotesFor > time.Hour:
		return fault.Newf("--quotes-for "+o.quotesFor.String(), "souk up --quotes-for 30s", "want a second to an hour")
	}
	return nil
}
