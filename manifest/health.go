package manifest

import (
	"time"

	"github.com/souk-network/souk/manifest/manifestpb"
)

func validateHealth(s *manifestpb.Service) error {
	check := s.GetHealthCheck()
	if check == nil {
		return nil
	}
	if check.GetDisabled() {
		if len(check.GetCommand()) > 0 || check.GetIntervalMillis()|check.GetTimeoutMillis()|check.GetRetries()|
			check.GetStartPeriodMillis()|check.GetStartIntervalMillis() != 0 {
			return invalid("a health check that is disabled says nothing else")
		}
		return nil
	}
	if n := len(check.GetCommand()); n == 0 || n > MaxArguments {
		return invalid("health check: a command of %d words, wanted 1 to %d", n, MaxArguments)
	}
	for i, argument := range check.GetCommand() {
		if !ValidText(argument) || i == 0 && argument == "" {
			return invalid("health check: an argument is too long or has a NUL, or there is no program")
		}
	}
	if check.GetRetries() == 0 || check.GetRetries() > MaxHealthRetries {
		return invalid("health check: %d retries, wanted 1 to %d", check.GetRetries(), MaxHealthRetries)
	}
	bounds := []struct {
		name      string
		low, high time.Duration
		millis    uint32
	}{
		{"interval", MinHealthInterval, MaxHealthInterval, check.GetIntervalMillis()},
		{"timeout", MinHealthTimeout, MaxHealthTimeout, check.GetTimeoutMillis()},
		{"start period", 0, MaxHealthStart, check.GetStartPeriodMillis()},
	}
	if check.GetStartIntervalMillis() != 0 {
		bounds = append(bounds, bounds[0])
		bounds[3].name, bounds[3].millis = "start interval", check.GetStartIntervalMillis()
	}
	for _, bound := range bounds {
		if d := time.Duration(bound.millis) * time.Millisecond; d < bound.low || d > bound.high {
			return invalid("health check: %s of %s, wanted %s to %s", bound.name, d, bound.low, bound.high)
		}
	}
	return nil
}
