package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// module writes a Go module of these files and makes it the working directory.
func module(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module example\n\ngo 1.26\n"
	for name, text := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	t.Chdir(dir)
	t.Setenv("GOWORK", "off")
	t.Setenv("GOFLAGS", "")
}

const goodTest = `package good
import "testing"
func TestOne(t *testing.T) {}
func TestTwo(t *testing.T) {
	t.Run("a", func(t *testing.T) {})
	t.Run("b", func(t *testing.T) {})
}
`

func TestRun(t *testing.T) {
	cases := map[string]struct {
		files    map[string]string
		closing  string
		ok       bool
		contains []string
		lacks    []string
	}{
		"leaf tests count once and their parents not at all": {
			files:   map[string]string{"good/good_test.go": goodTest},
			closing: "3 passed, 0 failed", ok: true,
			contains: []string{"ok    example/good"},
		},
		"a failed subtest counts once and is shown in full": {
			files: map[string]string{"bad/bad_test.go": `package bad
import "testing"
func TestParent(t *testing.T) {
	t.Run("fine", func(t *testing.T) {})
	t.Run("broken", func(t *testing.T) { t.Error("the reason of the failure") })
}
`},
			closing:  "1 passed, 1 failed",
			contains: []string{"the reason of the failure", "FAIL  example/bad", "failed:\n  example/bad TestParent/broken"},
		},
		"a parent that fails by itself counts": {
			files: map[string]string{"bad/bad_test.go": `package bad
import "testing"
func TestParent(t *testing.T) {
	t.Run("fine", func(t *testing.T) {})
	t.Error("after the subtests")
}
`},
			closing:  "1 passed, 1 failed",
			contains: []string{"after the subtests"},
		},
		"a panic fails the test that raised it": {
			files: map[string]string{"bad/bad_test.go": `package bad
import "testing"
func TestFine(t *testing.T) {}
func TestPanic(t *testing.T) { var m map[string]int; m["x"] = 1 }
func TestNever(t *testing.T) {}
`},
			closing:  "1 passed, 1 failed",
			contains: []string{"assignment to entry in nil map"},
		},
		"a test that calls os.Exit fails": {
			files: map[string]string{"bad/bad_test.go": `package bad
import ("os"; "testing")
func TestExit(t *testing.T) { os.Exit(0) }
`},
			closing: "0 passed, 1 failed",
		},
		"a package that does not compile is one failure, the others still run": {
			files: map[string]string{
				"bad/bad_test.go":   "package bad\nimport \"testing\"\nfunc TestX(t *testing.T) { undefinedThing() }\n",
				"good/good_test.go": goodTest,
			},
			closing:  "3 passed, 1 failed",
			contains: []string{"undefined: undefinedThing", "failed:\n  example/bad\n"},
		},
		"a package whose dependency does not compile is one failure": {
			files: map[string]string{
				"lib/lib.go":      "package lib\nfunc F() { undefinedThing() }\n",
				"bad/bad_test.go": "package bad\nimport (\"testing\"; \"example/lib\")\nfunc TestX(t *testing.T) { lib.F() }\n",
			},
			closing:  "0 passed, 1 failed",
			contains: []string{"undefined: undefinedThing"},
		},
		"a package that does not load is one failure": {
			files: map[string]string{
				"bad/bad_test.go":   "package bad\nimport \"example/nowhere\"\nvar _ = nowhere.X\n",
				"good/good_test.go": goodTest,
			},
			closing:  "3 passed, 1 failed",
			contains: []string{"example/nowhere"},
		},
		"a TestMain that fails is a failure": {
			files: map[string]string{"bad/bad_test.go": `package bad
import ("fmt"; "os"; "testing")
func TestMain(m *testing.M) { fmt.Println("no database"); os.Exit(3) }
`},
			closing:  "0 passed, 1 failed",
			contains: []string{"no database"},
		},
		"skips are counted by reason and those that need root are named": {
			files: map[string]string{"skip/skip_test.go": `package skip
import "testing"
func TestA(t *testing.T) { t.Skip("needs root") }
func TestB(t *testing.T) { t.Skip("needs root") }
func TestC(t *testing.T) { t.Skip("the kernel lacks quotas") }
func TestD(t *testing.T) {}
`},
			closing: "1 passed, 0 failed, 3 skipped", ok: true,
			contains: []string{"skipped   2: needs root\nskipped   1: the kernel lacks quotas"},
		},
		"packages that are skipped do not run": {
			files: map[string]string{
				"good/good_test.go": goodTest,
				"slow/slow_test.go": "package slow\nimport \"testing\"\nfunc TestX(t *testing.T) { t.Error() }\n",
			},
			closing: "3 passed, 0 failed", ok: true,
			lacks: []string{"example/slow"},
		},
		"fresh packages run too": {
			files: map[string]string{
				"good/good_test.go":   goodTest,
				"fresh/fresh_test.go": "package fresh\nimport \"testing\"\nfunc TestX(t *testing.T) {}\n",
			},
			closing: "4 passed, 0 failed", ok: true,
			contains: []string{"ok    example/fresh"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			module(t, c.files)
			opts := options{parallel: 2, timeout: time.Minute, packages: []string{"./..."}, goFlags: []string{"-vet=off"}}
			if _, ok := c.files["slow/slow_test.go"]; ok {
				opts.skip = patterns{"./slow"}
			}
			if _, ok := c.files["fresh/fresh_test.go"]; ok {
				opts.fresh = patterns{"./fresh"}
			}
			var out bytes.Buffer
			ok, err := run(context.Background(), opts, &out)
			require.NoError(t, err)
			require.Equal(t, c.ok, ok, out.String())
			printed := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
			require.Equal(t, c.closing, printed[len(printed)-1], out.String())
			for _, text := range c.contains {
				require.Contains(t, out.String(), text)
			}
			for _, text := range c.lacks {
				require.NotContains(t, out.String(), text)
			}
		})
	}
}

func TestRunReportsTestsThatOutlastTheTimeout(t *testing.T) {
	module(t, map[string]string{"slow/slow_test.go": `package slow
import "testing"
func TestFine(t *testing.T) {}
func TestSlow(t *testing.T) { select {} }
func init() { go func() { for { } }() } // else the runtime calls it a deadlock
`})
	var out bytes.Buffer
	ok, err := run(context.Background(), options{parallel: 1, timeout: time.Second, packages: []string{"./..."}}, &out)
	require.NoError(t, err)
	require.False(t, ok)
	require.Contains(t, out.String(), "test timed out after 1s")
	require.Contains(t, out.String(), "1 passed, 1 failed\n")
}

func TestRunFailsWhenGoTestItselfFails(t *testing.T) {
	module(t, map[string]string{"good/good_test.go": goodTest})
	var out bytes.Buffer
	_, err := run(context.Background(), options{parallel: 1, timeout: time.Second, packages: []string{"./..."}, goFlags: []string{"-mod=nonsense"}}, &out)
	require.ErrorContains(t, err, "go test")
}

func TestReadTellsWhatItWaitsForWithoutLosingLongLines(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	var out bytes.Buffer
	report := newReport(&out)
	require.NoError(t, report.read(lines(strings.NewReader(
		`{"Action":"run","Package":"p","Test":"TestLong"}
{"Action":"output","Package":"p","Test":"TestLong","Output":"`+long+`"}
{"Action":"fail","Package":"p","Test":"TestLong"}
{"Action":"fail","Package":"p","Elapsed":0.5}
`))))
	require.Contains(t, out.String(), long)
	require.Equal(t, 1, report.failed)

	report.waiting([]string{"b", "a"})
	require.Contains(t, out.String(), "waiting for a, b")
}
