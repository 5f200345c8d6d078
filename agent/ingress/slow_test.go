package ingress

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// slowZone never answers about names below slow.example until the asker gives up, and says that all others are alice's.
type slowZone struct {
	mu     sync.Mutex
	asking int
	most   int
}

func (z *slowZone) CNAME(ctx context.Context, name string) (string, error) {
	_, err := z.TXT(ctx, name)
	return "", err
}

func (z *slowZone) TXT(ctx context.Context, name string) ([]string, error) {
	if !strings.HasSuffix(name, ".slow.example") {
		return []string{"souk1alice"}, nil
	}
	z.count(1)
	defer z.count(-1)
	<-ctx.Done()
	return nil, ctx.Err()
}

func (z *slowZone) count(by int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asking += by
	z.most = max(z.most, z.asking)
}

func TestNamesOfASlowDNSDelayNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		zone := &slowZone{}
		n := newNames(t, zone, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); n.run(ctx) }()
		defer func() { cancel(); <-done }()
		var wanted []claim
		for i := range 3 * MaxNames {
			wanted = append(wanted, claim{fmt.Sprintf("%d.slow.example", i), "web-6", "souk1mallory", 6})
		}
		n.verified(wanted)
		synctest.Wait()
		wanted = append(wanted, claim{"shop.example", "web-7", "souk1alice", 7})
		n.verified(wanted)
		synctest.Wait()
		require.Contains(t, n.verified(wanted), "shop.example", "no time has passed")
		zone.mu.Lock()
		require.Equal(t, checksOfOwnerAtOnce, zone.most)
		zone.mu.Unlock()
		time.Sleep(checkTimeout + time.Second)
		synctest.Wait()
		failed := 0
		n.mu.Lock()
		for c, s := range n.claims {
			if c.owner == "souk1mallory" && s.failures > 0 {
				failed++
			}
		}
		n.mu.Unlock()
		require.Equal(t, checksOfOwnerAtOnce, failed, "whoever does not answer in time is asked later, and the next has its turn")
	})
}
