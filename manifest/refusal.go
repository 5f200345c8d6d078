package manifest

import (
	"fmt"
	"slices"
	"strings"
)

// Refusal is one thing in a tenant's file that is not taken, where it stands, why, and what to write instead.
type Refusal struct {
	File string
	Line int // from 1; 0 when the whole file is meant
	What string
	Why  string
	Try  string // may be empty
}

// String is one line: file:line: what: why / try: …
func (r Refusal) String() string {
	var b strings.Builder
	b.WriteString(r.File)
	if r.Line > 0 {
		fmt.Fprintf(&b, ":%d", r.Line)
	}
	fmt.Fprintf(&b, ": %s: %s", r.What, r.Why)
	if r.Try != "" {
		fmt.Fprintf(&b, " / try: %s", r.Try)
	}
	return printable(b.String())
}

// Refusals is the error of a file that is not taken: all of its refusals, sorted by place.
type Refusals []Refusal

// Error is one line a refusal.
func (r Refusals) Error() string {
	lines := make([]string, len(r))
	for i, refusal := range r {
		lines[i] = refusal.String()
	}
	return strings.Join(lines, "\n")
}

// Sorted returns the refusals by file, line and text, each once.
func (r Refusals) Sorted() Refusals {
	sorted := slices.Clone(r)
	slices.SortStableFunc(sorted, func(a, b Refusal) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return strings.Compare(a.String(), b.String())
	})
	return slices.Compact(sorted)
}

// printable takes out what could steer a terminal: a file may come from a stranger.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, s)
}
