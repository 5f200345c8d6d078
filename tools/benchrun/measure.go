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
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

var benchmarkFunc = regexp.MustCompile(`(?m)^func Benchmark`)

// withBenchmarks lists the packages that have benchmarks, so that no others are built, and the path of their module.
func withBenchmarks(ctx context.Context, patterns []string) (module string, packages []string, err error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-json=ImportPath,Dir,Module,TestGoFiles,XTestGoFiles"}, patterns...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", nil, fmt.Errorf("list the packages: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var pkg struct {
			ImportPath, Dir           string
			Module                    struct{ Path string }
			TestGoFiles, XTestGoFiles []string
		}
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			return module, packages, nil
		} else if err != nil {
			return "", nil, fmt.Errorf("read the list of packages: %w", err)
		}
		module = pkg.Module.Path
		has, err := hasBenchmark(pkg.Dir, append(pkg.TestGoFiles, pkg.XTestGoFiles...))
		if err != nil {
			return "", nil, err
		}
		if has {
			packages = append(packages, pkg.ImportPath)
		}
	}
}

func hasBenchmark(dir string, files []string) (bool, error) {
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return false, fmt.Errorf("look for benchmarks: %w", err)
		}
		if benchmarkFunc.Match(text) {
			return true, nil
		}
	}
	return false, nil
}

// measure runs the benchmarks, one package at a time so that they do not disturb each other.
func measure(ctx context.Context, opts options, module string, packages []string, progress io.Writer) ([]*figure, error) {
	args := append([]string{
		"test", "-run", "^$", "-bench", opts.bench, "-benchtime", opts.benchtime,
		"-p", "1", "-timeout", opts.timeout, "-vet=off",
	}, packages...)
	cmd := exec.CommandContext(ctx, "go", args...)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("pipe from go test: %w", err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start go test: %w", err)
	}
	figures, readErr := parse(io.TeeReader(stdout, progress), module)
	if err := errors.Join(readErr, cmd.Wait()); err != nil {
		return nil, fmt.Errorf("run the benchmarks: %w", err)
	}
	return figures, nil
}

var (
	packageLine = regexp.MustCompile(`^pkg: (\S+)`)
	// resultLine is a name, the processors that go test appends to it, the number of runs, and pairs of value and unit.
	resultLine = regexp.MustCompile(`^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.+)$`)
)

// parse reads the text of go test -bench. A figure's name is its package within the module, a dot, and the benchmark.
func parse(r io.Reader, module string) ([]*figure, error) {
	var figures []*figure
	pkg := ""
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if match := packageLine.FindStringSubmatch(lines.Text()); match != nil {
			pkg = strings.TrimPrefix(strings.TrimPrefix(match[1], module), "/")
		}
		match := resultLine.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		fields := strings.Fields(match[2])
		for i := 0; i+1 < len(fields); i += 2 {
			value, err := strconv.ParseFloat(fields[i], 64)
			if err != nil {
				return nil, fmt.Errorf("read %q: %w", lines.Text(), err)
			}
			figures = append(figures, &figure{Name: pkg + "." + match[1], Value: value, Unit: fields[i+1]})
		}
	}
	return figures, lines.Err()
}
