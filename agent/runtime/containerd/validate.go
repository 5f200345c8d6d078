package containerd

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/manifest"
)

// What a manifest may ask for is what this runtime takes, so that nobody pays for what is refused here.
const (
	maxReplicas  = manifest.MaxLeaseContainers // each has an address in the lease's /26
	minMemoryMiB = manifest.MinMemoryMiB
	minDiskMiB   = 1
	maxNameBytes = 63
	defaultPIDs  = 1024
	defaultGrace = 10 // seconds
)

var (
	labelPattern    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	revisionPattern = regexp.MustCompile(`^[0-9a-f]{8,64}$`)
	scopePattern    = regexp.MustCompile(`^[a-z0-9]{1,63}$`)
)

// validate checks a workload before it is recorded. Its errors name the field.
func validate(w runtime.Workload) error {
	if !revisionPattern.MatchString(w.Revision) {
		return runtime.Invalidf("revision %q: want 8 to 64 hex digits", w.Revision)
	}
	if err := validScope(runtime.Scope(w.Owner)); err != nil {
		return err
	}
	if len(w.Services) == 0 {
		return runtime.Invalidf("no services")
	}
	seen := map[string]bool{}
	replicas := uint32(0)
	for _, s := range w.Services {
		if err := validateService(s); err != nil {
			return err
		}
		if seen[s.Name] {
			return runtime.Invalidf("service %s stands there twice", s.Name)
		}
		seen[s.Name] = true
		if replicas += s.Replicas; replicas > maxReplicas {
			return runtime.Invalidf("more than %d replicas in one lease", maxReplicas)
		}
	}
	return validateOrder(w.Services)
}

func validateService(s runtime.Service) error {
	if !labelPattern.MatchString(s.Name) || len(s.Name) > maxNameBytes {
		return runtime.Invalidf("service name %q: want a DNS label", s.Name)
	}
	if s.Hostname != "" && (!validHostName(s.Hostname) || len(s.Hostname) > maxNameBytes) {
		return runtime.Invalidf("service %s: hostname %q: want a host name of at most %d bytes", s.Name, s.Hostname, maxNameBytes)
	}
	if s.Image == "" {
		return runtime.Invalidf("service %s: no image", s.Name)
	}
	if s.Replicas == 0 || s.Replicas > maxReplicas {
		return runtime.Invalidf("service %s: %d replicas: want 1 to %d", s.Name, s.Replicas, maxReplicas)
	}
	r := s.Resources
	if r.CPUMillis == 0 || r.MemoryMiB < minMemoryMiB || r.DiskMiB < minDiskMiB {
		return runtime.Invalidf("service %s: want at least 1 millicore, %d MiB memory and %d MiB disk", s.Name, minMemoryMiB, minDiskMiB)
	}
	const tooMuch = 1 << 30
	if r.CPUMillis > tooMuch || r.MemoryMiB > tooMuch || r.DiskMiB > tooMuch || r.PIDs > tooMuch || r.EgressMbps > tooMuch {
		return runtime.Invalidf("service %s: resources beyond any machine", s.Name)
	}
	for _, e := range s.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" || strings.ContainsRune(e, 0) {
			return runtime.Invalidf("service %s: environment: want NAME=value", s.Name)
		}
	}
	switch s.Restart {
	case "", runtime.RestartAlways, runtime.RestartOnFailure, runtime.RestartNo:
	default:
		return runtime.Invalidf("service %s: restart policy %q", s.Name, s.Restart)
	}
	for _, check := range []func(runtime.Service) error{validateEnd, validateHealth, validateHost, validateRights} {
		if err := check(s); err != nil {
			return fmt.Errorf("service %s: %w", s.Name, err)
		}
	}
	for _, p := range s.Ports {
		if p.Container == 0 || (p.Protocol != "tcp" && p.Protocol != "udp") {
			return runtime.Invalidf("service %s: port %d/%s: want 1 to 65535, tcp or udp", s.Name, p.Container, p.Protocol)
		}
	}
	return nil
}

func validScope(s runtime.Scope) error {
	if s == runtime.PublicScope || !scopePattern.MatchString(string(s)) {
		return runtime.Invalidf("scope or owner %q: want an account address", s)
	}
	return nil
}
