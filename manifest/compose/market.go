package compose

import (
	"fmt"
	"slices"

	"github.com/souk-network/souk/manifest"
)

const defaultDenom = "usouk"

// Bounds of the chain on the labels that a bid asks for.
const (
	maxRequirements     = 16
	maxRequirementKey   = 64
	maxRequirementValue = 128
	maxValues           = 16
)

// terms are what a file says to the market besides what is to run.
type terms struct {
	denom        string
	cap          uint64 // micro-denom per hour; 0 when not said
	deposit      uint64 // micro-denom; 0 when not said
	requirements []manifest.Requirement
}

func (j *judge) terms(root, s *node, what string) terms {
	t := terms{denom: defaultDenom}
	denom := marketValue(root, s, what, "denom")
	if n := denom.node(); n != nil {
		if !n.isText() || !validName.MatchString(n.text) {
			j.refuse(n.line, denom.what, "it is not a denom of the chain", "denom: usouk")
			return t
		}
		t.denom = n.text
	}
	t.cap = j.money(marketValue(root, s, what, "cap"), t.denom, "cap: 0.05, per hour")
	t.deposit = j.money(marketValue(root, s, what, "deposit"), t.denom, "deposit: 5")
	t.requirements = j.requirements(root, s, what)
	return t
}

// money reads an amount above zero; 0 when there is none.
func (j *judge) money(p place, denom, example string) uint64 {
	n := p.node()
	if n == nil {
		return 0
	}
	value, err := parseAmount(n.text, denom)
	if err == nil && (value == 0 || !n.isText()) {
		err = fmt.Errorf("%q is not an amount above zero", n.text)
	}
	if err != nil {
		j.refuse(n.line, p.what, err.Error(), example)
		return 0
	}
	return value
}

// requirements reads regions and labels: what an offer must say of itself.
func (j *judge) requirements(root, s *node, what string) []manifest.Requirement {
	var all []manifest.Requirement
	regions, labels := marketValue(root, s, what, "regions"), marketValue(root, s, what, "labels")
	if n := regions.node(); n != nil {
		all = append(all, manifest.Requirement{Key: "region", Values: j.words(n, regions.what, "regions: [eu-west]")})
	}
	if n := labels.node(); n != nil && n.kind != mapping {
		j.refuse(n.line, labels.what, "labels are a mapping", "labels: {arch: amd64}")
	}
	for _, e := range entriesOf(labels.node()) {
		at := join(labels.what, e.key)
		if !word(e.key, maxRequirementKey) {
			j.refuse(e.line, at, fmt.Sprintf("a label's key is printable and has at most %d bytes", maxRequirementKey), "a shorter one")
			continue
		}
		if e.key == "region" && len(all) > 0 {
			j.refuse(e.line, at, "regions says it already", "one of them")
			continue
		}
		all = append(all, manifest.Requirement{Key: e.key, Values: j.words(e.value, at, "labels: {"+e.key+": [a, b]}")})
	}
	if len(all) > maxRequirements {
		j.refuse(labels.node().line, labels.what, fmt.Sprintf("%d requirements, at most %d", len(all), maxRequirements), "fewer labels")
	}
	slices.SortFunc(all, func(a, b manifest.Requirement) int {
		if a.Key < b.Key {
			return -1
		}
		return 1
	})
	return all
}

// words reads one word or a list of them, and returns them sorted, each once.
func (j *judge) words(n *node, what, example string) []string {
	items := n.items
	if n.kind == scalar {
		items = []*node{n}
	}
	var values []string
	for _, item := range items {
		if !item.isText() || !word(item.text, maxRequirementValue) {
			j.refuse(item.line, what, fmt.Sprintf("a value is one printable word of at most %d bytes", maxRequirementValue), example)
			return nil
		}
		values = append(values, item.text)
	}
	slices.Sort(values)
	values = slices.Compact(values)
	if len(values) == 0 || len(values) > maxValues {
		j.refuse(n.line, what, fmt.Sprintf("%d values, wanted 1 to %d", len(values), maxValues), example)
	}
	return values
}

// word is short and printable ASCII without spaces.
func word(s string, limit int) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= limit
}
