package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/app/scope"
)

// command runs a command with the shared flags and gives its session.
func command(t *testing.T, open func(*cobra.Command) (*Session, error), args ...string) (*Session, error) {
	t.Helper()
	var (
		got     *Session
		openErr error
	)
	root := &cobra.Command{Use: "souk", SilenceErrors: true, SilenceUsage: true}
	AddFlags(root.PersistentFlags())
	root.AddCommand(&cobra.Command{Use: "do", RunE: func(cmd *cobra.Command, _ []string) error {
		got, openErr = open(cmd)
		return openErr
	}})
	root.SetArgs(append([]string{"do"}, args...))
	root.SetOut(&bytes.Buffer{})
	root.SetErr(&bytes.Buffer{})
	_ = root.ExecuteContext(context.Background()) // openErr is what is asked for
	return got, openErr
}

func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	all, err := LoadContexts(dir)
	require.NoError(t, err)
	all.Contexts["a"] = Context{ChainID: "chain-a", Node: "http://a", GRPC: "a:1", From: "alice", KeyringBackend: "test", KeyringDir: "/keys"}
	all.Contexts["b"] = Context{ChainID: "chain-b", Node: "http://b", GRPC: "b:1"}
	all.Current = "a"
	require.NoError(t, all.Save())
	return dir
}

func TestFlagsWinOverEnvironmentAndEnvironmentOverContext(t *testing.T) {
	dir := home(t)
	s, err := command(t, Open, "--home", dir)
	require.NoError(t, err)
	require.Equal(t, "chain-a", s.Context.ChainID)
	require.Equal(t, "alice", s.Context.From)
	require.Equal(t, "0.001"+scope.Denom, s.Context.GasPrices, "a default where nobody says anything")

	t.Setenv("SOUK_FROM", "bob")
	t.Setenv("SOUK_CHAIN_ID", "chain-env")
	s, err = command(t, Open, "--home", dir, "--chain-id", "chain-flag")
	require.NoError(t, err)
	require.Equal(t, "bob", s.Context.From)
	require.Equal(t, "chain-flag", s.Context.ChainID)

	s, err = command(t, Open, "--home", dir, "--context", "b")
	require.NoError(t, err)
	require.Equal(t, "http://b", s.Context.Node)
}

func TestWithoutAContextTheErrorSaysHowToGetOne(t *testing.T) {
	_, err := command(t, Open, "--home", t.TempDir())
	require.ErrorContains(t, err, "no network is chosen")
	s, err := command(t, Local, "--home", t.TempDir())
	require.NoError(t, err, "commands that need no network work")
	require.Equal(t, "os", s.Context.KeyringBackend)
	_, err = command(t, Open, "--home", home(t), "--context", "nowhere")
	require.ErrorContains(t, err, "a, b")
}

func TestAContextOfFlagsNeedsNoFile(t *testing.T) {
	s, err := command(t, Open, "--home", t.TempDir(), "--node", "http://n", "--grpc", "n:1", "--chain-id", "c")
	require.NoError(t, err)
	require.Equal(t, "n:1", s.Context.GRPC)
}

func TestWithoutATerminalNothingIsAsked(t *testing.T) {
	s := &Session{In: bytes.NewBufferString("y\n"), Notes: &bytes.Buffer{}}
	require.NoError(t, s.Confirm(t.Context(), true, "Proceed?"))
	err := s.Confirm(t.Context(), false, "Proceed?")
	require.ErrorContains(t, err, "no terminal")
	require.Equal(t, ExitUsage, ExitCode(err))
}

func TestExitCodesSurviveWrapping(t *testing.T) {
	require.Equal(t, 0, ExitCode(nil))
	require.Equal(t, ExitFailed, ExitCode(errors.New("x")))
	require.Equal(t, ExitNoProvider, ExitCode(fmt.Errorf("up: %w", WithExit(ExitNoProvider, errors.New("x")))))
	require.Equal(t, ExitNotConfirmed, ExitCode(fmt.Errorf("up: %w", ErrNotConfirmed)))
	require.NoError(t, WithExit(ExitNoProvider, nil))
}

func TestRemovingTheCurrentContextLeavesNone(t *testing.T) {
	dir := home(t)
	all, err := LoadContexts(dir)
	require.NoError(t, err)
	all.Remove("a")
	require.NoError(t, all.Save())
	again, err := LoadContexts(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, again.Names())
	_, err = again.Find("")
	require.Error(t, err)
}
