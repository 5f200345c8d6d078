package containerd

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/souk-network/souk/agent/runtime"
)

// What a health check has when neither the service nor the image says, as Docker has it.
const (
	defaultHealthInterval = 30 * time.Second
	defaultHealthTimeout  = 30 * time.Second
	defaultHealthRetries  = 3
	maxHealthOutput       = 4 << 10 // of one check that is kept
)

// healthState is what the checks of one run have shown.
type healthState struct {
	health   runtime.Health
	failures uint32 // in a row that count
	output   string // of the last check that failed
}

// checkResult is how one check ended.
type checkResult struct {
	began  time.Time
	ok     bool
	output string
}

// after adds a check. Failures in the start period do not count until a check has succeeded.
func (s healthState) after(c runtime.HealthCheck, startedAt time.Time, r checkResult) healthState {
	if r.ok {
		return healthState{health: runtime.HealthHealthy}
	}
	s.output = r.output
	if s.health == runtime.HealthStarting && r.began.Sub(startedAt) < c.StartPeriod {
		return s
	}
	s.failures++
	if s.failures >= c.Retries {
		s.health = runtime.HealthUnhealthy
	}
	return s
}

// next is when to check again.
func (s healthState) next(c runtime.HealthCheck, startedAt, now time.Time) time.Duration {
	if s.health == runtime.HealthStarting && c.StartInterval > 0 && now.Sub(startedAt) < c.StartPeriod {
		return c.StartInterval
	}
	return c.Interval
}

// firstCheck is when to check a run for the first time: at once when an earlier process of the agent has checked it already.
func firstCheck(c runtime.HealthCheck, startedAt, now time.Time) time.Duration {
	s := healthState{health: runtime.HealthStarting}
	return max(startedAt.Add(s.next(c, startedAt, startedAt)).Sub(now), 0)
}

// firstState is what is assumed of a run before its first check. One that has proven itself and was checked by an earlier
// process of the agent is taken for healthy, and for unhealthy as soon as one check fails.
func firstState(c runtime.HealthCheck, h history, f facts, now time.Time) healthState {
	if h.Good == f.revision && now.Sub(h.StartedAt) > max(c.StartPeriod, c.Interval)+c.Timeout {
		return healthState{health: runtime.HealthHealthy, failures: c.Retries - 1}
	}
	return healthState{health: runtime.HealthStarting}
}

// imageHealth is a health check as image configurations have it.
type imageHealth struct {
	Config struct {
		Healthcheck *struct {
			Test                                          []string
			Interval, Timeout, StartPeriod, StartInterval time.Duration // nanoseconds
			Retries                                       uint32
		}
	} `json:"config"`
}

// checkOfImage reads the health check off an image's configuration; nil without one.
func checkOfImage(config []byte) *runtime.HealthCheck {
	var i imageHealth
	if err := json.Unmarshal(config, &i); err != nil || i.Config.Healthcheck == nil || len(i.Config.Healthcheck.Test) == 0 {
		return nil
	}
	h := i.Config.Healthcheck
	c := &runtime.HealthCheck{Interval: h.Interval, Timeout: h.Timeout, Retries: h.Retries, StartPeriod: h.StartPeriod, StartInterval: h.StartInterval}
	switch kind, rest := h.Test[0], h.Test[1:]; {
	case kind == "CMD" && len(rest) > 0:
		c.Command = rest
	case kind == "CMD-SHELL" && len(rest) == 1:
		c.Command = []string{"/bin/sh", "-c", rest[0]}
	default: // "NONE", and what nobody knows
		return nil
	}
	return c
}

// mergeCheck lets what a service says go over what its image says; nil for no check. Nobody has validated the image's: its
// numbers are brought within the bounds of a service's, and a command that a service could not have is no check.
func mergeCheck(service, image *runtime.HealthCheck) *runtime.HealthCheck {
	var c runtime.HealthCheck
	if image != nil {
		c = *image
	}
	if service != nil {
		if service.Disabled {
			return nil
		}
		if len(service.Command) > 0 {
			c.Command = service.Command
		}
		c.Interval = over(service.Interval, c.Interval)
		c.Timeout = over(service.Timeout, c.Timeout)
		c.Retries = over(service.Retries, c.Retries)
		c.StartPeriod = over(service.StartPeriod, c.StartPeriod)
		c.StartInterval = over(service.StartInterval, c.StartInterval)
	}
	if len(c.Command) == 0 || validateCheckCommand(c.Command) != nil {
		return nil
	}
	c.Interval = over(c.Interval, defaultHealthInterval)
	c.Timeout = over(c.Timeout, defaultHealthTimeout)
	c.Retries = min(over(c.Retries, defaultHealthRetries), maxHealthRetries)
	for _, d := range healthTimes(&c) {
		if *d.value != 0 {
			*d.value = min(max(*d.value, d.low), d.high)
		}
	}
	return &c
}

func over[T time.Duration | uint32](value, otherwise T) T {
	if value > 0 {
		return value
	}
	return otherwise
}

// boundedOutput keeps the beginning of what is written to it, and takes all.
type boundedOutput struct{ kept []byte }

func (b *boundedOutput) Write(p []byte) (int, error) {
	room := maxHealthOutput - len(b.kept)
	b.kept = append(b.kept, p[:min(max(room, 0), len(p))]...)
	return len(p), nil
}

// text gives what was written in a form that can be shown: one block without control characters.
func (b *boundedOutput) text() string {
	s := strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		if r == utf8.RuneError || unicode.IsControl(r) || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, string(b.kept))
	return strings.TrimSpace(s)
}
