package containerd

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/signal"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/manifest"
)

// Bounds of what a service says about its life: those of a manifest.
const (
	maxStopGrace      = uint32(manifest.MaxStopGrace / time.Second)
	maxRestarts       = manifest.MaxRestarts
	maxHealthWords    = manifest.MaxArguments
	minHealthTimeout  = manifest.MinHealthTimeout
	maxHealthTimeout  = manifest.MaxHealthTimeout
	minHealthInterval = manifest.MinHealthInterval
	maxHealthInterval = manifest.MaxHealthInterval
	maxHealthStart    = manifest.MaxHealthStart
	maxHealthRetries  = manifest.MaxHealthRetries
	maxAliases        = manifest.MaxAliases
	maxExtraHosts     = manifest.MaxExtraHosts
	maxUserGroups     = manifest.MaxUserGroups
	maxHostBytes      = manifest.MaxHostnameBytes
	minOpenFiles      = manifest.MinOpenFiles
	maxOpenFiles      = manifest.MaxOpenFiles
)

var (
	hostPattern       = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)
	capabilityPattern = regexp.MustCompile(`^[A-Z][A-Z_]*$`)
	groupPattern      = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
)

// validateEnd checks what is to happen when a service ends.
func validateEnd(s runtime.Service) error {
	if s.Job && s.Restart != runtime.RestartNo && s.Restart != runtime.RestartOnFailure {
		return runtime.Invalidf("a job that is always started again never ends; its restart policy is %q or %q", runtime.RestartNo, runtime.RestartOnFailure)
	}
	if s.MaxRestarts > maxRestarts {
		return runtime.Invalidf("%d restarts: want at most %d", s.MaxRestarts, maxRestarts)
	}
	if s.StopGraceSeconds > maxStopGrace {
		return runtime.Invalidf("%d s to stop: want at most %d", s.StopGraceSeconds, maxStopGrace)
	}
	if s.StopSignal != "" {
		if _, err := signal.ParseSignal(s.StopSignal); err != nil {
			return runtime.Invalidf("stop signal %q: want one such as SIGINT", s.StopSignal)
		}
	}
	return nil
}

// validateHealth checks a health check. What is zero is the image's, or the default.
func validateHealth(s runtime.Service) error {
	c := s.HealthCheck
	if c == nil {
		return nil
	}
	if c.Disabled && len(c.Command) > 0 {
		return runtime.Invalidf("a health check that is disabled has no command")
	}
	if err := validateCheckCommand(c.Command); err != nil {
		return err
	}
	if c.Retries > maxHealthRetries {
		return runtime.Invalidf("health check: %d retries: want at most %d", c.Retries, maxHealthRetries)
	}
	for _, d := range healthTimes(c) {
		if *d.value != 0 && (*d.value < d.low || *d.value > d.high) {
			return runtime.Invalidf("health check: %s of %v: want %v to %v", d.name, *d.value, d.low, d.high)
		}
	}
	return nil
}

func validateCheckCommand(command []string) error {
	if len(command) > maxHealthWords || (len(command) > 0 && command[0] == "") {
		return runtime.Invalidf("health check: want a command of at most %d words", maxHealthWords)
	}
	for _, word := range command {
		if len(word) > maxArgBytes || strings.ContainsRune(word, 0) {
			return runtime.Invalidf("health check: an argument is longer than %d bytes or has a zero byte", maxArgBytes)
		}
	}
	return nil
}

// healthTime is a time of a health check with its bounds. Zero stands for the image's, or the default.
type healthTime struct {
	name      string
	value     *time.Duration
	low, high time.Duration
}

func healthTimes(c *runtime.HealthCheck) []healthTime {
	return []healthTime{
		{"interval", &c.Interval, minHealthInterval, maxHealthInterval},
		{"timeout", &c.Timeout, minHealthTimeout, maxHealthTimeout},
		{"start period", &c.StartPeriod, 0, maxHealthStart},
		{"start interval", &c.StartInterval, minHealthTimeout, maxHealthInterval},
	}
}

// validateHost checks the names that a service has and sees.
func validateHost(s runtime.Service) error {
	if len(s.Aliases) > maxAliases || len(s.ExtraHosts) > maxExtraHosts {
		return runtime.Invalidf("more than %d aliases or %d hosts", maxAliases, maxExtraHosts)
	}
	for _, a := range s.Aliases {
		if !validHostName(a) {
			return runtime.Invalidf("alias %q: want a host name", a)
		}
	}
	for _, h := range s.ExtraHosts {
		if !validHostName(h.Name) || !h.Address.IsValid() || h.Address.Zone() != "" {
			return runtime.Invalidf("host %q at %q: want a host name and an address", h.Name, h.Address)
		}
	}
	return nil
}

func validHostName(name string) bool {
	return len(name) <= maxHostBytes && hostPattern.MatchString(name)
}

// validateRights checks what a service's processes may.
func validateRights(s runtime.Service) error {
	for _, c := range s.DropCapabilities {
		if !capabilityPattern.MatchString(c) || strings.HasPrefix(c, "CAP_") {
			return runtime.Invalidf("capability %q: want one without CAP_, such as CHOWN, or ALL", c)
		}
	}
	if len(s.Groups) > maxUserGroups {
		return runtime.Invalidf("more than %d groups", maxUserGroups)
	}
	for _, g := range s.Groups {
		if !groupPattern.MatchString(g) {
			return runtime.Invalidf("group %q: want a name or a number", g)
		}
	}
	if s.OpenFiles != 0 && (s.OpenFiles < minOpenFiles || s.OpenFiles > maxOpenFiles) {
		return runtime.Invalidf("%d open files: want %d to %d", s.OpenFiles, minOpenFiles, maxOpenFiles)
	}
	if s.ShmMiB > s.Resources.MemoryMiB {
		return runtime.Invalidf("%d MiB of shared memory: it counts into the memory, of which there are %d MiB", s.ShmMiB, s.Resources.MemoryMiB)
	}
	return nil
}

// validateOrder checks what services wait for: other services of the lease, in no circle, and for nothing that never comes.
func validateOrder(services []runtime.Service) error {
	byName := map[string]runtime.Service{}
	for _, s := range services {
		byName[s.Name] = s
	}
	for _, s := range services {
		for i, d := range s.DependsOn {
			other, ok := byName[d.Service]
			if !ok {
				return runtime.Invalidf("service %s depends on %q, which is not in the lease", s.Name, d.Service)
			}
			if slices.ContainsFunc(s.DependsOn[:i], func(e runtime.Dependency) bool { return e.Service == d.Service }) {
				return runtime.Invalidf("service %s depends on %s twice", s.Name, d.Service)
			}
			if err := validateCondition(s, d, other); err != nil {
				return err
			}
		}
	}
	left := slices.Clone(services)
	for len(left) > 0 {
		next := slices.DeleteFunc(slices.Clone(left), func(s runtime.Service) bool {
			return !slices.ContainsFunc(left, func(o runtime.Service) bool { return dependsOn(s, o.Name) })
		})
		if len(next) == len(left) {
			return runtime.Invalidf("service %s depends on itself, through others or directly", left[0].Name)
		}
		left = next
	}
	return nil
}

func validateCondition(s runtime.Service, d runtime.Dependency, other runtime.Service) error {
	switch d.Condition {
	case runtime.DependencyStarted:
	case runtime.DependencyHealthy:
		if other.HealthCheck != nil && other.HealthCheck.Disabled {
			return runtime.Invalidf("service %s waits for %s to be healthy, whose health check is disabled", s.Name, d.Service)
		}
	case runtime.DependencyCompleted:
		if other.Restart != runtime.RestartNo && other.Restart != runtime.RestartOnFailure && other.MaxRestarts == 0 {
			return runtime.Invalidf("service %s waits for %s to complete, which is always started again", s.Name, d.Service)
		}
	default:
		return runtime.Invalidf("service %s depends on %s: condition %q", s.Name, d.Service, d.Condition)
	}
	return nil
}
