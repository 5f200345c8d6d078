package compose

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// extends resolves services that extend others of the same file, so that all that follows sees them written out.
func (j *judge) extends(root *node) {
	services := root.get("services")
	h := heritage{services: services, done: map[string]bool{}, nodes: maxExpandedNodes}
	for _, e := range entriesOf(services) {
		j.extend(&h, e.key, nil)
	}
}

// heritage is what is known while services are written out.
type heritage struct {
	services *node
	done     map[string]bool
	nodes    int // that they may still grow to
}

// extend writes one service out, the one that it extends first. Each is extended once, so that a chain stays as long as
// the file.
func (j *judge) extend(h *heritage, name string, path []string) {
	s := h.services.get(name)
	written := s.get("extends")
	if h.done[name] || written == nil || written.isNull() {
		return
	}
	h.done[name] = true
	what := "services." + name + ".extends"
	line := keyLine(s, "extends")
	s.drop("extends")
	base, ok := j.extended(written, line, what)
	if !ok {
		return
	}
	switch {
	case base == name || slices.Contains(path, base):
		j.refuse(line, what, "services extend each other: "+strings.Join(append(path, name, base), " -> "), "leave out one of them")
		return
	case !h.services.get(base).isMapping():
		j.refuse(line, what, fmt.Sprintf("there is no service %q", base), "a service of this file")
		return
	}
	j.extend(h, base, append(path, name))
	from := h.services.get(base)
	if h.nodes -= from.count(); h.nodes < 0 {
		j.refuse(line, what, "the file grows too large when its services are written out", "extend less")
		return
	}
	*s = *merged(from, s, "")
}

// extended reads which service is extended.
func (j *judge) extended(written *node, line int, what string) (base string, ok bool) {
	if written.isText() && written.text != "" {
		return written.text, true
	}
	j.keys(written, what, extendsRules)
	file, service := written.get("file"), written.get("service")
	switch {
	case file.isText() && outside(file.text):
		j.refuse(file.line, what+".file", outsideWhy, "copy the service into this file")
	case file != nil && !file.isNull():
		j.refuse(file.line, what+".file", "services of other files are "+notYet, "copy the service into this file")
	case !service.isText() || service.text == "":
		j.refuse(line, what, "it names no service", "extends: {service: base}")
	default:
		return service.text, true
	}
	return "", false
}

// Keys that are merged in a way of their own, by their place in a service.
var (
	replaced = []string{"command", "entrypoint", "healthcheck.test"}
	pairs    = []string{"environment", "labels"}
	named    = []string{"depends_on", "networks"}
	listed   = []string{"tmpfs", "env_file"}
)

// merged lays what a service says over what it extends, as compose does: mappings key by key, lists one after the other,
// and the rest replaced. The result shares nothing with base.
func merged(base, over *node, at string) *node {
	switch {
	case over.isNull():
		return base.clone()
	case slices.Contains(replaced, at):
		return over
	case slices.Contains(pairs, at):
		base, over = asPairs(base), asPairs(over)
	case slices.Contains(named, at):
		base, over = asNames(base), asNames(over)
	case slices.Contains(listed, at):
		base, over = &node{kind: list, line: base.line, items: scalarsOf(base)}, &node{kind: list, line: over.line, items: scalarsOf(over)}
	}
	switch {
	case base.kind == mapping && over.kind == mapping:
		return mergedMappings(base, over, at)
	case base.kind == list && over.kind == list:
		out := &node{kind: list, line: over.line}
		for _, item := range base.items {
			if !slices.ContainsFunc(over.items, func(other *node) bool { return same(item, other, at) }) {
				out.items = append(out.items, item.clone())
			}
		}
		out.items = append(out.items, over.items...)
		return out
	}
	return over
}

func mergedMappings(base, over *node, at string) *node {
	out := &node{kind: mapping, line: over.line}
	for _, e := range base.entries {
		if value := over.get(e.key); value == nil {
			e.value = e.value.clone()
		} else {
			e.line, e.value = keyLine(over, e.key), merged(e.value, value, strings.TrimPrefix(at+"."+e.key, "."))
		}
		out.entries = append(out.entries, e)
	}
	for _, e := range over.entries {
		if base.get(e.key) == nil {
			out.entries = append(out.entries, e)
		}
	}
	return out
}

// same tells whether an entry of a list is said again: by its target for volumes, else word by word.
func same(a, b *node, at string) bool {
	if at == "volumes" {
		return mountTarget(a) == mountTarget(b)
	}
	return reflect.DeepEqual(a.plain(), b.plain())
}

func mountTarget(n *node) string {
	if n.kind == mapping {
		if target := n.get("target"); target.isText() {
			return target.text
		}
		return ""
	}
	parts := strings.Split(n.text, ":")
	return parts[min(1, len(parts)-1)]
}

// asPairs makes a mapping of a list of NAME=value.
func asPairs(n *node) *node {
	if n.kind != list {
		return n
	}
	out := &node{kind: mapping, line: n.line}
	for _, item := range n.items {
		if !item.isText() {
			return n // refused later
		}
		name, value, valued := strings.Cut(item.text, "=")
		pair := &node{kind: scalar, line: item.line, tag: "!!null"}
		if valued {
			pair.tag, pair.text = "!!str", value
		}
		out.drop(name)
		out.entries = append(out.entries, entry{name, item.line, pair})
	}
	return out
}

// asNames makes a mapping of a list of names.
func asNames(n *node) *node {
	if n.kind != list {
		return n
	}
	out := &node{kind: mapping, line: n.line}
	for _, item := range n.items {
		if !item.isText() {
			return n // refused later
		}
		out.drop(item.text)
		out.entries = append(out.entries, entry{item.text, item.line, &node{kind: scalar, line: item.line, tag: "!!null"}})
	}
	return out
}

// count is the number of nodes of a tree.
func (n *node) count() int {
	sum := 1
	for _, e := range n.entries {
		sum += e.value.count()
	}
	for _, item := range n.items {
		sum += item.count()
	}
	return sum
}

// clone copies a tree, of which parts are taken out later.
func (n *node) clone() *node {
	out := *n
	out.entries, out.items = slices.Clone(n.entries), slices.Clone(n.items)
	for i := range out.entries {
		out.entries[i].value = out.entries[i].value.clone()
	}
	for i := range out.items {
		out.items[i] = out.items[i].clone()
	}
	return &out
}
