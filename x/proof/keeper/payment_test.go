package keeper_test

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"

	"github.com/souk-network/souk/testutil/chain"
)

// happens is what histories of payments must come to now and then, or they show nothing.
var happens = []string{
	"lease", "lease closed", "left", "resize", "part of an epoch", "pause", "paused seconds", "resume", "exhausted", "refund to who has left",
	"commitment", "commitment refused", "second commitment refused", "commitment to nothing", "late", "audited", "spared", "block hashes", "proven",
	"opening refused", "disowned", "disowning refused", "forged", "forged by withholding", "missed", "outage", "jail", "jail for misses", "unjailed",
	"receipt", "receipt refused", "bound by a receipt", "forcing refused", "forced and answered", "withheld", "asked for in vain",
	"claim, LEAF", "claim, WHOLE", "claim of more", "claim refused, LEAF", "claim refused, WHOLE", "claim refused, WAITS", "claim refused, OVER",
	"withdrawal", "unclaimed", "forfeit withdrawn", "settled when forgotten",
}

// A history has providers that prove what they gave, less, more, late or nothing, and tenants that come, go, run dry, claim and ask. After
// every epoch, and at the end, everybody has what a model says that adds up seconds; nothing that a message moves is off by a grain.
func TestPaymentFollowsProofAsAModelSaysWhateverHappens(t *testing.T) {
	names := []string{"acme", "best", "corp"}
	b := payChain(t, names)
	seen := map[string]int{}
	rapid.Check(t, func(rt *rapid.T) {
		p := newPlayer(t, rt, b, names)
		p.m.note = func(what string) {
			seen[what]++
			rt.Logf("at second %d: %s", p.m.now, what)
		}
		for p.m.now < 5*payEpoch {
			p.act()
			p.advance(1 + p.upTo(5, "seconds"))
		}
		p.wind()
	})
	if checks, err := strconv.Atoi(flag.Lookup("rapid.checks").Value.String()); t.Failed() || err != nil || checks < 100 {
		return
	}
	t.Log(seen)
	for _, what := range happens {
		require.Positive(t, seen[what], "no history came to: %s", what)
	}
}

func newPlayer(t *testing.T, rt *rapid.T, b *bench, names []string) *player {
	d := drawn{t, rt}
	branch := *b
	branch.Chain, branch.t = b.Branch(d), d
	p := &player{
		bench: &branch, rt: rt, m: newPayModel(names), plans: map[string]*payPlan{}, posted: map[uint64]bool{},
		minted: map[string]int64{},
	}
	for _, name := range names {
		for _, d := range payDenoms {
			p.m.wallets[name][d] = p.balance(name, d)
		}
	}
	for _, d := range payDenoms {
		p.minted[d] = p.Bank.GetSupply(p.Ctx(), d).Amount.Int64()
	}
	require.Equal(d, p.m.now, p.Now())
	return p
}

func (p *player) balance(name, d string) int64 {
	return p.Bank.GetBalance(p.Ctx(), chain.Account(name), d).Amount.Int64()
}

// act lets somebody do something.
func (p *player) act() {
	if p.chance(35, "rents") && len(p.deployments) < 9 {
		p.rent()
	}
	for range p.upTo(3, "deeds") {
		p.deed()
	}
}

func (p *player) deed() {
	if len(p.m.leases) == 0 {
		return
	}
	kind := one(p, []string{
		"receipt", "receipt", "receipt", "receipt", "claim", "claim", "claim", "claim", "claim", "force", "answer", "answer", "withdraw", "change", "change",
		"change", "unjail", "unjail",
	}, "deed")
	switch kind {
	case "receipt":
		p.receipt(p.lease(func(l *payLease) bool { return l.live }))
	case "claim", "force":
		p.claimOrForce(kind)
	case "answer":
		if len(p.m.forced) > 0 {
			p.answerForced(p.m.forced[len(p.m.forced)-1-p.upTo(min(len(p.m.forced)-1, 2), "request")])
		}
	case "withdraw":
		p.withdraws(one(p, p.m.providers, "provider"), one(p, payDenoms, "denom"))
	case "change":
		p.change(p.lease(func(l *payLease) bool { return l.live }))
	case "unjail":
		p.unjail(one(p, p.m.providers, "provider"))
	}
}

// lease is most often one that suits, and else any.
func (p *player) lease(suits func(*payLease) bool) *payLease {
	of := slices.DeleteFunc(slices.Clone(p.m.leases), func(l *payLease) bool { return !suits(l) })
	if len(of) == 0 || p.chance(10, "any lease") {
		of = p.m.leases
	}
	return one(p, of, "lease")
}

func (p *player) claimOrForce(kind string) {
	if len(p.m.epochs) == 0 {
		return
	}
	e := p.m.epochs[len(p.m.epochs)-1-p.upTo(min(len(p.m.epochs)-1, payHoldback), "epochs ago")]
	l := p.lease(func(l *payLease) bool { return l.due[e.number] > 0 })
	if kind == "claim" {
		p.claimIt(l, e)
	} else {
		p.force(l, e)
	}
}

// change lets a tenant pay more in, change its mind, or go.
func (p *player) change(l *payLease) {
	switch one(p, []string{"deposit", "deposit", "deposit", "resize", "resize", "resize", "close", "leave"}, "change") {
	case "deposit":
		p.deposit(l.account)
	case "resize":
		p.resize(l)
	case "close":
		p.closeLease(l)
	case "leave":
		i := slices.IndexFunc(p.deployments, func(d *payDeployment) bool { return d.account == l.account })
		p.leave(p.deployments[i])
	}
}

// advance lets seconds pass; then beacon and agents do their work, and everybody counts the money when an epoch has closed.
func (p *player) advance(seconds int) {
	closed := len(p.m.epochs)
	p.step(seconds)
	p.beacons()
	p.agents()
	if len(p.m.epochs) > closed {
		p.compare()
	}
}

// wind lets all leases end, and all that was earned mature and be withdrawn, while tenants still claim.
func (p *player) wind() {
	for _, deployment := range p.deployments {
		if !deployment.closed && !deployment.account.closed {
			p.leave(deployment)
		}
	}
	last := numberAt(p.m.now)
	for p.m.now < (last+payHoldback)*payEpoch+1 {
		if p.chance(60, "deed") {
			p.deed()
		}
		p.advance(1 + p.upTo(11, "seconds"))
	}
	p.compare()
	for _, provider := range p.m.providers {
		for _, d := range payDenoms {
			p.withdraws(provider, d)
			p.withdraws(provider, d) // and nothing twice
		}
	}
	p.step(2 * payEpoch) // the last epochs are forgotten
	p.compare()
	for _, e := range p.m.epochs[:last] {
		for _, provider := range p.m.providers {
			for _, d := range payDenoms {
				if decided, mine, _, _ := p.m.split(provider, d, e.number); decided {
					require.GreaterOrEqual(p.t, mine, int64(0))
				} else {
					require.Fail(p.t, "undecided", "epoch %d of %s", e.number, provider.name)
				}
			}
		}
	}
}

// compare holds the chain against the model.
func (p *player) compare() {
	p.check()
	for _, a := range p.m.accounts {
		p.compareAccount(a)
	}
	for _, provider := range p.m.providers {
		bond := p.provider(provider.name).Bond
		for _, d := range payDenoms {
			require.Equal(p.t, provider.bond[d], bond.AmountOf(d).Int64(), "bond of %s in %s", provider.name, d)
			p.comparePots(provider, d)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.m.wallets)) {
		for _, d := range payDenoms {
			require.Equal(p.t, p.m.wallets[name][d], p.balance(name, d), "%s of %s at second %d", d, name, p.m.now)
		}
	}
	fees, err := p.Distribution.FeePool.Get(p.Ctx())
	require.NoError(p.t, err)
	for _, d := range payDenoms {
		require.Equal(p.t, math.LegacyNewDec(p.m.pool[d]).String(), fees.CommunityPool.AmountOf(d).String(), "community pool in %s at %d", d, p.m.now)
		burned := int64(0)
		if d == denom {
			burned = p.m.burned
		}
		require.Equal(p.t, p.minted[d]-burned, p.Bank.GetSupply(p.Ctx(), d).Amount.Int64(), "supply of %s at second %d", d, p.m.now)
	}
	for _, l := range p.m.leases {
		for epoch, refunded := range l.refunded {
			require.LessOrEqual(p.t, refunded, l.due[epoch], "lease %d in epoch %d", l.id, epoch)
		}
	}
}

func (p *player) compareAccount(a *payAccount) {
	got, err := p.Escrow.Account(p.Ctx(), a.id)
	if a.closed && err != nil {
		return // forgotten
	}
	require.NoError(p.t, err)
	sum := math.ZeroInt()
	for _, deposit := range got.Deposits {
		sum = sum.Add(deposit.Remainder).Add(deposit.Spent)
	}
	left := sum.Sub(got.Outflow.Intercept).Sub(got.Outflow.Slope.Mul(math.NewIntFromUint64(p.m.now)))
	require.Equal(p.t, a.balance(), left.Int64(), "account of %s at second %d, %s, low %t, rate %d of %s, low at %d", a.tenant, p.m.now, got.State, a.low,
		p.m.rateOf(a, a.low), got.Outflow.Slope, got.LowAt)
	require.Equal(p.t, a.closed, got.State == escrowtypes.AccountState_ACCOUNT_STATE_CLOSED, "account of %s at second %d", a.tenant, p.m.now)
}

func (p *player) comparePots(provider *payProvider, d string) {
	for _, e := range p.m.epochs {
		service, hold := p.m.service(provider, d, e.number), provider.hold[d][e.number]
		pot, err := p.Escrow.EpochPot(p.Ctx(), chain.Account(provider.name), d, e.number)
		if e.number <= provider.withdrawn[d] || service+hold == 0 {
			require.Error(p.t, err)
			continue
		}
		require.NoError(p.t, err)
		decided, mine, claimable, forfeited := p.m.split(provider, d, e.number)
		what := fmt.Sprintf("%s of %s in epoch %d at second %d", d, provider.name, e.number, p.m.now)
		require.Equal(p.t, service, pot.Service.Int64(), what)
		require.Equal(p.t, hold, pot.Hold.Int64(), what)
		require.Equal(p.t, decided, pot.Credited, what)
		if !decided {
			continue
		}
		if e.pruned {
			forfeited = 0
		}
		require.Equal(p.t, []int64{mine + hold, claimable, forfeited},
			[]int64{pot.Payable.Int64(), pot.Refundable.Int64(), pot.Forfeited.Int64()}, what)
	}
}
