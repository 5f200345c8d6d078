package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// TestScripts types what tenants type, each script as an account of its own in the shared market.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "script", "*.txtar"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	m := theMarket(t)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			x := m.newTenant(t)
			testscript.Run(t, testscript.Params{
				Files: []string{file}, Setup: x.setupScript,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "until": until},
			})
		})
	}
}

// setupScript gives a script the account, the programs, and the image of the test workload beside its files.
func (x *tenant) setupScript(env *testscript.Env) error {
	env.Setenv("HOME", x.home)
	env.Setenv("SOUK_HOME", x.home)
	env.Setenv("SOUK_FROM", x.key)
	env.Setenv("PATH", x.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	env.Setenv("NO_COLOR", "1")
	env.Setenv("ADDRESS", x.address)
	return os.CopyFS(filepath.Join(env.WorkDir, "workload"), os.DirFS(filepath.Join(x.projects(), "workload")))
}

// exits CODE COMMAND… runs a command that has to end with an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT…]")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s ends with exit code %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// untilTimeout bounds what a script waits for.
const untilTimeout = 60 * time.Second

// until PATTERN COMMAND… repeats a command until it succeeds and prints what matches.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND [ARGUMENT…]")
	}
	wanted, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(untilTimeout); ; time.Sleep(pollEvery) {
		err := ts.Exec(args[1], args[2:]...)
		printed := ts.ReadFile("stdout")
		if err == nil && wanted.MatchString(printed) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s did not print %s in %s; last: %v\n%s", strings.Join(args[1:], " "), args[0], untilTimeout, err, printed)
		}
	}
}
