package workload

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// Host is an HTTP name of a service: the label below the provider's domain and the container port that it leads to.
type Host struct {
	Label   string // "web-7"; of further ports "web-8080-7"
	Lease   uint64
	Service string
	Port    uint16
	// Names are the tenant's own, such as shop.example.org; whoever serves them first sees that they are the tenant's.
	Names []string
}

// Hosts lists the HTTP names of a lease's group: each service's first exposed HTTP port under the service's own name, the
// others with their number.
func Hosts(lease uint64, group *manifestpb.Group) []Host {
	var hosts []Host
	for _, s := range group.GetServices() {
		first := true
		for _, p := range s.GetPorts() {
			if !p.GetExposed() || p.GetProtocol() != manifestpb.Protocol_PROTOCOL_HTTP {
				continue
			}
			label := fmt.Sprintf("%s-%d", s.GetName(), lease)
			if !first {
				label = fmt.Sprintf("%s-%d-%d", s.GetName(), p.GetContainerPort(), lease)
			}
			first = false
			hosts = append(hosts, Host{Label: label, Lease: lease, Service: s.GetName(), Port: uint16(p.GetContainerPort()), Names: p.GetHostnames()})
		}
	}
	return hosts
}

// Backends lists where the running replicas behind a host answer that are not unhealthy, in order.
func (h Host) Backends(status runtime.WorkloadStatus) []netip.AddrPort {
	var out []netip.AddrPort
	for _, r := range status.Replicas {
		if r.Service != h.Service || r.Phase != runtime.PhaseRunning || r.Health == runtime.HealthUnhealthy {
			continue
		}
		for _, e := range r.Endpoints {
			if e.Container == h.Port && e.Protocol == "tcp" {
				out = append(out, e.Address)
			}
		}
	}
	slices.SortFunc(out, netip.AddrPort.Compare)
	return out
}

// Address is a published port as the world writes it.
type Address struct {
	Service string
	Port    uint16 // inside the container
	URL     string // "tcp://provider.example:20001", "udp://…"
}

// Addresses lists the published ports of a lease at the provider's domain or address, in the order of the status.
func Addresses(domain string, status runtime.WorkloadStatus) []Address {
	var out []Address
	for _, p := range status.Published {
		out = append(out, Address{
			Service: p.Service, Port: p.Container,
			URL: p.Protocol + "://" + net.JoinHostPort(domain, strconv.Itoa(int(p.Host))),
		})
	}
	return out
}
