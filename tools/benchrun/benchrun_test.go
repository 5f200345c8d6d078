package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// module makes a Go module with one benchmark, one plain package and these targets the working directory.
func module(t *testing.T, targets string) options {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv("GOFLAGS", "")
	for name, text := range map[string]string{
		"go.mod":               "module example.com/m\n\ngo 1.26\n",
		"targets.json":         targets,
		"plain/plain_test.go":  "package plain\nimport \"testing\"\nfunc TestX(t *testing.T) { t.Fatal(\"not a benchmark\") }\n",
		"quick/bench_test.go":  "package quick\nimport \"testing\"\nfunc BenchmarkDo(b *testing.B) {\n\tb.Run(\"1k\", func(b *testing.B) {\n\t\tb.ReportAllocs()\n\t\tfor b.Loop() {}\n\t\tb.ReportMetric(1.25, \"times-base\")\n\t})\n}\n",
		"quick/quick.go":       "package quick\n",
		"broken/broken.go":     "package broken\n",
		"broken/bench_test.go": "package broken\nimport \"testing\"\nfunc BenchmarkFail(b *testing.B) { b.Fatal(\"out of luck\") }\n",
	} {
		if dir, _, ok := strings.Cut(name, "/"); ok {
			require.NoError(t, os.MkdirAll(dir, 0o755))
		}
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	return options{bench: ".", benchtime: "1x", targets: "targets.json", timeout: "1m", packages: []string{"./plain", "./quick"}}
}

func TestFiguresAreHeldAgainstTheirTargets(t *testing.T) {
	opts := module(t, `[
		{"name": "quick.Do/1k", "unit": "times-base", "max": 1.3, "binding": true},
		{"name": "quick.Do/1k", "unit": "ns/op", "max": 0}
	]`)
	var out, progress bytes.Buffer
	require.NoError(t, run(context.Background(), opts, &out, &progress), "a machine-bound target may be missed")
	require.Contains(t, out.String(), `{"name":"quick.Do/1k","value":1.25,"unit":"times-base","target":"<= 1.3","ok":true}`)
	require.Regexp(t, `"unit":"ns/op","target":"<= 0","ok":false`, out.String())
	require.Regexp(t, `(?m)"unit":"allocs/op"}$`, out.String())
	require.Regexp(t, `quick\.Do/1k +1\.25 +times-base +<= 1\.3 +ok`, progress.String())
	require.Contains(t, progress.String(), "MISSED")
}

func TestAReportKeepsWhatPeopleWroteAndReplacesTheFigures(t *testing.T) {
	opts := module(t, `[{"name": "quick.Do/1k", "unit": "times-base", "max": 1}]`)
	opts.report = "RESULTS.md"
	require.NoError(t, os.WriteFile(opts.report, []byte("# Results\n\nNotes.\n\n"+marker+"\nold figures\n"), 0o600))
	var out, progress bytes.Buffer
	require.NoError(t, run(context.Background(), opts, &out, &progress))

	text, err := os.ReadFile(opts.report)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(text), "# Results\n\nNotes.\n\n"+marker+"\n"), string(text))
	require.NotContains(t, string(text), "old figures")
	require.Contains(t, string(text), "## quick\n")
	require.Regexp(t, `(?m)^\| Do/1k \| .*/op; \*\*1\.25 times-base \(<= 1: missed\)\*\*; 0 B/op; 0 allocs/op \|$`, string(text))
}

func TestAMissedBindingTargetIsAnError(t *testing.T) {
	opts := module(t, `[{"name": "quick.Do/1k", "unit": "times-base", "min": 2, "binding": true}]`)
	var out, progress bytes.Buffer
	require.ErrorIs(t, run(context.Background(), opts, &out, &progress), errMissed)
	require.Contains(t, out.String(), `"target":">= 2","ok":false`)
}

func TestAFailedBenchmarkIsAnError(t *testing.T) {
	opts := module(t, "[]")
	opts.packages = []string{"./broken"}
	var out, progress bytes.Buffer
	err := run(context.Background(), opts, &out, &progress)
	require.ErrorContains(t, err, "run the benchmarks")
	require.Contains(t, progress.String(), "out of luck")
}

func TestTargetsThatSayNothingAreRefused(t *testing.T) {
	for name, targets := range map[string]string{
		"neither max nor min": `[{"name": "a", "unit": "b"}]`,
		"both max and min":    `[{"name": "a", "unit": "b", "max": 1, "min": 2}]`,
		"no JSON":             `max 1`,
	} {
		t.Run(name, func(t *testing.T) {
			opts := module(t, targets)
			var out, progress bytes.Buffer
			require.ErrorContains(t, run(context.Background(), opts, &out, &progress), "targets.json")
		})
	}
}
