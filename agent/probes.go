package agent

import (
	"context"
	"maps"
	"slices"
	"time"
)

const (
	// probesAtOnce of gateways; each takes at most probeTimeout.
	probesAtOnce = 64
	probeTimeout = 5 * time.Second
	// quickProbe is how long a round waits for answers: who is slower is heard in a later one.
	quickProbe = 500 * time.Millisecond
)

// probes asks gateways who they are, each again once it has answered or its time is over: a slow one delays no other. It is of
// one loop.
type probes struct {
	ask     func(ctx context.Context, operator string) error
	places  chan struct{}
	results chan probed
	going   map[string]bool
	last    map[string]bool // whether each answered last, of those that are asked now
}

type probed struct {
	operator string
	answered bool
}

func newProbes(ask func(ctx context.Context, operator string) error) *probes {
	return &probes{ask: ask, places: make(chan struct{}, probesAtOnce), results: make(chan probed), going: map[string]bool{}, last: map[string]bool{}}
}

// round begins to ask all operators that are not being asked yet, and gives what came since the last round, at most wait later.
func (p *probes) round(ctx context.Context, operators []string, wait time.Duration) map[string]bool {
	for _, operator := range operators {
		if !p.going[operator] {
			p.going[operator] = true
			go p.one(ctx, operator)
		}
	}
	answers := map[string]bool{}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for len(p.going) > 0 {
		select {
		case r := <-p.results:
			delete(p.going, r.operator)
			if slices.Contains(operators, r.operator) {
				answers[r.operator] = r.answered
			}
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		break
	}
	maps.Copy(p.last, answers)
	maps.DeleteFunc(p.last, func(operator string, _ bool) bool { return !slices.Contains(operators, operator) })
	return answers
}

// one asks one gateway; its time begins when it has a place.
func (p *probes) one(ctx context.Context, operator string) {
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		return
	}
	within, cancel := context.WithTimeout(ctx, probeTimeout)
	err := p.ask(within, operator)
	cancel()
	<-p.places
	select {
	case p.results <- probed{operator, err == nil}:
	case <-ctx.Done():
	}
}
