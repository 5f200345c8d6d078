package manifest

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/souk-network/souk/manifest/manifestpb"
)

var (
	hostLabel = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
	aliasName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?$`)
	onlyDigit = regexp.MustCompile(`^[0-9]+$`)
)

// ValidHostname tells whether s may be a host name of the tenant on the internet: lower case, at least two labels, not
// an address.
func ValidHostname(s string) bool {
	labels := strings.Split(s, ".")
	return len(s) <= MaxHostnameBytes && len(labels) > 1 && !onlyDigit.MatchString(labels[len(labels)-1]) &&
		!slices.ContainsFunc(labels, func(label string) bool { return !ValidName(label) })
}

// ValidOwnHostname tells whether s may be the host name that a container has for itself.
func ValidOwnHostname(s string) bool {
	return len(s) <= MaxNameBytes && !slices.ContainsFunc(strings.Split(s, "."), func(label string) bool { return !hostLabel.MatchString(label) })
}

// ValidAlias tells whether services may reach another one by s.
func ValidAlias(s string) bool {
	_, err := netip.ParseAddr(s)
	return err != nil && len(s) <= MaxNameBytes && aliasName.MatchString(s) && !strings.Contains(s, "..") && s != "localhost"
}

// ValidHostEntry tells whether s may stand for an address in /etc/hosts.
func ValidHostEntry(s string) bool {
	return len(s) <= MaxHostnameBytes && aliasName.MatchString(strings.ToLower(s)) && !strings.Contains(s, "..")
}

// ParseAddress reads an address in its usual text form, without a zone.
func ParseAddress(s string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(s)
	return address, err == nil && address.Zone() == "" && !address.Is4In6() && address.String() == s
}

func validateHostnames(port *manifestpb.Port) error {
	names := port.GetHostnames()
	if len(names) > MaxHostnames {
		return invalid("port %d: %d host names, at most %d", port.GetContainerPort(), len(names), MaxHostnames)
	}
	if len(names) > 0 && (port.GetProtocol() != manifestpb.Protocol_PROTOCOL_HTTP || !port.GetExposed()) {
		return invalid("port %d: host names lead to exposed HTTP ports only", port.GetContainerPort())
	}
	for _, name := range names {
		if !ValidHostname(name) {
			return invalid("port %d: %q is not a host name", port.GetContainerPort(), name)
		}
	}
	return ascending("host name", names, itself)
}

// validateHost checks how a service is called and what it calls others.
func validateHost(s *manifestpb.Service) error {
	if name := s.GetHostname(); name != "" && !ValidOwnHostname(name) {
		return invalid("host name %q", name)
	}
	if len(s.GetAliases()) > MaxAliases || len(s.GetExtraHosts()) > MaxExtraHosts {
		return invalid("%d aliases and %d extra hosts, at most %d and %d", len(s.GetAliases()), len(s.GetExtraHosts()), MaxAliases, MaxExtraHosts)
	}
	for _, alias := range s.GetAliases() {
		if !ValidAlias(alias) {
			return invalid("alias %q", alias)
		}
	}
	for _, host := range s.GetExtraHosts() {
		if _, ok := ParseAddress(host.GetAddress()); !ok || !ValidHostEntry(host.GetName()) {
			return invalid("extra host %q at %q", host.GetName(), host.GetAddress())
		}
	}
	if err := ascending("alias", s.GetAliases(), itself); err != nil {
		return err
	}
	return ascending("extra host", s.GetExtraHosts(), func(h *manifestpb.HostAddress) string { return h.GetName() + "\x00" + h.GetAddress() })
}

// validateNames checks that a name of the group leads to one place.
func validateNames(group *manifestpb.Group) error {
	services, hosts := map[string]bool{}, map[string]bool{}
	for _, service := range group.GetServices() {
		services[service.GetName()] = true
		for _, port := range service.GetPorts() {
			for _, name := range port.GetHostnames() {
				if hosts[name] {
					return invalid("host name %q leads to two ports", name)
				}
				hosts[name] = true
			}
		}
	}
	for _, service := range group.GetServices() {
		for _, alias := range service.GetAliases() {
			if services[alias] {
				return invalid("alias %q of service %q is a service's name", alias, service.GetName())
			}
		}
	}
	return nil
}

// validateIsolation checks the isolation class of a group.
func validateIsolation(group *manifestpb.Group) error {
	if class := group.GetIsolation(); class != "" && !ValidName(class) {
		return invalid("isolation class %q", class)
	}
	return nil
}
