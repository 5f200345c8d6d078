package watch

// Service is what a look saw of whether a lease is served.
type Service int

// What a look may see. Unknown judges nothing: the watcher itself could not look, or can not tell whose fault it is.
const (
	Unknown Service = iota
	Up
	Down
	Idle // nothing is paid for
)

// Span is a time in service seconds: [From, Until).
type Span struct {
	From  uint64 `json:"from"`
	Until uint64 `json:"until"`
}

// within is how many seconds of a span lie in [from, until).
func (s Span) within(from, until uint64) uint64 {
	from, until = max(s.From, from), min(s.Until, until)
	return until - min(from, until)
}

// maxSpans are kept of a lease; more are forgotten, the oldest first, in its provider's favour.
const maxSpans = 512

// Count is for how long a lease was seen not to be served. The zero value has judged nothing.
type Count struct {
	From  uint64  `json:"from"`            // second from which it is paid for
	To    uint64  `json:"to,omitempty"`    // second at which it ended; 0 while it lives
	Until uint64  `json:"until,omitempty"` // second up to which it is judged
	Was   Service `json:"was,omitempty"`   // at the last look
	Down  []Span  `json:"down,omitempty"`
	Idle  []Span  `json:"idle,omitempty"` // seen not to be paid for
}

// Look returns the count with what was seen at a second. A time counts as down if the looks at both of its ends saw it down and
// lie at most gap seconds apart: whatever nobody saw is in the provider's favour.
func (c Count) Look(at uint64, is Service, gap uint64) Count {
	if is == Unknown {
		c.Was = Unknown
		return c
	}
	if at < c.Until {
		return c // of another node, which is behind
	}
	if is == c.Was && at-c.Until <= gap {
		switch is {
		case Down:
			c.Down = extended(c.Down, Span{c.Until, at})
		case Idle:
			c.Idle = extended(c.Idle, Span{c.Until, at})
		}
	}
	c.Until, c.Was = at, is
	return c
}

// extended adds a span to others that it does not lie before. It shares no memory with them.
func extended(spans []Span, s Span) []Span {
	if s.From == s.Until {
		return spans
	}
	out := append([]Span(nil), spans...)
	if n := len(out); n > 0 && out[n-1].Until == s.From {
		out[n-1].Until = s.Until
		return out
	}
	out = append(out, s)
	return out[max(0, len(out)-maxSpans):]
}

// Ended returns the count of a lease that ended at a second, and is looked at later.
func (c Count) Ended(to, at uint64) Count {
	c.To, c.Until, c.Was = to, max(c.Until, at), Unknown
	return c
}

// Forget drops what lies before a second.
func (c Count) Forget(before uint64) Count {
	keep := func(spans []Span) (kept []Span) {
		for _, s := range spans {
			if s.Until > before {
				kept = append(kept, s)
			}
		}
		return kept
	}
	c.Down, c.Idle = keep(c.Down), keep(c.Idle)
	return c
}

// Word is what can be said of a lease in an epoch: it was up for so many seconds of [start, Until).
type Word struct {
	Up    uint64 `json:"up"`
	Until uint64 `json:"until"`
}

// Allows is for how many seconds up to the end of the epoch it can have been up, by the word.
func (w Word) Allows(end uint64) uint64 { return w.Up + end - min(w.Until, end) }

// Word returns what the count says of [start, end), and for how many seconds of it the lease was down. It says nothing, by an
// Until of 0, of a time that it has not judged, or in which nothing was paid for.
func (c Count) Word(start, end uint64) (w Word, down uint64) {
	until := min(c.Until, end)
	from, to := max(start, c.From), until
	if c.To != 0 {
		to = min(to, c.To)
	}
	if until <= start || to <= from {
		return Word{}, 0
	}
	w = Word{Up: to - from, Until: until}
	for _, s := range c.Down {
		down += s.within(from, to)
	}
	w.Up -= down
	for _, s := range c.Idle {
		w.Up -= min(w.Up, s.within(from, to))
	}
	return w, down
}
