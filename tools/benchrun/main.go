// Command benchrun runs Go benchmarks and holds their figures against targets.
//
//	benchrun [-bench REGEXP] [-benchtime T] [-targets FILE] [-report FILE] PATTERN...
//
// Figures go to stdout, one JSON object a line; progress and a table go to stderr. Figures that depend on the machine
// are told when they miss their target; those that do not (ratios, qualities: "binding" in the targets) make it exit
// with 1. It knows nothing of what is measured.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// options are what the command line asks for.
type options struct {
	bench, benchtime, targets, report, timeout string
	packages                                   []string
}

func main() {
	var opts options
	flag.StringVar(&opts.bench, "bench", ".", "benchmarks to run, as for go test")
	flag.StringVar(&opts.benchtime, "benchtime", "1s", "time or iterations for each, as for go test")
	flag.StringVar(&opts.targets, "targets", "", "JSON file of targets")
	flag.StringVar(&opts.report, "report", "", "Markdown file to keep the figures in")
	flag.StringVar(&opts.timeout, "timeout", "60m", "limit for one package, as for go test")
	flag.Parse()
	opts.packages = flag.Args()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, opts, os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

var errMissed = errors.New("a binding target is missed")

func run(ctx context.Context, opts options, out, progress io.Writer) error {
	targets, err := readTargets(opts.targets)
	if err != nil {
		return err
	}
	module, packages, err := withBenchmarks(ctx, opts.packages)
	if err != nil {
		return err
	}
	if len(packages) == 0 {
		return errors.New("no benchmarks there")
	}
	figures, err := measure(ctx, opts, module, packages, progress)
	if err != nil {
		return err
	}
	judge(figures, targets)
	if err := writeJSON(out, figures); err != nil {
		return err
	}
	writeTable(progress, figures)
	if opts.report != "" {
		if err := writeReport(ctx, opts.report, figures); err != nil {
			return err
		}
	}
	for _, f := range figures {
		if f.binding && f.OK != nil && !*f.OK {
			return errMissed
		}
	}
	return nil
}
