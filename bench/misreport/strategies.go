package misreport

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/souk-network/souk/match"
)

// Strategy is a way not to tell the market the truth.
type Strategy struct {
	Name   string
	seller bool
	window int // bids that a batch reads, for all; 0 is all of them
	// alternatives are what the deviator may tell instead. It knows what will
	// come of each, and takes the best, if there are several.
	alternatives []deviation
}

// deviation changes what one agent tells; truth is the market before.
type deviation func(w *world, who int, rng *rand.Rand)

func tenants(name string, alternatives ...deviation) Strategy {
	return Strategy{Name: name, alternatives: alternatives}
}

func sellers(name string, alternatives ...deviation) Strategy {
	return Strategy{Name: name, seller: true, alternatives: alternatives}
}

// Strategies are all that docs/market.md publishes, in its order.
func Strategies() []Strategy {
	var all []Strategy
	for _, by := range []float64{0.5, 0.8, 0.95, 1.1, 1.5, 4} {
		all = append(all, tenants(fmt.Sprintf("cap x %v", by), capTimes(by)))
	}
	flood := tenants("300 sham bids without money, where a batch reads 128", flooding(10, 0))
	dearFlood := tenants("300 sham bids with money for each, of a little less than the own cap", flooding(0.99, 1))
	flood.window, dearFlood.window = 128, 128
	var dust []deviation
	for n := range 9 {
		dust = append(dust, dusting(n))
	}
	all = append(all,
		tenants("cap: best of these, all known", capTimes(0.5), capTimes(0.8), capTimes(0.95), capTimes(1), capTimes(1.1), capTimes(1.5), capTimes(4)),
		tenants("money for the cap of half the replicas", moneyTimes(0.5)),
		tenants("unit x 0.9", unitTimes(0.9)), tenants("unit x 1.1", unitTimes(1.1)), tenants("unit x 1.5", unitTimes(1.5)),
		tenants("one class of those that would do", narrow), tenants("all classes", broad),
		tenants("all replicas or none", allOrNone), tenants("any number of replicas", anyNumber),
		tenants("a bid for each replica, one account", split(false)),
		tenants("a bid for each replica, an account each", split(true)),
		tenants("two replicas of half the size, if the work divides", halves),
		tenants("20 sham bids without money", tenantShams(0)),
		tenants("20 sham bids with money that cannot be placed", tenantShams(1)),
		tenants("up to 8 sham bids of next to nothing, all known", dust...),
		flood, dearFlood,
	)
	for _, by := range []float64{0.9, 1.05, 1.1, 1.25, 1.5} {
		all = append(all, sellers(fmt.Sprintf("ask x %v", by), askTimes(by)))
	}
	raises := []float64{0.8, 0.9, 0.95, 1, 1.05, 1.1, 1.25, 1.5, 2}
	var known, reposted, together []deviation
	for _, by := range raises {
		together = append(together, collude(by, by, 1))
		known, reposted = append(known, askTimes(by)), append(reposted, raiseAt(1, by, true))
	}
	return append(all,
		sellers("ask: best of 9 from x 0.8 to x 2, all known", known...),
		sellers("ask x 1.25, sent after the first or just before the second batch", raiseAt(2, 1.25, false)),
		sellers("withdrawn, posted at x 1.25 before the second batch", raiseAt(1, 1.25, true)),
		sellers("withdrawn, posted at the best of 9, all known", reposted...),
		sellers("ask x 0.8, x 1.25 once others are sold out", lowThenHigh),
		sellers("75 % of the capacity", declares(0, 0.75)), sellers("50 % of the capacity", declares(0, 0.5)),
		sellers("50 % of the capacity, all of it for the last batch", declares(0, 0.5, 1)),
		sellers("150 % of the capacity, the excess declined", declares(0, 1.5)),
		sellers("another region than it is in", otherRegion),
		sellers("20 sham bids without money for rivals' classes", sellerShams(0)),
		sellers("20 sham bids with money that cannot be placed, for rivals' classes", sellerShams(1)),
		sellers("sham bids that take the rivals' capacity, closed while pending", grabs(1)),
		sellers("the same, with own ask x 1.25", grabs(1.25)),
		Strategy{Name: "two sellers of a class, both at x 1.25", seller: true, alternatives: []deviation{collude(1.25, 1.25, 1)}},
		Strategy{Name: "two sellers of a class, both at the best of 9, all known", seller: true, alternatives: together},
		Strategy{Name: "two sellers of a class, one sells a tenth, the other asks x 1.25", seller: true, alternatives: []deviation{collude(1, 1.25, 0.1)}},
	)
}

func capTimes(by float64) deviation {
	return func(w *world, who int, _ *rand.Rand) {
		w.orders[who].CapPerHour = uint64(float64(w.orders[who].CapPerHour) * by)
		w.rooms[who] = max(w.rooms[who], w.orders[who].CapPerHour*uint64(w.orders[who].Wanted)) // a deposit for the new cap
	}
}

func moneyTimes(by float64) deviation {
	return func(w *world, who int, _ *rand.Rand) {
		o := &w.orders[who]
		w.rooms[who] = uint64(float64(o.CapPerHour) * float64(o.Wanted) * by)
	}
}

func unitTimes(by float64) deviation {
	return func(w *world, who int, _ *rand.Rand) { w.orders[who].Unit = scaled(w.orders[who].Unit, by) }
}

func narrow(w *world, who int, rng *rand.Rand) {
	var all []uint32
	for class := range uint32(regions * (models + 1)) {
		if w.tenants[who].classes.Has(class) {
			all = append(all, class)
		}
	}
	var one match.ClassSet
	one.Add(all[rng.IntN(len(all))])
	w.orders[who].Classes = one
}

func broad(w *world, who int, _ *rand.Rand) {
	var all match.ClassSet
	for class := range uint32(regions * (models + 1)) {
		all.Add(class)
	}
	w.orders[who].Classes = all
}

func allOrNone(w *world, who int, _ *rand.Rand) { w.orders[who].Min = w.orders[who].Wanted }

func anyNumber(w *world, who int, _ *rand.Rand) { w.orders[who].Min = 1 }

// split bids for each replica by itself.
func split(accounts bool) deviation {
	return func(w *world, who int, _ *rand.Rand) {
		o := w.orders[who]
		n, room := o.Wanted, w.rooms[who]
		o.Wanted, o.Min = 1, 1
		w.orders[who] = o
		for i := uint32(1); i < n; i++ {
			another := o
			another.ID = uint64(1<<30 + i)
			if accounts {
				another.Account = uint32(len(w.rooms))
				w.rooms = append(w.rooms, room/uint64(n))
			}
			w.orders = append(w.orders, another)
		}
		if accounts {
			w.rooms[who] = room / uint64(n)
		}
	}
}

func halves(w *world, who int, _ *rand.Rand) {
	o := &w.orders[who]
	for r := range o.Unit {
		o.Unit[r] = (o.Unit[r] + 1) / 2
	}
	o.CapPerHour /= 2
	o.Wanted, o.Min, o.parts = 2*o.Wanted, 2*o.Min, 2
	o.MaxPerProvider *= 2
}

// sham is a bid that pays ten times as much as anybody, like another one.
func (w *world) sham(like match.Bid, arrives int, money uint64) *order {
	like.ID = uint64(1<<31 + len(w.orders))
	like.CapPerHour *= 10
	like.Account = uint32(len(w.rooms))
	like.Placed = nil
	w.rooms = append(w.rooms, money*like.CapPerHour*uint64(like.Wanted))
	w.orders = append(w.orders, order{Bid: like, tenant: -1, parts: 1, arrives: arrives, sham: true, payer: -1})
	return &w.orders[len(w.orders)-1]
}

// unplaceable makes a sham want more than any market has.
func (o *order) unplaceable() { o.Wanted, o.Min = 1000, 1000 }

// tenantShams bid for what the tenant wants, so that others look elsewhere.
func tenantShams(money uint64) deviation {
	return func(w *world, who int, _ *rand.Rand) {
		own := w.orders[who]
		for range 20 {
			s := w.sham(own.Bid, own.arrives, money)
			s.unplaceable()
		}
	}
}

// dusting adds bids that pay one micro-denom, which might tip the search for prices.
func dusting(n int) deviation {
	return func(w *world, who int, _ *rand.Rand) {
		own := w.orders[who]
		for range n {
			s := w.sham(own.Bid, own.arrives, 0)
			s.unplaceable()
			s.CapPerHour = 1
			w.rooms[s.Account] = 1
		}
	}
}

// flooding fills what each batch reads, with caps of so many times the own one.
func flooding(caps float64, money uint64) deviation {
	return func(w *world, who int, _ *rand.Rand) {
		own := w.orders[who]
		for i := range 300 {
			s := w.sham(own.Bid, i%batches, 0)
			s.CapPerHour = uint64(float64(own.CapPerHour) * caps)
			w.rooms[s.Account] = money * s.CapPerHour
			s.Wanted, s.Min = 1000, 1
			if money > 0 {
				s.Allowed = []uint32{1 << 20} // nobody: it cannot be placed, and has the money for the one replica that it takes
			}
		}
	}
}

func askTimes(by float64) deviation {
	return func(w *world, who int, _ *rand.Rand) { w.book.Offers[who].Ask = scaled(w.book.Offers[who].Ask, by) }
}

// raiseAt changes an ask so that it counts in that batch: one sent before it, if the
// offer is posted anew or the ask is lower, and before the one before it, if not.
func raiseAt(batch int, by float64, anew bool) deviation {
	return func(w *world, who int, _ *rand.Rand) {
		w.changes = append(w.changes, change{batch: batch, provider: who, newID: anew, ask: func(v match.Vector) match.Vector { return scaled(v, by) }})
	}
}

func lowThenHigh(w *world, who int, _ *rand.Rand) {
	w.book.Offers[who].Ask = scaled(w.book.Offers[who].Ask, 0.8)
	raiseAt(1, 1.25/0.8, true)(w, who, nil)
}

// declares shares of the capacity from batches on.
func declares(batch int, shares ...float64) deviation {
	return func(w *world, who int, _ *rand.Rand) {
		for i, share := range shares {
			w.changes = append(w.changes, change{batch: batch + i*(batches-1), provider: who, share: share})
		}
	}
}

func otherRegion(w *world, who int, rng *rand.Rand) {
	o := &w.book.Offers[who]
	o.Class = (o.Class/(models+1)+1+rng.Uint32N(regions-1))%regions*(models+1) + o.Class%(models+1)
}

// rivals are classes that a bid for the seller's class might use instead.
func (w *world) rivals(who int) match.ClassSet {
	own := w.book.Offers[who].Class
	var set match.ClassSet
	for _, o := range w.book.Offers {
		if (o.Class%(models+1) == 0) == (own%(models+1) == 0) && o.Class != own {
			set.Add(o.Class)
		}
	}
	return set
}

func sellerShams(money uint64) deviation {
	return func(w *world, who int, _ *rand.Rand) {
		rivals := w.rivals(who)
		for i := range 20 {
			like := w.orders[i*7%len(w.tenants)].Bid
			like.Unit, like.Classes = scaled(w.book.Pools[who].LargestUnit, 0.1), rivals
			like.CapPerHour = rateOf(like.Unit, reference)
			s := w.sham(like, i%batches, money)
			s.unplaceable()
			s.payer = who
		}
	}
}

// grabs takes what the rivals of the own class have, in every batch.
func grabs(ask float64) deviation {
	return func(w *world, who int, _ *rand.Rand) {
		own := w.book.Offers[who]
		w.book.Offers[who].Ask = scaled(own.Ask, ask)
		for i, o := range w.book.Offers {
			if i == who || o.Class != own.Class {
				continue
			}
			for batch := range batches {
				unit := scaled(w.book.Pools[i].LargestUnit, 1.0/8)
				like := match.Bid{Unit: unit, Min: 1, Wanted: 8, CapPerHour: rateOf(unit, o.Ask), Allowed: []uint32{uint32(i)}}
				like.Classes.Add(o.Class)
				w.sham(like, batch, 10).payer = who
			}
		}
	}
}

// partner is a seller of the same class, or the next one.
func (w *world) partner(who int) int {
	for i := range w.book.Offers {
		if i != who && w.book.Offers[i].Class == w.book.Offers[who].Class {
			return i
		}
	}
	return -1
}

func collude(first, second, share float64) deviation {
	return func(w *world, who int, rng *rand.Rand) {
		other := w.partner(who)
		if other < 0 {
			return
		}
		askTimes(first)(w, who, rng)
		askTimes(second)(w, other, rng)
		if share < 1 {
			declares(0, share)(w, who, rng)
		}
	}
}

// sample lists agents that may deviate.
func (s Strategy) sample(w *world, n int, rng *rand.Rand) []int {
	all := len(w.tenants)
	if s.seller {
		all = len(w.book.Offers)
	}
	chosen := rng.Perm(all)
	if s.pair() {
		chosen = slices.DeleteFunc(chosen, func(i int) bool { return w.partner(i) < 0 })
	}
	return chosen[:min(n, len(chosen))]
}

func (s Strategy) pair() bool { return len(s.Name) > 11 && s.Name[:11] == "two sellers" }

func (s Strategy) gets(w *world, p *played, who int) float64 {
	switch {
	case s.pair():
		return p.sellerGets(w, who) + p.sellerGets(w, w.partner(who))
	case s.seller:
		return p.sellerGets(w, who)
	default:
		return p.tenantGets(w, who)
	}
}

// capAtRandom claims a value of one to 16 times the true one, mostly little.
func capAtRandom(w *world, who int, rng *rand.Rand) {
	x := 1 + rng.Float64()
	capTimes(x*x*x*x)(w, who, rng)
}
