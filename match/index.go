package match

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// index holds the offers by class, each class by the multiple of its reference
// price that an offer asks at least. A scan of a class stops at the first
// multiple above what the limit allows: see [class.stop].
type index struct {
	classes []class
	entries []entry
	worth   []Vector // by offer, what its choice goes by: its ask, or its class's price where that is above
	zones   []uint32 // those of the entries, sorted, each once, without 0
}

// class is the range of entries of one offer class.
type class struct {
	id         uint32
	start, end int
	reference  Vector // mean worth, per resource, of the offers that sell it
	largest    Vector // no pool of the class has more room for one unit
}

// entry is one offer. Entries with the same ask stand together, the one that
// wins their tie first, up to sameAsk.
type entry struct {
	multiple uint64 // floor of min over sold r of worth[r] x 2^16 / reference[r]
	offer    uint32
	pool     uint32
	provider uint32
	sameAsk  uint32 // end of the run of entries with this ask
	// reputation is that of the offer; zone is its place among the index's zones,
	// counted from 1, or 0.
	reputation, zone uint32
}

const multipleBits = 16

// newIndex leaves out offers whose pool or provider does not exist and those
// that have nothing to sell.
func newIndex(book *Book, pools []pool, prices []ClassPrice) index {
	x := index{worth: worthOf(book.Offers, prices)}
	for i, o := range book.Offers {
		if int64(o.Pool) >= int64(len(pools)) {
			continue
		}
		p := pools[o.Pool]
		if int64(p.provider) >= int64(len(book.Providers)) || p.room == (Vector{}) {
			continue
		}
		x.entries = append(x.entries, entry{
			offer: uint32(i), pool: o.Pool, provider: p.provider, reputation: o.Reputation, zone: o.Zone,
		})
	}
	x.numberZones()
	slices.SortFunc(x.entries, func(a, b entry) int {
		return cmp.Compare(book.Offers[a.offer].Class, book.Offers[b.offer].Class)
	})
	for start := 0; start < len(x.entries); {
		c := class{id: book.Offers[x.entries[start].offer].Class, start: start, end: start + 1}
		for c.end < len(x.entries) && book.Offers[x.entries[c.end].offer].Class == c.id {
			c.end++
		}
		c.arrange(&x, book, pools)
		x.classes = append(x.classes, c)
		start = c.end
	}
	return x
}

// worthOf is, for each offer and resource, the ask or the price of its class,
// whichever is above. Of two prices of one class the higher counts.
func worthOf(offers []Offer, prices []ClassPrice) []Vector {
	sorted := slices.Clone(prices)
	slices.SortFunc(sorted, func(a, b ClassPrice) int { return cmp.Compare(a.Class, b.Class) })
	worth := make([]Vector, len(offers))
	for i, o := range offers {
		worth[i] = o.Ask
		at, _ := slices.BinarySearchFunc(sorted, o.Class, func(p ClassPrice, class uint32) int { return cmp.Compare(p.Class, class) })
		for ; at < len(sorted) && sorted[at].Class == o.Class; at++ {
			for r, price := range sorted[at].Price {
				worth[i][r] = max(worth[i][r], price)
			}
		}
	}
	return worth
}

// levels is, for each class and resource, the least worth of what is sold.
func (x *index) levels(pools []pool) []Vector {
	levels := make([]Vector, len(x.classes))
	for at := range x.classes {
		c, sold := &x.classes[at], Vector{}
		for i := c.start; i < c.end; i++ {
			e := &x.entries[i]
			for r := range Dims {
				if pools[e.pool].room[r] == 0 {
					continue
				}
				if worth := x.worth[e.offer][r]; sold[r] == 0 || worth < levels[at][r] {
					levels[at][r], sold[r] = worth, 1
				}
			}
		}
	}
	return levels
}

// key is what the cap leaves beyond what a replica is worth in the class where
// that is least. Bids whose cap leaves nothing come after all others, by cap over
// worth, which is below 1; those that no class could take, last.
func (x *index) key(d *demand, levels []Vector) Key {
	var least Uint128
	found := false
	for at := range x.classes {
		if c := &x.classes[at]; d.bid.Classes.Has(c.id) && d.fits(&c.largest) {
			hi, lo := d.cost(&levels[at])
			if cost := (Uint128{Hi: hi, Lo: lo}); !found || cost.Compare(least) < 0 {
				least, found = cost, true
			}
		}
	}
	if !found {
		return Key{}
	}
	hi, lo := bits.Mul64(d.bid.CapPerHour, commonScale)
	if left := (Uint128{Hi: hi, Lo: lo}).minus(least); left != (Uint128{}) {
		// Below 2^81; keys of the others are 2^32 at most.
		return Key{Hi: left.Hi<<33 | left.Lo>>31, Lo: left.Lo << 33}
	}
	return keyOver(d.bid.CapPerHour, least)
}

// numberZones lists the zones and turns those of the entries into places in the
// list: zones may be any numbers, counts by place are a slice.
func (x *index) numberZones() {
	for i := range x.entries {
		if zone := x.entries[i].zone; zone != 0 {
			x.zones = append(x.zones, zone)
		}
	}
	slices.Sort(x.zones)
	x.zones = slices.Compact(x.zones)
	for i := range x.entries {
		x.entries[i].zone = x.zone(x.entries[i].zone)
	}
}

// zone returns the place of a zone in the list, counted from 1; 0 when it is not there.
func (x *index) zone(zone uint32) uint32 {
	at, found := slices.BinarySearch(x.zones, zone)
	if !found {
		return 0
	}
	return uint32(at) + 1
}

// arrange sets the class's reference and its entries' multiples and order.
func (c *class) arrange(index *index, book *Book, pools []pool) {
	own, worth := index.entries[c.start:c.end], index.worth
	c.survey(own, worth, pools)
	for i := range own {
		own[i].multiple = c.multiple(&worth[own[i].offer], &pools[own[i].pool].room)
	}
	slices.SortFunc(own, func(a, b entry) int {
		x, y := &book.Offers[a.offer], &book.Offers[b.offer]
		return cmp.Or(
			cmp.Compare(a.multiple, b.multiple),
			slices.Compare(worth[a.offer][:], worth[b.offer][:]),
			slices.Compare(x.Ask[:], y.Ask[:]),
			cmp.Compare(y.Reputation, x.Reputation),
			cmp.Compare(x.ID, y.ID),
		)
	})
	for i := len(own) - 1; i >= 0; i-- {
		own[i].sameAsk = uint32(c.start + i + 1)
		if i+1 < len(own) && own[i].multiple == own[i+1].multiple &&
			worth[own[i].offer] == worth[own[i+1].offer] &&
			book.Offers[own[i].offer].Ask == book.Offers[own[i+1].offer].Ask {
			own[i].sameAsk = own[i+1].sameAsk
		}
	}
}

func (c *class) survey(own []entry, worth []Vector, pools []pool) {
	var sumHi, sumLo, sellers Vector
	for _, e := range own {
		ask, room := &worth[e.offer], &pools[e.pool].room
		for r := range Dims {
			c.largest[r] = max(c.largest[r], room[r])
			if room[r] == 0 {
				continue
			}
			var carry uint64
			sumLo[r], carry = bits.Add64(sumLo[r], ask[r], 0)
			sumHi[r] += carry
			sellers[r]++
		}
	}
	for r := range Dims {
		if sellers[r] > 0 {
			// The mean of 64-bit numbers fits 64 bits.
			c.reference[r], _ = bits.Div64(sumHi[r], sumLo[r], sellers[r])
		}
	}
}

// multiple is the largest m such that the ask is at least m / 2^16 of the
// reference in every resource that the room has. Resources that it lacks do not
// count: a unit that needs them cannot be placed there.
func (c *class) multiple(ask, room *Vector) uint64 {
	m := uint64(math.MaxUint64)
	for r := range Dims {
		if room[r] == 0 || c.reference[r] == 0 {
			continue
		}
		hi, lo := bits.Mul64(ask[r], 1<<multipleBits)
		if hi < c.reference[r] {
			q, _ := bits.Div64(hi, lo, c.reference[r])
			m = min(m, q)
		}
	}
	return m
}

// stop is a multiple such that no entry above it can serve the need at limit or
// less. An entry's cost is at least multiple x reference cost / 2^16 and its
// rate at most limit only if its cost is at most limit x commonScale. Where the
// reference cost is cut to 64 bits stop becomes larger, so that nothing is
// missed.
func (c *class) stop(n *need, limit uint64) uint64 {
	costHi, cost := n.cost(&c.reference)
	// limit < 2^63, so that the product is below 2^96.
	limitHi, limitLo := bits.Mul64(limit, commonScale<<multipleBits)
	if costHi != 0 {
		shift := bits.Len64(costHi)
		cost = costHi<<(64-shift) | cost>>shift
		limitLo = limitHi<<(64-shift) | limitLo>>shift
		limitHi >>= shift
	}
	if limitHi >= cost {
		return math.MaxUint64
	}
	q, _ := bits.Div64(limitHi, limitLo, cost)
	return q
}
