package compose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
)

const defaultDenom = "usouk"

// money reads in what is paid and how much at first, and who keeps the manifest: of the whole deployment.
func (j *judge) money(root *node, project *manifest.Project) {
	services := entriesOf(root.get("services"))
	project.Denom = defaultDenom
	project.Custodians = j.addresses(place{"x-souk.custodians", root.get("x-souk"), "custodians"}, maxCustodians)
	denom := j.term(root, services, "denom")
	if n := denom.node(); n != nil {
		if !n.isText() || !validName.MatchString(n.text) {
			j.refuse(n.line, denom.what, "it is not a denom of the chain", "denom: usouk")
			j.denom = ""
			return
		}
		project.Denom = n.text
	}
	j.denom = project.Denom
	project.DepositMicro = j.amount(j.term(root, services, "deposit"), "deposit: 5")
}

// terms reads what a group says to the market besides what is to run, and returns its isolation class.
func (j *judge) terms(root *node, services []entry, group *manifestpb.Group, demand *manifest.Demand) (isolation string) {
	value := func(key string) place { return j.term(root, services, key) }
	isolation = said(j, value("isolation"), parsed(manifest.ValidName), "an isolation class", "isolation: gvisor")
	demand.CapMicroPerHour = j.amount(value("cap"), "cap: 0.05, per hour")
	j.wanted(value, isolation, demand)
	j.replace(value("replace"), group, demand)
	j.standbys(value("standbys"), value("mode"), group, demand)
	return isolation
}

// standbys reads how many replicas stand by, and how the group finds its providers. What is on volumes stays behind here, too.
func (j *judge) standbys(standbys, mode place, group *manifestpb.Group, demand *manifest.Demand) {
	at := standbys.node()
	demand.Standbys = uint32(j.quantity(standbyQuantity, standbys))
	demand.Mode = said(j, mode, parseBidMode, "how a group finds its provider", "mode: auction or mode: quote")
	switch {
	case demand.Standbys == 0:
	case demand.Mode == manifest.Quote:
		j.refuse(at.line, standbys.what, "a group that collects quotes has no standbys", "mode: auction, or custodians to keep the manifest for a new provider")
	case slices.ContainsFunc(group.Volumes, manifest.Persistent):
		j.tell(at.line, standbys.what, "a standby that takes over has empty volumes: they do not follow")
	}
}

// parseBidMode reads how a group finds its providers.
func parseBidMode(text string) (manifest.Mode, bool) {
	mode := manifest.Mode(text)
	return mode, mode == manifest.Auction || mode == manifest.Quote
}

// replace reads whether a lease that fails is placed anew. What is on its volumes stays behind: with persistent ones it
// is not, unless the file says so.
func (j *judge) replace(p place, group *manifestpb.Group, demand *manifest.Demand) {
	demand.NoReplace = said(j, p, parseKeptOut, "true or false", "replace: false")
	persistent := slices.IndexFunc(group.Volumes, manifest.Persistent)
	switch {
	case persistent < 0:
	case p.node() == nil:
		demand.NoReplace = true
		j.tell(0, "group "+group.Name, "it is not placed anew if its provider fails, for its persistent volumes do not follow; x-souk: {replace: true} places it with empty ones")
	case !demand.NoReplace:
		j.tell(p.node().line, p.what, "placed anew, the group has empty volumes")
	}
}

// wanted reads what a group wants of a lease and of who gives it.
func (j *judge) wanted(value func(key string) place, isolation string, demand *manifest.Demand) {
	demand.Requirements = j.requirements(value("regions"), value("labels"), value("isolation"), isolation)
	demand.AttestedBy = j.addresses(value("attested_by"), maxAttesters)
	demand.Allow, demand.Deny = j.providers(value("providers"))
	demand.MinReputationPPM = said(j, value("min_reputation"), parsePercent,
		"a percentage from 0 to 100 with at most 4 decimals", "min_reputation: 99.5%")
	demand.LatencyClasses = j.latency(value("latency"))
	demand.MaxCarbonGrams = uint32(j.quantity(carbonQuantity, value("carbon")))
	demand.Spot = said(j, value("class"), parseClass, "a class", "class: on-demand or class: spot")
	demand.LeaseSeconds = said(j, value("duration"), parseDuration,
		"a time such as 36h or 7d, up to 36600d", "duration: 7d, or remove it for a lease without end")
}

const registryExample = "registry: {username: name, password: ${TOKEN}}"

// credentials reads the account at an image's registry; said at the top level, it is for every image of the server that
// it names, or for all.
func (j *judge) credentials(p place, image *manifestpb.Image) {
	n := p.node()
	if n == nil || n.isNull() {
		return
	}
	if n.kind != mapping {
		j.refuse(n.line, p.what, "a registry is a mapping", registryExample)
		return
	}
	field := func(key string) place { return place{p.what + "." + key, n, key} }
	if server := n.get("server"); server != nil {
		if !server.isText() || server.text == "" {
			j.refuse(server.line, p.what+".server", "it is not a registry's name", "server: registry.example.org")
			return
		}
		domain, _, _ := strings.Cut(image.Reference, "/")
		if domain != server.text {
			return
		}
	}
	for _, key := range []string{"username", "password"} {
		if n.get(key) == nil {
			j.refuse(n.line, p.what, "it has no "+key, registryExample)
			return
		}
	}
	image.Username = said(j, field("username"), parsed(manifest.ValidUsername), "a user name", registryExample)
	if password := n.get("password"); !password.isText() || !manifest.ValidPassword(password.text) {
		j.refuse(password.line, p.what+".password", "it is not a password: empty, too long, or not printable", registryExample)
	} else {
		image.Password = password.text
	}
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

// amount reads an amount above zero in the denom of the deployment; 0 when there is none, or when the denom is refused.
func (j *judge) amount(p place, example string) uint64 {
	n := p.node()
	if n == nil || j.denom == "" {
		return 0
	}
	value, err := parseAmount(n.text, j.denom)
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
