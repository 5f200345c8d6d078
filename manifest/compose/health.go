package compose

import (
	"fmt"
	"slices"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

const healthExample = `test: ["CMD", "pg_isready"]`

// health reads healthcheck, and takes it out of the service; nil leaves the image's own.
func (j *judge) health(s *node, what string) *manifestpb.HealthCheck {
	n := s.get("healthcheck")
	s.drop("healthcheck")
	if n == nil {
		return nil
	}
	what += ".healthcheck"
	j.keys(n, what, healthRules)
	disabled := said(j, place{what + ".disable", n, "disable"}, parseFlag, "true or false", "disable: true")
	command, none := j.healthCommand(n, what)
	if disabled || none {
		return &manifestpb.HealthCheck{Disabled: true}
	}
	if command == nil {
		return nil // refused
	}
	check := &manifestpb.HealthCheck{Command: command}
	check.Retries = uint32(j.quantity(retriesQuantity, place{what + ".retries", n, "retries"}))
	period := func(key string, fallback, low, high time.Duration) uint32 {
		return j.period(place{what + "." + key, n, key}, fallback, low, high)
	}
	check.IntervalMillis = period("interval", manifest.DefaultHealthEvery, manifest.MinHealthInterval, manifest.MaxHealthInterval)
	check.TimeoutMillis = period("timeout", manifest.DefaultHealthWithin, manifest.MinHealthTimeout, manifest.MaxHealthTimeout)
	check.StartPeriodMillis = period("start_period", 0, 0, manifest.MaxHealthStart)
	var early time.Duration
	if check.StartPeriodMillis > 0 {
		early = manifest.DefaultHealthEarly
	}
	check.StartIntervalMillis = period("start_interval", early, manifest.MinHealthInterval, manifest.MaxHealthInterval)
	return check
}

// healthCommand reads test: text for a shell, or a list that begins with CMD, CMD-SHELL or NONE.
func (j *judge) healthCommand(n *node, what string) (command []string, none bool) {
	test := n.get("test")
	switch {
	case test == nil || test.isNull():
		if !isTrue(n.get("disable")) {
			j.refuse(n.line, what, "it has no test", healthExample)
		}
		return nil, false
	case test.isText() && test.text != "":
		return []string{"/bin/sh", "-c", test.text}, false
	case test.kind == list && len(test.items) > 0 && !slices.ContainsFunc(test.items, func(i *node) bool { return !i.isText() }):
		words := make([]string, len(test.items))
		for i, item := range test.items {
			words[i] = item.text
		}
		switch {
		case words[0] == "NONE" && len(words) == 1:
			return nil, true
		case words[0] == "CMD" && len(words) > 1 && words[1] != "":
			return words[1:], false
		case words[0] == "CMD-SHELL" && len(words) == 2 && words[1] != "":
			return []string{"/bin/sh", "-c", words[1]}, false
		}
	}
	j.refuse(test.line, what+".test", `it is neither a command line, nor a list that begins with "CMD", "CMD-SHELL" or "NONE"`, healthExample)
	return nil, false
}

// period reads a time in whole milliseconds; 0 and nothing mean the fallback.
func (j *judge) period(p place, fallback, low, high time.Duration) uint32 {
	n := p.node()
	if n == nil || n.isNull() {
		return uint32(fallback.Milliseconds())
	}
	d, ok := parseTime(n)
	if ok && d == 0 {
		return uint32(fallback.Milliseconds())
	}
	if !ok || d < low || d > high || d%time.Millisecond != 0 {
		j.refuse(n.line, p.what, fmt.Sprintf("%q is not a time of whole milliseconds from %s to %s", n.text, low, high), p.key+": 30s")
		return uint32(max(fallback, low).Milliseconds())
	}
	return uint32(d.Milliseconds())
}

// parseTime reads "1m30s" as compose does.
func parseTime(n *node) (time.Duration, bool) {
	if !n.isText() || len(n.text) > 64 {
		return 0, false
	}
	var d types.Duration
	if err := d.DecodeMapstructure(n.text); err != nil {
		return 0, false
	}
	return time.Duration(d), true
}

func parseFlag(text string) (value, ok bool) {
	return text == "true", text == "true" || text == "false"
}

func isTrue(n *node) bool { return n.isText() && n.text == "true" }
