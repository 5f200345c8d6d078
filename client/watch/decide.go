package watch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// decision is one decision while it is made.
type decision struct {
	Settings
	seen    Observed
	memory  Memory
	actions []Action
	// what goes to the chain together.
	posts  []Said
	claims []Claim
	// what is left of the money after the actions so far.
	purse, allowance, funds sdk.Coins
}

// Decide says what to do about what is seen, and what to remember. It changes nothing that it is given.
func Decide(s Settings, m Memory, o Observed) (Memory, []Action) {
	d := &decision{Settings: s, seen: o, memory: m.after(s, o), purse: o.Purse, allowance: o.Allowance, funds: o.Funds}
	if o.BlockAge > s.StaleAfter {
		d.warn(Action{Why: fmt.Sprintf("the last block is %s old: the node is behind, or the chain halts; nothing is done", o.BlockAge.Round(time.Second))})
		return d.memory, d.actions
	}
	for _, u := range o.Unseen {
		d.warn(Action{Deployment: u.ID, Why: "it can not be looked at: " + u.Why})
	}
	for _, deployment := range o.Deployments {
		d.deployment(deployment)
		d.proof(deployment)
	}
	d.gather()
	slices.SortStableFunc(d.actions, func(a, b Action) int { return cmp.Compare(rank[a.Kind], rank[b.Kind]) })
	return d.memory, d.actions
}

var rank = map[Kind]int{Post: 0, Receipt: 1, Send: 2, Fetch: 3, Challenge: 4, Failover: 5, TopUp: 6, Refunds: 7, Force: 8, Warn: 9}

// forgetAfter is how long it is remembered that something was done.
const forgetAfter = 7 * 24 * time.Hour

// after is the memory with what the probes came to. Blind, or with a node that lags, the watcher learns nothing of others; and
// time in which it learned nothing is no silence of theirs.
func (m Memory) after(s Settings, o Observed) Memory {
	next := Memory{Round: o.At, Leases: map[uint64]LeaseMemory{}, Done: maps.Clone(m.Done)}
	if next.Done == nil {
		next.Done = map[string]time.Time{}
	}
	maps.DeleteFunc(next.Done, func(_ string, at time.Time) bool { return o.At.Sub(at) > forgetAfter })
	blind := o.blind() || o.BlockAge > s.StaleAfter
	next = m.count(s, o, next, blind)
	if blind {
		next.Round, next.Leases = m.Round, maps.Clone(m.Leases)
		return next
	}
	known := m.Leases
	if o.At.Sub(m.Round) > s.GapAfter {
		known = nil
	}
	for _, d := range o.Deployments {
		for _, l := range d.Leases {
			lease := known[l.ID]
			switch l.Gateway {
			case Yes:
				lease = LeaseMemory{}
			case No:
				if lease.Misses == 0 {
					lease.Since = o.At
				}
				lease.Misses++
			}
			if lease != (LeaseMemory{}) {
				next.Leases[l.ID] = lease
			}
		}
	}
	return next
}

// blind tells that the watcher is cut off itself.
func (o Observed) blind() bool { return o.OthersAsked > 0 && o.OthersAnswered == 0 }

// due tells whether something may be tried, and remembers that it was.
func (d *decision) due(what string, every time.Duration) bool {
	if last, done := d.memory.Done[what]; done && d.seen.At.Sub(last) < every {
		return false
	}
	d.memory.Done[what] = d.seen.At
	return true
}

func (d *decision) act(a Action) { d.actions = append(d.actions, a) }

func (d *decision) warn(a Action) {
	a.Kind = Warn
	// What stays the same is said once in a while, whatever else is.
	if d.due(fmt.Sprintf("warn/%d/%d/%s/%s", a.Deployment, a.Lease, a.Group, a.Why), d.WarnEvery) {
		d.act(a)
	}
}

func (d *decision) deployment(x Deployment) {
	switch {
	case !x.Open:
		d.warn(Action{Deployment: x.ID, Why: "it is closed: nothing is left to watch"})
		return
	case !x.Trusted:
		d.warn(Action{Deployment: x.ID, Why: "the watch key is not among its access keys, or has expired: souk watch init gives it access"})
		return
	}
	for _, group := range slices.Sorted(maps.Keys(x.Unreadable)) {
		d.warn(Action{Deployment: x.ID, Group: group, Why: "the copy of its manifest can not be used; another one is asked for: " + x.Unreadable[group]})
	}
	for _, l := range x.Leases {
		d.manifest(x, l)
		d.silence(x, l)
	}
	d.money(x)
}

// manifest brings a lease what it is to run, and keeps a copy of what leases have.
func (d *decision) manifest(x Deployment, l Lease) {
	if !l.Acked || l.Gateway != Yes {
		return
	}
	switch {
	case l.Manifest == No && x.Held[l.Group]:
		if d.due(fmt.Sprintf("send/%d/%s", l.ID, x.Revision), d.TryEvery) {
			d.act(Action{Kind: Send, Deployment: x.ID, Lease: l.ID, Group: l.Group, Why: "its provider has no manifest"})
		}
	case l.Manifest == Yes && !x.Held[l.Group]:
		if d.due(fmt.Sprintf("fetch/%d/%s/%s", x.ID, l.Group, x.Revision), d.TryEvery) {
			d.act(Action{Kind: Fetch, Deployment: x.ID, Lease: l.ID, Group: l.Group, Why: "no copy of this revision is kept"})
		}
	case l.Manifest == No && !x.has(l.Group):
		d.warn(Action{Deployment: x.ID, Lease: l.ID, Group: l.Group, Why: "it waits for its manifest, and no lease of the group has it: souk up"})
	}
}

// has tells whether some lease has the manifest of a group.
func (x Deployment) has(group string) bool {
	return slices.ContainsFunc(x.Leases, func(l Lease) bool { return l.Group == group && l.Manifest == Yes })
}

// unwitnessed is how many times as many probes must fail where nobody else can be asked.
const unwitnessed = 4

// patience is how many probes in a row must fail.
func (d *decision) patience() int {
	if d.seen.OthersAsked == 0 {
		return unwitnessed * d.Misses
	}
	return d.Misses
}

// silence challenges a provider that does not answer, and in the end gives it up.
func (d *decision) silence(x Deployment, l Lease) {
	memory := d.memory.Leases[l.ID]
	// An answer to a challenge says nothing of whether the workload is reached: that is what FailoverAfter is for.
	if d.seen.blind() || memory.Misses < d.patience() || !l.Acked || l.Paused || l.Maintenance || l.AnswerBy != 0 {
		return
	}
	silent := d.seen.At.Sub(memory.Since)
	why := fmt.Sprintf("its gateway has not answered %d times in %s: %s", memory.Misses, silent.Round(time.Second), l.Why)
	if d.FailoverAfter > 0 && silent >= d.FailoverAfter {
		if d.due(fmt.Sprintf("failover/%d", l.ID), d.TryEvery) {
			d.act(Action{Kind: Failover, Deployment: x.ID, Lease: l.ID, Group: l.Group, Why: why})
		}
		return
	}
	if last, done := d.memory.Done[fmt.Sprintf("challenge/%d", l.ID)]; done && d.seen.At.Sub(last) < d.ChallengeEvery {
		return
	}
	fee := d.seen.ChallengeFee
	if fee.IsValid() && fee.IsPositive() {
		left, short := d.purse.SafeSub(fee)
		if short {
			d.warn(Action{Deployment: x.ID, Lease: l.ID, Why: fmt.Sprintf("it should be challenged, but the watch key has not the fee of %s", fee)})
			return
		}
		d.purse = left
	}
	d.due(fmt.Sprintf("challenge/%d", l.ID), d.ChallengeEvery)
	d.act(Action{Kind: Challenge, Deployment: x.ID, Lease: l.ID, Group: l.Group, Why: why})
}

const hour = 3600

// money adds to an account that runs low, within what the owner allows and has.
func (d *decision) money(x Deployment) {
	if d.Runway <= 0 || !x.Rate.IsPositive() || x.Runway >= uint64(d.Runway/time.Second) && !x.Resume.IsPositive() {
		return
	}
	refill := max(d.Refill, d.Runway)
	lacking := math.NewInt(int64(refill/time.Second) - int64(min(x.Runway, uint64(refill/time.Second))))
	wanted := math.MaxInt(x.Rate.Mul(lacking).AddRaw(hour-1).QuoRaw(hour), x.Resume)
	amount := math.MinInt(wanted, math.MinInt(d.allowance.AmountOf(x.Denom), d.funds.AmountOf(x.Denom)))
	switch {
	case !amount.IsPositive() || amount.LT(x.Resume):
		which := "the allowance is used up"
		if d.allowance.AmountOf(x.Denom).GT(d.funds.AmountOf(x.Denom)) {
			which = "its owner has too little"
		}
		d.warn(Action{Deployment: x.ID, Why: "its money runs out and " + which + ": souk deposit " + x.Name + " AMOUNT"})
	case d.due(fmt.Sprintf("top-up/%d", x.ID), d.TryEvery):
		coin := sdk.NewCoin(x.Denom, amount)
		d.allowance, d.funds = d.allowance.Sub(coin), d.funds.Sub(coin)
		d.act(Action{
			Kind: TopUp, Deployment: x.ID, Amount: coin,
			Why: fmt.Sprintf("its money lasts %s", (time.Duration(min(x.Runway, 1<<31)) * time.Second).Round(time.Minute)),
		})
	}
}
