package match

import (
	"fmt"
	"math"
)

// Block is what keeps a bid from clearing.
type Block uint8

// The blocks, in the order in which [Explain] looks for them.
const (
	Clears       Block = iota // nothing: the bid would clear
	BadBid                    // it never can: see Reason.Err
	NoOffers                  // the book has nothing to sell
	NoClass                   // no offer is of a class that the bid may use
	NoProvider                // all offers are of providers that the bid may not use, or not use more of
	NoReputation              // no provider has the reputation that the bid wants
	NoZone                    // all offers are of zones that the bid may not use more of, or of none
	ShortOf                   // no offer has enough of Reason.Dim free in one unit
	TooDear                   // no offer is at the cap or below
	NoBond                    // no provider's bond carries one more replica
	TooFew                    // all offers together have fewer replicas than the minimum
)

// Reason says whether a bid would clear and, if not, what blocks it.
type Reason struct {
	Block Block
	// Err is what is wrong with a BadBid: ErrReplicas, ErrQuantity or ErrEmptyUnit.
	Err error
	// Dim is the resource of ShortOf.
	Dim Dim
	// Matched is how many offers passed the checks before the one that blocks.
	Matched int
	// Need was to be at most Have. They are
	//   NoReputation  parts per million: the least wanted, the best there is
	//   ShortOf       quantities of Dim: the bid's, the nearest offer's
	//   TooDear       rates of one replica: the lowest asked, the cap
	//   NoBond        rates: one replica's, what the nearest bond can still carry
	//   TooFew        replicas: the minimum, what can be had
	//   Clears        replicas: the minimum, what the bid would get
	// and 0 for the others.
	Need, Have uint64
	// Offer is the id of the nearest offer (NoReputation, ShortOf, TooDear, NoBond).
	Offer uint64
}

// Explain says what would become of a bid that had the book to itself and money
// enough: it Clears exactly when [Clear] would give it something. Each check looks only at
// the offers that passed the ones before it: class, provider, reputation, zone,
// each resource, price, bond.
func Explain(bid Bid, book Book) Reason {
	d, err := demandOf(&bid)
	if err != nil {
		return Reason{Block: BadBid, Err: err}
	}
	m := newMarket(&book, nil)
	left := m.index.entries
	if len(left) == 0 {
		return Reason{Block: NoOffers}
	}
	m.begin(&bid)
	for _, c := range m.checks(&d) {
		passed := c.pass(left)
		if len(passed) == 0 {
			return m.nearest(c, left)
		}
		left = passed
	}
	return m.outcome(&d, len(left))
}

// check passes the offers of which it has at least what it needs.
type check struct {
	block   Block
	dim     Dim
	measure func(*entry) (need, have uint64)
}

func (m *market) checks(d *demand) []check {
	checks := []check{
		{block: NoClass, measure: func(e *entry) (need, have uint64) {
			if d.bid.Classes.Has(m.book.Offers[e.offer].Class) {
				return 0, 0
			}
			return 1, 0
		}},
		{block: NoProvider, measure: func(e *entry) (need, have uint64) {
			return 1, uint64(m.spread.left(e.provider))
		}},
		{block: NoReputation, measure: func(e *entry) (need, have uint64) {
			return uint64(d.bid.MinReputation), uint64(e.reputation)
		}},
		{block: NoZone, measure: func(e *entry) (need, have uint64) {
			if d.bid.MaxPerZone == 0 {
				return 0, 0
			}
			return 1, uint64(m.zones.left(e.zone))
		}},
	}
	for i := range d.count {
		dim, amount := d.dims[i], d.amount[i]
		checks = append(checks, check{block: ShortOf, dim: dim, measure: func(e *entry) (need, have uint64) {
			return amount, m.pools[e.pool].room[dim]
		}})
	}
	return append(checks,
		check{block: TooDear, measure: func(e *entry) (need, have uint64) {
			return m.rateOf(d, e), d.limit
		}},
		check{block: NoBond, measure: func(e *entry) (need, have uint64) {
			return m.rateOf(d, e), m.rateRoom[e.provider]
		}},
	)
}

// rateOf is the rate of one replica, or the highest number when it is above MaxRate.
func (m *market) rateOf(d *demand, e *entry) uint64 {
	rate, ok := d.rate(&m.book.Offers[e.offer].Ask)
	if !ok {
		return math.MaxUint64
	}
	return rate
}

func (c *check) pass(offers []entry) []entry {
	var passed []entry
	for i := range offers {
		if need, have := c.measure(&offers[i]); have >= need {
			passed = append(passed, offers[i])
		}
	}
	return passed
}

// nearest makes the reason out of the offer that misses by the least, the one
// with the lowest id among equals; none of the offers passes the check.
func (m *market) nearest(c check, offers []entry) Reason {
	reason := Reason{Block: c.block, Dim: c.dim, Matched: len(offers)}
	if c.block == NoClass || c.block == NoProvider || c.block == NoZone {
		return reason
	}
	for i := range offers {
		need, have := c.measure(&offers[i])
		id := m.book.Offers[offers[i].offer].ID
		gap, least := need-have, reason.Need-reason.Have
		if i == 0 || gap < least || gap == least && id < reason.Offer {
			reason.Need, reason.Have, reason.Offer = need, have, id
		}
	}
	return reason
}

// outcome serves the bid; matched offers can each take a replica of it.
func (m *market) outcome(d *demand, matched int) Reason {
	got := m.collect(d)
	reason := Reason{Block: Clears, Matched: matched, Need: uint64(d.bid.Min), Have: uint64(got)}
	if got < d.bid.Min {
		reason.Block = TooFew
	}
	return reason
}

// String says the reason in one sentence without a full stop.
func (r Reason) String() string {
	offers := fmt.Sprintf("%d offers match", r.Matched)
	if r.Matched == 1 {
		offers = "1 offer matches"
	}
	switch r.Block {
	case Clears:
		return fmt.Sprintf("%s and can take %d replicas", offers, r.Have)
	case BadBid:
		return fmt.Sprintf("the bid cannot clear: %v", r.Err)
	case NoOffers:
		return "no offer has anything free"
	case NoClass:
		return fmt.Sprintf("none of %d offers meets the requirements", r.Matched)
	case NoProvider:
		return offers + " but all are of providers that are excluded, not allowed, or have as many replicas already as may be"
	case NoReputation:
		return fmt.Sprintf("%s but no provider has a reputation of %d parts per million; the best has %d", offers, r.Need, r.Have)
	case NoZone:
		return offers + " but all are in no known zone or in one that has as many replicas already as may be"
	case ShortOf:
		return fmt.Sprintf("%s but none has %d %s free in one unit; the nearest has %d", offers, r.Need, r.Dim.Unit(), r.Have)
	case TooDear:
		return fmt.Sprintf("%s but none asks %d or less for a replica and hour; the cheapest asks %d", offers, r.Have, r.Need)
	case NoBond:
		return fmt.Sprintf("%s but no provider's bond carries one more replica at %d an hour; the nearest carries %d", offers, r.Need, r.Have)
	case TooFew:
		return fmt.Sprintf("%s but only %d replicas can be had, not %d", offers, r.Have, r.Need)
	default:
		return "unknown reason"
	}
}
