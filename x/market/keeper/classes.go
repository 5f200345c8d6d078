package keeper

import (
	"strconv"
	"strings"

	"github.com/souk-network/souk/match"
	"github.com/souk-network/souk/x/market/types"
)

// classes numbers the different label lists of a book and says which of them meet a bid's requirements: what
// [types.Satisfies] says of one offer, for all offers at once. Its size is bounded by the offers that were read.
type classes struct {
	numbers map[string]uint32
	all     match.ClassSet
	withKey map[string]match.ClassSet
	with    map[types.Label]match.ClassSet
}

func newClasses() *classes {
	return &classes{
		numbers: map[string]uint32{},
		withKey: map[string]match.ClassSet{},
		with:    map[types.Label]match.ClassSet{},
	}
}

// class returns the number of a label list.
func (c *classes) class(labels []types.Label) uint32 {
	name := nameOf(labels)
	if number, known := c.numbers[name]; known {
		return number
	}
	number := uint32(len(c.numbers))
	c.numbers[name] = number
	c.all.Add(number)
	for _, l := range labels {
		c.withKey[l.Key] = added(c.withKey[l.Key], number)
		c.with[l] = added(c.with[l], number)
	}
	return number
}

func added(set match.ClassSet, class uint32) match.ClassSet {
	set.Add(class)
	return set
}

// nameOf is different for different label lists.
func nameOf(labels []types.Label) string {
	var b strings.Builder
	for _, l := range labels {
		for _, text := range [2]string{l.Key, l.Value} {
			b.WriteString(strconv.Itoa(len(text)))
			b.WriteByte(':')
			b.WriteString(text)
		}
	}
	return b.String()
}

// meeting returns the classes that meet all requirements.
func (c *classes) meeting(requirements []types.LabelRequirement) match.ClassSet {
	set := append(match.ClassSet(nil), c.all...)
	for _, r := range requirements {
		switch r.Operator {
		case types.Operator_OPERATOR_IN:
			keep(set, c.withAny(r), true)
		case types.Operator_OPERATOR_NOT_IN:
			keep(set, c.withAny(r), false)
		case types.Operator_OPERATOR_EXISTS:
			keep(set, c.withKey[r.Key], true)
		default:
			return nil
		}
	}
	return set
}

// withAny returns the classes whose label has one of the values.
func (c *classes) withAny(r types.LabelRequirement) match.ClassSet {
	found := make(match.ClassSet, len(c.all))
	for _, value := range r.Values {
		for i, word := range c.with[types.Label{Key: r.Key, Value: value}] {
			found[i] |= word
		}
	}
	return found
}

// keep leaves of a set what is, or is not, in other.
func keep(set, other match.ClassSet, in bool) {
	for i := range set {
		var word uint64
		if i < len(other) {
			word = other[i]
		}
		if !in {
			word = ^word
		}
		set[i] &= word
	}
}
