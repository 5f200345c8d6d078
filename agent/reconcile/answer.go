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
			promised.force(l.Unit, l.Replicas) // promised already, whether it fits or not
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
	switch {
	case !known:
		return []Action{{Reserve, l.ID, "it was acknowledged before the journal was lost"}}
	case (r.Unit != l.Unit || r.Replicas != l.Replicas) && !w.exceeds(r, l):
		return []Action{{Reserve, l.ID, "it was resized"}}
	}
	return nil
}

// exceeds tells that what runs of a lease is as large as its reservation still says, and more than is paid for. What is
// paused takes neither processor nor memory; it comes to its size when it resumes.
func (w world) exceeds(r Reservation, l Lease) bool {
	x, exists := w.workload[l.ID]
	return r.Exceeds(l) && exists && !x.Paused && x.Revision != w.manifest[l.ID].Run
}

// Exceeds tells that more is reserved than the lease pays for.
func (r Reservation) Exceeds(l Lease) bool { return r.Replicas > l.Replicas || !fits(r.Unit, l.Unit) }

// excess is what is reserved beyond what the lease pays for, in one piece.
func (r Reservation) excess(l Lease) Reservation {
	out := Reservation{Lease: r.Lease, Replicas: 1}
	for d := range r.Unit {
		taken, paid := r.Unit[d]*uint64(r.Replicas), l.Unit[d]*uint64(l.Replicas)
		out.Unit[d] = taken - min(taken, paid)
	}
	return out
}

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

// lingering lists what takes room here and will make it free: what has ended on the chain, and what live leases take more
// than they pay for since they were made smaller.
func (w world) lingering() []Reservation {
	var out []Reservation
	for id, r := range w.reserved {
		l, live := w.lease[id]
		_, exists := w.workload[id]
		switch {
		case !live && exists:
			out = append(out, r)
		case live && w.exceeds(r, l):
			out = append(out, r.excess(l))
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
