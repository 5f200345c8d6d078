package main

import (
	"regexp"
	"strings"
)

// event is one line of `go test -json`, see `go doc test2json`; the build- actions carry ImportPath instead of Package.
type event struct {
	Action      string
	Package     string
	Test        string
	Output      string
	Elapsed     float64 // seconds
	ImportPath  string
	FailedBuild string
}

// failure is one failed test, or a failed package when test is empty, with all that it printed.
type failure struct {
	pkg, test, output string
}

func (f failure) name() string {
	if f.test == "" {
		return f.pkg
	}
	return f.pkg + " " + f.test
}

// result is what one package came to.
type result struct {
	pkg                     string
	seconds                 float64
	cached                  bool
	passed, failed, skipped int
	failures                []failure
	reasons                 []string // of each skipped test
}

// tally turns events into results. Only tests without subtests are counted, so that every check counts once.
type tally struct {
	packages map[string]*packageLog
	build    map[string]*strings.Builder // what the compiler said, by import path
}

type packageLog struct {
	output strings.Builder // what belongs to no test
	order  []string
	tests  map[string]*testLog
}

type testLog struct {
	status string // pass, fail, skip, or empty while it runs
	output strings.Builder
}

func newTally() *tally {
	return &tally{packages: map[string]*packageLog{}, build: map[string]*strings.Builder{}}
}

// add takes one event in, and returns the result of a package when that event ended it.
func (t *tally) add(e event) (result, bool) {
	switch {
	case e.Action == "build-output":
		if t.build[e.ImportPath] == nil {
			t.build[e.ImportPath] = &strings.Builder{}
		}
		t.build[e.ImportPath].WriteString(e.Output)
	case e.Package == "":
	case e.Test != "":
		t.log(e.Package).test(e.Test).take(e)
	case e.Action == "output":
		t.log(e.Package).output.WriteString(e.Output)
	case e.Action == "pass" || e.Action == "fail" || e.Action == "skip":
		r := t.finish(e)
		delete(t.packages, e.Package)
		return r, true
	}
	return result{}, false
}

// running names the packages that have begun and not ended.
func (t *tally) running() []string {
	var names []string
	for name := range t.packages {
		names = append(names, name)
	}
	return names
}

func (t *tally) log(pkg string) *packageLog {
	if t.packages[pkg] == nil {
		t.packages[pkg] = &packageLog{tests: map[string]*testLog{}}
	}
	return t.packages[pkg]
}

func (p *packageLog) test(name string) *testLog {
	if p.tests[name] == nil {
		p.tests[name] = &testLog{}
		p.order = append(p.order, name)
	}
	return p.tests[name]
}

func (l *testLog) take(e event) {
	switch e.Action {
	case "output":
		l.output.WriteString(e.Output)
	case "pass", "fail", "skip":
		l.status = e.Action
	}
}

func (t *tally) finish(e event) result {
	log := t.log(e.Package)
	r := result{pkg: e.Package, seconds: e.Elapsed, cached: strings.Contains(log.output.String(), "\t(cached)")}
	for _, name := range log.order {
		r.count(log, name)
	}
	if e.Action == "fail" && r.failed == 0 {
		output := log.output.String()
		if said := t.build[e.FailedBuild]; said != nil {
			output = said.String() + output
		}
		r.fail("", output)
	}
	return r
}

func (r *result) count(log *packageLog, name string) {
	test := log.tests[name]
	failed := test.status == "fail" || test.status == ""
	if leaf, childFailed := log.below(name); !leaf {
		// A parent that fails though no subtest did has failed by itself.
		if failed && !childFailed {
			r.fail(name, test.output.String())
		}
		return
	}
	switch {
	case failed:
		output := test.output.String()
		if test.status == "" {
			output += "(did not end)\n"
		}
		r.fail(name, output)
	case test.status == "skip":
		r.skipped++
		r.reasons = append(r.reasons, skipReason(test.output.String()))
	default:
		r.passed++
	}
}

func (r *result) fail(test, output string) {
	r.failed++
	r.failures = append(r.failures, failure{pkg: r.pkg, test: test, output: output})
}

// below tells whether a test has no subtests, and else whether one of them failed.
func (p *packageLog) below(name string) (leaf, childFailed bool) {
	leaf = true
	for other, log := range p.tests {
		if strings.HasPrefix(other, name+"/") {
			leaf = false
			childFailed = childFailed || log.status == "fail" || log.status == ""
		}
	}
	return leaf, childFailed
}

var skipLine = regexp.MustCompile(`(?m)^\s+\S+\.go:\d+: (.*)$`)

// skipReason is the last thing a skipped test logged.
func skipReason(output string) string {
	lines := skipLine.FindAllStringSubmatch(output, -1)
	if len(lines) == 0 {
		return "no reason given"
	}
	return strings.TrimSpace(lines[len(lines)-1][1])
}
