package meter

import "maps"

// Hold counts what was seen at the last look as going on until a second: between a look that was written down and the last one,
// nothing had changed.
func (r *Record) Hold(until uint64) {
	if r.At == 0 || until <= r.At {
		return
	}
	r.add(Span{From: r.At, Until: until, Up: uint64(len(r.Runs)), Of: max(r.Of, 1)})
	r.At = until
}

// SameSight tells that two records saw the same at their last looks: then one can be held until the other.
func (r *Record) SameSight(other Record) bool {
	return r.Of == other.Of && maps.Equal(r.Runs, other.Runs)
}

// IsDown tells that nothing was up at the last look.
func (r *Record) IsDown() bool { return len(r.Runs) == 0 }
