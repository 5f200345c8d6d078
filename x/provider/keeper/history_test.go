package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/types"
)

// model is the module as it would be if every deadline were processed at its second: plain numbers, no queues.
type model struct {
	providers map[string]*modelProvider
	purse     map[string]map[string]int64
	taken     map[string]string
	last      uint64
}

type modelProvider struct {
	lifecycle         types.Lifecycle
	bond              map[string]int64
	unbondings        []modelUnbonding
	required          map[string]int64
	agent, next       string
	rotates, jailed   uint64
	auditors, vouched map[string]bool
}

type modelUnbonding struct {
	id, completes uint64
	denom         string
	amount        int64
}

func newModel() *model {
	return &model{providers: map[string]*modelProvider{}, purse: map[string]map[string]int64{}, taken: map[string]string{}}
}

// advance lets everything happen that is due.
func (m *model) advance(now uint64) {
	for name, p := range m.providers {
		left := p.unbondings[:0]
		for _, u := range p.unbondings {
			if u.completes <= now {
				m.purse[name][u.denom] += u.amount
			} else {
				left = append(left, u)
			}
		}
		p.unbondings = left
		if p.next != "" && p.rotates <= now {
			delete(m.taken, p.agent)
			p.agent, p.next, p.rotates = p.next, "", 0
		}
		m.settle(p)
	}
}

// settle makes a provider be gone that left with nothing at stake.
func (m *model) settle(p *modelProvider) {
	if p.lifecycle != leaving || len(p.unbondings) > 0 || p.bond["usouk"]+p.bond[ibcDenom] > 0 || p.required["usouk"]+p.required[ibcDenom] > 0 {
		return
	}
	delete(m.taken, p.agent)
	delete(m.taken, p.next)
	p.lifecycle, p.next, p.rotates = gone, "", 0
}

func (p *modelProvider) there() bool { return p != nil && p.lifecycle != gone }

// slash takes an amount, bond first, then the newest unbondings, and returns what it took.
func (m *model) slash(p *modelProvider, denom string, amount int64) int64 {
	slashed := min(amount, p.bond[denom])
	p.bond[denom] -= slashed
	for i := len(p.unbondings) - 1; i >= 0; i-- {
		if u := &p.unbondings[i]; u.denom == denom {
			part := min(u.amount, amount-slashed)
			u.amount -= part
			slashed += part
		}
	}
	left := p.unbondings[:0]
	for _, u := range p.unbondings {
		if u.amount > 0 {
			left = append(left, u)
		}
	}
	p.unbondings = left
	m.settle(p)
	return slashed
}

func (p *modelProvider) atStake(denom string) int64 {
	sum := p.bond[denom]
	for _, u := range p.unbondings {
		if u.denom == denom {
			sum += u.amount
		}
	}
	return sum
}

// step is one thing that happens in a history.
type step struct {
	kind, name, other, denom string
	amount                   int64
}

var (
	// The first are drawn most often.
	kinds = []string{
		"unbond", "beyond", "wait", "unbond", "public", "deregister", "rotate", "jail", "require", "register", "unbond", "bond", "jump",
		"unjail", "attest", "revoke", "auditors", "account", "export", "unbond",
	}
	names    = []string{"acme", "other"}
	accounts = []string{"acme's agent", "other's agent", "spare", "auditor"}
)

func drawStep(t *rapid.T) step {
	return step{
		kind: rapid.SampledFrom(kinds).Draw(t, "kind"), name: rapid.SampledFrom(names).Draw(t, "name"),
		other: rapid.SampledFrom(accounts).Draw(t, "other"), denom: rapid.SampledFrom([]string{"usouk", ibcDenom}).Draw(t, "denom"),
		amount: rapid.Int64Range(1, 120).Draw(t, "amount"),
	}
}

// history runs steps on a chain and beside it on the model.
type history struct {
	*bench
	market  *market
	model   *model
	account uint64
	rt      *rapid.T
}

func begin(t *testing.T, rt *rapid.T, perBlock, epochSeconds uint32) *history {
	params := quickEscrow()
	params.MaxDeadlinesPerBlock, params.EpochSeconds = perBlock, epochSeconds
	b, above := startUnder(t, chain.WithEscrowParams(params))
	h := &history{bench: b, market: above, model: newModel(), rt: rt}
	for _, name := range names {
		b.Fund(chain.Account(name), chain.Coin(300), sdk.NewInt64Coin(ibcDenom, 300))
		h.model.purse[name] = map[string]int64{"usouk": 300, ibcDenom: 300}
	}
	tenant := b.Funded("tenant", chain.Coin(10))
	account, err := b.Escrow.OpenAccount(b.Ctx(), tenant, chain.Coin(10), nil)
	require.NoError(rt, err)
	h.account = account
	for _, name := range names {
		for i, denom := range []string{"usouk", ibcDenom} {
			kind := []string{"register", "bond"}[i]
			h.take(step{kind: kind, name: name, other: name + "'s agent", denom: denom, amount: 150})
		}
	}
	return h
}

// drain lets blocks pass without time until nothing is due any more.
func (h *history) drain() {
	for range 200 {
		if !h.due(h.Provider.UnbondingDeadlines()) && !h.due(h.Provider.RotationDeadlines()) {
			return
		}
		h.NextBlock(0)
	}
	require.Fail(h.rt, "deadlines never end")
}

// due tells whether an item of a source waits: the frontier alone does not tell it of items of this very second.
func (h *history) due(source escrowtypes.DeadlineSource) bool {
	second, ok, err := source.NextDeadline(h.Ctx())
	require.NoError(h.rt, err)
	return ok && second <= h.Now()
}

func (h *history) take(s step) {
	p := h.model.providers[s.name]
	if p != nil && p.lifecycle != active {
		h.drain() // when the last of a provider is gone depends on when its bond is paid
	}
	h.model.advance(h.Now())
	coin := sdk.NewInt64Coin(s.denom, s.amount)
	operator := chain.Account(s.name)
	switch s.kind {
	case "register":
		h.register(s, coin)
	case "bond":
		ok := p != nil && p.lifecycle == active && h.model.purse[s.name][s.denom] >= s.amount
		h.deliver(ok, &types.MsgBond{Operator: h.name(s.name), Amount: coin})
		if ok {
			h.model.purse[s.name][s.denom] -= s.amount
			p.bond[s.denom] += s.amount
		}
	case "unbond":
		h.unbondStep(s, p, coin)
	case "rotate":
		h.rotateStep(s, p)
	case "deregister":
		ok := p != nil && p.lifecycle == active
		h.deliver(ok, h.leave(s.name))
		if ok {
			p.lifecycle = leaving
			h.model.settle(p)
		}
	case "jail":
		h.jailStep(s, p)
	case "unjail":
		ok := p.there() && p.jailed != 0 && h.Now() >= p.jailed && p.bond["usouk"] >= p.required["usouk"] && p.bond[ibcDenom] >= p.required[ibcDenom]
		h.deliver(ok, &types.MsgUnjail{Operator: h.name(s.name)})
		if ok {
			p.jailed = 0
		}
	case "attest":
		ok := p.there() && p.auditors[s.other]
		h.deliver(ok, attest(h.bench, s.other, s.name, h.Now()+uint64(s.amount)))
		if ok {
			p.vouched[s.other] = true
		}
	case "revoke":
		ok := p != nil && p.vouched[s.other]
		h.deliver(ok, revoke(h.bench, s.other, s.name))
		if ok {
			delete(p.vouched, s.other)
		}
	case "auditors":
		ok := p.there()
		h.deliver(ok, update(h.bench, s.name, s.other))
		if ok {
			vouched := p.vouched[s.other]
			p.auditors, p.vouched = map[string]bool{s.other: true}, map[string]bool{}
			if vouched {
				p.vouched[s.other] = true
			}
		}
	case "require":
		if p == nil {
			return
		}
		h.market.asks[h.name(s.name)] = sdk.NewCoins(sdk.NewInt64Coin(s.denom, s.amount%3*40))
		p.required = map[string]int64{s.denom: s.amount % 3 * 40}
		require.NoError(h.rt, h.Provider.SetRequirement(h.Ctx(), operator, h.market.asks[h.name(s.name)]))
		h.model.settle(p)
	case "public", "account":
		h.slashStep(s, p, coin)
	case "beyond": // the bond
		if p != nil {
			s.kind, s.amount = "public", p.bond[s.denom]+s.amount%25
			h.slashStep(s, p, sdk.NewInt64Coin(s.denom, s.amount))
		}
	case "wait":
		h.NextBlock(time.Duration(s.amount%20) * time.Second)
	case "jump":
		h.NextBlock(time.Duration(s.amount) * time.Second)
	case "export":
		h.exportStep()
	}
}

// deliver sends a message that the model accepts or refuses.
func (h *history) deliver(ok bool, msg sdk.Msg) {
	err := h.Deliver(msg)
	if ok {
		require.NoError(h.rt, err, "%T %s", msg, msg)
	} else {
		require.Error(h.rt, err, "%T %s", msg, msg)
	}
}

func (h *history) register(s step, coin sdk.Coin) {
	p := h.model.providers[s.name]
	msg := h.registration(s.name)
	msg.Agent, msg.Bond = h.name(s.other), sdk.NewCoins(coin)
	_, taken := h.model.taken[s.other]
	ok := !p.there() && !taken && h.model.purse[s.name][s.denom] >= s.amount
	h.deliver(ok, msg)
	if !ok {
		return
	}
	if p == nil {
		p = &modelProvider{}
	}
	p.lifecycle, p.agent = active, s.other
	p.bond, p.auditors, p.vouched = map[string]int64{s.denom: s.amount}, map[string]bool{}, map[string]bool{}
	h.model.providers[s.name], h.model.taken[s.other] = p, s.name
	h.model.purse[s.name][s.denom] -= s.amount
}

func (h *history) unbondStep(s step, p *modelProvider, coin sdk.Coin) {
	s.amount = 1 + s.amount%20
	coin.Amount = math.NewInt(s.amount)
	ok := p.there() && p.bond[s.denom]-s.amount >= p.required[s.denom] && p.bond[s.denom] >= s.amount &&
		len(p.unbondings) < types.MaxUnbondings
	h.deliver(ok, &types.MsgUnbond{Operator: h.name(s.name), Amount: coin})
	if ok {
		h.model.last++
		p.bond[s.denom] -= s.amount
		p.unbondings = append(p.unbondings, modelUnbonding{h.model.last, h.Now() + 100, s.denom, s.amount})
	}
}

func (h *history) rotateStep(s step, p *modelProvider) {
	_, taken := h.model.taken[s.other]
	cancels := p.there() && s.other == p.agent && p.next != ""
	ok := p.there() && (!taken || s.other == p.next || cancels)
	response, err := chain.Send[types.MsgRotateAgentResponse](h.Chain, rotate(h.bench, s.name, s.other))
	if !ok {
		require.Error(h.rt, err)
		return
	}
	require.NoError(h.rt, err)
	delete(h.model.taken, p.next)
	p.next, p.rotates = "", 0
	if cancels {
		require.Zero(h.rt, response.RotatesAt)
		return
	}
	require.Greater(h.rt, response.RotatesAt, h.Now())
	p.next, p.rotates, h.model.taken[s.other] = s.other, response.RotatesAt, s.name
}

func (h *history) jailStep(s step, p *modelProvider) {
	bps := s.amount % 3 * 5_000
	h.deliver(p != nil, h.jail(s.name, uint64(s.amount), uint32(bps)))
	if p == nil {
		return
	}
	for _, denom := range []string{"usouk", ibcDenom} {
		h.model.slash(p, denom, p.atStake(denom)*bps/10_000)
	}
	p.jailed = max(p.jailed, h.Now()) + uint64(s.amount)
}

func (h *history) slashStep(s step, p *modelProvider, coin sdk.Coin) {
	if p == nil || s.kind == "account" && s.denom != "usouk" {
		return
	}
	want := h.model.slash(p, s.denom, s.amount)
	var slashed sdk.Coin
	var err error
	if s.kind == "public" {
		slashed, err = h.Provider.SlashToPublic(h.Ctx(), chain.Account(s.name), coin, "history")
	} else {
		slashed, err = h.Provider.SlashToAccount(h.Ctx(), chain.Account(s.name), coin, h.account, "history")
	}
	require.NoError(h.rt, err)
	require.Equal(h.rt, sdk.NewInt64Coin(s.denom, want), slashed)
}

// exportStep imports what it exports into a cache, where both must be the same.
func (h *history) exportStep() {
	genesis, err := h.Provider.ExportGenesis(h.Ctx())
	require.NoError(h.rt, err)
	require.NoError(h.rt, genesis.Validate(h.Addresses))
}

// compare checks that chain and model agree, whatever is not processed yet.
func (h *history) compare() {
	h.AssertInvariants()
	now := h.Now()
	h.model.advance(now)
	for name, p := range h.model.providers {
		stored := h.provider(chain.Account(name))
		if p.there() { // the agent of one that is gone is whoever it was when its last bond was paid, which may be before a rotation
			require.Equal(h.rt, h.name(p.agent), stored.Agent)
		}
		require.Equal(h.rt, p.jailed, stored.JailedUntil)
		due := map[string]int64{}
		underWay := 0
		unbondings, err := h.Provider.ExportGenesis(h.Ctx())
		require.NoError(h.rt, err)
		for _, u := range unbondings.Unbondings {
			require.True(h.rt, u.Amount.IsPositive())
			if u.Provider != h.name(name) {
				continue
			}
			if u.CompletesAt <= now {
				due[u.Amount.Denom] += u.Amount.Amount.Int64()
				continue
			}
			require.Equal(h.rt, p.unbondings[underWay], modelUnbonding{u.Id, u.CompletesAt, u.Amount.Denom, u.Amount.Amount.Int64()})
			underWay++
		}
		require.Len(h.rt, p.unbondings, underWay)
		require.LessOrEqual(h.rt, underWay, types.MaxUnbondings)
		for _, denom := range []string{"usouk", ibcDenom} {
			require.Equal(h.rt, p.bond[denom], stored.Bond.AmountOf(denom).Int64())
			has := h.Bank.GetBalance(h.Ctx(), chain.Account(name), denom).Amount.Int64()
			require.Equal(h.rt, h.model.purse[name][denom], has+due[denom], "%s of %s", denom, name)
		}
		require.Len(h.rt, h.attested(name), len(p.vouched))
	}
}

// finish drains both and returns the state, once it is that of the model.
func (h *history) finish() string {
	h.drain()
	h.compare()
	for name, p := range h.model.providers {
		require.Equal(h.rt, p.lifecycle, h.provider(chain.Account(name)).Lifecycle)
	}
	genesis, err := h.Provider.ExportGenesis(h.Ctx())
	require.NoError(h.rt, err)
	return fmt.Sprint(genesis)
}

func TestEveryHistoryIsThatOfTheModelWithAnyDelay(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 20, 80).Draw(rt, "steps")
		// Epochs that close late end later, and agents take over at their ends: only with one long epoch is that the same too.
		epochSeconds := rapid.SampledFrom([]uint32{30, 1_000_000}).Draw(rt, "epoch seconds")
		var ends []string
		for _, perBlock := range []uint32{1, 1000} {
			h := begin(t, rt, perBlock, epochSeconds)
			for _, s := range steps {
				h.take(s)
				h.compare()
			}
			ends = append(ends, h.finish())
		}
		if epochSeconds > 1_000 {
			require.Equal(rt, ends[1], ends[0], "one deadline a block")
		}
	})
}
