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

// ports reads ports and expose, and takes them out of the service.
func (j *judge) ports(s *node, what string) []*manifestpb.Port {
	numbers := map[uint32]bool{} // to whether it is exposed
	for i, item := range s.take("ports") {
		at := fmt.Sprintf("%s.ports.%d", what, i)
		for _, number := range j.published(item, at) {
			numbers[number] = true
		}
	}
	for i, item := range s.take("expose") {
		at := fmt.Sprintf("%s.expose.%d", what, i)
		for _, number := range j.exposed(item, at) {
			if !numbers[number] {
				numbers[number] = false // there, but not exposed
			}
		}
	}
	if len(numbers) > manifest.MaxPorts {
		j.refuse(s.line, what+".ports", fmt.Sprintf("%d ports, at most %d", len(numbers), manifest.MaxPorts), "fewer ports")
		return nil
	}
	var ports []*manifestpb.Port
	for number, exposed := range numbers {
		port := &manifestpb.Port{ContainerPort: number, Protocol: manifestpb.Protocol_PROTOCOL_TCP, Exposed: exposed}
		if exposed {
			port.Protocol = manifestpb.Protocol_PROTOCOL_HTTP
		}
		ports = append(ports, port)
	}
	slices.SortFunc(ports, func(a, b *manifestpb.Port) int { return int(a.ContainerPort) - int(b.ContainerPort) })
	return ports
}

// take takes a list out of a service.
func (n *node) take(key string) []*node {
	items := itemsOf(n.get(key))
	n.drop(key)
	return items
}

// published reads one entry of ports: what the provider's ingress serves as HTTP.
func (j *judge) published(item *node, what string) []uint32 {
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
	if !j.speaksHTTP(item, what, protocol, "") || !j.anyAddress(item, what, configs[0].HostIP) {
		return nil
	}
	var numbers []uint32
	hostPort := ""
	for _, config := range configs {
		numbers = append(numbers, config.Target)
		hostPort = config.Published
	}
	j.noteHostPort(item, what, hostPort)
	return j.checked(item, what, numbers)
}

func (j *judge) publishedLong(item *node, what string) []uint32 {
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
	if !j.speaksHTTP(item, what, field("protocol"), field("app_protocol")) || !j.anyAddress(item, what, field("host_ip")) {
		return nil
	}
	j.noteHostPort(item, what, field("published"))
	return j.checked(item, what, []uint32{uint32(number)})
}

// speaksHTTP refuses what the ingress cannot serve. A port without a word about its protocol is HTTP.
func (j *judge) speaksHTTP(item *node, what, protocol, application string) bool {
	switch {
	case application == "http":
		if protocol == "" || protocol == "tcp" {
			return true
		}
		j.refuse(item.line, what, fmt.Sprintf("HTTP over %s is %s", protocol, notYet), "protocol: tcp")
	case application != "":
		j.refuse(item.line, what, fmt.Sprintf("application protocol %s is %s", application, notYet), "app_protocol: http")
	case protocol == "":
		return true
	case protocol == "tcp":
		j.refuse(item.line, what, "publishing plain TCP is "+notYet, "without the protocol, for HTTP")
	default:
		j.refuse(item.line, what, fmt.Sprintf("publishing %s is %s", protocol, notYet), "HTTP, as in - 80")
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

func (j *judge) noteHostPort(item *node, what, port string) {
	if port != "" {
		j.note(item.line, what, "the host port "+port+"; the provider serves it by host name on its own port")
	}
}

// exposed reads one entry of expose: a port for the services of the group.
func (j *judge) exposed(item *node, what string) []uint32 {
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
	if protocol != "" && protocol != "tcp" {
		j.refuse(item.line, what, protocol+" is "+notYet, removeLine)
		return nil
	}
	var numbers []uint32
	for number := low; number <= high; number++ {
		numbers = append(numbers, uint32(number))
	}
	return j.checked(item, what, numbers)
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

func (j *judge) checked(item *node, what string, numbers []uint32) []uint32 {
	if slices.Contains(numbers, 0) {
		j.refuse(item.line, what, "0 is not a port", `"80"`)
		return nil
	}
	return numbers
}
