package peer

import (
	"errors"
	"sync"
	"time"
)

// errSlow says that a transfer as a whole takes too long for what it brings.
var errSlow = errors.New("the transfer is too slow")

// pace ends a transfer that takes longer than a start and its bytes at a rate.
type pace struct {
	start time.Time
	grace time.Duration
	rate  int64 // bytes a second
	end   func()

	mu    sync.Mutex
	bytes int64
	timer *time.Timer
}

func newPace(grace time.Duration, rate int64, end func()) *pace {
	p := &pace{start: time.Now(), grace: grace, rate: rate, end: end}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(grace, p.check)
	return p
}

// left until the transfer takes too long. The caller holds p.mu.
func (p *pace) left() time.Duration {
	return time.Until(p.start.Add(p.grace + time.Duration(float64(p.bytes)/float64(p.rate)*float64(time.Second))))
}

// check ends the transfer, or waits as long as what came allows.
func (p *pace) check() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if left := p.left(); left > 0 {
		p.timer.Reset(left)
		return
	}
	p.end()
}

// add counts bytes that came.
func (p *pace) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes += int64(n)
}

func (p *pace) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Stop()
}
