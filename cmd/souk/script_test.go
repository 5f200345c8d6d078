package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/app/scope"
)

var update = flag.Bool("update", false, "write the golden texts of the scripts anew")

func TestMain(m *testing.M) {
	scope.Set()
	testscript.Main(m, map[string]func(){"souk": main})
}

// TestScripts runs everything that needs no network as people type it.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           filepath.Join("testdata", "script"),
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("SOUK_HOME", filepath.Join(env.WorkDir, ".souk"))
			env.Setenv("SOUK_KEYRING_BACKEND", "test")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
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

// TestEveryCommandExplainsItself walks over all commands and writes their help into one file, so that a change of the
// surface is seen.
func TestEveryCommandExplainsItself(t *testing.T) {
	var text strings.Builder
	walk(newRootCommand(), func(cmd *cobra.Command) {
		if strings.HasPrefix(cmd.CommandPath(), "souk keys ") || strings.HasPrefix(cmd.CommandPath(), "souk provider") ||
			strings.HasPrefix(cmd.CommandPath(), "souk devnet") {
			return // of the SDK, and of their own owners
		}
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		require.False(t, strings.HasSuffix(cmd.Short, "."), "%s: no full stop", cmd.CommandPath())
		text.WriteString("== " + cmd.CommandPath() + "\n" + cmd.Short + "\n" + cmd.UseLine() + "\n" + cmd.LocalNonPersistentFlags().FlagUsages() + "\n")
	})
	golden := filepath.Join("testdata", "surface.golden")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(text.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), text.String(), "run with -update if this is meant")
}

func walk(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, child := range cmd.Commands() {
		if !child.Hidden && child.Name() != "help" {
			walk(child, visit)
		}
	}
}

func TestEveryCommandPrintsHelpAndRefusesWhatItDoesNotKnow(t *testing.T) {
	walk(newRootCommand(), func(found *cobra.Command) {
		path := strings.Fields(found.CommandPath())[1:]
		run := func(args ...string) error {
			root := newRootCommand()
			root.SetArgs(append(append([]string{}, path...), args...))
			root.SetOut(&strings.Builder{})
			root.SetErr(&strings.Builder{})
			root.SetIn(strings.NewReader(""))
			return root.ExecuteContext(context.Background())
		}
		require.NoError(t, run("--help"), found.CommandPath())
		require.Error(t, run("--no-such-flag"), found.CommandPath())
	})
}
