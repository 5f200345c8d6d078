package reconcile

import (
	"cmp"
	"slices"
)

// answers reserves room and acknowledges, or declines. A lease is never accepted that does not fit beside everything else
// that was promised or still takes room.
func (w world) answers() []Action {
	var plan []Action
	promised, lingering := newRoom(w.Nodes), w.lingering()
	for _, l := range w.byPromise() {
		if l.State != Pending {
			promised.force(w.taken(l)) // promised already, whether it fits or not
			plan = append(plan, w.keepReserved(l)...)
			continue
		}
		plan = append(plan, w.answer(l, promised, lingering)...)
	}
	return plan
}

// keepReserved writes down what a promised lease takes, when the journal was lost or the lease was resized.
func (w world) keepReserved(l Lease) []Action {
	r, known := w.reserved[l.ID]
	unit, replicas := w.taken(l)
	switch {
	case !known:
		return []Action{{Reserve, l.ID, "it was acknowledged before the journal was lost"}}
	case (r.Unit != l.Unit || r.Replicas != l.Replicas) && unit == l.Unit && replicas == l.Replicas:
		return []Action{{Reserve, l.ID, "it was resized"}}
	}
	return nil
}

// taken is the room that a promised lease takes: that of its reservation as long as what runs is larger than what is paid
// for.
func (w world) taken(l Lease) (Vector, uint32) {
	r, known := w.reserved[l.ID]
	x, exists := w.workload[l.ID]
	if known && r.Exceeds(l) && exists && x.Revision != w.manifest[l.ID].Run {
		return r.Unit, r.Replicas
	}
	return l.Unit, l.Replicas
}

// Exceeds tells that more is reserved than the lease pays for.
func (r Reservation) Exceeds(l Lease) bool { return r.Replicas > l.Replicas || !fits(r.Unit, l.Unit) }

// answer decides about one pending lease and takes its room if it is accepted.
func (w world) answer(l Lease, promised room, lingering []Reservation) []Action {
	late := l.AckBy != 0 && w.Now >= l.AckBy
	now := promised.clone()
	for _, r := range lingering {
		now.force(r.Unit, r.Replicas)
	}
	switch {
	case late:
		return nil // the chain takes it back
	case w.answering[l.ID]:
		promised.force(l.Unit, l.Replicas)
		return nil
	case now.take(l.Unit, l.Replicas):
		promised.take(l.Unit, l.Replicas)
		plan := []Action{{Accept, l.ID, "there is room"}}
		if _, known := w.reserved[l.ID]; !known {
			plan = append(plan, Action{Reserve, l.ID, "before it is acknowledged"})
		}
		return plan
	case w.Now+w.AckMargin < l.AckBy && promised.clone().take(l.Unit, l.Replicas):
		promised.take(l.Unit, l.Replicas) // those that end will make room in time
		return nil
	default:
		return []Action{{Decline, l.ID, "there is no room"}}
	}
}

// byPromise lists acknowledged leases, then pending ones, each by id: who was promised first comes first.
func (w world) byPromise() []Lease {
	leases := make([]Lease, 0, len(w.lease))
	for _, l := range w.lease {
		leases = append(leases, l)
	}
	slices.SortFunc(leases, func(a, b Lease) int {
		switch {
		case a.State == b.State || a.State != Pending && b.State != Pending:
			return cmp.Compare(a.ID, b.ID)
		case b.State == Pending:
			return -1
		default:
			return 1
		}
	})
	return leases
}

// lingering lists what has ended on the chain and still takes room here.
func (w world) lingering() []Reservation {
	var out []Reservation
	for id, r := range w.reserved {
		_, live := w.lease[id]
		_, exists := w.workload[id]
		if !live && exists {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Reservation) int { return cmp.Compare(a.Lease, b.Lease) })
	return out
}

// room is what is free on each node.
type room []Vector

func newRoom(nodes []Vector) room { return slices.Clone(nodes) }

func (r room) clone() room { return slices.Clone(r) }

// take places replicas, each on the first node that has room; all or nothing.
func (r room) take(unit Vector, replicas uint32) bool {
	if unit == (Vector{}) {
		return true
	}
	before := r.clone()
	for range replicas {
		if !r.takeOne(unit) {
			copy(r, before)
			return false
		}
	}
	return true
}

// force places replicas that are there already: what does not fit makes every node as poor as it can.
func (r room) force(unit Vector, replicas uint32) {
	for range replicas {
		if r.takeOne(unit) {
			continue
		}
		left := unit
		for i := range r {
			for d := range left {
				part := min(left[d], r[i][d])
				r[i][d] -= part
				left[d] -= part
			}
		}
	}
}

func (r room) takeOne(unit Vector) bool {
	for i := range r {
		if fits(unit, r[i]) {
			for d := range unit {
				r[i][d] -= unit[d]
			}
			return true
		}
	}
	return false
}

func fits(unit, free Vector) bool {
	for d := range unit {
		if unit[d] > free[d] {
			return false
		}
	}
	return true
}
