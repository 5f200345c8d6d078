package compose

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

// process reads what a service's processes are given, and takes it out of the service.
func (j *judge) process(s *node, what string, to *manifestpb.Service) {
	own := func(key string) place { return place{what + "." + key, s, key} }
	to.Init = said(j, own("init"), parseFlag, "true or false", "init: true")
	to.StopSignal = said(j, own("stop_signal"), parseSignal, "a signal", "stop_signal: SIGINT")
	to.Hostname = said(j, own("hostname"), parsed(manifest.ValidOwnHostname), "a host name of letters, digits, hyphens and dots", "hostname: web1")
	to.ShmMib = uint32(j.quantity(shmQuantity, own("shm_size")))
	to.Groups = j.wordList(s.get("group_add"), what+".group_add", manifest.MaxUserGroups, parsed(manifest.ValidUserGroup), "group_add: [video]")
	to.DropCapabilities = j.wordList(s.get("cap_drop"), what+".cap_drop", 64, parseCapability, "cap_drop: [ALL]")
	if slices.Contains(to.DropCapabilities, "ALL") {
		to.DropCapabilities = []string{"ALL"}
	}
	to.OpenFiles = j.openFiles(s.get("ulimits"), what+".ulimits")
	to.ExtraHosts = j.extraHosts(s.get("extra_hosts"), what+".extra_hosts")
	j.securityOptions(s.get("security_opt"), what+".security_opt")
	for _, key := range []string{
		"init", "stop_signal", "hostname", "shm_size", "group_add", "cap_drop", "ulimits", "extra_hosts", "security_opt",
	} {
		s.drop(key)
	}
}

// parsed makes a parser of a check.
func parsed(valid func(string) bool) func(string) (string, bool) {
	return func(text string) (string, bool) { return text, valid(text) }
}

// signalNumbers are those that are the same on all machines that Linux runs on.
var signalNumbers = map[string]string{"1": "SIGHUP", "2": "SIGINT", "3": "SIGQUIT", "6": "SIGABRT", "9": "SIGKILL", "14": "SIGALRM", "15": "SIGTERM"}

func parseSignal(text string) (string, bool) {
	name := strings.ToUpper(text)
	if number, known := signalNumbers[name]; known {
		name = number
	}
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	return name, manifest.ValidSignal(name)
}

func parseCapability(text string) (string, bool) {
	name := strings.TrimPrefix(strings.ToUpper(text), "CAP_")
	return name, manifest.ValidCapability(name)
}

// wordList reads a list of words and returns them sorted, each once.
func (j *judge) wordList(n *node, what string, most int, parse func(string) (string, bool), example string) []string {
	var values []string
	for i, item := range itemsOf(n) {
		value, ok := parse(item.text)
		if !item.isText() || !ok {
			j.refuse(item.line, fmt.Sprintf("%s.%d", what, i), fmt.Sprintf("%q is not taken", item.text), example)
			continue
		}
		values = append(values, value)
	}
	slices.Sort(values)
	values = slices.Compact(values)
	if len(values) > most {
		j.refuse(n.line, what, fmt.Sprintf("%d values, at most %d", len(values), most), "fewer")
	}
	return values
}

// openFiles reads ulimits, of which the number of open files is a service's own.
func (j *judge) openFiles(n *node, what string) uint32 {
	j.keys(n, what, ulimitRules)
	limit := n.get("nofile")
	if limit == nil || limit.isNull() {
		return 0
	}
	if limit.kind != mapping {
		return uint32(j.quantity(filesQuantity, place{what + ".nofile", n, "nofile"}))
	}
	j.keys(limit, what+".nofile", nofileRules)
	soft := j.quantity(filesQuantity, place{what + ".nofile.soft", limit, "soft"})
	hard := j.quantity(filesQuantity, place{what + ".nofile.hard", limit, "hard"})
	if limit.get("soft") != nil && soft != hard {
		j.note(limit.line, what+".nofile.soft", "a process may raise it to the hard limit, which holds")
	}
	return uint32(max(soft, hard))
}

// extraHosts reads "name:address", "name=address" and mappings of names to addresses.
func (j *judge) extraHosts(n *node, what string) []*manifestpb.HostAddress {
	var all []*manifestpb.HostAddress
	add := func(name, address string, line int, at string) {
		parsed, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(address, "["), "]"))
		switch {
		case address == "host-gateway":
			j.refuse(line, at, "a workload does not reach the provider's host", removeLine)
		case err != nil || parsed.Zone() != "":
			j.refuse(line, at, fmt.Sprintf("%q is not an address", address), `extra_hosts: ["somehost:203.0.113.7"]`)
		case !manifest.ValidHostEntry(name):
			j.refuse(line, at, fmt.Sprintf("%q is not a host name", name), `extra_hosts: ["somehost:203.0.113.7"]`)
		default:
			all = append(all, &manifestpb.HostAddress{Name: name, Address: parsed.Unmap().String()})
		}
	}
	for i, item := range itemsOf(n) {
		at := strings.IndexByte(item.text, '=')
		if at < 0 {
			at = strings.IndexByte(item.text, ':')
		}
		if !item.isText() || at < 0 {
			j.refuse(item.line, what+"."+strconv.Itoa(i), "it is not name:address", `extra_hosts: ["somehost:203.0.113.7"]`)
			continue
		}
		add(item.text[:at], item.text[at+1:], item.line, what+"."+strconv.Itoa(i))
	}
	for _, e := range entriesOf(n) {
		for _, address := range scalarsOf(e.value) {
			add(e.key, address.text, address.line, what+"."+e.key)
		}
	}
	key := func(h *manifestpb.HostAddress) string { return h.Name + "\x00" + h.Address }
	slices.SortFunc(all, func(a, b *manifestpb.HostAddress) int { return strings.Compare(key(a), key(b)) })
	all = slices.CompactFunc(all, func(a, b *manifestpb.HostAddress) bool { return key(a) == key(b) })
	if len(all) > manifest.MaxExtraHosts {
		j.refuse(n.line, what, fmt.Sprintf("%d addresses, at most %d", len(all), manifest.MaxExtraHosts), "fewer")
	}
	return all
}

// securityOptions takes what holds anyhow.
func (j *judge) securityOptions(n *node, what string) {
	for i, item := range itemsOf(n) {
		at := what + "." + strconv.Itoa(i)
		switch item.text {
		case "no-new-privileges", "no-new-privileges:true", "no-new-privileges=true":
			j.note(item.line, at, "it holds for every workload")
		default:
			j.refuse(item.line, at, "the provider's own profiles hold for every workload, with no new privileges", removeLine)
		}
	}
}
