package containerd

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/agent/runtime"
)

func TestNamesStandForReplicasThatServe(t *testing.T) {
	at := netip.MustParseAddr
	members := []neighbour{
		{service: "web", replica: 0, address: at("10.0.0.2"), running: true, serving: true},
		{service: "db", hostname: "Engine", aliases: []string{"store", "DB"}, replica: 0, address: at("10.0.0.3"), running: true, serving: true},
		{service: "db", hostname: "Engine", aliases: []string{"store", "DB"}, replica: 1, address: at("10.0.0.4"), running: true}, // not healthy
		{service: "db", hostname: "Engine", aliases: []string{"store", "DB"}, replica: 2, address: at("10.0.0.5")},                // ended
		{service: "db-0", replica: 0},
	}
	z := zoneOf(members)
	for name, want := range map[string][]netip.Addr{
		"web": {at("10.0.0.2")}, "WEB.": {at("10.0.0.2")}, "web-0": {at("10.0.0.2")},
		"db": {at("10.0.0.3")}, "store": {at("10.0.0.3")}, "engine": {at("10.0.0.3")},
		"db-1": {at("10.0.0.4")}, "db-2": nil,
		"db-0": nil, // a service goes before a replica
	} {
		got, known := z.lookUp(name)
		require.True(t, known, name)
		require.Equal(t, want, got, name)
	}
	_, known := z.lookUp("other")
	require.False(t, known)

	self := unit{service: runtime.Service{Name: "db", Hostname: "Engine", ExtraHosts: []runtime.HostAddress{{Name: "printer", Address: at("203.0.113.9")}}}, replica: 1}
	require.Equal(t, `127.0.0.1	localhost
10.0.0.4	Engine db-1
203.0.113.9	printer
10.0.0.2	web web-0
10.0.0.3	db engine store
`, hostsFile(self, at("10.0.0.4"), members))
	self = unit{service: runtime.Service{Name: "web"}}
	require.Equal(t, `127.0.0.1	localhost
10.0.0.2	web web-0
10.0.0.3	db engine store
10.0.0.4	db-1
`, hostsFile(self, at("10.0.0.2"), members))
	require.Equal(t, "nameserver 10.0.0.1\nnameserver 9.9.9.9\noptions timeout:2 attempts:2\n", resolvFile(at("10.0.0.1"), []netip.Addr{at("9.9.9.9")}))
}

func TestAFileIsRewrittenInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, replaceInPlace(path, "a long text\nof two lines\n"))
	before, err := os.Stat(path)
	require.NoError(t, err)
	for _, text := range []string{"short\n", "a longer text\nthan before\n", ""} {
		require.NoError(t, replaceInPlace(path, text))
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(b))
	}
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
}

func within(a netip.Addr, prefixes []netip.Prefix) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

func TestDisjointPrefixesCloseTheSameAddresses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []netip.Prefix
		for range rapid.IntRange(0, 12).Draw(t, "n") {
			a := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address")))
			list = append(list, netip.PrefixFrom(a, rapid.IntRange(0, 32).Draw(t, "bits")))
		}
		apart := disjoint(append(list, netip.MustParsePrefix("2001:db8::/32")))
		for i, p := range apart {
			for _, q := range apart[i+1:] {
				if p.Overlaps(q) {
					t.Fatalf("%s and %s", p, q)
				}
			}
		}
		for range 50 {
			a := netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "tried")))
			if within(a, list) != within(a, apart) {
				t.Fatalf("%s: %v, %v", a, list, apart)
			}
		}
		for _, p := range list {
			if !within(p.Addr(), apart) {
				t.Fatalf("%s is open: %v", p, apart)
			}
		}
	})
}
