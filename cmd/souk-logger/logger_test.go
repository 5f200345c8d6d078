package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type collector struct {
	lines []string
	fail  bool
}

func (c *collector) WriteLine(line []byte) error {
	if c.fail {
		return errors.New("disk full")
	}
	c.lines = append(c.lines, string(line))
	return nil
}

func TestLinesBecomeEntries(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"two lines":               {"a\nb\n", []string{"a", "b"}},
		"the last without an end": {"a\nb", []string{"a", "b"}},
		"nothing":                 {"", nil},
		"empty lines":             {"\n\n", []string{"", ""}},
		"carriage returns":        {"a\r\n", []string{"a"}},
		"not text":                {"a\xff\n", []string{"a\uFFFD"}},
		"quotes and controls":     {"\"\x1b[31m\n", []string{"\"\x1b[31m"}},
		"a long line is cut":      {strings.Repeat("x", lineLimitBytes+5) + "\n", []string{strings.Repeat("x", lineLimitBytes), "xxxxx"}},
	} {
		out := &collector{}
		(&merger{out: out, now: func() time.Time { return at }}).copy(strings.NewReader(c.in), "stdout")
		var got []string
		for _, line := range out.lines {
			require.True(t, strings.HasPrefix(line, `{"time":"2026-01-02T03:04:05.000000006Z","stream":"stdout","log":`), "%s: readers rely on how a line begins: %s", name, line)
			var e entry
			require.NoError(t, json.Unmarshal([]byte(line), &e))
			got = append(got, e.Log)
		}
		require.Equal(t, c.want, got, name)
	}
}

func TestAFullDiskDoesNotBlockTheContainer(t *testing.T) {
	(&merger{out: &collector{fail: true}, now: time.Now}).copy(strings.NewReader(strings.Repeat("line\n", 1000)), "stdout")
}

func TestFilesAreRotatedBeforeTheyGrowBeyondTheLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "web-0.log")
	r, err := openRotating(path, 100, 3)
	require.NoError(t, err)
	for i := range 40 {
		require.NoError(t, r.WriteLine([]byte(fmt.Sprintf("line %03d\n", i))))
	}
	require.NoError(t, r.Close())
	var all []byte
	for _, p := range []string{path + ".2", path + ".1", path} {
		b, err := os.ReadFile(p)
		require.NoError(t, err)
		require.LessOrEqual(t, len(b), 100)
		all = append(all, b...)
	}
	lines := strings.Fields(strings.ReplaceAll(string(all), "line ", ""))
	require.Equal(t, "039", lines[len(lines)-1])
	for i := 1; i < len(lines); i++ {
		require.Less(t, lines[i-1], lines[i], "none missing, none twice")
	}
	require.NoFileExists(t, path+".3")

	r, err = openRotating(path, 100, 3)
	require.NoError(t, err)
	require.NoError(t, r.WriteLine(bytes.Repeat([]byte("x"), 300)), "a line beyond the limit still is written, alone")
	require.NoError(t, r.Close())
}

func TestALineThatAKilledLoggerLeftIsEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(path, []byte("whole\nhal"), 0o600))
	r, err := openRotating(path, 100, 3)
	require.NoError(t, err)
	require.NoError(t, r.WriteLine([]byte("next\n")))
	require.NoError(t, r.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "whole\nhal\nnext\n", string(b))
}

// TestMain plays the logger itself when asked to.
func TestMain(m *testing.M) {
	if os.Getenv("SOUK_TEST_LOGGER") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestTheLoggerServesAShim starts it as a shim does, with pipes as descriptors 3, 4 and 5.
func TestTheLoggerServesAShim(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	outR, outW, err := os.Pipe()
	require.NoError(t, err)
	errR, errW, err := os.Pipe()
	require.NoError(t, err)
	readyR, readyW, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0], "path", path)
	cmd.Env = append(os.Environ(), "SOUK_TEST_LOGGER=1")
	cmd.ExtraFiles = []*os.File{outR, errR, readyW}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	for _, f := range cmd.ExtraFiles {
		require.NoError(t, f.Close())
	}
	_, err = readyR.Read(make([]byte, 1))
	require.Error(t, err, "closed when ready")
	_, err = fmt.Fprintln(outW, "to stdout")
	require.NoError(t, err)
	_, err = fmt.Fprint(errW, "to stderr, unfinished")
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(os.Interrupt), "which it ignores")
	require.NoError(t, outW.Close())
	require.NoError(t, errW.Close())
	require.NoError(t, cmd.Wait(), "ends with its streams")
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(b), `"stream":"stdout","log":"to stdout"}`)
	require.Contains(t, string(b), `"stream":"stderr","log":"to stderr, unfinished"}`)
}

func TestArgumentsWithoutAPathAreRefused(t *testing.T) {
	for _, args := range [][]string{nil, {"path"}, {"path", ""}, {"other", "x"}} {
		_, err := argument(args, "path")
		require.Error(t, err)
	}
	path, err := argument([]string{"other", "x", "path", "/a"}, "path")
	require.NoError(t, err)
	require.Equal(t, "/a", path)
}
