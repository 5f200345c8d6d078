package manifest

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/distribution/reference"

	"github.com/souk-network/souk/manifest/manifestpb"
)

// ErrInvalid means that a manifest breaks a bound or a rule of the format.
var ErrInvalid = errors.New("invalid manifest")

var (
	dnsLabel  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	digestHex = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	userName  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?$`)
)

// ValidName tells whether s may name a deployment or a group.
func ValidName(s string) bool { return len(s) <= MaxNameBytes && dnsLabel.MatchString(s) }

// ValidServiceName tells whether s may name a service.
func ValidServiceName(s string) bool { return len(s) <= MaxServiceBytes && dnsLabel.MatchString(s) }

// ValidUser tells whether s may be a service's user: a name or uid, optionally ":" and a group or gid.
func ValidUser(s string) bool { return userName.MatchString(s) }

func isDigest(s string) bool { return digestHex.MatchString(s) }

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// Validate checks every bound and rule of a manifest, order of lists included; errors are ErrInvalid.
func Validate(m *manifestpb.Manifest) error {
	if err := validateHeader(headerOf(m)); err != nil {
		return err
	}
	for _, group := range m.GetGroups() {
		if err := ValidateGroup(group); err != nil {
			return err
		}
	}
	return nil
}

func validateHeader(header *manifestpb.Header) error {
	if header.GetFormat() != HeaderFormat {
		return invalid("format %d is not known, only %d", header.GetFormat(), HeaderFormat)
	}
	if !ValidName(header.GetName()) {
		return invalid("%q cannot name a deployment", header.GetName())
	}
	names := header.GetGroupNames()
	if len(names) == 0 || len(names) > MaxGroups {
		return invalid("%d groups, wanted 1 to %d", len(names), MaxGroups)
	}
	for _, name := range names {
		if !ValidName(name) {
			return invalid("%q cannot name a group", name)
		}
	}
	return ascending("group", names, func(name string) string { return name })
}

// ValidateGroup checks every bound and rule of a salted group; errors are ErrInvalid.
func ValidateGroup(group *manifestpb.Group) error {
	if !ValidName(group.GetName()) {
		return invalid("%q cannot name a group", group.GetName())
	}
	if len(group.GetSalt()) != SaltBytes {
		return invalid("group %q: salt of %d bytes, wanted %d", group.GetName(), len(group.GetSalt()), SaltBytes)
	}
	services := group.GetServices()
	if len(services) == 0 || len(services) > MaxServices {
		return invalid("group %q: %d services, wanted 1 to %d", group.GetName(), len(services), MaxServices)
	}
	for _, service := range services {
		if err := validateService(service); err != nil {
			return fmt.Errorf("group %q: service %q: %w", group.GetName(), service.GetName(), err)
		}
	}
	if err := ascending("service", services, (*manifestpb.Service).GetName); err != nil {
		return err
	}
	for _, check := range []func(*manifestpb.Group) error{validateSize, validateIsolation, validateVolumes, validateOrder, validateNames} {
		if err := check(group); err != nil {
			return fmt.Errorf("group %q: %w", group.GetName(), err)
		}
	}
	encoded, err := encode(group)
	if err != nil {
		return err
	}
	if len(encoded) > MaxGroupBytes {
		return invalid("group %q: %d bytes, at most %d", group.GetName(), len(encoded), MaxGroupBytes)
	}
	return nil
}

func validateService(s *manifestpb.Service) error {
	if !ValidServiceName(s.GetName()) {
		return invalid("it cannot be a service's name")
	}
	if s.GetReplicas() == 0 || s.GetReplicas() > MaxLeaseContainers {
		return invalid("%d replicas, wanted 1 to %d", s.GetReplicas(), MaxLeaseContainers)
	}
	if s.GetStopGraceMillis() > uint32(MaxStopGrace.Milliseconds()) {
		return invalid("stop grace of %d ms, at most %d", s.GetStopGraceMillis(), MaxStopGrace.Milliseconds())
	}
	if p := s.GetRestartPolicy(); p < manifestpb.RestartPolicy_RESTART_POLICY_NO || p > manifestpb.RestartPolicy_RESTART_POLICY_UNLESS_STOPPED {
		return invalid("restart policy %d", p)
	}
	if dir := s.GetWorkingDir(); dir != "" && (!path.IsAbs(dir) || path.Clean(dir) != dir || !plain(dir)) {
		return invalid("working directory %q is not a clean absolute path", dir)
	}
	if user := s.GetUser(); user != "" && !ValidUser(user) {
		return invalid("user %q", user)
	}
	checks := []func(*manifestpb.Service) error{
		validateImage, validateCredentials, validateArguments, validateEnvironment, validateLabels, validatePorts, validateResources,
		validateHealth, validateMounts, validateFiles, validateEnd, validateHost, validateRights,
	}
	for _, check := range checks {
		if err := check(s); err != nil {
			return err
		}
	}
	return nil
}

func validateImage(s *manifestpb.Service) error {
	image := s.GetImage()
	named, err := reference.ParseNormalizedNamed(image.GetReference())
	if err != nil || reference.IsNameOnly(named) {
		return invalid("image reference %q", image.GetReference())
	}
	if _, digested := named.(reference.Digested); digested {
		return invalid("image reference %q: a digest has its own field", image.GetReference())
	}
	want := named.String()
	if image.GetPushed() {
		want = reference.FamiliarString(named)
	}
	if want != image.GetReference() {
		return invalid("image reference %q, wanted %q", image.GetReference(), want)
	}
	if image.GetPushed() && reference.Domain(named) != "docker.io" {
		return invalid("image reference %q: a pushed image has no registry", image.GetReference())
	}
	if (image.GetPushed() || image.GetDigest() != "") && !isDigest(image.GetDigest()) {
		return invalid("image digest %q", image.GetDigest())
	}
	return nil
}

func validateCredentials(s *manifestpb.Service) error {
	username, password := s.GetImage().GetUsername(), s.GetImage().GetPassword()
	if username == "" && password == "" {
		return nil
	}
	if s.GetImage().GetPushed() {
		return invalid("a pushed image has no registry, and no credentials for it")
	}
	if !ValidUsername(username) || !ValidPassword(password) {
		return invalid("credentials of the image: a user name without \":\" and a password, both printable, of at most %d and %d bytes", MaxKeyBytes, MaxPasswordBytes)
	}
	return nil
}

// ValidUsername tells whether s may be a user name at a registry.
func ValidUsername(s string) bool {
	return s != "" && len(s) <= MaxKeyBytes && plain(s) && !strings.Contains(s, ":")
}

// ValidPassword tells whether s may be a password or token at a registry.
func ValidPassword(s string) bool { return s != "" && len(s) <= MaxPasswordBytes && plain(s) }

func validateArguments(s *manifestpb.Service) error {
	for _, list := range []*manifestpb.Arguments{s.GetEntrypoint(), s.GetCommand()} {
		if len(list.GetValues()) > MaxArguments {
			return invalid("%d arguments, at most %d", len(list.GetValues()), MaxArguments)
		}
		for _, argument := range list.GetValues() {
			if !ValidText(argument) {
				return invalid("an argument is too long or has a NUL")
			}
		}
	}
	return nil
}

func validateEnvironment(s *manifestpb.Service) error {
	if len(s.GetEnvironment()) > MaxEnvironment {
		return invalid("%d environment variables, at most %d", len(s.GetEnvironment()), MaxEnvironment)
	}
	for _, variable := range s.GetEnvironment() {
		if !ValidVariable(variable.GetName()) {
			return invalid("environment variable name %q", variable.GetName())
		}
		if !ValidText(variable.GetValue()) {
			return invalid("the value of environment variable %q is too long or has a NUL", variable.GetName())
		}
	}
	return ascending("environment variable", s.GetEnvironment(), (*manifestpb.EnvironmentVariable).GetName)
}

// ValidVariable tells whether s may name an environment variable.
func ValidVariable(s string) bool { return ValidKey(s) && !strings.Contains(s, "=") }

func validateLabels(s *manifestpb.Service) error {
	if len(s.GetLabels()) > MaxLabels {
		return invalid("%d labels, at most %d", len(s.GetLabels()), MaxLabels)
	}
	for _, label := range s.GetLabels() {
		if !ValidKey(label.GetName()) || !ValidText(label.GetValue()) {
			return invalid("label %q", label.GetName())
		}
	}
	return ascending("label", s.GetLabels(), (*manifestpb.Label).GetName)
}

func validatePorts(s *manifestpb.Service) error {
	if len(s.GetPorts()) > MaxPorts {
		return invalid("%d ports, at most %d", len(s.GetPorts()), MaxPorts)
	}
	for _, port := range s.GetPorts() {
		if port.GetContainerPort() == 0 || port.GetContainerPort() > 65535 {
			return invalid("port %d", port.GetContainerPort())
		}
		if port.GetProtocol() < manifestpb.Protocol_PROTOCOL_TCP || port.GetProtocol() > manifestpb.Protocol_PROTOCOL_UDP {
			return invalid("port %d: protocol %d", port.GetContainerPort(), port.GetProtocol())
		}
		if err := validateHostnames(port); err != nil {
			return err
		}
	}
	for i := 1; i < len(s.GetPorts()); i++ {
		a, b := s.GetPorts()[i-1], s.GetPorts()[i]
		if a.GetContainerPort() == b.GetContainerPort() && b.GetProtocol() == manifestpb.Protocol_PROTOCOL_HTTP {
			return invalid("port %d: it speaks HTTP and plain TCP", b.GetContainerPort())
		}
	}
	return ascending("port", s.GetPorts(), func(p *manifestpb.Port) string {
		return fmt.Sprintf("%05d/%d", p.GetContainerPort(), p.GetProtocol())
	})
}

func validateResources(s *manifestpb.Service) error {
	r := s.GetResources()
	bounds := []struct {
		name           string
		low, high, got uint64
	}{
		{"cpu_millis", 1, MaxCPUMillis, r.GetCpuMillis()},
		{"memory_mib", MinMemoryMiB, MaxMemoryMiB, r.GetMemoryMib()},
		{"storage_ephemeral_mib", 1, MaxStorageMiB, r.GetStorageEphemeralMib()},
		{"storage_hdd_mib", 0, MaxStorageMiB, r.GetStorageHddMib()},
		{"storage_ssd_mib", 0, MaxStorageMiB, r.GetStorageSsdMib()},
		{"storage_nvme_mib", 0, MaxStorageMiB, r.GetStorageNvmeMib()},
		{"gpu_millis", 0, MaxGPUMillis, r.GetGpuMillis()},
		{"egress_mbps", 1, MaxEgressMbps, r.GetEgressMbps()},
		{"pids", 1, MaxPIDs, uint64(r.GetPids())},
	}
	for _, bound := range bounds {
		if bound.got < bound.low || bound.got > bound.high {
			return invalid("%s is %d, wanted %d to %d", bound.name, bound.got, bound.low, bound.high)
		}
	}
	return nil
}

// ascending holds a list to one order, so that one meaning has one encoding, and to unique keys.
func ascending[T any](what string, list []T, key func(T) string) error {
	for i := 1; i < len(list); i++ {
		if key(list[i-1]) >= key(list[i]) {
			return invalid("%s %q is out of order or there twice", what, key(list[i]))
		}
	}
	return nil
}

// ValidKey tells whether s may name a label: short, printable, without spaces.
func ValidKey(s string) bool {
	return s != "" && len(s) <= MaxKeyBytes && plain(s) && !strings.ContainsAny(s, " \t")
}

// ValidText tells whether s may be a value: bounded, and fit for a process's arguments or environment.
func ValidText(s string) bool {
	return len(s) <= MaxTextBytes && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// plain text has nothing that could steer a terminal or split a line.
func plain(s string) bool { return utf8.ValidString(s) && printable(s) == s }
