package book

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/souk-network/souk/match"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// maxNamed bounds how many values a reason lists.
const maxNamed = 8

// WhyNot says in a sentence why nobody can serve a bid, with what there is instead: the resource that is short, the label
// that nobody has, the lowest price. It counts providers, and writes rates per hour with price.
func (b *Book) WhyNot(bid markettypes.BidSpec, tenant markettypes.Tenant, reason match.Reason, price func(rate uint64) string) string {
	if b.Halted {
		return "the network lets no new leases begin at present"
	}
	b = b.seenBy(bid)
	passed := b.passed(bid, tenant, reason)
	found := "1 provider matches"
	if passed != 1 {
		found = fmt.Sprintf("%d providers match", passed)
	}
	switch reason.Block {
	case match.NoOffers:
		return "no provider has anything free"
	case match.NoClass:
		return b.unmet(bid)
	case match.NoReputation:
		return fmt.Sprintf("%s but none has a reputation of %s; the best has %s", found, percent(reason.Need), percent(reason.Have))
	case match.ShortOf:
		return fmt.Sprintf("%s but none has %s free on one machine; the nearest has %s", found,
			amount(reason.Dim, reason.Need, modelOf(bid)), amount(reason.Dim, reason.Have, ""))
	case match.TooDear:
		return fmt.Sprintf("%s but none asks %s or less for a replica; the cheapest asks %s", found, price(reason.Have), price(reason.Need))
	case match.NoBond:
		return fmt.Sprintf("%s but no provider's bond carries one more replica at %s; the nearest carries %s", found, price(reason.Need), price(reason.Have))
	case match.TooFew:
		return fmt.Sprintf("%s but only %d replicas can be had, not %d", found, reason.Have, reason.Need)
	default:
		return reason.String()
	}
}

// passed counts the providers that get as far as the check that blocks the bid.
func (b *Book) passed(bid markettypes.BidSpec, tenant markettypes.Tenant, reason match.Reason) int {
	of := map[string][]markettypes.BookEntry{}
	for _, e := range b.Entries {
		of[e.Offer.Provider] = append(of[e.Offer.Provider], e)
	}
	n := 0
	for _, entries := range of {
		v := viewOf(entries, bid, tenant)
		own := match.Explain(v.demand(bid), v.book)
		if own.Block > reason.Block || own.Block == reason.Block && own.Dim >= reason.Dim || own.Block == match.Clears {
			n++
		}
	}
	return n
}

// condition is one thing that a bid wants of an offer, or an offer of a tenant.
type condition struct {
	text string
	only func(*markettypes.BidSpec) // makes a bid that wants nothing want this
	key  string                     // of the label that it is about
}

// unmet names the condition that no offer meets, or says that none meets all.
func (b *Book) unmet(bid markettypes.BidSpec) string {
	conditions := conditionsOf(bid)
	for _, c := range conditions {
		trial := markettypes.BidSpec{
			Class: markettypes.LeaseClass_LEASE_CLASS_SPOT, LeaseSeconds: bid.LeaseSeconds, Mode: bid.Mode,
		}
		c.only(&trial)
		if b.suited(trial) == 0 {
			return fmt.Sprintf("none of %s has %s%s", providersText(b.providers()), c.text, b.instead(c.key))
		}
	}
	if b.suited(bid) > 0 {
		return "all providers that meet the requirements sell to other tenants only, or want a larger deposit"
	}
	texts := make([]string, len(conditions))
	for i, c := range conditions {
		texts[i] = c.text
	}
	return fmt.Sprintf("none of %s has all of the labels and terms: %s", providersText(b.providers()), strings.Join(texts, ", "))
}

func conditionsOf(bid markettypes.BidSpec) []condition {
	var all []condition
	for _, r := range bid.Requirements {
		all = append(all, condition{"the label " + requirementText(r), func(t *markettypes.BidSpec) {
			t.Requirements = []markettypes.LabelRequirement{r}
		}, r.Key})
	}
	if len(bid.AttestedBy) > 0 {
		all = append(all, condition{"the labels attested by " + strings.Join(bid.AttestedBy, " or "), func(t *markettypes.BidSpec) {
			t.AttestedBy, t.Requirements = bid.AttestedBy, bid.Requirements
		}, ""})
	}
	if bid.LatencyClasses != 0 {
		all = append(all, condition{"a latency class that will do", func(t *markettypes.BidSpec) { t.LatencyClasses = bid.LatencyClasses }, markettypes.LatencyLabel})
	}
	if bid.MaxCarbon != 0 {
		all = append(all, condition{fmt.Sprintf("%d gCO2/kWh or less", bid.MaxCarbon), func(t *markettypes.BidSpec) { t.MaxCarbon = bid.MaxCarbon }, markettypes.CarbonLabel})
	}
	return append(all, condition{"leases of this class and term", func(t *markettypes.BidSpec) { t.Class = bid.Class }, ""})
}

// suited counts the offers that have what a bid wants of them, whatever they want of its tenant.
func (b *Book) suited(bid markettypes.BidSpec) int {
	n := 0
	for _, e := range b.Entries {
		terms := e.Offer.Terms
		terms.Allow, terms.Deny, terms.MinDeposit = nil, nil, nil
		if bid.Suits(markettypes.Standing{Labels: e.Offer.Labels, Attested: e.Attested, Terms: terms}, markettypes.Tenant{}) {
			n++
		}
	}
	return n
}

func (b *Book) providers() int {
	seen := map[string]bool{}
	for _, e := range b.Entries {
		seen[e.Offer.Provider] = true
	}
	return len(seen)
}

// instead lists the values of a label that there are.
func (b *Book) instead(key string) string {
	if key == "" {
		return ""
	}
	var values []string
	for _, e := range b.Entries {
		for _, l := range e.Offer.Labels {
			if l.Key == key {
				values = append(values, l.Value)
			}
		}
	}
	slices.Sort(values)
	values = slices.Compact(values)
	if len(values) == 0 {
		return "; no offer says its " + key
	}
	if len(values) > maxNamed {
		values = append(values[:maxNamed], "…")
	}
	return "; there is " + strings.Join(values, ", ")
}

// requirementText writes a requirement as files do.
func requirementText(r markettypes.LabelRequirement) string {
	values := strings.Join(r.Values, " or ")
	switch r.Operator {
	case markettypes.Operator_OPERATOR_IN:
		return r.Key + " = " + values
	case markettypes.Operator_OPERATOR_NOT_IN:
		return r.Key + " != " + values
	case markettypes.Operator_OPERATOR_AT_LEAST:
		return r.Key + " >= " + values
	case markettypes.Operator_OPERATOR_AT_MOST:
		return r.Key + " <= " + values
	default:
		return r.Key
	}
}

// modelOf is the GPU model that a bid asks for; empty for any.
func modelOf(bid markettypes.BidSpec) string {
	for _, r := range bid.Requirements {
		if r.Key == "gpu.model" && r.Operator == markettypes.Operator_OPERATOR_IN {
			return strings.Join(r.Values, " or ")
		}
	}
	return ""
}

// amount writes a quantity of a resource in the units of people.
func amount(dim match.Dim, quantity uint64, model string) string {
	thousandths := strconv.FormatFloat(float64(quantity)/1000, 'f', -1, 64)
	switch dim {
	case match.CPUMillis:
		return thousandths + " cpus"
	case match.GPUMillis:
		if model == "" {
			model = "GPU"
		}
		return thousandths + " x " + model
	case match.EgressMbps:
		return fmt.Sprintf("%d Mbit/s of egress", quantity)
	case match.MemoryMiB:
		return gibText(quantity) + " of memory"
	case match.EphemeralMiB:
		return gibText(quantity) + " of storage"
	default:
		return gibText(quantity) + " of " + strings.TrimSuffix(dim.String(), "_mib") + " storage"
	}
}

func gibText(mib uint64) string {
	if mib%1024 == 0 || mib > 10*1024 {
		return strconv.FormatFloat(float64(mib*10/1024)/10, 'f', -1, 64) + " GiB"
	}
	return fmt.Sprintf("%d MiB", mib)
}

func percent(ppm uint64) string { return strconv.FormatFloat(float64(ppm)/1e4, 'f', -1, 64) + "%" }

func providersText(n int) string {
	if n == 1 {
		return "1 provider"
	}
	return fmt.Sprintf("%d providers", n)
}
