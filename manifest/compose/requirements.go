package compose

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/souk-network/souk/manifest"
)

// wholeNumber is what the chain reads as a number in a label.
var wholeNumber = regexp.MustCompile(`^-?[0-9]{1,18}$`)

const conditionsExample = `">= 3", "<= 40", "!= x" or "*", in quotes; a list of them must hold altogether`

// requirements reads regions and labels: what an offer must say of itself. An isolation class is one more label.
func (j *judge) requirements(regions, labels, isolated place, isolation string) []manifest.Requirement {
	var all []manifest.Requirement
	if isolation != "" {
		all = append(all, manifest.Requirement{Key: "isolation", Values: []string{isolation}})
	}
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
		if e.key == "region" && regions.node() != nil {
			j.refuse(e.line, at, "regions says it already", "one of them")
			continue
		}
		if e.key == "isolation" && isolated.node() != nil {
			j.refuse(e.line, at, "x-souk.isolation says it already", "one of them")
			continue
		}
		all = append(all, j.label(e, at)...)
	}
	if len(all) > maxRequirements {
		j.refuse(labels.node().line, labels.what, fmt.Sprintf("%d requirements, at most %d", len(all), maxRequirements), "fewer labels")
	}
	slices.SortFunc(all, func(a, b manifest.Requirement) int {
		return cmp.Or(strings.Compare(a.Key, b.Key), cmp.Compare(a.Operator, b.Operator))
	})
	return all
}

// label reads what one label must be: one of some words, or all of some conditions.
func (j *judge) label(e entry, at string) []manifest.Requirement {
	items := scalarsOf(e.value)
	conditions := slices.DeleteFunc(slices.Clone(items), func(n *node) bool { return !n.isText() || !conditional(n.text) })
	switch {
	case len(conditions) == 0:
		values := j.words(e.value, at, "labels: {"+e.key+": [a, b]}")
		return []manifest.Requirement{{Key: e.key, Values: values}}
	case len(conditions) < len(items):
		j.refuse(e.value.line, at, "words, of which one will do, stand beside conditions, which all must hold", "one kind of them")
		return nil
	}
	byOperator := map[manifest.Operator]*manifest.Requirement{}
	for _, item := range items {
		operator, value, err := parseCondition(item.text)
		if err != nil {
			j.refuse(item.line, at, err.Error(), conditionsExample)
			return nil
		}
		if byOperator[operator] == nil {
			byOperator[operator] = &manifest.Requirement{Key: e.key, Operator: operator}
		}
		if r := byOperator[operator]; value != "" && !slices.Contains(r.Values, value) {
			r.Values = append(r.Values, value)
		}
	}
	return j.together(byOperator, e.value.line, at)
}

// together holds the conditions on one label against each other.
func (j *judge) together(byOperator map[manifest.Operator]*manifest.Requirement, line int, at string) []manifest.Requirement {
	least, most := byOperator[manifest.AtLeast], byOperator[manifest.AtMost]
	for _, bound := range []*manifest.Requirement{least, most} {
		if bound != nil && len(bound.Values) > 1 {
			j.refuse(line, at, "there are two bounds of one kind", "one of them")
			return nil
		}
	}
	if least != nil && most != nil && number(least.Values[0]) > number(most.Values[0]) {
		j.refuse(line, at, fmt.Sprintf("nothing lies between %s and %s", least.Values[0], most.Values[0]), "other bounds")
	}
	var all []manifest.Requirement
	for operator := manifest.In; operator <= manifest.AtMost; operator++ {
		if r := byOperator[operator]; r != nil {
			slices.Sort(r.Values)
			if len(r.Values) > maxValues {
				j.refuse(line, at, fmt.Sprintf("%d values, at most %d", len(r.Values), maxValues), "fewer")
			}
			all = append(all, *r)
		}
	}
	return all
}

// number is the value of a text that wholeNumber matches, which fits 63 bits.
func number(text string) int64 {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return value
}

// conditional tells a condition, or what looks like one, from a plain word.
func conditional(text string) bool {
	return text == "*" || text != "" && strings.ContainsRune("<>!=", rune(text[0]))
}

// parseCondition reads ">= 3", "<= 3", "!= x" and "*".
func parseCondition(text string) (manifest.Operator, string, error) {
	if text == "*" {
		return manifest.Exists, "", nil
	}
	if len(text) < 2 {
		return 0, "", fmt.Errorf("%q is not a condition", text)
	}
	value := strings.TrimLeft(text[2:], " ")
	switch text[:2] {
	case ">=", "<=":
		if !wholeNumber.MatchString(value) {
			return 0, "", fmt.Errorf("%q is not a bound by a whole number of at most 18 digits", text)
		}
		if text[0] == '>' {
			return manifest.AtLeast, value, nil
		}
		return manifest.AtMost, value, nil
	case "!=":
		if !word(value, maxRequirementValue) {
			return 0, "", fmt.Errorf("%q does not name one printable word of at most %d bytes", text, maxRequirementValue)
		}
		return manifest.NotIn, value, nil
	}
	return 0, "", fmt.Errorf("%q is not a condition", text)
}

// scalarsOf returns one value as a list of it, and a list as it is.
func scalarsOf(n *node) []*node {
	if n.kind == scalar {
		return []*node{n}
	}
	return n.items
}

// words reads one word or a list of them, and returns them sorted, each once.
func (j *judge) words(n *node, what, example string) []string {
	var values []string
	for _, item := range scalarsOf(n) {
		if !item.isText() || !word(item.text, maxRequirementValue) {
			j.refuse(item.line, what, fmt.Sprintf("a value is one printable word of at most %d bytes", maxRequirementValue), example)
			return nil
		}
		if conditional(item.text) {
			j.refuse(item.line, what, "conditions stand under labels", `labels: {region: "!= us-east"}`)
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
