package misreport

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/souk-network/souk/match"
)

// proof is what the keeper lets a certificate look at.
const proof = 1 << 21

// lease is what a batch gave to an order.
type lease struct {
	order    int
	provider int
	replicas uint32
	rate     float64 // of one replica, per hour
	declined bool
	ended    bool // after its batch
}

// played is what became of a world.
type played struct {
	leases  []lease
	weights match.Weights
	until   [batches]int // leases by the end of each batch
}

// play clears all batches.
func play(w *world) played {
	w = w.clone()
	var p played
	sold := make([]match.Vector, len(w.book.Pools))
	for batch := range batches {
		w.change(batch, sold)
		open := w.read(batch)
		before := make([]match.Vector, len(w.book.Pools))
		for i := range before {
			before[i] = w.book.Pools[i].Free
		}
		out := w.clear(batch, open, p.weights)
		p.take(w, out, sold)
		p.weights = w.nextWeights(p.weights, before)
		p.until[batch] = len(p.leases)
		p.settle(w, sold)
	}
	return p
}

func (w *world) clear(batch int, open []int, weights match.Weights) match.Output {
	in := match.Input{Seed: binary.BigEndian.AppendUint64(nil, w.seed<<8|uint64(batch)), Weights: weights, Book: w.book, Work: 1 << 23}
	for _, room := range w.rooms {
		in.Accounts = append(in.Accounts, match.Account{RateRoom: room})
	}
	for _, i := range open {
		in.Bids = append(in.Bids, w.orders[i].Bid)
	}
	out, _ := match.ClearBest(in, proof)
	return out
}

// change lets what sellers declared count.
func (w *world) change(batch int, sold []match.Vector) {
	for _, c := range w.changes {
		if c.batch != batch {
			continue
		}
		o, pool := &w.book.Offers[c.provider], &w.book.Pools[c.provider]
		if c.ask != nil {
			o.Ask = c.ask(o.Ask)
		}
		if c.newID {
			o.ID += 1 << 20
		}
		if c.share > 0 {
			total := scaled(w.capacity[c.provider], c.share)
			for r := range total {
				pool.Free[r] = total[r] - min(total[r], sold[c.provider][r])
			}
		}
	}
}

// read lists the orders of a batch: all that are open, or as many as it reads. New
// ones go first, the worthiest of them and every fourth by id; then those that rest.
func (w *world) read(batch int) []int {
	var fresh, resting []int
	for i := range w.orders {
		switch o := &w.orders[i]; {
		case o.arrives > batch || o.Wanted == 0:
		case o.seen:
			resting = append(resting, i)
		default:
			fresh = append(fresh, i)
		}
	}
	if w.window > 0 && len(fresh) > w.window {
		fresh = w.worthiest(fresh)
	}
	for _, i := range fresh {
		w.orders[i].seen = true
	}
	reading := slices.Concat(fresh, resting)
	if w.window > 0 {
		reading = reading[:min(len(reading), w.window)]
	}
	return reading
}

// worthiest chooses a window of fresh orders.
func (w *world) worthiest(fresh []int) []int {
	byWorth, byID := slices.Clone(fresh), slices.Clone(fresh)
	slices.SortStableFunc(byWorth, func(a, b int) int { return w.worth(b).Compare(w.worth(a)) })
	slices.SortFunc(byID, func(a, b int) int { return cmp.Compare(w.orders[a].ID, w.orders[b].ID) })
	chosen := make([]bool, len(w.orders))
	var reading []int
	for i := range w.window {
		from := &byWorth
		if i%4 == 3 {
			from = &byID
		}
		for chosen[(*from)[0]] {
			*from = (*from)[1:]
		}
		chosen[(*from)[0]] = true
		reading = append(reading, (*from)[0])
	}
	return reading
}

func (w *world) worth(i int) match.Key {
	o := &w.orders[i]
	can := min(o.CapPerHour, w.rooms[o.Account]/uint64(max(1, o.Min)))
	key, err := match.KeyOf(can, o.Unit, match.Weights{})
	if err != nil {
		return match.Key{}
	}
	return key
}

// take opens the leases of a batch. A provider that cannot hold what it sold
// declines it.
func (p *played) take(w *world, out match.Output, sold []match.Vector) {
	byID, offers := map[uint64]int{}, map[uint64]int{}
	for i := range w.orders {
		byID[w.orders[i].ID] = i
	}
	for i := range w.book.Offers {
		offers[w.book.Offers[i].ID] = i
	}
	for _, a := range out.Assignments {
		at, provider := byID[a.Bid], offers[a.Offer]
		o := &w.orders[at]
		l := lease{order: at, provider: provider, replicas: a.Replicas, rate: float64(a.RatePerHour) / float64(a.Replicas)}
		for r := range o.Unit {
			w.book.Pools[provider].Free[r] -= o.Unit[r] * uint64(a.Replicas)
			sold[provider][r] += o.Unit[r] * uint64(a.Replicas)
			l.declined = l.declined || sold[provider][r] > w.capacity[provider][r]
		}
		w.rooms[o.Account] -= a.RatePerHour
		o.Wanted -= a.Replicas
		o.Min -= min(o.Min, a.Replicas)
		o.Placed = append(slices.Clone(o.Placed), match.Placement{Provider: uint32(provider), Replicas: a.Replicas})
		p.leases = append(p.leases, l)
	}
}

// nextWeights counts what leases took of what was free, as the keeper does.
func (w *world) nextWeights(weights match.Weights, before []match.Vector) match.Weights {
	var demand, supply match.Vector
	for i := range before {
		for r, had := range before[i] {
			supply[r] += had
			demand[r] += had - min(had, w.book.Pools[i].Free[r])
		}
	}
	return match.NextWeights(weights, demand, supply)
}

// settle ends, after their batch, what was declined and what its tenant does not want:
// these replicas return to the book without that provider, those of shams do not. One
// that declines is suspended, so that what it lacks is not sold again.
func (p *played) settle(w *world, sold []match.Vector) {
	for i := range p.leases {
		l := &p.leases[i]
		o := &w.orders[l.order]
		if l.ended || !l.declined && !o.sham && w.wants(o, l) {
			continue
		}
		l.ended = true
		for r := range o.Unit {
			sold[l.provider][r] -= o.Unit[r] * uint64(l.replicas)
			if !l.declined {
				w.book.Pools[l.provider].Free[r] += o.Unit[r] * uint64(l.replicas)
			}
		}
		w.rooms[o.Account] += uint64(l.rate*float64(l.replicas) + 0.5)
		if o.sham {
			o.Wanted = 0
			continue
		}
		o.Excluded = append(slices.Clone(o.Excluded), uint32(l.provider))
		o.Wanted += l.replicas
		o.Min = max(o.Min, 1)
		o.Returned = true
	}
}

// wants tells whether a tenant keeps a lease.
func (w *world) wants(o *order, l *lease) bool {
	if o.tenant < 0 {
		return true
	}
	t := &w.tenants[o.tenant]
	return t.classes.Has(w.saidClass(l.provider)) && l.rate*float64(o.parts) <= t.value
}

// saidClass is the class that an offer claims.
func (w *world) saidClass(provider int) uint32 { return w.book.Offers[provider].Class }

// tenantGets is what a tenant has of all its leases, over a term: it keeps what is
// worth more than it costs, and closes the rest while it is pending.
func (p *played) tenantGets(w *world, who int) float64 {
	t := &w.tenants[who]
	var useful []lease
	var total float64
	for _, l := range p.leases {
		o := &w.orders[l.order]
		switch {
		case o.tenant != who:
			continue
		case l.declined:
			total += l.rate * float64(l.replicas) / 2
			continue
		case l.ended || !w.serves(t, o, l.provider):
			total -= l.rate * float64(l.replicas) * ackHour
			continue
		}
		for range l.replicas {
			useful = append(useful, lease{order: int(o.parts), rate: l.rate})
		}
	}
	slices.SortStableFunc(useful, func(a, b lease) int { return cmp.Compare(a.rate*float64(a.order), b.rate*float64(b.order)) })
	var have, kept, closed float64
	for _, l := range useful {
		part := 1 / float64(l.order)
		if have+part > float64(t.most)+1e-9 {
			closed += l.rate * ackHour
			continue
		}
		have += part
		kept += (t.value*part - l.rate) * termHour
	}
	if have+1e-9 < float64(t.least) { // too few: it does not work
		for _, l := range useful {
			total -= l.rate * ackHour
		}
		return total
	}
	return total + kept - closed
}

// serves tells whether a lease does what the tenant truly needs.
func (w *world) serves(t *tenant, o *order, provider int) bool {
	for r := range t.unit {
		if o.Unit[r]*uint64(o.parts) < t.unit[r] {
			return false
		}
	}
	return t.classes.Has(w.region[provider]*(models+1) + w.book.Offers[provider].Class%(models+1))
}

// sellerGets is revenue less cost of all leases over a term, less penalties and
// less what its shams pay.
func (p *played) sellerGets(w *world, who int) float64 {
	var total float64
	for _, l := range p.leases {
		o := &w.orders[l.order]
		rate := l.rate * float64(l.replicas)
		if o.payer == who {
			total -= rate * ackHour
		}
		if l.provider != who {
			continue
		}
		cost := float64(rateOf(o.Unit, w.costs[who])) * float64(l.replicas)
		switch {
		case l.declined:
			total -= rate
		case o.sham:
			total += rate * ackHour
		case o.tenant >= 0 && w.useless(&o.Bid, l.provider):
			total += rate - cost // the tenant looks, and leaves within an hour
		default:
			total += (rate - cost) * termHour
		}
	}
	return total
}

// useless tells whether the provider is not where it says, and the bid does not
// take where it is.
func (w *world) useless(b *match.Bid, provider int) bool {
	class := w.book.Offers[provider].Class
	return class/(models+1) != w.region[provider] && !b.Classes.Has(w.region[provider]*(models+1)+class%(models+1))
}
