package compose

import (
	"fmt"

	"github.com/souk-network/souk/manifest"
)

const defaultDenom = "usouk"

// terms reads what a file says to the market besides what is to run.
func (j *judge) terms(root, s *node, what string, project *manifest.Project, demand *manifest.Demand) {
	value := func(key string) place { return marketValue(root, s, what, key) }
	project.Denom = defaultDenom
	project.Custodians = j.addresses(value("custodians"), maxCustodians)
	j.wanted(value, demand)
	denom := value("denom")
	if n := denom.node(); n != nil {
		if !n.isText() || !validName.MatchString(n.text) {
			j.refuse(n.line, denom.what, "it is not a denom of the chain", "denom: usouk")
			return
		}
		project.Denom = n.text
	}
	demand.CapMicroPerHour = j.money(value("cap"), project.Denom, "cap: 0.05, per hour")
	project.DepositMicro = j.money(value("deposit"), project.Denom, "deposit: 5")
}

// wanted reads what a group wants of a lease and of who gives it.
func (j *judge) wanted(value func(key string) place, demand *manifest.Demand) {
	demand.Requirements = j.requirements(value("regions"), value("labels"))
	demand.AttestedBy = j.addresses(value("attested_by"), maxAttesters)
	demand.Allow, demand.Deny = j.providers(value("providers"))
	demand.MinReputationPPM = said(j, value("min_reputation"), parsePercent,
		"a percentage from 0 to 100 with at most 4 decimals", "min_reputation: 99.5%")
	demand.LatencyClasses = j.latency(value("latency"))
	demand.MaxCarbonGrams = uint32(j.quantity(carbonQuantity, value("carbon")))
	demand.Spot = said(j, value("class"), parseClass, "a class", "class: on-demand or class: spot")
	demand.LeaseSeconds = said(j, value("duration"), parseDuration,
		"a time such as 36h or 7d, up to 36600d", "duration: 7d, or remove it for a lease without end")
	demand.NoReplace = said(j, value("replace"), parseKeptOut, "true or false", "replace: false")
}

// said reads one value; the zero value when there is none, or when it is refused.
func said[T any](j *judge, p place, parse func(text string) (T, bool), wanted, example string) T {
	var none T
	n := p.node()
	if n == nil {
		return none
	}
	if value, ok := parse(n.text); ok && n.isText() {
		return value
	}
	j.refuse(n.line, p.what, fmt.Sprintf("%q is not %s", n.text, wanted), example)
	return none
}

// parsePercent reads "99.5%" or "99.5" as parts per million.
func parsePercent(text string) (uint32, bool) {
	ppm, ok := scaled(trimPercent(text), 10_000, 1, false)
	return uint32(min(ppm, maxReputationPPM+1)), ok && ppm <= maxReputationPPM
}

// parseClass tells whether spot leases will do.
func parseClass(text string) (spot, ok bool) {
	return text == "spot", text == "spot" || text == "on-demand"
}

// parseKeptOut tells whether replicas of a lease that fails stay out of the market: replace is false.
func parseKeptOut(text string) (keptOut, ok bool) {
	return text == "false", text == "true" || text == "false"
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

// latency reads the latency classes that will do as a mask: a number is the highest of them, a list is all of them.
func (j *judge) latency(p place) uint32 {
	n := p.node()
	if n == nil {
		return 0
	}
	items := n.items
	if n.kind == scalar {
		items = []*node{n}
	}
	var mask uint32
	for _, item := range items {
		class, ok := parseWhole(item.text)
		if !ok || !item.isText() || class >= latencyClasses {
			j.refuse(item.line, p.what, fmt.Sprintf("%q is not a latency class from 0 to %d", item.text, latencyClasses-1),
				"latency: 3 for the classes 0 to 3, or latency: [0, 2]")
			return 0
		}
		mask |= 1 << class
		if n.kind == scalar {
			mask |= mask - 1
		}
	}
	if mask == 0 {
		j.refuse(n.line, p.what, "it names no latency class", "latency: 3 for the classes 0 to 3, or latency: [0, 2]")
	}
	return mask
}
