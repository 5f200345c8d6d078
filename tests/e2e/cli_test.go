package e2e

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Exit codes of souk up, as its help promises them.
const (
	exitUsage      = 2
	exitNoProvider = 3
)

func TestUpMakesWhatIsMissingAndNothingElse(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	file := x.file(t, service{name: "site", env: []string{"GREETING=hello"}})
	first := x.up(t, file)
	require.False(t, first.Unchanged)
	run := answer(t, first)

	again := x.up(t, file)
	require.True(t, again.Unchanged)
	again.Unchanged = false
	require.Equal(t, first, again)

	require.Equal(t, run, answer(t, first))

	x.file(t, service{name: "site", env: []string{"GREETING=good day"}})
	anew := x.up(t, file, "--recreate")
	require.NotEqual(t, first.ID, anew.ID)
	require.NotEqual(t, first.lease(), anew.lease())
	answer(t, anew)
	require.Len(t, x.ps(t), 1, "the first one is closed")
	x.down(t, "site")
	x.awaitGone(t, "site")
}

func TestWhatNobodyCanServeIsSaidBeforeAnythingIsSpent(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	before := x.balance(t)
	fitting := x.file(t, service{name: "vast"})
	content, err := os.ReadFile(fitting)
	require.NoError(t, err)
	for dimension, change := range map[string]struct{ old, new string }{
		"cpu":     {"cpus: 0.1", "cpus: 1000"},
		"memory":  {"mem_limit: 32m", "mem_limit: 900g"},
		"storage": {"storage: 64MiB", "storage: 90000GiB"},
		"egress":  {"egress: 1", "egress: 300000"},
		"label":   {"regions: [eu-west]", "regions: [atlantis]"},
		"ask":     {"egress: 1", "cap: 0.000001"},
	} {
		require.Contains(t, string(content), change.old)
		r := x.do(t, "up", "-y", x.write(t, "changed", strings.Replace(string(content), change.old, change.new, 1)))
		require.Equal(t, exitNoProvider, r.code, "%s: %s", dimension, r.stderr)
		require.Contains(t, r.stderr, dimension)
		require.Contains(t, r.stderr, "try:")
	}
	require.Equal(t, before, x.balance(t))
	require.Empty(t, x.ps(t))
}

func TestAFileThatCannotBeRunIsRefusedWithItsLines(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	before := x.balance(t)
	file := x.write(t, "bad", "services:\n  web:\n    image: web:1\n    privileged: true\n    network_mode: host\n")
	r := x.do(t, "up", "-y", file)
	require.Equal(t, exitUsage, r.code)
	require.Regexp(t, regexp.QuoteMeta(file)+`:4\b.*privileged`, r.stderr)
	require.Regexp(t, regexp.QuoteMeta(file)+`:5\b.*network_mode`, r.stderr)

	missing := x.write(t, "missing", "services:\n  web:\n    image: web:1\n    x-souk: {image: ./nowhere.tar}\n")
	r = x.do(t, "up", "-y", missing)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.stderr, "nowhere.tar")

	r = x.do(t, "up", x.file(t, service{name: "quiet"}))
	require.Equal(t, exitUsage, r.code, "there is no terminal to ask on")
	require.Contains(t, r.stderr, "-y")
	require.Equal(t, before, x.balance(t))
}

func TestANodeThatCannotBeReachedIsNamed(t *testing.T) {
	m := theMarket(t)
	t.Parallel()
	x := m.newTenant(t)
	nobody, err := m.ports.Allocate(1)
	require.NoError(t, err)
	address := "127.0.0.1:" + strconv.Itoa(nobody[0])
	for _, args := range [][]string{{"ps"}, {"offers"}, {"up", "-y", x.file(t, service{name: "lost"})}, {"down", "-y", "lost"}} {
		r := x.do(t, append(args, "--node", "http://"+address)...)
		require.NotZero(t, r.code)
		require.Contains(t, r.stderr, "error:")
		require.Contains(t, r.stderr, address)
		require.Contains(t, r.stderr, "can not be reached")
		require.Contains(t, r.stderr, "try:")
	}
}
