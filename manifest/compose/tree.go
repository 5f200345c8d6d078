package compose

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Bounds on a file before it is understood. The expanded ones stop aliases that multiply.
const (
	maxFileBytes     = 128 << 10
	maxDepth         = 32
	maxExpandedNodes = 20_000
	maxExpandedBytes = 1 << 20
)

type nodeKind int

const (
	scalar nodeKind = iota
	list
	mapping
)

// node is YAML with aliases and merges expanded, and the line of everything kept.
type node struct {
	kind    nodeKind
	line    int
	tag     string // of a scalar: !!str, !!int, !!float, !!bool, !!null
	text    string // of a scalar, as written
	entries []entry
	items   []*node
}

type entry struct {
	key   string
	line  int
	value *node
}

// get returns the value of a key, or nil; it may be asked of nil and of other kinds.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// at follows keys; nil when one is missing.
func (n *node) at(keys ...string) *node {
	for _, key := range keys {
		n = n.get(key)
	}
	return n
}

// drop removes a key; it may be asked of nil.
func (n *node) drop(key string) {
	if n == nil {
		return
	}
	n.entries = slices.DeleteFunc(n.entries, func(e entry) bool { return e.key == key })
}

func (n *node) isNull() bool { return n != nil && n.kind == scalar && n.tag == "!!null" }

func (n *node) isMapping() bool { return n != nil && n.kind == mapping }

// isText tells whether a non-null scalar stands there.
func (n *node) isText() bool { return n != nil && n.kind == scalar && n.tag != "!!null" }

// plain returns Go values as a YAML decoder would, with dates left as text.
func (n *node) plain() any {
	switch n.kind {
	case mapping:
		m := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			m[e.key] = e.value.plain()
		}
		return m
	case list:
		values := make([]any, len(n.items))
		for i, item := range n.items {
			values[i] = item.plain()
		}
		return values
	}
	if n.tag == "!!str" {
		return n.text
	}
	var value any
	if err := (&yaml.Node{Kind: yaml.ScalarNode, Tag: n.tag, Value: n.text}).Decode(&value); err != nil {
		return n.text
	}
	return value
}

// lineError is a fault of the YAML itself.
type lineError struct {
	line int
	why  string
	try  string
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.why) }

// parseTree reads one bounded YAML document.
func parseTree(content []byte) (*node, error) {
	if len(content) > maxFileBytes {
		return nil, &lineError{why: fmt.Sprintf("the file has %d bytes, at most %d are read", len(content), maxFileBytes)}
	}
	if !utf8.Valid(content) {
		return nil, &lineError{why: "the file is not UTF-8"}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document, second yaml.Node
	if err := decoder.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, &lineError{why: "the file is empty", try: "services: {web: {image: …}}"}
		}
		return nil, yamlError(err)
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, &lineError{line: second.Line, why: "there is a second YAML document", try: "one file, one deployment"}
	}
	x := &expander{nodes: maxExpandedNodes, bytes: maxExpandedBytes}
	return x.expand(&document, 0)
}

// yamlError keeps the line that the YAML parser tells.
func yamlError(err error) error {
	why := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if n, scanErr := fmt.Sscanf(why, "line %d:", &line); n == 1 && scanErr == nil {
		why = strings.TrimSpace(why[strings.Index(why, ":")+1:])
	}
	return &lineError{line: line, why: "not YAML: " + why}
}

// expander counts down what is left of the budget.
type expander struct{ nodes, bytes int }

func (x *expander) expand(n *yaml.Node, depth int) (*node, error) {
	for n.Kind == yaml.DocumentNode {
		n = n.Content[0]
	}
	line := n.Line
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	x.nodes--
	x.bytes -= len(n.Value)
	if depth > maxDepth {
		return nil, &lineError{line: line, why: fmt.Sprintf("nested deeper than %d levels", maxDepth)}
	}
	if x.nodes < 0 || x.bytes < 0 {
		return nil, &lineError{line: line, why: "the file grows too large when its aliases are expanded"}
	}
	switch n.Kind {
	case yaml.MappingNode:
		return x.expandMapping(n, line, depth)
	case yaml.SequenceNode:
		return x.expandList(n, line, depth)
	default:
		return expandScalar(n, line)
	}
}

func (x *expander) expandList(n *yaml.Node, line, depth int) (*node, error) {
	if n.Tag != "!!seq" {
		return nil, badTag(n)
	}
	out := &node{kind: list, line: line}
	for _, item := range n.Content {
		value, err := x.expand(item, depth+1)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, value)
	}
	return out, nil
}

func (x *expander) expandMapping(n *yaml.Node, line, depth int) (*node, error) {
	if n.Tag != "!!map" {
		return nil, badTag(n)
	}
	out := &node{kind: mapping, line: line}
	seen := map[string]bool{}
	var merged []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.ScalarNode && key.ShortTag() == "!!merge" {
			more, err := x.merge(value, depth)
			if err != nil {
				return nil, err
			}
			merged = append(merged, more...)
			continue
		}
		name, err := keyName(key)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, &lineError{line: key.Line, why: fmt.Sprintf("the key %q is there twice", name)}
		}
		seen[name] = true
		x.bytes -= len(name)
		child, err := x.expand(value, depth+1)
		if err != nil {
			return nil, err
		}
		out.entries = append(out.entries, entry{name, key.Line, child})
	}
	for _, e := range merged {
		if !seen[e.key] {
			seen[e.key] = true
			out.entries = append(out.entries, e)
		}
	}
	return out, nil
}

func keyName(key *yaml.Node) (string, error) {
	for key.Kind == yaml.AliasNode {
		key = key.Alias
	}
	if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null" || key.ShortTag() == "!!binary" {
		return "", &lineError{line: key.Line, why: "a key must be a word"}
	}
	return key.Value, nil
}

// merge returns the entries of "<<": one mapping or a list of them, the earlier ones first.
func (x *expander) merge(value *yaml.Node, depth int) ([]entry, error) {
	n, err := x.expand(value, depth+1)
	if err != nil {
		return nil, err
	}
	if n.kind == mapping {
		return n.entries, nil
	}
	var merged []entry
	for _, item := range n.items {
		if item.kind != mapping {
			break
		}
		merged = append(merged, item.entries...)
	}
	if n.kind == scalar || len(n.items) == 0 || slices.ContainsFunc(n.items, func(i *node) bool { return i.kind != mapping }) {
		return nil, &lineError{line: value.Line, why: "only mappings can be merged with <<"}
	}
	return merged, nil
}

func expandScalar(n *yaml.Node, line int) (*node, error) {
	tag := n.ShortTag()
	switch tag {
	case "!!str", "!!int", "!!bool", "!!null":
	case "!!float":
		var value float64
		if err := n.Decode(&value); err != nil || math.IsInf(value, 0) || math.IsNaN(value) {
			return nil, &lineError{line: line, why: fmt.Sprintf("%q is not a number", n.Value), try: "put it in quotes"}
		}
	case "!!timestamp":
		tag = "!!str"
	default:
		return nil, badTag(n)
	}
	return &node{kind: scalar, line: line, tag: tag, text: n.Value}, nil
}

func badTag(n *yaml.Node) error {
	return &lineError{line: n.Line, why: fmt.Sprintf("the tag %s is not supported", n.ShortTag()), try: "write the value out"}
}
