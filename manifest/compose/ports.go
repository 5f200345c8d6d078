package compose

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

const (
	speaksTCP  = manifestpb.Protocol_PROTOCOL_TCP
	speaksHTTP = manifestpb.Protocol_PROTOCOL_HTTP
	speaksUDP  = manifestpb.Protocol_PROTOCOL_UDP
)

// socket is a port of a container: TCP, with HTTP or without, and UDP are apart.
type socket struct {
	number uint32
	udp    bool
}

// ports reads ports, expose and the host names that lead to them, and takes them out of the service.
func (j *judge) ports(s *node, what string) []*manifestpb.Port {
	known := map[socket]*manifestpb.Port{}
	for i, item := range s.take("ports") {
		at := fmt.Sprintf("%s.ports.%d", what, i)
		for _, port := range j.published(item, at) {
			at := socket{port.ContainerPort, port.Protocol == speaksUDP}
			if other := known[at]; other != nil && other.Protocol != port.Protocol {
				j.refuse(item.line, fmt.Sprintf("%s.ports.%d", what, i), fmt.Sprintf("port %d speaks HTTP and plain TCP", port.ContainerPort), "one of them")
			}
			known[at] = port
		}
	}
	for i, item := range s.take("expose") {
		for _, port := range j.exposed(item, fmt.Sprintf("%s.expose.%d", what, i)) {
			if at := (socket{port.ContainerPort, port.Protocol == speaksUDP}); known[at] == nil {
				known[at] = port
			}
		}
	}
	if len(known) > manifest.MaxPorts {
		j.refuse(s.line, what+".ports", fmt.Sprintf("%d ports, at most %d", len(known), manifest.MaxPorts), "fewer ports")
		return nil
	}
	var ports []*manifestpb.Port
	for _, port := range known {
		ports = append(ports, port)
	}
	slices.SortFunc(ports, func(a, b *manifestpb.Port) int {
		if a.ContainerPort != b.ContainerPort {
			return int(a.ContainerPort) - int(b.ContainerPort)
		}
		return int(a.Protocol) - int(b.Protocol)
	})
	j.hostnames(s.at("x-souk", "hostnames"), what+".x-souk.hostnames", ports)
	return ports
}

// take takes a list out of a service.
func (n *node) take(key string) []*node {
	items := itemsOf(n.get(key))
	n.drop(key)
	return items
}

// published reads one entry of ports: what the world reaches.
func (j *judge) published(item *node, what string) []*manifestpb.Port {
	if item.kind == mapping {
		return j.publishedLong(item, what)
	}
	if j.wide(item, what, item.text[strings.LastIndexByte(item.text, ':')+1:]) {
		return nil
	}
	configs, err := types.ParsePortConfig(item.text)
	if err != nil || !item.isText() {
		j.refuse(item.line, what, fmt.Sprintf("%q is not a port", item.text), `"80" or "8080:80"`)
		return nil
	}
	_, protocol, _ := strings.Cut(item.text, "/")
	if !j.anyAddress(item, what, configs[0].HostIP) {
		return nil
	}
	var numbers []uint32
	hostPort := ""
	for _, config := range configs {
		numbers = append(numbers, config.Target)
		hostPort = config.Published
	}
	return j.public(item, what, numbers, hostPort, protocol, "")
}

func (j *judge) publishedLong(item *node, what string) []*manifestpb.Port {
	j.keys(item, what, portRules)
	field := func(key string) string {
		if n := item.get(key); n.isText() {
			return n.text
		}
		return ""
	}
	number, err := strconv.ParseUint(field("target"), 10, 16)
	if err != nil {
		j.refuse(item.line, what+".target", fmt.Sprintf("%q is not a port", field("target")), "target: 80")
		return nil
	}
	if mode := field("mode"); mode != "" && mode != "ingress" {
		j.refuse(item.get("mode").line, what+".mode", "a workload gets no port of the host", removeLine)
		return nil
	}
	if !j.anyAddress(item, what, field("host_ip")) {
		return nil
	}
	return j.public(item, what, []uint32{uint32(number)}, field("published"), field("protocol"), field("app_protocol"))
}

// public makes ports that the world reaches. What is spoken on them says, first of all, app_protocol; then the protocol,
// where it is written; then the number, if everybody knows what is spoken there; all else is HTTP.
func (j *judge) public(item *node, what string, numbers []uint32, hostPort, protocol, application string) []*manifestpb.Port {
	if !j.checked(item, what, numbers) {
		return nil
	}
	if len(numbers) > manifest.MaxPorts {
		j.refuse(item.line, what, fmt.Sprintf("%d ports, at most %d", len(numbers), manifest.MaxPorts), "fewer ports")
		return nil
	}
	var ports []*manifestpb.Port
	plain := false
	for _, number := range numbers {
		spoken, ok := j.spoken(item, what, number, protocol, application)
		if !ok {
			return nil
		}
		plain = plain || spoken != speaksHTTP
		ports = append(ports, &manifestpb.Port{ContainerPort: number, Protocol: spoken, Exposed: true})
	}
	switch {
	case hostPort == "":
	case plain:
		j.note(item.line, what, "the host port "+hostPort+"; the provider chooses one of its own, which souk ps shows")
	default:
		j.note(item.line, what, "the host port "+hostPort+"; the provider serves it by host name on its own port")
	}
	return ports
}

// spoken decides what is spoken on one port.
func (j *judge) spoken(item *node, what string, number uint32, protocol, application string) (manifestpb.Protocol, bool) {
	if protocol != "" && protocol != "tcp" && protocol != "udp" {
		j.refuse(item.line, what, fmt.Sprintf("publishing %s is %s", protocol, notYet), "tcp or udp")
		return 0, false
	}
	switch {
	case protocol == "udp" && application == "http":
		j.refuse(item.line, what, "HTTP over UDP is "+notYet, "protocol: tcp, or remove app_protocol")
	case protocol == "udp":
		return speaksUDP, true
	case application == "http":
		return speaksHTTP, true
	case application == "udp" && protocol == "":
		return speaksUDP, true
	case application == "tcp", application != "" && isWellKnown(application):
		return speaksTCP, true
	case application != "":
		j.refuse(item.line, what, fmt.Sprintf("%q is not an application protocol here", application), "app_protocol: http, or tcp for all that is not HTTP")
	case protocol == "tcp":
		if slices.Contains([]uint32{80, 8000, 8008, 8080}, number) {
			j.tell(item.line, what, "it is published as plain TCP; for HTTP under a host name leave out the protocol, or write app_protocol: http")
		}
		return speaksTCP, true
	case wellKnown[number] != "":
		j.tell(item.line, what, fmt.Sprintf("port %d is that of %s, and published as plain TCP; for HTTP write {target: %d, app_protocol: http}", number, wellKnown[number], number))
		return speaksTCP, true
	default:
		return speaksHTTP, true
	}
	return 0, false
}

func isWellKnown(application string) bool {
	for _, name := range wellKnown {
		if name == application {
			return true
		}
	}
	return false
}

// anyAddress refuses a port that was meant for one address, such as loopback: it would become public.
func (j *judge) anyAddress(item *node, what, address string) bool {
	if address == "" || address == "0.0.0.0" || address == "::" {
		return true
	}
	j.refuse(item.line, what, fmt.Sprintf("the address %s is not the workload's; the port would be public", address), "expose: for a port inside, or no address for a public one")
	return false
}

// exposed reads one entry of expose: a port for the services of the group.
func (j *judge) exposed(item *node, what string) []*manifestpb.Port {
	if j.wide(item, what, item.text) {
		return nil
	}
	text, protocol, _ := strings.Cut(item.text, "/")
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	low, lowErr := strconv.ParseUint(first, 10, 16)
	high, highErr := strconv.ParseUint(last, 10, 16)
	if !item.isText() || lowErr != nil || highErr != nil || high < low {
		j.refuse(item.line, what, fmt.Sprintf("%q is not a port", item.text), `"3000" or "3000-3005"`)
		return nil
	}
	spoken := speaksTCP
	switch protocol {
	case "", "tcp":
	case "udp":
		spoken = speaksUDP
	default:
		j.refuse(item.line, what, protocol+" is "+notYet, removeLine)
		return nil
	}
	var ports []*manifestpb.Port
	var numbers []uint32
	for number := low; number <= high; number++ {
		numbers = append(numbers, uint32(number))
		ports = append(ports, &manifestpb.Port{ContainerPort: uint32(number), Protocol: spoken})
	}
	if !j.checked(item, what, numbers) {
		return nil
	}
	return ports
}

// wide refuses a range of more ports than a service may have, before anybody counts it out.
func (j *judge) wide(item *node, what, ports string) bool {
	ports, _, _ = strings.Cut(ports, "/")
	first, last, _ := strings.Cut(ports, "-")
	low, lowErr := strconv.ParseUint(first, 10, 16)
	high, highErr := strconv.ParseUint(last, 10, 16)
	if lowErr != nil || highErr != nil || high < low || high-low < manifest.MaxPorts {
		return false
	}
	j.refuse(item.line, what, fmt.Sprintf("%d ports, at most %d", high-low+1, manifest.MaxPorts), "fewer ports")
	return true
}

func (j *judge) checked(item *node, what string, numbers []uint32) bool {
	if slices.Contains(numbers, 0) {
		j.refuse(item.line, what, "0 is not a port", `"80"`)
		return false
	}
	return true
}

const hostnamesExample = `hostnames: {"80": [shop.example.org]}`

// hostnames reads which names of the tenant lead to which HTTP port.
func (j *judge) hostnames(n *node, what string, ports []*manifestpb.Port) {
	if n == nil || n.isNull() {
		return
	}
	if n.kind != mapping {
		j.refuse(n.line, what, "host names are a mapping of ports to names", hostnamesExample)
		return
	}
	for _, e := range n.entries {
		at := what + "." + e.key
		i := slices.IndexFunc(ports, func(p *manifestpb.Port) bool {
			return strconv.Itoa(int(p.ContainerPort)) == e.key && p.Protocol == speaksHTTP && p.Exposed
		})
		if i < 0 {
			j.refuse(e.line, at, fmt.Sprintf("%q is not a port of the service that is served as HTTP", e.key), "a container port that stands under ports")
			continue
		}
		for _, item := range scalarsOf(e.value) {
			switch {
			case !item.isText() || !manifest.ValidHostname(item.text):
				j.refuse(item.line, at, fmt.Sprintf("%q is not a host name in lower case with a domain", item.text), hostnamesExample)
			case j.hosts[item.text]:
				j.refuse(item.line, at, fmt.Sprintf("%s leads to another port already", item.text), "each name once")
			default:
				j.hosts[item.text] = true
				ports[i].Hostnames = append(ports[i].Hostnames, item.text)
			}
		}
		slices.Sort(ports[i].Hostnames)
		if n := len(ports[i].Hostnames); n > manifest.MaxHostnames {
			j.refuse(e.line, at, fmt.Sprintf("%d host names, at most %d", n, manifest.MaxHostnames), "fewer")
		}
	}
}
