package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// tally counts what is held at once for each key, up to a limit.
type tally struct {
	limit int
	mu    sync.Mutex
	held  map[string]int
}

func newTally(limit int) *tally { return &tally{limit: limit, held: map[string]int{}} }

// take holds one more; false when that would be too many. What was taken is given back once.
func (t *tally) take(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[key] >= t.limit {
		return false
	}
	t.held[key]++
	return true
}

func (t *tally) giveBack(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held[key]--; t.held[key] <= 0 {
		delete(t.held, key)
	}
}

// remote names where a request comes from. An IPv6 host has a /64 to choose addresses from, so that is what counts.
func remote(r *http.Request) string { return remoteOf(r.RemoteAddr) }

func remoteOf(peer string) string {
	host, _, err := net.SplitHostPort(peer)
	if err != nil {
		return peer
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	address = address.Unmap().WithZone("")
	if address.Is4() {
		return address.String()
	}
	return netip.PrefixFrom(address, 64).Masked().String()
}
