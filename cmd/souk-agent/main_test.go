package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/instance"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client/checkup"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/internal/ports"
	"github.com/souk-network/souk/internal/version"
)

func TestMain(m *testing.M) {
	scope.Set()
	os.Exit(m.Run())
}

func run(t *testing.T, ctx context.Context, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, complaints bytes.Buffer
	cmd := rootCommand()
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(&complaints)
	err = cmd.ExecuteContext(ctx)
	return out.String(), complaints.String(), err
}

func initialized(t *testing.T, more ...string) (home string, id identity) {
	t.Helper()
	home = t.TempDir()
	args := append([]string{
		"init", "--home", home, "--chain-id", "souk-test", "-o", "json", "--node", "http://127.0.0.1:1", "--grpc", "127.0.0.1:1",
		"--gateway-listen", "127.0.0.1:0", "--ingress-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
	}, more...)
	out, words, err := run(t, t.Context(), args...)
	require.NoError(t, err)
	require.Contains(t, words, "words")
	require.NoError(t, json.Unmarshal([]byte(out), &id))
	return home, id
}

func TestVersion(t *testing.T) {
	out, _, err := run(t, t.Context(), "version")
	require.NoError(t, err)
	require.Equal(t, version.Version+"\n", out)
}

func TestInitMakesKeysOnce(t *testing.T) {
	home, first := initialized(t)
	require.True(t, strings.HasPrefix(first.Agent, "souk1"))
	require.Len(t, first.TLSKey, 64)
	out, words, err := run(t, t.Context(), "init", "--home", home, "--domain", "p.example", "-o", "json")
	require.NoError(t, err)
	require.Empty(t, words, "no new key")
	var again identity
	require.NoError(t, json.Unmarshal([]byte(out), &again))
	require.Equal(t, first, again)
	for _, secret := range []string{"tls.key", "keyring-passphrase"} {
		info, err := os.Stat(filepath.Join(home, secret))
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm(), secret)
	}
	out, _, err = run(t, t.Context(), "init", "--home", home)
	require.NoError(t, err)
	require.Contains(t, out, "souk provider init --agent "+first.Agent)
}

func TestInitWritesNothingThatCouldNotBeUsed(t *testing.T) {
	home := filepath.Join(t.TempDir(), "new")
	_, _, err := run(t, t.Context(), "init", "--home", home, "--chain-id", "x", "--prices", "usouk disk=1")
	require.Error(t, err)
	require.NoDirExists(t, home)
}

// needRootHere skips what would stop at the question for root.
func needRootHere(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP-NEEDS-ROOT: souk-agent start asks for root first")
	}
}

func TestWithoutRootItSaysSo(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("needs not to be root")
	}
	home, _ := initialized(t)
	_, _, err := run(t, t.Context(), "start", "--home", home)
	require.ErrorContains(t, err, "root")
}

func TestStartsThatFailSayWhatToDo(t *testing.T) {
	needRootHere(t)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	tests := []struct {
		name    string
		args    []string
		prepare func(home string)
		says    string
	}{
		{"the gateway's port is busy", []string{"--gateway-listen", busy.Addr().String()}, nil, "--gateway-listen"},
		{"the ingress's port is busy", []string{"--ingress-listen", busy.Addr().String()}, nil, "--ingress-listen"},
		{"the port for metrics is busy", []string{"--metrics-listen", busy.Addr().String()}, nil, "--metrics-listen"},
		{"the key is gone", nil, func(home string) { require.NoError(t, os.RemoveAll(filepath.Join(home, "keys"))) }, "souk keys add agent --recover"},
		{"the passphrase is gone", nil, func(home string) { require.NoError(t, os.Remove(filepath.Join(home, "keyring-passphrase"))) }, "--keyring-passphrase-file"},
		{"the TLS key is damaged", nil, func(home string) {
			require.NoError(t, os.WriteFile(filepath.Join(home, "tls.key"), []byte("x"), 0o600))
		}, "backup"},
		{"the state folder is a file", nil, func(home string) {
			require.NoError(t, os.WriteFile(filepath.Join(home, "state"), nil, 0o600))
		}, "--state-dir"},
		{"the journal is damaged", nil, func(home string) {
			require.NoError(t, os.MkdirAll(filepath.Join(home, "state"), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(home, "state", "journal.db"), bytes.Repeat([]byte{1}, 8192), 0o600))
		}, "move it away"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			home, _ := initialized(t)
			if tt.prepare != nil {
				tt.prepare(home)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			_, _, err := run(t, ctx, append([]string{"start", "--home", home}, tt.args...)...)
			require.Error(t, err)
			_, _, try := fault.Parts(err)
			require.Contains(t, try, tt.says, "%v", err)
		})
	}
}

func TestWhileTheNodeIsAwayItWaitsAndStopsWhenTold(t *testing.T) {
	needRootHere(t)
	home, _ := initialized(t)
	allocator, err := ports.NewAllocator("")
	require.NoError(t, err)
	defer func() { require.NoError(t, allocator.Close()) }()
	free, err := allocator.Allocate(1)
	require.NoError(t, err)
	health := fmt.Sprintf("127.0.0.1:%d", free[0])
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, _, err := run(t, ctx, "start", "--home", home, "--metrics-listen", health)
		done <- err
	}()
	require.Eventually(t, func() bool {
		text, _ := get("http://" + health + "/readyz")
		return strings.Contains(text, "the node at http://127.0.0.1:1")
	}, 20*time.Second, 20*time.Millisecond)
	text, err := get("http://" + health + "/healthz")
	require.NoError(t, err)
	require.Equal(t, "ok\n", text)
	cancel()
	require.NoError(t, <-done)
}

func get(url string) (string, error) {
	resp, err := http.Get(url) //nolint:noctx // a test's own server
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func TestPurgeOfNothingSucceeds(t *testing.T) {
	needRootHere(t)
	home, _ := initialized(t)
	_, words, err := run(t, t.Context(), "purge", "--home", home)
	require.NoError(t, err)
	require.Empty(t, words)
	_, _, err = run(t, t.Context(), "purge", "--home", home, "--instance", "zz")
	require.ErrorContains(t, err, "8 hex digits")
}

func TestPurgeFindsTheHomesInstanceWhenItsRecordCannotBeRead(t *testing.T) {
	needRootHere(t)
	home, _ := initialized(t)
	held, err := instance.Acquire(instance.Record{ChainID: "souk-test", Provider: "souk1unread", StateDir: filepath.Join(home, "state"), Ephemeral: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = instance.Purge(context.Background(), held.ID) })
	require.NoError(t, held.Release())
	record := filepath.Join(instance.RunRoot, "instances", string(held.ID)+".json")
	require.NoError(t, os.Truncate(record, 0))
	_, words, err := run(t, t.Context(), "purge", "--home", home, "--provider", "souk1another")
	require.NoError(t, err)
	require.Empty(t, words)
	_, words, err = run(t, t.Context(), "purge", "--home", home, "--provider", "souk1unread")
	require.NoError(t, err)
	require.Equal(t, "purged "+string(held.ID)+"\n", words)
	require.NoFileExists(t, record)
}

// findings runs doctor and gives its words by check.
func findings(t *testing.T, args ...string) (map[string]checkup.Check, error) {
	t.Helper()
	out, _, err := run(t, t.Context(), append([]string{"doctor", "-o", "json"}, args...)...)
	var all []checkup.Check
	require.NoError(t, json.Unmarshal([]byte(out), &all), "%s", out)
	byName := map[string]checkup.Check{}
	for _, f := range all {
		byName[f.Check] = f
	}
	return byName, err
}

func TestDoctorSaysWhatIsMissingAndFails(t *testing.T) {
	home, _ := initialized(t)
	found, err := findings(t, "--home", home)
	require.ErrorContains(t, err, "checks failed")
	require.Equal(t, checkup.OK, found["settings"].Result)
	require.Equal(t, checkup.OK, found["keys"].Result)
	require.Equal(t, checkup.OK, found["ports"].Result)
	require.Equal(t, checkup.Warning, found["agent"].Result, "it does not run")
	require.Equal(t, checkup.Failed, found["node"].Result)
	require.NotEmpty(t, found["node"].Try)
	require.NotContains(t, found, "bond", "what can not be asked is not judged")

	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	found, err = findings(t, "--home", home, "--ingress-listen", busy.Addr().String())
	require.Error(t, err)
	require.Equal(t, checkup.Failed, found["ports"].Result)
	require.Contains(t, found["ports"].Try, "--ingress-listen")

	require.NoError(t, os.RemoveAll(filepath.Join(home, "keys")))
	found, err = findings(t, "--home", home)
	require.Error(t, err)
	require.Equal(t, checkup.Failed, found["keys"].Result)
	require.Contains(t, found["keys"].Try, "souk keys add agent --recover")

	found, err = findings(t, "--home", home, "--log-level", "loud")
	require.Error(t, err)
	require.Equal(t, checkup.Failed, found["settings"].Result)
	require.Len(t, found, 1)
}

func TestDoctorAsksTheProgramThatSetsPrices(t *testing.T) {
	program := filepath.Join(t.TempDir(), "prices")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\necho closed today >&2\nexit 1\n"), 0o700))
	home, _ := initialized(t, "--prices", "usouk cpu=100", "--pricing", "script", "--price-script", program)
	found, err := findings(t, "--home", home)
	require.Error(t, err)
	require.Equal(t, checkup.Failed, found["prices"].Result)
	require.Contains(t, found["prices"].Detail, "closed today")
	require.NoError(t, os.WriteFile(program, []byte(`#!/bin/sh
echo '{"asks":[{"denom":"usouk","cpu":120}]}'
`), 0o700))
	found, _ = findings(t, "--home", home)
	require.Equal(t, checkup.OK, found["prices"].Result)
}

func TestDoctorReadsForPeople(t *testing.T) {
	home, _ := initialized(t)
	out, _, err := run(t, t.Context(), "doctor", "--home", home)
	require.Error(t, err)
	require.Regexp(t, `(?m)^ok      settings     `, out)
	require.Regexp(t, `(?m)^failed  node         `, out)
	require.Regexp(t, `(?m)^ {21}try: `, out)
}

func TestWhatCanNotBeUsedHasAnExitCodeOfItsOwn(t *testing.T) {
	home, _ := initialized(t)
	for _, args := range [][]string{
		{"--no-such-flag"},
		{"serve"},
		{"version", "now"},

		{"start", "--home", home, "--metrics-listen", ":9464"},
		{"init", "--home", home, "--prices", "usouk tape=1"},
	} {
		_, _, err := run(t, t.Context(), args...)
		require.Error(t, err, "%v", args)
		require.Equal(t, exitUsage, exitCode(err), "%v: %v", args, err)
	}
	_, _, err := run(t, t.Context(), "doctor", "--home", home)
	require.Equal(t, exitFailed, exitCode(err))
}

func TestChoicesComplete(t *testing.T) {
	out, _, err := run(t, t.Context(), "__complete", "start", "--pricing", "s")
	require.NoError(t, err)
	require.Contains(t, out, "scaled\tmore")
	require.Contains(t, out, "script\t")
}
