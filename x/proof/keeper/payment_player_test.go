package keeper_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/sumtree"
	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	marketkeeper "github.com/souk-network/souk/x/market/keeper"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// forceBond is what it costs to ask for a leaf, in micro-denom.
const forceBond = 1000

// payParams are the parameters of histories of payments.
func payParams() types.Params {
	params := quick()
	params.CommitWindowSeconds, params.SeedDelaySeconds, params.OpenWindowSeconds = payCommit, payDelay, payOpen
	params.ForceWindowSeconds, params.BeaconTimeoutSeconds, params.ReceiptGraceSeconds = payForce, payTimeout, payGrace
	params.LateEpochs, params.LateFeeBps = payLateEpochs, payLateFeeBps
	params.ProbationEpochs, params.AuditPpm = payProbation, payAuditPpm
	params.WithheldPpm, params.ForcePenalty, params.ForceBond = payWithheldPpm, payPenalty, chain.Coin(forceBond)
	params.ForgedSlashBps, params.MissedSlashBps, params.MissedPpm, params.OutagePpm = payForgedBps, payMissedBps, payMissedPpm, payOutagePpm
	params.ForgedJailSeconds, params.MissedJailSeconds = payJail, payJail
	return params
}

// payChain opens a chain with providers whose pay is proven.
func payChain(t testing.TB, names []string) *bench {
	escrow := quickEscrow()
	escrow.EpochSeconds, escrow.HoldbackEpochs, escrow.FeeBps = payEpoch, payHoldback, payFeeBps
	escrow.MinRunwaySeconds, escrow.PauseRunwaySeconds, escrow.PauseBps = payRunway, payPause, payPauseBps
	require.NoError(t, payParams().Fits(escrow))
	b := startWith(t, payParams(), chain.WithEscrowParams(escrow), chain.WithoutHistory())
	for _, name := range names {
		b.sells(name, 12)
	}
	return b
}

// drawn reports failures to rapid, which then looks for a shorter history that fails.
type drawn struct {
	testing.TB
	rt *rapid.T
}

func (d drawn) Errorf(format string, args ...any) { d.rt.Errorf(format, args...) }
func (d drawn) FailNow()                          { d.rt.FailNow() }

// player plays a history on a chain, and tells the model what was done; never what came of it.
type player struct {
	*bench
	rt          *rapid.T
	m           *payModel
	deployments []*payDeployment
	plans       map[string]*payPlan
	posted      map[uint64]bool // rounds that were decided on
	minted      map[string]int64
}

type payDeployment struct {
	id      uint64
	tenant  string
	account *payAccount
	bids    []markettypes.BidSpec
	closed  bool
}

// payPlan is how a provider proves an epoch.
type payPlan struct {
	kind   string
	commit uint64 // the second
	answer uint64 // seconds after the draw
	how    string
}

func (p *player) chance(percent int, what string) bool { return p.upTo(99, what) >= 100-percent }

// upTo draws evenly, while rapid's own ranges prefer small numbers: of many rare events hardly anything would come.
func (p *player) upTo(most int, what string) int { return evenly.Draw(p.rt, what) % (most + 1) }

var evenly = rapid.Custom(func(rt *rapid.T) (number int) {
	for range 12 {
		number *= 2
		if rapid.Bool().Draw(rt, "bit") {
			number++
		}
	}
	return number
})

// one draws one of some things.
func one[T any](p *player, of []T, what string) T { return of[p.upTo(len(of)-1, what)] }

// step ends the block, and lets some seconds pass.
func (p *player) step(seconds int) {
	p.endOfBlock()
	p.NextBlock(time.Duration(seconds) * second)
	for range seconds {
		p.m.pass()
		p.m.deadlines()
	}
	p.m.closeEpoch()
	require.Equal(p.t, p.m.now, p.Now())
}

// endOfBlock draws by the seeds that the chain has: their randomness is the one thing that the model has to be told.
func (p *player) endOfBlock() {
	for _, e := range p.m.epochs {
		if e.pruned {
			continue
		}
		of, err := p.Proof.Epoch(p.Ctx(), e.number)
		require.NoError(p.t, err)
		if e.drawn || !of.Seeded() {
			continue
		}
		e.drawn = true
		if of.Doubled {
			p.m.note("block hashes")
		}
		for _, c := range p.inTime(e) {
			p.m.draw(c.provider, c.payCommitment, p.m.drawnBy(c.provider, of.Seed, of.Doubled))
		}
	}
	for _, provider := range p.m.providers {
		for _, e := range p.m.epochs {
			if c := provider.commits[e.number]; c != nil && c.late && c.state == "waits" {
				p.ownRound(provider, c)
				if c.round != 0 && (p.posted[c.round] || c.drawBy <= p.m.now) {
					p.m.draw(provider, c, true)
				}
			}
		}
	}
	for _, e := range p.m.epochs {
		if !e.judged && e.lateUntil <= p.m.now {
			p.m.judge(e)
		}
	}
}

type ownCommitment struct {
	*payCommitment
	provider *payProvider
}

// inTime are the commitments to an epoch that its seed draws, in their order.
func (p *player) inTime(e *payEpoched) (in []ownCommitment) {
	for _, provider := range p.m.providers {
		if c := provider.commits[e.number]; c != nil && !c.late && c.state == "waits" {
			in = append(in, ownCommitment{c, provider})
		}
	}
	slices.SortFunc(in, func(a, b ownCommitment) int { return int(a.id) - int(b.id) })
	return in
}

// ownRound names the round of a late commitment at the end of the first block of a later second: which one it is the chain tells.
func (p *player) ownRound(provider *payProvider, c *payCommitment) {
	p.t.Helper()
	if c.drawBy != 0 && c.round == 0 {
		stored, _ := p.committed(provider.name, c.epoch.number)
		require.Equal(p.t, c.drawBy, stored.DrawBy)
		c.round = stored.Round
	}
	if c.drawBy == 0 && p.m.now > c.at {
		c.drawBy = p.m.now + payDelay + payTimeout
	}
}

// accepts sends a message that the rules accept or refuse, as the model says.
func (p *player) accepts(want bool, what string, message sdk.Msg) bool {
	p.t.Helper()
	err := p.Deliver(message)
	require.Equal(p.t, want, err == nil, "%s at second %d: %v", what, p.m.now, err)
	if !want {
		p.m.note(what + " refused")
	}
	return want
}

func (p *player) mint(name string, d string, micro int64) {
	p.Fund(chain.Account(name), sdk.NewInt64Coin(d, micro))
	p.minted[d] += micro
}

// leases lets a new tenant rent of one or two providers.
func (p *player) rent() {
	d := one(p, []string{denom, denom, "uother"}, "denom")
	tenant := fmt.Sprintf("tenant-%d", len(p.deployments))
	deployment := &payDeployment{tenant: tenant}
	first := p.upTo(len(p.m.providers)-1, "provider")
	for i := range 1 + p.upTo(1, "more bids") {
		provider := p.m.providers[(first+i)%len(p.m.providers)]
		deployment.bids = append(deployment.bids, markettypes.BidSpec{
			Name: fmt.Sprintf("bid-%d", i), MinReplicas: 1, Replicas: 1, Cap: 10 * hourly, Allow: []string{p.name(provider.name)},
			Unit:      markettypes.Resources{CpuMillis: uint64(600 + p.upTo(1200, "milli cpus")), MemoryMib: 1024},
			NoReplace: true,
		})
	}
	micro := int64(100 + p.upTo(200, "deposit"))
	p.mint(tenant, d, micro)
	p.m.wallets[tenant] = map[string]int64{d: micro}
	hash := sha256.Sum256([]byte(tenant))
	response, err := chain.Send[markettypes.MsgCreateDeploymentResponse](p.Chain, &markettypes.MsgCreateDeployment{
		Owner: p.name(tenant), Name: tenant, ManifestHash: hash[:], Deposit: sdk.NewInt64Coin(d, micro), Bids: deployment.bids, AccessKeys: p.keysOf(),
	})
	require.NoError(p.t, err)
	deployment.id = response.Deployment
	p.m.wallets[tenant][d] -= micro
	deployment.account = &payAccount{tenant: tenant, denom: d, total: micro * 3600}
	p.m.accounts = append(p.m.accounts, deployment.account)
	p.deployments = append(p.deployments, deployment)
	record, err := p.Market.Deployment(p.Ctx(), deployment.id)
	require.NoError(p.t, err)
	deployment.account.id = record.Account
	p.step(1) // the market clears
	p.acknowledge(deployment)
}

func (p *player) keysOf() []markettypes.AccessKey {
	return []markettypes.AccessKey{{
		Address: p.Text(sdk.AccAddress(watchKey.PubKey().Address())), Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_WATCH},
	}}
}

// acknowledge begins the leases of a deployment; what was not matched is not wanted any more.
func (p *player) acknowledge(deployment *payDeployment) {
	leases, err := marketkeeper.NewQueryServer(p.Market).Leases(p.Ctx(), &markettypes.QueryLeasesRequest{Deployment: deployment.id})
	require.NoError(p.t, err)
	began := 0
	for _, lease := range leases.Leases {
		i := slices.IndexFunc(p.m.providers, func(of *payProvider) bool { return p.name(of.name) == lease.Provider })
		response, err := chain.Send[markettypes.MsgAckLeasesResponse](p.Chain, &markettypes.MsgAckLeases{
			Signer: p.name(p.m.providers[i].name + "-agent"), Provider: lease.Provider, Accept: []uint64{lease.Id},
		})
		require.NoError(p.t, err)
		if response.Results[0].Error != "" {
			continue
		}
		began++
		bid := slices.IndexFunc(deployment.bids, func(spec markettypes.BidSpec) bool { return spec.Allow[0] == lease.Provider })
		p.m.leases = append(p.m.leases, &payLease{
			id: lease.Id, account: deployment.account, provider: p.m.providers[i], bid: bid, rate: rateOf(deployment.bids[bid]), live: true,
			due: map[uint64]int64{}, seconds: map[uint64]uint64{}, refunded: map[uint64]int64{}, unproven: map[uint64]bool{},
			words: map[uint64][]payWord{},
		})
		p.m.note("lease")
	}
	if began < len(deployment.bids) {
		p.leave(deployment)
	}
}

// rateOf is what a unit costs in micro-denom an hour, which are grains a second: its vCPUs at the ask of the fixture, and one GiB at 1.
func rateOf(spec markettypes.BidSpec) int64 {
	return (int64(spec.Unit.CpuMillis)*int64(hourly-1)+999)/1000 + 1
}

func (p *player) leave(deployment *payDeployment) {
	if p.accepts(!deployment.account.closed && !deployment.closed, "leave", &markettypes.MsgCloseDeployment{
		Owner: p.name(deployment.tenant), Deployment: deployment.id,
	}) {
		deployment.closed = true
		p.m.close(deployment.account)
		p.m.note("left")
	}
}

// resize changes the price of a lease, if the market lets it: whether it does is not what is tested.
func (p *player) resize(l *payLease) {
	i := slices.IndexFunc(p.deployments, func(d *payDeployment) bool { return d.account == l.account })
	deployment := p.deployments[i]
	if !l.live || deployment.closed {
		return
	}
	bids := slices.Clone(deployment.bids)
	bids[l.bid].Unit.CpuMillis = uint64(600 + p.upTo(1200, "milli cpus"))
	hash := sha256.Sum256([]byte(deployment.tenant))
	if p.Deliver(&markettypes.MsgUpdateDeployment{
		Signer: p.name(deployment.tenant), Deployment: deployment.id, ManifestHash: hash[:], Bids: bids, AccessKeys: p.keysOf(),
	}) != nil {
		return
	}
	deployment.bids, l.rate = bids, rateOf(bids[l.bid])
	p.m.resume(l.account)
	p.m.note("resize")
}

func (p *player) closeLease(l *payLease) {
	if l.live && p.Deliver(&markettypes.MsgCloseLease{Signer: p.name(l.account.tenant), Lease: l.id}) == nil {
		p.m.end(l)
		p.m.note("lease closed")
	}
}

func (p *player) deposit(a *payAccount) {
	micro := int64(1 + p.upTo(60, "more"))
	p.mint(a.tenant, a.denom, micro)
	p.m.wallets[a.tenant][a.denom] += micro
	if p.accepts(!a.closed, "deposit", &escrowtypes.MsgDeposit{
		Signer: p.name(a.tenant), Account: a.id, Amount: sdk.NewInt64Coin(a.denom, micro),
	}) {
		p.m.wallets[a.tenant][a.denom] -= micro
		p.m.fund(a, micro)
	}
}

// signatures of rounds, which all histories share.
var signatures sync.Map

// beacons posts rounds whose time has come, or leaves them to block hashes for good.
func (p *player) beacons() {
	for _, number := range p.awaited() {
		at, err := p.keys.Group.TimeOf(number)
		require.NoError(p.t, err)
		if _, decided := p.posted[number]; decided || uint64(p.Time().Unix()) < at {
			continue
		}
		p.posted[number] = !p.chance(15, "silent beacon")
		if !p.posted[number] {
			continue
		}
		signature, found := signatures.Load(number)
		if !found {
			signature = p.round(number).Signature
			signatures.Store(number, signature)
		}
		require.NoError(p.t, p.Deliver(&types.MsgPostRound{Signer: p.name("anybody"), Round: number, Signature: signature.([]byte)}))
	}
}

// plan is how a provider will prove an epoch, drawn once.
func (p *player) plan(provider *payProvider, e *payEpoched) *payPlan {
	key := fmt.Sprint(provider.name, e.number)
	if p.plans[key] == nil {
		plan := &payPlan{
			kind:   one(p, []string{"honest", "honest", "honest", "honest", "honest", "honest", "partly", "partly", "less", "absent", "more", "steal", "false", "none"}, "proof"),
			how:    one(p, []string{"opens", "opens", "opens", "opens", "opens", "opens", "opens", "opens", "opens", "opens", "opens", "opens", "silent", "disowns", "disowns"}, "answer"),
			commit: e.closed + uint64(p.upTo(payCommit-1, "commit after")), answer: uint64(p.upTo(payOpen-6, "answer after")),
		}
		if p.chance(15, "late") {
			plan.commit = e.closed + payCommit + uint64(p.upTo((payLateEpochs+1)*payEpoch, "late by"))
		}
		p.plans[key] = plan
	}
	return p.plans[key]
}

// agents do what is planned, when it is time.
func (p *player) agents() {
	for _, provider := range p.m.providers {
		for _, e := range p.m.epochs {
			if p.m.now >= e.prune || !p.m.expected(provider, e.number) {
				continue
			}
			plan := p.plan(provider, e)
			switch c := provider.commits[e.number]; {
			case c == nil && plan.kind != "none" && p.m.now >= plan.commit:
				p.commit(provider, e, plan)
			case c != nil && c.state == "audited" && p.m.now+payOpen >= c.openBy+plan.answer:
				p.answerAudit(provider, c, plan)
			}
		}
	}
}

// leaves is what a provider says of its leases in a denom.
func (p *player) leaves(provider *payProvider, e *payEpoched, d, kind string) (leaves []payLeaf) {
	for _, l := range p.m.leases {
		due, seconds := l.due[e.number], l.seconds[e.number]
		if l.provider != provider || l.account.denom != d || due == 0 {
			continue
		}
		leaf := payLeaf{lease: l, up: seconds}
		honest := min(seconds, p.m.bound(l, e, p.m.now))
		if honest < seconds {
			p.m.note("bound by a receipt")
		}
		switch kind {
		case "partly", "false":
			leaf.up = min(honest, uint64(p.upTo(int(seconds), "up")))
		case "more": // it does not care for receipts
			leaf.lie = honest < seconds
		default:
			leaf.up = honest
		}
		leaf.credited = l.portion(e.number, leaf.up)
		switch {
		case kind == "less":
			leaf.credited = int64(p.upTo(int(leaf.credited), "credited"))
		case kind == "absent" && p.chance(50, "left out"):
			continue
		case kind == "false" && leaf.credited < due:
			leaf.credited, leaf.lie = due, true // more than its seconds are worth
		case kind == "steal" && len(leaves) > 0:
			leaves[len(leaves)-1].credited += leaf.credited // what is due for one lease is credited to another
			leaves[len(leaves)-1].lie = true
			continue
		}
		leaves = append(leaves, leaf)
	}
	return leaves
}

func (p *player) treeOf(c *payCommitment, d string) *sumtree.Tree {
	var leaves []sumtree.Leaf
	for _, leaf := range c.leaves[d] {
		leaves = append(leaves, leafOf(types.Leaf{
			Epoch: c.epoch.number, UpSeconds: leaf.up, DueSeconds: leaf.lease.seconds[c.epoch.number],
		}, leaf.lease.id, math.NewInt(leaf.credited)))
	}
	return p.build(leaves...)
}

func (p *player) commit(provider *payProvider, e *payEpoched, plan *payPlan) {
	c := &payCommitment{
		epoch: e, at: p.m.now, late: p.m.now >= e.commitUntil, state: "waits", leaves: map[string][]payLeaf{},
		opened: map[string]bool{}, lost: map[string]int64{},
	}
	message := &types.MsgCommitEpoch{Signer: p.name(provider.name + "-agent"), Provider: p.name(provider.name), Epoch: e.number}
	for _, d := range []string{denom, "uother"} {
		if p.m.service(provider, d, e.number) > 0 && !(plan.kind == "absent" && len(message.Roots) > 0) {
			c.leaves[d] = p.leaves(provider, e, d, plan.kind)
			message.Roots = append(message.Roots, types.NewRoot(d, p.treeOf(c, d).Root()))
		}
	}
	slices.SortFunc(message.Roots, func(a, b types.Root) int { return int(a.Denom[1]) - int(b.Denom[1]) })
	if !p.accepts(p.m.now < e.lateUntil, "commitment", message) {
		plan.kind = "none"
		return
	}
	stored, _ := p.committed(provider.name, e.number)
	require.Equal(p.t, c.late, stored.Late)
	require.Zero(p.t, stored.Round)
	c.id = stored.Id
	provider.commits[e.number] = c
	p.m.note("commitment")
	if p.chance(20, "commits again") {
		p.accepts(false, "second commitment", message)
	}
}

func (p *player) answerAudit(provider *payProvider, c *payCommitment, plan *payPlan) {
	number := c.epoch.number
	switch plan.how {
	case "silent":
		if p.chance(50, "asks who is silent") {
			p.askBefore(provider, c)
		}
		return
	case "disowns":
		may := provider.disowned == 0 || number >= provider.disowned+payProbation
		plan.how = "silent"
		if p.accepts(may && p.m.now < c.openBy, "disowning", &types.MsgDisown{
			Signer: p.name(provider.name), Provider: p.name(provider.name), Epoch: number,
		}) {
			p.m.takeBack(provider, c, "disowned")
			provider.disowned, provider.disownedAt = number, p.m.now
			provider.miss(number)
		}
		return
	}
	_, positions := p.committed(provider.name, number)
	done := true
	for _, d := range payDenoms {
		if sumOf(c.leaves[d]) == 0 || c.opened[d] {
			continue
		}
		honest := !p.caught(c, d, positions)
		c.opened[d] = p.accepts(honest, "opening", p.openings(provider.name, number, d, p.treeOf(c, d)))
		done = done && honest
	}
	if done {
		p.m.prove(provider, c)
	} else {
		plan.how = "silent"
	}
}

// caught tells whether what was drawn of a root covers a leaf that lies.
func (p *player) caught(c *payCommitment, d string, drawn []types.Drawn) bool {
	for _, of := range drawn {
		if of.Denom != d {
			continue
		}
		for _, position := range of.Positions {
			at := position.Int64()
			for _, leaf := range c.leaves[d] {
				if at < leaf.credited {
					if leaf.lie {
						return true
					}
					break
				}
				at -= leaf.credited
			}
		}
	}
	return false
}

// receipt lets a tenant say on the chain how long a lease was up.
func (p *player) receipt(l *payLease) {
	running := numberAt(p.m.now)
	number := running - min(running-1, uint64(p.upTo(2, "epochs ago")))
	if !l.live && l.due[number] == 0 {
		return // it may be forgotten
	}
	start, end := (number-1)*payEpoch+1, number*payEpoch+1
	until := start + uint64(p.upTo(payEpoch+1, "until"))
	up := uint64(p.upTo(payEpoch, "up"))
	if until > start && p.chance(80, "sound") {
		until = min(until, p.m.now)
		up = min(up, until-min(until, start))
	}
	words := l.words[number]
	seq := uint64(len(words)+1) + uint64(p.upTo(1, "seq"))
	if len(words) > 0 && p.chance(60, "after the last") {
		last := words[len(words)-1]
		seq, until = last.seq+1, max(until, last.until)
		up = min(max(up, last.up), last.up+until-last.until)
	}
	good := until > start && until <= min(end, p.m.now) && up <= until-start
	if number <= uint64(len(p.m.epochs)) {
		good = good && p.m.now < p.m.epochs[number-1].commitUntil+payOpen
	}
	if len(words) > 0 {
		last := words[len(words)-1]
		good = good && seq > last.seq && until >= last.until && up >= last.up && up-last.up <= until-last.until
	}
	if p.accepts(good, "receipt", p.post(signs(p.bench, watchKey, types.Receipt{
		Lease: l.id, Epoch: number, Seq: max(1, seq), UpSeconds: up, Until: until,
	}))) {
		if len(words) == payWords { // the oldest and the newest three are kept
			words = slices.Delete(slices.Clone(words), 1, 2)
		}
		l.words[number] = append(words, payWord{seq, up, until, p.m.now})
		p.m.note("receipt")
	}
}

// shown is the opening of a lease's leaf, or that there is none.
func (p *player) shown(l *payLease, e *payEpoched) (opening, absence []byte) {
	c := l.provider.commits[e.number]
	if c == nil || len(c.leaves[l.account.denom]) == 0 {
		return nil, nil
	}
	tree := p.treeOf(c, l.account.denom)
	if slices.ContainsFunc(c.leaves[l.account.denom], func(leaf payLeaf) bool { return leaf.lease == l }) {
		return p.leaf(tree, l.id), nil
	}
	return nil, p.absent(tree, l.id)
}

// claimIt asks for a refund, in any state; what is paid is what the model says, to the grain.
func (p *player) claimIt(l *payLease, e *payEpoched) {
	if p.m.now >= e.prune {
		return
	}
	state, entitled := p.m.refund(l, e)
	opening, absence := p.shown(l, e)
	naked := p.chance(10, "shows nothing")
	if naked {
		opening, absence = nil, nil
	}
	owed := entitled - l.refunded[e.number]
	good := (state == "WHOLE" || state == "LEAF" && !naked) && owed > 0
	response, err := chain.Send[types.MsgClaimRefundResponse](p.Chain, p.claim(l.id, e.number, opening, absence))
	require.Equal(p.t, good, err == nil, "claim of lease %d in epoch %d at second %d, %s: %v", l.id, e.number, p.m.now, state, err)
	if !good {
		p.m.note("claim refused, " + state)
		return
	}
	require.Equal(p.t, owed, response.Paid.Int64(), "claim of lease %d in epoch %d at second %d, %s", l.id, e.number, p.m.now, state)
	if l.refunded[e.number] > 0 {
		p.m.note("claim of more")
	}
	p.m.payBack(l, e.number, owed)
	p.m.note("claim, " + state)
}

// force asks a provider for a leaf.
func (p *player) force(l *payLease, e *payEpoched) {
	if p.m.now >= e.prune {
		return
	}
	state, _ := p.m.refund(l, e)
	asked := slices.ContainsFunc(p.m.forced, func(f *payForced) bool { return !f.over && f.lease == l && f.epoch == e })
	by := l.account.tenant
	p.mint(by, denom, forceBond)
	p.m.wallets[by][denom] += forceBond
	if !p.accepts(state == "LEAF" && !asked && p.m.now+payForce < e.matures, "forcing", &types.MsgForceOpen{
		Signer: p.name(by), Lease: l.id, Epoch: e.number,
	}) {
		return
	}
	p.m.wallets[by][denom] -= forceBond
	p.m.forced = append(p.m.forced, &payForced{
		id: uint64(len(p.m.forced)) + 1, lease: l, epoch: e, by: by, answerBy: p.m.now + payForce,
	})
}

// askBefore asks for a leaf of an older epoch just before the provider loses all that is held back.
func (p *player) askBefore(provider *payProvider, c *payCommitment) {
	for _, l := range p.m.leases {
		for _, e := range p.m.epochs[:c.epoch.number-1] {
			if state, _ := p.m.refund(l, e); l.provider == provider && state == "LEAF" {
				p.force(l, e)
				return
			}
		}
	}
}

// answerForced answers a request; a lying leaf is no answer.
func (p *player) answerForced(f *payForced) {
	provider := f.lease.provider
	opening, absence := p.shown(f.lease, f.epoch)
	response, err := chain.Send[types.MsgAnswerForcedResponse](p.Chain, &types.MsgAnswerForced{
		Signer: p.name(provider.name + "-agent"), Provider: p.name(provider.name),
		Answers: []types.Answer{{Forced: f.id, Opening: opening, Absence: absence}},
	})
	require.NoError(p.t, err)
	lies := slices.ContainsFunc(provider.commits[f.epoch.number].leaves[f.lease.account.denom], func(leaf payLeaf) bool {
		return leaf.lease == f.lease && leaf.lie
	})
	state, _ := p.m.refund(f.lease, f.epoch)
	good := !f.over && (state != "LEAF" || !lies)
	require.Equal(p.t, good, response.Results[0] == "", "answer to %d: %s", f.id, response.Results[0])
	if good {
		f.over = true
		p.m.wallets[provider.name][denom] += forceBond
		p.m.note("forced and answered")
	}
}

func (p *player) withdraws(provider *payProvider, d string) {
	net, ok := p.m.withdraw(provider, d)
	response, err := chain.Send[providertypes.MsgWithdrawResponse](p.Chain, &providertypes.MsgWithdraw{
		Signer: p.name(provider.name), Provider: p.name(provider.name), Denom: d,
	})
	require.Equal(p.t, ok, err == nil, "withdrawal of %s at second %d: %v", d, p.m.now, err)
	if ok {
		require.Equal(p.t, net, response.Amount.Amount.Int64())
	}
}

func (p *player) unjail(provider *payProvider) {
	if of := p.provider(provider.name); of.Jailed() && of.JailedUntil <= p.m.now {
		require.NoError(p.t, p.Deliver(&providertypes.MsgUnjail{Operator: p.name(provider.name)}))
		p.m.note("unjailed")
	}
}
