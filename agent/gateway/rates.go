package gateway

import (
	"errors"
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// pace is how often something may be done.
type pace struct {
	perSecond rate.Limit
	burst     int
}

var (
	// callsOfRemote may come from one address: a registry client asks about every layer of an image.
	callsOfRemote = pace{100, 500}
	// callsOfAccount may be signed by one account.
	callsOfAccount = pace{50, 250}
	// refusalsKept go into the audit log for each address, so that nobody washes out what is in it.
	refusalsKept = pace{1, 20}

	errTooOften = errors.New("too many requests: slow down")
)

// maxPaced keys are told apart; those who come after share one pace.
const maxPaced = 16384

// rates keeps the pace of each key.
type rates struct {
	pace pace
	mu   sync.Mutex
	held map[string]*rate.Limiter
}

func newRates(p pace) *rates { return &rates{pace: p, held: map[string]*rate.Limiter{}} }

// take does it once more for a key; what it returns is how long to wait when that would be too often.
func (r *rates) take(key string, now time.Time) (wait time.Duration) {
	l := r.limiter(key, now)
	if l.AllowN(now, 1) {
		return 0
	}
	missing := 1 - l.TokensAt(now)
	return max(time.Duration(missing/float64(r.pace.perSecond)*float64(time.Second)), time.Millisecond)
}

func (r *rates) limiter(key string, now time.Time) *rate.Limiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.held[key]; l != nil {
		return l
	}
	if len(r.held) >= maxPaced {
		// Whoever has rested long enough is as good as new.
		maps.DeleteFunc(r.held, func(_ string, l *rate.Limiter) bool { return l.TokensAt(now) >= float64(r.pace.burst) })
		if len(r.held) >= maxPaced {
			key = ""
		}
	}
	if l := r.held[key]; l != nil {
		return l
	}
	l := rate.NewLimiter(r.pace.perSecond, r.pace.burst)
	r.held[key] = l
	return l
}
