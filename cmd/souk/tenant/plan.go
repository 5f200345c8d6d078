package tenant

import (
	"context"
	"fmt"
	"math/bits"
	"slices"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/book"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/match"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	// depositHours is what a deposit covers at the cap, unless the file or a flag says otherwise.
	depositHours = 24
	maxRate      = match.MaxRate
)

// plan is what a deployment would cost and who could serve it, before anything is signed.
type plan struct {
	denom   string
	deposit math.Int
	groups  []groupPlan
	// rate is what all groups cost at the cheapest candidates, in micro-denom per hour; capRate is the most they may cost.
	rate, capRate uint64
}

// groupPlan is the plan of one placement group.
type groupPlan struct {
	bid       markettypes.BidSpec
	screening book.Screening
	serving   []book.Candidate // that the group would be placed at
	standing  []book.Candidate // that would stand by
	// standbyBps is the share of its rate that a standby is paid.
	standbyBps uint32
}

// planFor screens the order book for every group of a project. When nobody can serve one it says which and why.
func (t *tenant) planFor(ctx context.Context, p *project) (*plan, error) {
	orders, err := book.Load(ctx, t.Client)
	if err != nil {
		return nil, client.Explain("read the order book", err)
	}
	out := &plan{denom: p.Denom}
	if out.denom == "" {
		out.denom = scope.Denom
	}
	tenant := t.asTenant(out.denom)
	if p.DepositMicro != 0 {
		tenant.Received = math.NewIntFromUint64(p.DepositMicro)
	}
	for _, demand := range p.Demands {
		g, err := planGroup(orders, demand, tenant)
		if err != nil {
			return nil, err
		}
		out.groups = append(out.groups, g)
		if err := out.add(g); err != nil {
			return nil, err
		}
	}
	return out, t.setDeposit(ctx, out, p.DepositMicro)
}

func planGroup(orders *book.Book, demand manifest.Demand, tenant markettypes.Tenant) (groupPlan, error) {
	bid := bidOf(demand)
	if bid.Cap == 0 {
		// Price is no obstacle yet: the cap follows from the cheapest candidate.
		bid.Cap = maxRate
	}
	s := orders.ScreenFor(bid, tenant)
	quoted := bid.Mode == markettypes.BidMode_BID_MODE_QUOTE
	switch {
	case s.Reason.Block == match.Clears:
	case quoted && demand.CapMicroPerHour == 0:
		return groupPlan{}, session.Usage(fault.New("group "+demand.Group+" collects quotes, and no offer shows what it may cost", nil,
			"say in the file what it may cost at most: x-souk: {cap: 0.05}, per hour"))
	case !quoted:
		return groupPlan{}, session.WithExit(session.ExitNoProvider, fault.Newf(
			"nobody can serve "+demand.Group+" now; nothing was sent", remedy(s.Reason.Block), "%s", whyNot(orders, bid, tenant, s.Reason)))
	}
	if demand.CapMicroPerHour == 0 {
		cheapest := s.Candidates[0].Rate
		bid.Cap = cheapest + (cheapest+1)/2
	}
	g := groupPlan{bid: bid, screening: s, serving: s.Chosen(bid.Replicas), standbyBps: orders.StandbyBps}
	g.standing = s.Standbys(g.serving, bid.Standbys)
	return g, nil
}

// whyNot says why nobody can serve a bid, with prices as people read them.
func whyNot(orders *book.Book, bid markettypes.BidSpec, tenant markettypes.Tenant, reason match.Reason) string {
	return orders.WhyNot(bid, tenant, reason, func(rate uint64) string { return output.PerHour(rate, tenant.Denom) })
}

func remedy(block match.Block) string {
	switch block {
	case match.ShortOf:
		return "ask for less in the file, or for fewer requirements; souk offers shows what is free"
	case match.TooDear:
		return "raise x-souk.cap in the file, or leave it out; souk offers shows the prices"
	case match.NoClass:
		return "ask for less of an offer in x-souk (regions, labels, attested_by, latency, carbon, class, duration); souk offers -o wide shows the labels"
	case match.NoProvider:
		return "allow more providers in x-souk.providers, or deny fewer"
	case match.NoReputation:
		return "lower x-souk.min_reputation in the file"
	default:
		return "souk offers shows what there is"
	}
}

// bidOf turns a group's demand into the chain's terms.
func bidOf(d manifest.Demand) markettypes.BidSpec {
	bid := markettypes.BidSpec{
		Name: d.Group, Unit: markettypes.ResourcesOf(match.Vector(d.Unit)),
		MinReplicas: d.Replicas, Replicas: d.Replicas, MaxPerProvider: d.MaxPerProvider, MaxPerZone: d.MaxPerZone, Cap: d.CapMicroPerHour,
		AttestedBy: d.AttestedBy, MinReputation: d.MinReputationPPM, Allow: d.Allow, Deny: d.Deny,
		LatencyClasses: d.LatencyClasses, MaxCarbon: d.MaxCarbonGrams,
		LeaseSeconds: d.LeaseSeconds, NoReplace: d.NoReplace,
	}
	bid.Standbys = d.Standbys
	if d.Mode == manifest.Quote {
		bid.Mode = markettypes.BidMode_BID_MODE_QUOTE
	}
	if d.Spot {
		bid.Class = markettypes.LeaseClass_LEASE_CLASS_SPOT
	}
	for _, r := range d.Requirements {
		bid.Requirements = append(bid.Requirements, markettypes.LabelRequirement{
			Key: r.Key, Operator: operators[r.Operator], Values: r.Values,
		})
	}
	return bid
}

// operators of the chain by those of a file.
var operators = map[manifest.Operator]markettypes.Operator{
	manifest.In:      markettypes.Operator_OPERATOR_IN,
	manifest.NotIn:   markettypes.Operator_OPERATOR_NOT_IN,
	manifest.Exists:  markettypes.Operator_OPERATOR_EXISTS,
	manifest.AtLeast: markettypes.Operator_OPERATOR_AT_LEAST,
	manifest.AtMost:  markettypes.Operator_OPERATOR_AT_MOST,
}

func (p *plan) add(g groupPlan) error {
	replicas := uint64(g.bid.Replicas)
	var rate uint64
	for _, c := range g.screening.Candidates {
		take := min(replicas, uint64(c.Replicas))
		rate += take * c.Rate
		if replicas -= take; replicas == 0 {
			break
		}
	}
	for _, c := range g.standing {
		rate += book.StandbyRate(c.Rate, g.standbyBps)
	}
	high, capRate := bits.Mul64(g.bid.Cap, uint64(g.bid.Replicas))
	capRate += uint64(g.bid.Standbys) * book.StandbyRate(min(g.bid.Cap, maxRate), g.standbyBps)
	if high != 0 || p.capRate+capRate > maxRate || p.capRate+capRate < capRate {
		return session.Usage(fault.Newf("price group "+g.bid.Name, "lower x-souk.cap", "the cap times %d replicas is beyond any price", g.bid.Replicas))
	}
	p.rate += rate
	p.capRate += capRate
	return nil
}

// setDeposit takes the deposit that was asked for, or a day at the cap, and refuses one that the network would refuse.
func (t *tenant) setDeposit(ctx context.Context, p *plan, asked uint64) error {
	escrow, err := t.Escrow.Params(ctx, &escrowtypes.QueryParamsRequest{})
	if err != nil {
		return client.Explain("read the escrow parameters", err)
	}
	market, err := t.Market.Params(ctx, &markettypes.QueryParamsRequest{})
	if err != nil {
		return client.Explain("read the market parameters", err)
	}
	least, err := leastDeposit(escrow.Params, market.Params, p.denom, p.capRate)
	if err != nil {
		return err
	}
	if asked != 0 {
		p.deposit = math.NewIntFromUint64(asked)
		if p.deposit.LT(least) {
			return session.Usage(fault.Newf("the deposit is too small", "give at least x-souk.deposit: "+output.Money(least, p.denom)+", or leave it out",
				"%s does not cover the network's shortest runway at the cap", output.Money(p.deposit, p.denom)))
		}
		return nil
	}
	p.deposit = math.MaxInt(p.offersLeast(), math.MaxInt(least, math.NewIntFromUint64(p.capRate).MulRaw(depositHours)))
	return nil
}

// offersLeast is the deposit that all offers of the plan ask for.
func (p *plan) offersLeast() math.Int {
	least := math.ZeroInt()
	for _, g := range p.groups {
		for _, c := range append(g.serving[:len(g.serving):len(g.serving)], g.standing...) {
			least = math.MaxInt(least, c.Entry.Offer.Terms.MinDeposit.AmountOf(p.denom))
		}
	}
	return least
}

// leastDeposit is what the chain wants an account to hold before it opens leases of a rate.
func leastDeposit(escrow escrowtypes.Params, market markettypes.Params, denom string, rate uint64) (math.Int, error) {
	for _, d := range escrow.Denoms {
		if d.Denom != denom {
			continue
		}
		seconds := int64(escrow.MinRunwaySeconds) + int64(market.AckWindowSeconds)
		runway := math.NewIntFromUint64(rate).MulRaw(seconds).AddRaw(3599).QuoRaw(3600)
		return math.MaxInt(d.MinDeposit, runway), nil
	}
	return math.Int{}, session.Usage(fault.Newf("pay in "+denom, "use another x-souk.denom", "the network does not accept %s", denom))
}

// checkFunds refuses early what the chain would refuse after fees.
func (t *tenant) checkFunds(ctx context.Context, p *plan) error {
	res, err := t.Bank.Balance(ctx, balanceRequest(t.owner, p.denom))
	if err != nil {
		return client.Explain("read the balance of "+t.owner, err)
	}
	if res.Balance.Amount.LT(p.deposit) {
		return fault.Newf("the account can not pay the deposit", "lower x-souk.deposit, or send coins to "+t.owner,
			"it has %s, the deposit is %s", output.Money(res.Balance.Amount, p.denom), output.Money(p.deposit, p.denom))
	}
	return nil
}

// coin is the deposit.
func (p *plan) coin() sdk.Coin { return sdk.NewCoin(p.denom, p.deposit) }

// showPlan prints who could serve and what it costs, for people.
func (t *tenant) showPlan(p *plan, custodians []string) {
	for _, g := range p.groups {
		t.Notef("\n%s", g.title())
		if len(g.screening.Candidates) > 0 {
			t.Notef("%s", candidateRows(g, p.denom).Coloured(t.Colours()))
		}
		if missing := g.missingStandbys(); missing != "" {
			t.Notef("note: %s", missing)
		}
	}
	t.Notef("\n%s", planText(p))
	for _, g := range p.groups {
		t.Notef("%s", failsText(g.bid, len(p.groups) > 1, custodians))
	}
}

// title says what stands below it.
func (g groupPlan) title() string {
	what := fmt.Sprintf("%s (%s)", g.bid.Name, bidText(g.bid))
	switch {
	case g.bid.Mode != markettypes.BidMode_BID_MODE_QUOTE:
		return "candidates for " + what + ":"
	case len(g.screening.Candidates) == 0:
		return "quotes are collected for " + what + "; no offer in the book suits it now"
	default:
		return "quotes are collected for " + what + "; what could be bought without them now:"
	}
}

// missingStandbys says that standbys would find no provider now; empty if they would.
func (g groupPlan) missingStandbys() string {
	found, wanted := len(g.standing), int(g.bid.Standbys)
	if found >= wanted {
		return ""
	}
	return fmt.Sprintf("%d of %d standbys of %s would find a provider now: each needs another one than those that serve, in another zone", found, wanted, g.bid.Name)
}

func planText(p *plan) string {
	cost := fmt.Sprintf("%s  (%s)", output.PerHour(p.rate, p.denom), output.PerMonth(p.rate, p.denom))
	for _, g := range p.groups {
		if g.bid.Mode == markettypes.BidMode_BID_MODE_QUOTE {
			cost = "what the quotes say that you accept"
		}
	}
	if standing, n := p.standingRate(); n > 0 {
		cost += fmt.Sprintf(", of which %s for %s", output.PerHour(standing, p.denom), standbysText(n))
	}
	return fmt.Sprintf("cost     %s, at most %s\ndeposit  %s, lasts %s; what is not used comes back",
		cost, output.PerHour(p.capRate, p.denom), output.Money(p.deposit, p.denom), output.Runway(lasts(p.deposit, max(p.rate, p.unknown()))))
}

// unknown is the cap of groups whose price is not known yet; 0 when all prices are.
func (p *plan) unknown() uint64 {
	for _, g := range p.groups {
		if g.bid.Mode == markettypes.BidMode_BID_MODE_QUOTE {
			return p.capRate
		}
	}
	return 0
}

// standingRate is what those that stand by are paid an hour, and how many they are.
func (p *plan) standingRate() (rate uint64, n int) {
	for _, g := range p.groups {
		for _, c := range g.standing {
			rate += book.StandbyRate(c.Rate, g.standbyBps)
			n++
		}
	}
	return rate, n
}

func standbysText(n int) string {
	if n == 1 {
		return "a standby"
	}
	return fmt.Sprintf("%d standbys", n)
}

func lasts(deposit math.Int, rate uint64) uint64 {
	if rate == 0 {
		return 1 << 62
	}
	seconds := deposit.MulRaw(3600).Quo(math.NewIntFromUint64(rate))
	if !seconds.IsUint64() {
		return 1 << 62
	}
	return seconds.Uint64()
}

const maxCandidatesShown = 10

func candidateRows(g groupPlan, denom string) output.Rows {
	rows := output.Rows{Columns: []output.Column{
		{Name: "", Tone: output.StateTone},
		{Name: "provider"},
		{Name: "region"},
		{Name: "per hour", Right: true},
		{Name: "per month", Right: true},
		{Name: "can take", Right: true},
		{Name: "reputation", Right: true},
		{Name: "isolation"},
		{Name: "gCO2/kWh", Right: true},
		{Name: "latency class", Right: true},
	}}
	wanted := g.bid.Replicas
	for i, c := range g.screening.Candidates {
		if i == maxCandidatesShown {
			break
		}
		mark := ""
		switch {
		case g.bid.Mode == markettypes.BidMode_BID_MODE_QUOTE:
		case g.standsBy(c):
			mark = "STANDBY"
		case wanted > 0:
			mark = "CHOSEN"
			wanted -= min(wanted, c.Replicas)
		}
		label := func(key string) string { return labelOr(c.Entry.Offer.Labels, key, "-") }
		rows.Cells = append(rows.Cells, []string{
			mark, nameOf(c.Entry), label("region"), output.PerHour(c.Rate, denom), output.PerMonth(c.Rate, denom),
			fmt.Sprint(c.Replicas), fmt.Sprintf("%.1f%%", float64(c.Entry.Reputation)/1e4), label("isolation"), label(markettypes.CarbonLabel), label(markettypes.LatencyLabel),
		})
	}
	return rows
}

// standsBy tells that a candidate would stand by.
func (g groupPlan) standsBy(c book.Candidate) bool {
	return slices.ContainsFunc(g.standing, func(s book.Candidate) bool { return s.Entry.Offer.Id == c.Entry.Offer.Id })
}

func nameOf(e markettypes.BookEntry) string {
	if e.ProviderName != "" {
		return e.ProviderName
	}
	return e.Offer.Provider
}

func labelOr(labels []markettypes.Label, key, or string) string {
	for _, l := range labels {
		if l.Key == key {
			return l.Value
		}
	}
	return or
}

func unitText(r markettypes.Resources) string {
	text := fmt.Sprintf("%g vCPU, %d MiB memory, %d MiB disk", float64(r.CpuMillis)/1000, r.MemoryMib, r.EphemeralMib)
	for _, volumes := range []struct {
		mib  uint64
		kind string
	}{{r.HddMib, "hdd"}, {r.SsdMib, "ssd"}, {r.NvmeMib, "nvme"}} {
		if volumes.mib > 0 {
			text += fmt.Sprintf(", %d MiB %s volumes", volumes.mib, volumes.kind)
		}
	}
	if r.GpuMillis > 0 {
		text += fmt.Sprintf(", %g GPU", float64(r.GpuMillis)/1000)
	}
	return text
}

// asTenant is what the terms of offers look at. A deposit that is not said is made to suffice.
func (t *tenant) asTenant(denom string) markettypes.Tenant {
	return markettypes.Tenant{Owner: t.owner, Denom: denom}
}
