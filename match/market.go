package match

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// market is the working state of one batch: what is left of the book.
type market struct {
	book     *Book
	index    index
	steered  bool    // prices steer
	shapes   []shape // by offer, of what is left in its pool; only where prices steer
	pools    []pool
	rateRoom []uint64 // by provider, micro-denom per hour, at most MaxRate
	funds    []uint64 // by account, the same; none where money bounds nothing
	spread   spread   // of the bid in hand over providers
	zones    spread   // the same over zones, as numbered by the index

	work     uint64   // entries looked at, and what costs about as much
	possible []uint32 // by provider, what the bid in hand could have there; reused by every bid
	quotes   []quote  // reused by every bid
	taken    []take
}

// pool is what is left of a [Pool]; room is the lesser of free and the largest
// unit, resource by resource: what one unit can have.
type pool struct {
	free     Vector
	room     Vector
	largest  *Vector
	provider uint32
	change   uint32 // counts what happened to it, from 1
}

// quote is an offer that can take at least one replica of the bid in hand.
type quote struct {
	entry *entry
	rate  uint64 // of one replica
	worth uint64 // what it is chosen by: the rate, or what [market.fitted] makes of the rate at the offer's worth
}

// take is capacity that the bid in hand has taken.
type take struct {
	quote
	replicas uint32
}

// demand is a bid prepared for the scan.
type demand struct {
	need
	bid   *Bid
	limit uint64 // the highest rate of one replica
}

const (
	shortScans = 8
	// looksPerEntry is how many pools or providers can be looked at for the cost
	// of an entry.
	looksPerEntry = 8
)

func newMarket(book *Book, prices []ClassPrice) *market {
	m := &market{
		book:     book,
		steered:  len(prices) > 0,
		pools:    make([]pool, len(book.Pools)),
		rateRoom: make([]uint64, len(book.Providers)),
		spread:   newSpread(len(book.Providers)),
	}
	for i := range book.Pools {
		p := &book.Pools[i]
		m.pools[i] = pool{free: p.Free, largest: &p.LargestUnit, provider: p.Provider, change: 1}
		m.pools[i].measure()
	}
	for i, p := range book.Providers {
		m.rateRoom[i] = min(p.RateRoom, MaxRate)
	}
	m.index = newIndex(book, m.pools, prices)
	if m.steered {
		m.shapes = make([]shape, len(book.Offers))
	}
	m.zones = newSpread(len(m.index.zones) + 1)
	m.possible = make([]uint32, len(book.Providers))
	return m
}

// begin turns to the next bid: it counts what the bid has placed already.
func (m *market) begin(b *Bid) {
	m.spread.begin(b)
	if b.MaxPerZone == 0 {
		return
	}
	m.zones.turnTo(b.MaxPerZone)
	m.zones.use(0, math.MaxUint32)
	for _, p := range b.Placed {
		m.zones.use(m.index.zone(p.Zone), p.Replicas)
	}
}

func (p *pool) measure() {
	for r := range Dims {
		p.room[r] = min(p.free[r], p.largest[r])
	}
}

// demandOf refuses a bid that can never clear.
func demandOf(b *Bid) (demand, error) {
	if b.Wanted == 0 || b.Min > b.Wanted {
		return demand{}, ErrReplicas
	}
	n, err := needOf(b.Unit)
	if err != nil {
		return demand{}, err
	}
	if n.count == 0 {
		return demand{}, ErrEmptyUnit
	}
	return demand{need: n, bid: b, limit: min(b.CapPerHour, MaxRate)}, nil
}

// serve gives a bid the cheapest offers that it may use and returns them; with
// fewer than the bid's minimum it takes nothing. It tells whether nothing is for
// want of money. The result is valid until the next call.
func (m *market) serve(d *demand) (taken []take, short bool) {
	m.begin(d.bid)
	m.taken = m.taken[:0]
	if !m.reach(d) {
		return nil, false
	}
	got := m.collect(d)
	if got > 0 && got >= d.bid.Min {
		return m.taken, false
	}
	short = m.short(d)
	m.giveBack(d)
	return m.taken, short
}

// room is the further rate that the bid's account can hold.
func (m *market) room(d *demand) uint64 {
	if len(m.funds) == 0 {
		return MaxRate
	}
	return m.funds[d.bid.Account]
}

// short reports whether the bid, which has not all that it wants, could take one
// more replica if its account had money for it.
func (m *market) short(d *demand) bool {
	if m.room(d) >= d.limit {
		return false
	}
	found := false
	m.scan(d, d.limit, true, func(quote) uint64 {
		found = true
		return 0
	})
	return found
}

// collect takes what the bid in hand wants, as far as it can be had, and returns
// how many replicas that is.
func (m *market) collect(d *demand) uint32 {
	m.taken = m.taken[:0]
	left := d.bid.Wanted
	// Most bids find what they want in a few places, each a short scan away; only
	// what is left after those is worth sorting the whole market for. An offer
	// that was taken from is full for this bid, so that no scan finds it again.
	for range shortScans {
		best, ok := m.cheapest(d)
		if !ok {
			return d.bid.Wanted - left
		}
		left -= m.take(d, best, left)
		if left == 0 {
			return d.bid.Wanted
		}
	}
	for _, q := range m.quoteAll(d) {
		left -= m.take(d, q, left)
		if left == 0 {
			break
		}
	}
	return d.bid.Wanted - left
}

// reach reports whether the bid in hand could have its minimum if nothing but
// capacity and its spread over providers bounded it. What it lets pass may still
// fail; what it stops would be collected in vain, at many times the cost.
func (m *market) reach(d *demand) bool {
	least := d.bid.Min
	if least > 1 {
		// Whole lists are charged, since where a look ends depends on their order.
		m.work += uint64(len(m.possible)+len(m.pools)) / looksPerEntry
	}
	return least <= 1 || m.spreadReaches(least) && m.capacityReaches(d, least)
}

func (m *market) spreadReaches(least uint32) bool {
	var sum uint64
	for p := range m.possible {
		m.possible[p] = 0
		if sum < uint64(least) {
			sum += uint64(m.spread.left(uint32(p)))
		}
	}
	return sum >= uint64(least)
}

// capacityReaches needs possible to be 0 everywhere.
func (m *market) capacityReaches(d *demand, least uint32) bool {
	for i := range m.pools {
		p := &m.pools[i]
		if int64(p.provider) >= int64(len(m.possible)) || !d.fits(&p.room) {
			continue
		}
		had := m.possible[p.provider]
		more := min(m.spread.left(p.provider)-had, uint32(d.times(&p.free, uint64(least))))
		if more >= least {
			return true
		}
		m.possible[p.provider] = had + more
		least -= more
	}
	return false
}

// before is the rule for which offer is taken first: the lower worth, which is
// the rate unless prices steer, then the lower rate, then the better reputation, then the lower id.
func (m *market) before(a, b quote) int {
	x, y := &m.book.Offers[a.entry.offer], &m.book.Offers[b.entry.offer]
	return cmp.Or(
		cmp.Compare(a.worth, b.worth),
		cmp.Compare(a.rate, b.rate),
		cmp.Compare(y.Reputation, x.Reputation),
		cmp.Compare(x.ID, y.ID),
	)
}

// cheapest returns the offer that is to be taken first.
func (m *market) cheapest(d *demand) (quote, bool) {
	var best quote
	m.scan(d, min(d.limit, m.room(d)), true, func(q quote) uint64 {
		if best.entry == nil || m.before(q, best) < 0 {
			best = q
		}
		return best.worth
	})
	return best, best.entry != nil
}

// quoteAll returns all offers that can take a replica, in the order in which
// they are to be taken. The result is valid until the next call.
func (m *market) quoteAll(d *demand) []quote {
	m.quotes = m.quotes[:0]
	m.scan(d, min(d.limit, m.room(d)), false, func(q quote) uint64 {
		m.quotes = append(m.quotes, q)
		return math.MaxUint64
	})
	m.work += uint64(len(m.quotes) * bits.Len(uint(len(m.quotes))))
	slices.SortFunc(m.quotes, m.before)
	return m.quotes
}

// scan calls visit for the offers that can take a replica at a rate of at most
// limit and are worth at most what visit returned last, which never rises. Of
// offers with the same ask it may show only the first when firstOnly
// is set.
func (m *market) scan(d *demand, limit uint64, firstOnly bool, visit func(quote) uint64) {
	m.work += uint64(len(m.index.classes))
	s := search{demand: d, limit: limit, least: math.MaxUint64, firstOnly: firstOnly, visit: visit}
	for i := range m.index.classes {
		c := &m.index.classes[i]
		if d.bid.Classes.Has(c.id) && d.fits(&c.largest) {
			m.scanClass(c, &s)
		}
	}
}

// search is one scan.
type search struct {
	*demand
	limit     uint64 // the highest rate
	least     uint64 // the highest worth
	firstOnly bool
	visit     func(quote) uint64
}

// stop is the multiple at which the search may leave a class: an offer's worth is
// its ask or more, and both its rate and its worth are bounded.
func (s *search) stop(c *class, steered bool) uint64 {
	if steered {
		if s.least == math.MaxUint64 {
			return s.least
		}
		return c.stop(&s.need, s.least)
	}
	return c.stop(&s.need, min(s.least, s.limit))
}

func (m *market) scanClass(c *class, s *search) {
	d := s.demand
	stop := s.stop(c, m.steered)
	for i := c.start; i < c.end; {
		e := &m.index.entries[i]
		if e.multiple > stop {
			break
		}
		i++
		m.work++
		if !d.fits(&m.pools[e.pool].room) || m.spread.left(e.provider) == 0 {
			continue
		}
		if e.reputation < d.bid.MinReputation {
			i = int(e.sameAsk) // the others of this ask have no more
			continue
		}
		if d.bid.MaxPerZone > 0 && m.zones.left(e.zone) == 0 {
			continue
		}
		q, ok := m.quote(d, e)
		if !ok || q.rate > s.limit || !m.steered && q.worth > s.least {
			i = int(e.sameAsk)
			continue
		}
		if q.rate > m.rateRoom[e.provider] || q.worth > s.least {
			continue
		}
		if lower := s.visit(q); lower < s.least {
			s.least = lower
			stop = s.stop(c, m.steered)
		}
		if s.firstOnly && !m.steered {
			i = int(e.sameAsk)
		}
	}
}

// quote prices one replica at an offer; false when the rate is above MaxRate.
func (m *market) quote(d *demand, e *entry) (quote, bool) {
	q := quote{entry: e}
	var ok bool
	if q.rate, ok = d.rate(&m.book.Offers[e.offer].Ask); !ok {
		return quote{}, false
	}
	q.worth = q.rate
	if m.steered {
		if q.worth, ok = d.rate(&m.index.worth[e.offer]); !ok {
			q.worth = math.MaxUint64
		}
		q.worth = m.fitted(d, e, q.worth)
	}
	return q, true
}

// fill returns how many replicas an offer can take, at most limit. It was quoted
// to this bid, so that the unit fits its largest machine.
func (m *market) fill(d *demand, q quote, limit uint32) uint32 {
	n := uint64(min(limit, m.spread.left(q.entry.provider)))
	if d.bid.MaxPerZone > 0 {
		n = min(n, uint64(m.zones.left(q.entry.zone)))
	}
	if q.rate > 0 {
		n = min(n, m.rateRoom[q.entry.provider]/q.rate, m.room(d)/q.rate)
	}
	return uint32(d.times(&m.pools[q.entry.pool].free, n))
}

// take takes what it can of an offer, at most limit, and returns how much.
func (m *market) take(d *demand, q quote, limit uint32) uint32 {
	n := m.fill(d, q, limit)
	if n == 0 {
		return 0
	}
	p := &m.pools[q.entry.pool]
	for i := range d.count {
		p.free[d.dims[i]] -= uint64(n) * d.amount[i]
	}
	p.measure()
	p.change++
	m.rateRoom[q.entry.provider] -= uint64(n) * q.rate
	if len(m.funds) > 0 {
		m.funds[d.bid.Account] -= uint64(n) * q.rate
	}
	m.spread.use(q.entry.provider, n)
	if d.bid.MaxPerZone > 0 {
		m.zones.use(q.entry.zone, n)
	}
	m.taken = append(m.taken, take{quote: q, replicas: n})
	return n
}

// giveBack undoes every take of the bid in hand.
func (m *market) giveBack(d *demand) {
	for _, t := range m.taken {
		p := &m.pools[t.entry.pool]
		for i := range d.count {
			p.free[d.dims[i]] += uint64(t.replicas) * d.amount[i]
		}
		p.measure()
		p.change++
		m.rateRoom[t.entry.provider] += uint64(t.replicas) * t.rate
		if len(m.funds) > 0 {
			m.funds[d.bid.Account] += uint64(t.replicas) * t.rate
		}
	}
	m.taken = m.taken[:0]
}

// spread counts what the bid in hand may still place at each of some places:
// providers or zones. A count is valid while its turn is the present one; else
// it stands at limit.
type spread struct {
	counts []struct{ left, turn uint32 }
	turn   uint32
	limit  uint32
}

func newSpread(places int) spread {
	return spread{counts: make([]struct{ left, turn uint32 }, places)}
}

// turnTo turns to the next bid, which may place limit at each place; there are
// fewer than 2^32 bids.
func (s *spread) turnTo(limit uint32) {
	s.turn++
	s.limit = limit
}

// begin turns to the next bid among the providers.
func (s *spread) begin(b *Bid) {
	limit := b.MaxPerProvider
	if limit == 0 {
		limit = math.MaxUint32
	}
	s.turnTo(limit)
	if len(b.Allowed) > 0 {
		s.limit = 0
		for _, provider := range b.Allowed {
			s.allow(provider, limit)
		}
	}
	for _, p := range b.Placed {
		if b.MaxPerProvider > 0 {
			s.use(p.Provider, p.Replicas)
		}
	}
	for _, provider := range b.Excluded {
		s.use(provider, math.MaxUint32)
	}
}

func (s *spread) left(place uint32) uint32 {
	if c := s.counts[place]; c.turn == s.turn {
		return c.left
	}
	return s.limit
}

func (s *spread) use(place, replicas uint32) {
	if int64(place) >= int64(len(s.counts)) {
		return
	}
	left := s.left(place)
	c := &s.counts[place]
	c.left, c.turn = left-min(left, replicas), s.turn
}

// allow lets a place have so many, whatever the limit of the others.
func (s *spread) allow(place, replicas uint32) {
	if int64(place) < int64(len(s.counts)) {
		c := &s.counts[place]
		c.left, c.turn = replicas, s.turn
	}
}
