package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// quietPeriod is how long the runner may say nothing before it tells what it waits for.
const quietPeriod = time.Minute

// run tests all packages and writes the report to out. It reports whether nothing failed.
func run(ctx context.Context, opts options, out io.Writer) (bool, error) {
	shared, fresh, err := plan(ctx, opts)
	if err != nil {
		return false, err
	}
	report := newReport(out)
	if err := goTest(ctx, report, append(opts.goFlags[:len(opts.goFlags):len(opts.goFlags)],
		"-p", strconv.Itoa(opts.parallel), "-timeout", opts.timeout.String()), shared); err != nil {
		return false, err
	}
	if err := goTest(ctx, report, append(opts.goFlags[:len(opts.goFlags):len(opts.goFlags)],
		"-p", "1", "-count", "1", "-timeout", opts.timeout.String()), fresh); err != nil {
		return false, err
	}
	return report.close(), nil
}

// plan lists the packages that have tests (or do not load, which is then a failure), apart those to be run afresh.
func plan(ctx context.Context, opts options) (shared, fresh []string, err error) {
	all, err := list(ctx, opts.packages)
	if err != nil {
		return nil, nil, err
	}
	skip, err := listSet(ctx, opts.skip)
	if err != nil {
		return nil, nil, err
	}
	isFresh, err := listSet(ctx, opts.fresh)
	if err != nil {
		return nil, nil, err
	}
	for _, pkg := range all {
		switch {
		case skip[pkg]:
		case isFresh[pkg]:
			fresh = append(fresh, pkg)
		default:
			shared = append(shared, pkg)
		}
	}
	return shared, fresh, nil
}

func listSet(ctx context.Context, patterns []string) (map[string]bool, error) {
	set := map[string]bool{}
	if len(patterns) == 0 {
		return set, nil
	}
	names, err := list(ctx, patterns)
	for _, name := range names {
		set[name] = true
	}
	return set, err
}

func list(ctx context.Context, patterns []string) ([]string, error) {
	const withTests = `{{if or .TestGoFiles .XTestGoFiles .Error}}{{.ImportPath}}{{end}}`
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-e", "-f", withTests}, patterns...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the packages %s: %w\n%s", strings.Join(patterns, " "), err, stderr.String())
	}
	return strings.Fields(string(out)), nil
}

// goTest runs the tests of some packages and feeds the report. Failed tests are no error of goTest.
func goTest(ctx context.Context, report *report, flags, packages []string) error {
	if len(packages) == 0 {
		return nil
	}
	args := append(append([]string{"test", "-json"}, flags...), packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // lets tests clean up
	cmd.WaitDelay = time.Minute
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("pipe from go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start go test: %w", err)
	}
	before := report.failed
	if err := report.read(lines(stdout)); err != nil {
		return errors.Join(err, cmd.Wait())
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil && report.failed > before {
		return nil // it tells what the report already knows
	}
	if err != nil {
		return fmt.Errorf("go test: %w", err)
	}
	return nil
}

// lines sends each line of r, however long, until its end.
func lines(r io.Reader) <-chan []byte {
	ch := make(chan []byte)
	go func() {
		defer close(ch)
		reader := bufio.NewReader(r)
		for {
			line, err := reader.ReadBytes('\n')
			if len(line) > 0 {
				ch <- line
			}
			if err != nil {
				return
			}
		}
	}()
	return ch
}

// read takes in the output of one go test.
func (r *report) read(lines <-chan []byte) error {
	tally := newTally()
	quiet := time.NewTicker(quietPeriod)
	defer quiet.Stop()
	for {
		select {
		case line, more := <-lines:
			if !more {
				return nil
			}
			var e event
			if err := json.Unmarshal(line, &e); err != nil {
				fmt.Fprintf(r.out, "%s", line) // go itself speaking, not a test
				continue
			}
			if result, ended := tally.add(e); ended {
				r.add(result)
				quiet.Reset(quietPeriod)
			}
		case <-quiet.C:
			r.waiting(tally.running())
		}
	}
}
