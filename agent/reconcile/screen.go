package reconcile

// Screening is whether a workload would be taken.
type Screening struct {
	Fits uint32 // replicas for which there is room now, at most those asked for
	Free Vector // largest amount free on one machine, in each dimension
}

// Screen tells for how many replicas of a unit there is room beside everything that was promised or still takes room.
// Nothing is decided by it.
func Screen(in Input, unit Vector, replicas uint32) Screening {
	w := index(in)
	free := newRoom(w.Nodes)
	for _, l := range w.byPromise() {
		free.force(l.Unit, l.Replicas)
	}
	for _, r := range w.lingering() {
		free.force(r.Unit, r.Replicas)
	}
	var out Screening
	for _, node := range free {
		for d := range node {
			out.Free[d] = max(out.Free[d], node[d])
		}
	}
	if len(free) == 0 {
		return out
	}
	if unit == (Vector{}) {
		out.Fits = replicas
	}
	for out.Fits < replicas && free.takeOne(unit) {
		out.Fits++
	}
	return out
}
