package keeper

import (
	"encoding/binary"
	"fmt"

	"github.com/souk-network/souk/match"
	"github.com/souk-network/souk/x/market/types"
)

// classes numbers the different standings of a book's offers and says which of them suit a bid: what
// [types.BidSpec.Suits] says of one offer, for all offers at once. Its size is bounded by the offers that were read.
type classes struct {
	numbers  map[string]uint32
	labels   *labelIndex
	attested map[string]*labelIndex // by auditor
	terms    termIndex
}

func newClasses() *classes {
	return &classes{
		numbers: map[string]uint32{}, labels: newLabelIndex(), attested: map[string]*labelIndex{}, terms: newTermIndex(),
	}
}

// class returns the number of a standing; false when it would be a new one beyond limit.
func (c *classes) class(s types.Standing, limit int) (uint32, bool, error) {
	name, err := nameOf(s)
	if err != nil {
		return 0, false, err
	}
	if number, known := c.numbers[name]; known {
		return number, true, nil
	}
	if len(c.numbers) >= limit {
		return 0, false, nil
	}
	number := uint32(len(c.numbers))
	c.numbers[name] = number
	c.labels.add(number, s.Labels)
	for _, a := range s.Attested {
		index, known := c.attested[a.Auditor]
		if !known {
			index = newLabelIndex()
			c.attested[a.Auditor] = index
		}
		index.add(number, a.Labels)
	}
	c.terms.add(number, s.Terms)
	return number, true, nil
}

// nameOf is different for different standings. When an offer expires is nothing that a bid sees of it.
func nameOf(s types.Standing) (string, error) {
	s.Terms.ExpiresAt = 0
	terms, err := s.Terms.Marshal()
	if err != nil {
		return "", fmt.Errorf("encode terms: %w", err)
	}
	name := appendText(nil, terms)
	name = appendLabels(name, s.Labels)
	for _, a := range s.Attested {
		name = appendText(name, a.Auditor)
		name = appendLabels(name, a.Labels)
	}
	return string(name), nil
}

func appendLabels(name []byte, labels []types.Label) []byte {
	name = binary.AppendUvarint(name, uint64(len(labels)))
	for _, l := range labels {
		name = appendText(appendText(name, l.Key), l.Value)
	}
	return name
}

func appendText[T string | []byte](name []byte, text T) []byte {
	return append(binary.AppendUvarint(name, uint64(len(text))), text...)
}

// suiting returns the classes that suit a bid of a tenant.
func (c *classes) suiting(bid types.BidSpec, tenant types.Tenant) match.ClassSet {
	set := c.labels.meeting(bid.Requirements)
	if len(bid.AttestedBy) > 0 {
		keep(set, c.attestedBy(bid), true)
	}
	if bid.LatencyClasses != 0 {
		keep(set, c.labels.numbersThat(types.LatencyLabel, bid.TakesLatency), true)
	}
	if bid.MaxCarbon != 0 {
		keep(set, c.labels.numbersThat(types.CarbonLabel, func(n int64) bool { return n <= int64(bid.MaxCarbon) }), true)
	}
	c.terms.restrict(set, bid, tenant)
	return set
}

// attestedBy returns the classes of which one auditor that the bid trusts vouches for all of its requirements.
func (c *classes) attestedBy(bid types.BidSpec) match.ClassSet {
	var found match.ClassSet
	for _, auditor := range bid.AttestedBy {
		if index, known := c.attested[auditor]; known {
			found = union(found, index.meeting(bid.Requirements))
		}
	}
	return found
}

// labelIndex says which classes have which labels, in the words of one who states them: the provider, or an auditor.
type labelIndex struct {
	all     match.ClassSet
	withKey map[string]match.ClassSet
	with    map[types.Label]match.ClassSet
	numbers map[string][]classNumber // by key, of the values that are whole numbers
}

type classNumber struct {
	class  uint32
	number int64
}

func newLabelIndex() *labelIndex {
	return &labelIndex{
		withKey: map[string]match.ClassSet{}, with: map[types.Label]match.ClassSet{}, numbers: map[string][]classNumber{},
	}
}

func (x *labelIndex) add(class uint32, labels []types.Label) {
	x.all.Add(class)
	for _, l := range labels {
		x.withKey[l.Key] = added(x.withKey[l.Key], class)
		x.with[l] = added(x.with[l], class)
		if number, ok := types.Integer(l.Value); ok {
			x.numbers[l.Key] = append(x.numbers[l.Key], classNumber{class, number})
		}
	}
}

// meeting returns the classes that meet all requirements.
func (x *labelIndex) meeting(requirements []types.LabelRequirement) match.ClassSet {
	set := append(match.ClassSet(nil), x.all...)
	for _, r := range requirements {
		switch r.Operator {
		case types.Operator_OPERATOR_IN:
			keep(set, x.withAny(r), true)
		case types.Operator_OPERATOR_NOT_IN:
			keep(set, x.withAny(r), false)
		case types.Operator_OPERATOR_EXISTS:
			keep(set, x.withKey[r.Key], true)
		case types.Operator_OPERATOR_AT_LEAST, types.Operator_OPERATOR_AT_MOST:
			keep(set, x.numbersThat(r.Key, r.MetBy), true)
		default:
			return nil
		}
	}
	return set
}

// withAny returns the classes whose label has one of the values.
func (x *labelIndex) withAny(r types.LabelRequirement) match.ClassSet {
	var found match.ClassSet
	for _, value := range r.Values {
		found = union(found, x.with[types.Label{Key: r.Key, Value: value}])
	}
	return found
}

// numbersThat returns the classes whose label is a whole number that will do.
func (x *labelIndex) numbersThat(key string, do func(int64) bool) match.ClassSet {
	var found match.ClassSet
	for _, n := range x.numbers[key] {
		if do(n.number) {
			found.Add(n.class)
		}
	}
	return found
}

// termIndex says which classes sell to whom, what, and for how long.
type termIndex struct {
	spot     match.ClassSet
	quoting  match.ClassSet            // those that take no part in the auction
	unready  match.ClassSet            // those that take no standbys
	listed   match.ClassSet            // those that sell only to the tenants that they list
	allowing map[string]match.ClassSet // by tenant
	denying  map[string]match.ClassSet // by tenant
	bounded  []classTerms              // those with bounds on leases
	rich     []classTerms              // those with minimum deposits
}

type classTerms struct {
	class uint32
	terms types.OfferTerms
}

func newTermIndex() termIndex {
	return termIndex{allowing: map[string]match.ClassSet{}, denying: map[string]match.ClassSet{}}
}

func (x *termIndex) add(class uint32, terms types.OfferTerms) {
	if terms.Class == types.LeaseClass_LEASE_CLASS_SPOT {
		x.spot.Add(class)
	}
	if terms.QuotesOnly {
		x.quoting.Add(class)
	}
	if terms.NoStandbys {
		x.unready.Add(class)
	}
	if len(terms.Allow) > 0 {
		x.listed.Add(class)
	}
	for _, tenant := range terms.Allow {
		x.allowing[tenant] = added(x.allowing[tenant], class)
	}
	for _, tenant := range terms.Deny {
		x.denying[tenant] = added(x.denying[tenant], class)
	}
	if terms.MinLeaseSeconds != 0 || terms.MaxLeaseSeconds != 0 {
		x.bounded = append(x.bounded, classTerms{class, terms})
	}
	if len(terms.MinDeposit) > 0 {
		x.rich = append(x.rich, classTerms{class, terms})
	}
}

// lists tells whether any class lists tenants.
func (x *termIndex) lists() bool { return len(x.listed) > 0 || len(x.denying) > 0 }

// restrict leaves of a set the classes that sell what the bid wants to its tenant.
func (x *termIndex) restrict(set match.ClassSet, bid types.BidSpec, tenant types.Tenant) {
	if !bid.TakesClass(types.LeaseClass_LEASE_CLASS_SPOT) {
		keep(set, x.spot, false)
	}
	if !bid.Quoted() {
		keep(set, x.quoting, false)
	}
	closed := append(match.ClassSet(nil), x.listed...)
	keep(closed, x.allowing[tenant.Owner], false)
	keep(set, closed, false)
	keep(set, x.denying[tenant.Owner], false)
	var out match.ClassSet
	for _, c := range x.bounded {
		if !c.terms.AdmitTerm(bid.LeaseSeconds) {
			out.Add(c.class)
		}
	}
	for _, c := range x.rich {
		if !c.terms.AdmitDeposit(tenant) {
			out.Add(c.class)
		}
	}
	keep(set, out, false)
}

func added(set match.ClassSet, class uint32) match.ClassSet {
	set.Add(class)
	return set
}

// union returns what is in one set or the other. It may change the first.
func union(set, other match.ClassSet) match.ClassSet {
	for len(set) < len(other) {
		set = append(set, 0)
	}
	for i, word := range other {
		set[i] |= word
	}
	return set
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
