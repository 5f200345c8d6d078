// Package quote decides which open bids a provider answers with a quote, at which price and for how many replicas: a pure
// function of the chain's state and what its machines have free. Said again after every quote that went through it gives
// nothing more, so that nothing is quoted twice.
//
// It owns what suits, and when a quote is old. It must not know transactions, programs that set prices, or containers.
package quote

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/souk-network/souk/match"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// renewPart of its validity before its end a quote is made anew.
const renewPart = 3

// Bid is an open bid that collects quotes.
type Bid struct {
	Bid    markettypes.Bid
	Tenant markettypes.Tenant
}

// Input is the whole world of a decision.
type Input struct {
	Now          uint64 // service second
	Provider     string // by its operator
	Offers       []markettypes.Offer
	Pools        []markettypes.CapacityPool
	Attested     []markettypes.Attested // what auditors vouch for of this provider
	Bids         []Bid
	Quotes       []markettypes.Quote                                     // own, that stand
	Fits         func(unit match.Vector, replicas uint32) uint32         // replicas for which the machines have room; nil trusts the pools
	Ask          func(markettypes.Bid, markettypes.Ask) *markettypes.Ask // price for a bid, given the offer's; nil for none
	ValidSeconds uint64
}

// Passed is a bid that is not quoted, and why.
type Passed struct {
	Bid uint64
	Why string
}

// Plan gives the quotes to submit, without their signer, and the bids that get none, both by bid. A quote that stands is neither.
func Plan(in Input) (msgs []*markettypes.MsgSubmitQuote, passed []Passed) {
	standing := map[uint64]markettypes.Quote{}
	for _, q := range in.Quotes {
		standing[q.Bid] = q
	}
	for _, b := range in.Bids {
		msg, why := in.answer(b)
		if msg == nil {
			passed = append(passed, Passed{b.Bid.Id, why})
			continue
		}
		old, stands := standing[b.Bid.Id]
		if stands && !in.isStale(old, msg) {
			continue
		}
		msgs = append(msgs, msg)
	}
	slices.SortFunc(msgs, func(a, b *markettypes.MsgSubmitQuote) int { return cmp.Compare(a.Bid, b.Bid) })
	slices.SortFunc(passed, func(a, b Passed) int { return cmp.Compare(a.Bid, b.Bid) })
	return msgs, passed
}

// isStale tells that a quote that stands is to be made anew: it ends soon, has another price, or promises what is not free.
func (in Input) isStale(old markettypes.Quote, fresh *markettypes.MsgSubmitQuote) bool {
	left := old.ExpiresAt - min(old.ExpiresAt, in.Now)
	return left <= in.ValidSeconds/renewPart || old.Ask != fresh.Ask || old.Offer != fresh.Offer || old.Replicas > fresh.Replicas
}

// answer is the cheapest quote for a bid; when no offer suits it, why the one that comes closest does not.
func (in Input) answer(b Bid) (*markettypes.MsgSubmitQuote, string) {
	missing, why := in.missing(b)
	if missing == 0 {
		return nil, why
	}
	var best *markettypes.MsgSubmitQuote
	var bestRate uint64
	closest := obstacle{text: "there is no active offer"}
	for _, o := range in.Offers {
		msg, rate, not := in.from(o, b, missing)
		switch {
		case msg == nil && not.step > closest.step:
			closest = not
		case msg != nil && (best == nil || rate < bestRate || rate == bestRate && msg.Offer < best.Offer):
			best, bestRate = msg, rate
		}
	}
	return best, closest.text
}

// missing replicas of a bid that this provider may quote for; when there are none, why.
func (in Input) missing(b Bid) (uint32, string) {
	spec := b.Bid.Spec
	missing := spec.Replicas - min(spec.Replicas, b.Bid.Placed+b.Bid.Released)
	switch {
	case !spec.Quoted():
		return 0, "it collects no quotes"
	case b.Bid.State != markettypes.BidState_BID_STATE_OPEN, b.Bid.ExpiresAt <= in.Now, missing == 0:
		return 0, "it looks for nothing any more"
	case slices.Contains(b.Bid.Excluded, in.Provider):
		return 0, "this provider lost a lease of it"
	case slices.Contains(spec.Deny, in.Provider), len(spec.Allow) > 0 && !slices.Contains(spec.Allow, in.Provider):
		return 0, "it names other providers"
	case spec.MaxPerProvider > 0:
		return min(missing, spec.MaxPerProvider), ""
	}
	return missing, ""
}

// obstacle is why an offer does not lead to a quote; the later the step, the closer it came.
type obstacle struct {
	step int
	text string
}

// from is the quote of one offer, with the rate of a replica.
func (in Input) from(o markettypes.Offer, b Bid, missing uint32) (*markettypes.MsgSubmitQuote, uint64, obstacle) {
	not := func(step int, format string, args ...any) (*markettypes.MsgSubmitQuote, uint64, obstacle) {
		return nil, 0, obstacle{step, fmt.Sprintf(format, args...)}
	}
	if o.State != markettypes.OfferState_OFFER_STATE_ACTIVE || o.Terms.Expired(in.Now) {
		return not(0, "")
	}
	if !b.Bid.Spec.Suits(markettypes.Standing{Labels: o.Labels, Attested: in.Attested, Terms: o.Terms}, b.Tenant) {
		return not(1, "labels or terms of offer %d do not suit", o.Id)
	}
	listed, sells := markettypes.AskIn(o.Asks, b.Bid.Denom)
	if !sells {
		return not(2, "offer %d has no price in %s", o.Id, b.Bid.Denom)
	}
	unit := b.Bid.Spec.Unit.Vector()
	replicas := in.room(o.Pool, unit, missing)
	if replicas == 0 {
		return not(3, "pool %d has no room for a replica", o.Pool)
	}
	ask := in.Ask(b.Bid, listed)
	if ask == nil {
		return not(4, "the strategy gives no price")
	}
	rate, err := match.Rate(unit, ask.Vector(), 1)
	if err != nil {
		return not(5, "its price can not be told: %v", err)
	}
	if rate > b.Bid.Spec.Cap {
		return not(6, "a replica would cost %d%s an hour, and %d is the most that it pays", rate, b.Bid.Denom, b.Bid.Spec.Cap)
	}
	return &markettypes.MsgSubmitQuote{Bid: b.Bid.Id, Offer: o.Id, Ask: *ask, Replicas: replicas, ValidSeconds: in.ValidSeconds}, rate, obstacle{}
}

// room is how many replicas a pool has free, of those that are wanted.
func (in Input) room(pool uint32, unit match.Vector, wanted uint32) uint32 {
	i := slices.IndexFunc(in.Pools, func(p markettypes.CapacityPool) bool { return p.Id == pool })
	if i < 0 {
		return 0
	}
	free, largest := in.Pools[i].Free(), in.Pools[i].LargestUnit.Vector()
	n := uint64(wanted)
	for d := range unit {
		if unit[d] > largest[d] {
			return 0
		}
		if unit[d] > 0 {
			n = min(n, free[d]/unit[d])
		}
	}
	if in.Fits != nil && n > 0 {
		n = min(n, uint64(in.Fits(unit, uint32(n)))) //nolint:gosec // at most wanted
	}
	return uint32(n) //nolint:gosec // at most wanted
}

// Discounted is an ask less some hundredths of a percent, each price rounded up.
func Discounted(ask markettypes.Ask, bps uint64) markettypes.Ask {
	const whole = 10_000
	keep := whole - min(bps, whole)
	for _, p := range []*uint64{&ask.Cpu, &ask.Memory, &ask.Ephemeral, &ask.Hdd, &ask.Ssd, &ask.Nvme, &ask.Gpu, &ask.Egress} {
		*p = *p/whole*keep + (*p%whole*keep+whole-1)/whole
	}
	return ask
}
