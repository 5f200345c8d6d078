package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// marker divides a report: what people wrote stands before it, what a run found after it.
const marker = "<!-- figures -->"

// writeReport replaces what follows the marker in a Markdown file, or makes the file.
func writeReport(ctx context.Context, file string, figures []*figure) error {
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("read the last report: %w", err)
	}
	written, _, _ := strings.Cut(string(text), marker)
	report := written + marker + "\n\n" + origin(ctx) + tables(figures)
	if err := os.WriteFile(file, []byte(report), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// origin says where the figures come from.
func origin(ctx context.Context) string {
	return fmt.Sprintf("%s, %d processors, %s, %s; load %s at the end. Commit %s, %s.\n",
		cpuModel(), runtime.NumCPU(), memory(), runtime.Version(), load(), commit(ctx), time.Now().UTC().Format("2006-01-02 15:04 UTC"))
}

var (
	modelLine  = regexp.MustCompile(`(?m)^model name\s*: (.+)$`)
	memoryLine = regexp.MustCompile(`(?m)^MemTotal:\s+(\d+) kB$`)
)

func cpuModel() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if match := modelLine.FindSubmatch(text); err == nil && match != nil {
		return string(match[1])
	}
	return runtime.GOARCH
}

func memory() string {
	text, err := os.ReadFile("/proc/meminfo")
	if match := memoryLine.FindSubmatch(text); err == nil && match != nil {
		if kib, err := strconv.Atoi(string(match[1])); err == nil {
			return fmt.Sprintf("%d GiB", (kib+1<<19)>>20)
		}
	}
	return "unknown memory"
}

func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	average, _, _ := strings.Cut(string(text), " ")
	return average
}

func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty=, with changes").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// tables has one table a package and one row a benchmark.
func tables(figures []*figure) string {
	var b strings.Builder
	pkg, name := "", ""
	for _, f := range figures {
		inPackage, benchmark, _ := strings.Cut(f.Name, ".")
		if inPackage != pkg {
			pkg, name = inPackage, ""
			fmt.Fprintf(&b, "\n\n## %s\n\n| Benchmark | Figures |\n|---|---|", pkg)
		}
		if benchmark != name {
			name = benchmark
			fmt.Fprintf(&b, "\n| %s | %s |", name, row(figures, f.Name))
		}
	}
	return strings.TrimPrefix(b.String(), "\n") + "\n"
}

// row joins the figures of one benchmark.
func row(figures []*figure, name string) string {
	var cells []string
	for _, f := range figures {
		if f.Name == name {
			cells = append(cells, f.cell())
		}
	}
	return strings.Join(cells, "; ")
}

func (f *figure) cell() string {
	cell := readable(f.Value, f.Unit)
	switch {
	case f.OK == nil:
		return cell
	case *f.OK:
		return fmt.Sprintf("%s (%s: ok)", cell, f.Target)
	default:
		return fmt.Sprintf("**%s (%s: missed)**", cell, f.Target)
	}
}

// readable gives times in a unit that suits them, and other values with at most four digits that matter.
func readable(value float64, unit string) string {
	if what, per, ok := strings.Cut(unit, "ns/"); ok {
		what = strings.TrimSuffix(what, "-")
		return time.Duration(value).Round(rounding(value)).String() + strings.TrimRight(" "+what, " ") + "/" + per
	}
	if value >= 1000 {
		return fmt.Sprintf("%.0f %s", value, unit)
	}
	return fmt.Sprintf("%.4g %s", value, unit)
}

// rounding leaves four digits of a time in nanoseconds.
func rounding(nanos float64) time.Duration {
	step := time.Duration(1)
	for nanos >= 10_000 {
		nanos /= 10
		step *= 10
	}
	return step
}
