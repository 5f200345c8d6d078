package compose

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/souk-network/souk/manifest"
)

// groupName is the placement group of services that name none.
const groupName = "main"

// draft is a placement group while it is read.
type draft struct {
	name     string
	services []entry
	// spread over the market: replicas of the group, and how many of them may be in one place.
	replicas                   uint32
	maxPerProvider, maxPerZone uint32
}

// drafts deals the services out to groups, sorted by name.
func (j *judge) drafts(root *node) []*draft {
	byName := map[string]*draft{}
	j.groups = map[string]string{}
	for _, e := range entriesOf(root.get("services")) {
		if e.value.kind != mapping {
			continue
		}
		what := "services." + e.key + ".x-souk"
		souk := e.value.get("x-souk")
		name := groupName
		spread := souk.get("spread")
		switch group := souk.get("group"); {
		case group != nil:
			name = said(j, place{what + ".group", souk, "group"}, parsed(manifest.ValidName), "a group's name of lower-case letters, digits and inner hyphens", "group: edge")
		case spread != nil:
			name = e.key
		}
		d := byName[name]
		if d == nil {
			d = &draft{name: name, replicas: 1}
			byName[name] = d
		}
		d.services = append(d.services, e)
		j.groups[e.key] = name
		if spread != nil {
			j.spread(e.value, spread, "services."+e.key, d)
		}
	}
	var all []*draft
	for _, name := range sortedKeys(byName) {
		d := byName[name]
		for _, e := range d.services {
			if spread := e.value.at("x-souk", "spread"); spread != nil && len(d.services) > 1 {
				j.refuse(spread.line, "services."+e.key+".x-souk.spread", fmt.Sprintf("other services are in its group, %s", name), "a group of its own: x-souk: {group: "+e.key+"}")
			}
		}
		all = append(all, d)
	}
	if len(all) > manifest.MaxGroups {
		j.refuse(0, "services", fmt.Sprintf("%d groups, at most %d", len(all), manifest.MaxGroups), "fewer groups")
	}
	return all
}

// spread reads over what the replicas of a service are spread: then they are replicas of its group, which the market
// places one by one.
func (j *judge) spread(s, n *node, what string, d *draft) {
	const example = "spread: zone, spread: provider or spread: {provider: 2, zone: 1}"
	at := what + ".x-souk.spread"
	switch {
	case n.isText() && n.text == "provider":
		d.maxPerProvider = 1
	case n.isText() && n.text == "zone":
		d.maxPerZone = 1
	case n.kind == mapping && len(n.entries) > 0:
		j.keys(n, at, spreadRules)
		d.maxPerProvider = uint32(j.quantity(spreadQuantity, place{at + ".provider", n, "provider"}))
		d.maxPerZone = uint32(j.quantity(spreadQuantity, place{at + ".zone", n, "zone"}))
	default:
		j.refuse(n.line, at, fmt.Sprintf("%q says nothing to spread over", n.text), example)
	}
	d.replicas = uint32(j.quantity(marketReplicaQuantity, replicaPlaces(s, what)...))
}

func replicaPlaces(s *node, what string) []place {
	return []place{{what + ".scale", s, "scale"}, {what + ".deploy.replicas", s.get("deploy"), "replicas"}}
}

// term finds a key of x-souk that holds for several services together: what those of them say, which must agree, else
// what stands at the top level.
func (j *judge) term(root *node, services []entry, key string) place {
	var found place
	for _, e := range services {
		n := e.value.at("x-souk", key)
		if n == nil {
			continue
		}
		at := place{"services." + e.key + ".x-souk." + key, e.value.get("x-souk"), key}
		switch {
		case found.parent == nil:
			found = at
		case !reflect.DeepEqual(found.node().plain(), n.plain()):
			j.refuse(n.line, at.what, "it says otherwise than "+found.what, "the same in all services of a group, or at the top level only")
		}
	}
	if found.parent == nil {
		return place{"x-souk." + key, root.get("x-souk"), key}
	}
	return found
}

// aliases reads the further names of a service: of its networks, of its container, and those that links give it.
func (j *judge) aliases(services []entry) map[string][]string {
	all := map[string][]string{}
	add := func(service, alias string, line int, what string) {
		switch {
		case alias == service:
		case !manifest.ValidAlias(alias):
			j.refuse(line, what, fmt.Sprintf("%q cannot be a service's further name", alias), "lower-case letters, digits, inner hyphens")
		case slices.ContainsFunc(services, func(e entry) bool { return e.key == alias }):
			j.refuse(line, what, fmt.Sprintf("%q is another service's name", alias), "another name")
		case !slices.Contains(all[service], alias):
			all[service] = append(all[service], alias)
		}
	}
	for _, e := range services {
		what := "services." + e.key
		for _, network := range entriesOf(e.value.get("networks")) {
			at := what + ".networks." + network.key
			for _, item := range itemsOf(network.value.get("aliases")) {
				add(e.key, item.text, item.line, at+".aliases")
			}
		}
		if name := e.value.get("container_name"); name.isText() {
			if alias := strings.ToLower(name.text); manifest.ValidAlias(alias) {
				add(e.key, alias, name.line, what+".container_name")
			} else {
				j.note(name.line, what+".container_name", "a service is known by its own name")
			}
		}
		for _, link := range j.links(e.value, what) {
			if link.alias != "" && slices.ContainsFunc(services, func(other entry) bool { return other.key == link.service }) {
				add(link.service, link.alias, link.line, link.what)
			}
		}
	}
	for _, e := range services {
		for _, key := range []string{"networks", "container_name"} {
			e.value.drop(key)
		}
		slices.Sort(all[e.key])
		if n := len(all[e.key]); n > manifest.MaxAliases {
			j.refuse(e.line, "services."+e.key, fmt.Sprintf("%d further names, at most %d", n, manifest.MaxAliases), "fewer")
		}
	}
	return all
}
