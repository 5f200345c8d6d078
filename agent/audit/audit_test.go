package audit

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func records(t *testing.T, path string) []Record {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	var out []Record
	for line := range bytes.Lines(raw) {
		var r Record
		require.NoError(t, json.Unmarshal(line, &r), "%s", line)
		out = append(out, r)
	}
	return out
}

func TestEveryCallIsALineThatOnlyTheOperatorReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l, err := Open(path)
	require.NoError(t, err)
	want := Record{Time: time.Unix(1, 0).UTC(), Remote: "192.0.2.1", Issuer: "souk1key", Owner: "souk1owner", Lease: 7, Call: "exec", Result: "ok", Detail: "sh"}
	require.NoError(t, l.Add(want))
	require.NoError(t, l.Close())
	require.ErrorIs(t, l.Add(want), ErrClosed)
	require.Equal(t, []Record{want}, records(t, path))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
}

func TestWhatOthersChoseIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l, err := Open(path)
	require.NoError(t, err)
	require.NoError(t, l.Add(Record{Call: "exec", Detail: strings.Repeat("x\n", 1<<20)}))
	require.NoError(t, l.Close())
	require.Len(t, records(t, path), 1, "a line feed begins no line")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(1024))
}

func TestALineThatWasCutShortSpoilsNoOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	require.NoError(t, os.WriteFile(path, []byte(`{"call":"ex`), 0o600))
	l, err := Open(path)
	require.NoError(t, err)
	require.NoError(t, l.Add(Record{Call: "next"}))
	require.NoError(t, l.Close())
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	require.Len(t, lines, 2)
	require.Contains(t, lines[1], `"call":"next"`)
}

func TestFilesAreRotatedAndTheOldestGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l, err := open(path, 4096)
	require.NoError(t, err)
	var all sync.WaitGroup
	const writers, each = 4, 300
	for range writers {
		all.Go(func() {
			for range each {
				if err := l.Add(Record{Remote: "192.0.2.1", Call: "GetManifest", Result: "ok"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	require.NoError(t, l.Add(Record{Call: "last"}))
	require.NoError(t, l.Close())
	found, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Len(t, found, files)
	for i := range files {
		name := path
		if i > 0 {
			name += "." + strconv.Itoa(i)
		}
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.LessOrEqual(t, info.Size(), int64(4096))
		require.NotEmpty(t, records(t, name), "whole lines in each")
	}
	current := records(t, path)
	require.Equal(t, "last", current[len(current)-1].Call)
}
