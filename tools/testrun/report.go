package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// report prints results as they come and sums them up.
type report struct {
	out                     io.Writer
	begun                   time.Time
	passed, failed, skipped int
	failures                []string
	reasons                 map[string]int
	root                    bool
}

func newReport(out io.Writer) *report {
	return &report{out: out, begun: time.Now(), reasons: map[string]int{}, root: os.Geteuid() == 0}
}

// add prints one package: a line when all is well, and every failed test with all that it said.
func (r *report) add(result result) {
	r.passed += result.passed
	r.failed += result.failed
	r.skipped += result.skipped
	for _, reason := range result.reasons {
		r.reasons[reason]++
	}
	for _, f := range result.failures {
		r.failures = append(r.failures, f.name())
		fmt.Fprintf(r.out, "\n--- FAIL %s\n%s\n", f.name(), strings.TrimRight(f.output, "\n"))
	}
	fmt.Fprintln(r.out, result.line())
}

func (r result) line() string {
	state, took := "ok  ", fmt.Sprintf("%.1fs", r.seconds)
	if r.failed > 0 {
		state = "FAIL"
	}
	if r.cached {
		took = "cached"
	}
	return fmt.Sprintf("%s  %-58s %8s  %s", state, r.pkg, took, counts(r.passed, r.failed, r.skipped))
}

// counts is the closing line's form: skips are named only when there are any.
func counts(passed, failed, skipped int) string {
	line := fmt.Sprintf("%d passed, %d failed", passed, failed)
	if skipped > 0 {
		line += fmt.Sprintf(", %d skipped", skipped)
	}
	return line
}

func (r *report) waiting(packages []string) {
	slices.Sort(packages)
	fmt.Fprintf(r.out, "....  %s: waiting for %s\n", time.Since(r.begun).Round(time.Second), strings.Join(packages, ", "))
}

// close prints what was skipped and what failed, then the one line that scripts read. It reports whether all is well.
func (r *report) close() bool {
	fmt.Fprintln(r.out)
	r.printSkips()
	if len(r.failures) > 0 {
		fmt.Fprintf(r.out, "failed:\n  %s\n", strings.Join(r.failures, "\n  "))
	}
	fmt.Fprintln(r.out, counts(r.passed, r.failed, r.skipped))
	return r.failed == 0
}

var aboutRoot = regexp.MustCompile(`(?i)\b(needs?|as|without|not) root\b`)

func (r *report) printSkips() {
	var reasons []string
	needRoot := 0
	for reason, count := range r.reasons {
		reasons = append(reasons, reason)
		if aboutRoot.MatchString(reason) {
			needRoot += count
		}
	}
	slices.SortFunc(reasons, func(a, b string) int {
		return cmp.Or(cmp.Compare(r.reasons[b], r.reasons[a]), cmp.Compare(a, b))
	})
	for _, reason := range reasons {
		fmt.Fprintf(r.out, "skipped %3d: %s\n", r.reasons[reason], reason)
	}
	if needRoot > 0 && !r.root {
		fmt.Fprintf(r.out, "%d needed root; try: sudo -E env PATH=\"$PATH\" make test\n", needRoot)
	}
}
