// Package meter adds up for how long leases were served, in service seconds of the chain. It is pure: it owns the arithmetic
// and the rule for times in which nobody looked, and knows nothing of runtimes, chains and files.
package meter

// MaxSpans bounds what is kept of one lease: more changes than that are added up, the oldest first.
const MaxSpans = 256

// Replica is what a look saw of one replica that is wanted.
type Replica struct {
	// Name of the replica, unique in its lease.
	Name string
	// Run tells its runs apart: another one after every start.
	Run string
	// Up tells whether the provider did its part: the replica is served, or is not for a reason of its tenant's.
	Up bool
}

// Span is a time in which the same share was served: Up of Of, of each second in [From, Until).
type Span struct {
	From  uint64 `json:"from"`
	Until uint64 `json:"until"`
	Up    uint64 `json:"up"`
	Of    uint64 `json:"of"`
}

// within returns the part of a span in [from, until), which may be empty.
func (s Span) within(from, until uint64) Span {
	s.From, s.Until = max(s.From, from), min(s.Until, until)
	if s.From >= s.Until {
		return Span{From: from, Until: from, Of: 1}
	}
	return s
}

func (s Span) seconds() uint64 { return s.Until - s.From }

// Record is what is known of one lease. The zero value knows nothing. It is kept by its owner, in JSON.
type Record struct {
	// Spans in the order of time; between them nothing was served.
	Spans []Span `json:"spans,omitempty"`
	// At is the second of the last look.
	At uint64 `json:"at"`
	// Runs are those that were up then, by replica.
	Runs map[string]string `json:"runs,omitempty"`
	// Of is how many replicas were wanted then.
	Of uint64 `json:"of,omitempty"`
}

// Look notes what is seen at a second. What was up at the last look counts as up until this one, if the two lie at most gap
// seconds apart; across a longer time, in which nobody looked, only what is still in the same run. A look that is not later
// than the last only replaces what was seen. A lease without replicas that are wanted is idle: it counts as up.
func (r *Record) Look(at uint64, replicas []Replica, gap uint64) {
	runs, of := map[string]string{}, uint64(len(replicas))
	for _, p := range replicas {
		if p.Up {
			runs[p.Name] = p.Run
		}
	}
	if of == 0 {
		runs, of = map[string]string{"": ""}, 1
	}
	if r.At != 0 && at > r.At {
		up := uint64(len(r.Runs))
		if at-r.At > gap {
			up = common(r.Runs, runs)
		}
		r.add(Span{From: r.At, Until: at, Up: up, Of: max(r.Of, 1)})
	}
	r.At, r.Runs, r.Of = max(r.At, at), runs, of
}

// common counts the runs that are in both.
func common(before, now map[string]string) (n uint64) {
	for name, run := range before {
		if other, ok := now[name]; ok && other == run {
			n++
		}
	}
	return n
}

func (r *Record) add(s Span) {
	if s.Up == 0 {
		return
	}
	if n := len(r.Spans); n > 0 {
		if last := &r.Spans[n-1]; last.Until == s.From && last.Up*s.Of == s.Up*last.Of {
			last.Until = s.Until
			return
		}
	}
	r.Spans = append(r.Spans, s)
	if len(r.Spans) > MaxSpans {
		first, second := r.Spans[0], r.Spans[1]
		whole := Span{From: first.From, Until: second.Until}
		whole.Of = whole.seconds()
		whole.Up = first.seconds()*first.Up/first.Of + second.seconds()*second.Up/second.Of
		r.Spans = append([]Span{whole}, r.Spans[2:]...)
	}
}

// UpSeconds returns for how many seconds of [from, until) the lease was served, rounded down; what came after the last look is not
// counted.
func (r *Record) UpSeconds(from, until uint64) uint64 {
	byShare := map[uint64]uint64{} // seconds x replicas, by the number of replicas: rounded once for each
	for _, s := range r.Spans {
		part := s.within(from, until)
		byShare[part.Of] += part.seconds() * part.Up
	}
	var up uint64
	for of, sum := range byShare {
		up += sum / of
	}
	return up
}

// Forget drops what lies before a second.
func (r *Record) Forget(before uint64) {
	kept := r.Spans[:0]
	for _, s := range r.Spans {
		if s.Until > before {
			kept = append(kept, s)
		}
	}
	r.Spans = kept
}
