// Command testrun runs `go test` over many packages and tells, in one closing line, how many tests passed and failed.
//
//	testrun [-p 2] [-timeout 15m] [-fresh PATTERN] [-skip PATTERN] PATTERN... [-- FLAGS OF GO TEST]
//
// A package that does not build counts as one failed test, as does a test that never ended. The exit code is 1
// when anything failed. It knows nothing of this repository's packages.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// patterns is a flag that may be given more than once.
type patterns []string

func (p *patterns) String() string { return strings.Join(*p, " ") }

func (p *patterns) Set(value string) error {
	*p = append(*p, value)
	return nil
}

// options are what the command line asks for.
type options struct {
	parallel int
	timeout  time.Duration
	fresh    patterns // packages that talk to the outside: one at a time, after the others, never from the test cache
	skip     patterns
	packages []string
	goFlags  []string
}

func main() {
	opts, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx, opts, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var opts options
	for i, arg := range args {
		if arg == "--" {
			args, opts.goFlags = args[:i], args[i+1:]
			break
		}
	}
	flags := flag.NewFlagSet("testrun", flag.ContinueOnError)
	flags.IntVar(&opts.parallel, "p", 2, "packages built and tested at the same time")
	flags.DurationVar(&opts.timeout, "timeout", 15*time.Minute, "limit for one package")
	flags.Var(&opts.fresh, "fresh", "packages to run one at a time, after the others and without the test cache")
	flags.Var(&opts.skip, "skip", "packages to leave out")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	opts.packages = flags.Args()
	if len(opts.packages) == 0 {
		return options{}, fmt.Errorf("no packages named; all of them are ./... here")
	}
	return opts, nil
}
