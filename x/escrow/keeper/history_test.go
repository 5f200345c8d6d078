package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/keeper"
	"github.com/souk-network/souk/x/escrow/types"
)

// step is one thing that happens in a history. All numbers are free; what they mean depends on the kind and on what
// exists at that time.
type step struct {
	Kind           string
	Account, Other int
	Rate           uint64
	Seconds        uint64
}

// claims are steps of histories in which what was earned is disputed.
var claims = []string{"refund", "refund", "refund", "forfeit"}

// payouts are steps of histories in which what was earned leaves the module; credit only succeeds under a policy that left
// something to decide.
var payouts = []string{"credit", "credit", "settle", "settle", "withdraw", "withdraw"}

// drawHistory draws a history: blocks of 0 to 90 s, what tenants and providers do between them, and more.
func drawHistory(t *rapid.T, more ...string) []step {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			Kind: rapid.SampledFrom(append(more, []string{
				"block", "block", "block", "open account", "open account", "stream", "stream", "stream", "stop", "stop earlier",
				"deposit", "gift", "hold", "hold", "release", "pay hold", "add funds", "close account", "end account",
				"replace", "replace", "serve", "resume", "grant", "revoke", "deposit of another", "deposit of another", "halt",
				"go on", "epoch length",
			}...)).Draw(t, "kind"),
			Account: rapid.IntRange(0, 5).Draw(t, "account"),
			Other:   rapid.IntRange(0, 5).Draw(t, "other"),
			Rate:    rapid.Uint64Range(1, 20*unit).Draw(t, "rate"),
			Seconds: rapid.Uint64Range(0, 90).Draw(t, "seconds"),
		}
	}), 10, 120).Draw(t, "history")
}

// player plays a history on a chain. It knows ids only; whatever fails, fails with a registered error.
type player struct {
	*bench
	rt       *rapid.T
	accounts []uint64
	streams  []uint64
	holds    []uint64
	refunded math.Int // by the last refund
	after    func(step, error)
}

func (p *player) play(history []step) {
	for _, s := range history {
		err := p.step(s)
		if p.after != nil {
			p.after(s, err)
		}
	}
}

func (p *player) step(s step) error {
	if s.Kind == "block" {
		p.NextBlock(time.Duration(s.Seconds) * second)
		return nil
	}
	return p.Try(func(ctx sdk.Context) error { return p.act(ctx, s) })
}

func (p *player) payee(n int) sdk.AccAddress { return chain.Account(fmt.Sprintf("payee %d", n)) }

func (p *player) payeeText(n int) string { return p.Text(p.payee(n)) }

func pick(ids []uint64, n int) uint64 {
	if len(ids) == 0 {
		return 0
	}
	return ids[n%len(ids)]
}

func (p *player) act(ctx sdk.Context, s step) error {
	payee := p.payee(s.Other % 3)
	account := pick(p.accounts, s.Account)
	switch s.Kind {
	case "open account":
		id, err := p.Escrow.OpenAccount(ctx, tenant(s.Account), chain.Coin(100+int64(s.Rate/4)), nil)
		if err == nil {
			p.accounts = append(p.accounts, id)
		}
		return err
	case "stream":
		kind := service
		if s.Other == 0 {
			kind = hold
		}
		stream, err := p.Escrow.OpenStream(ctx, account, 1, payee, s.Rate, kind)
		if err == nil {
			p.streams = append(p.streams, stream.Id)
		}
		return err
	case "stop":
		return p.Escrow.CloseStream(ctx, p.stream(ctx, s), p.nowOf(ctx))
	case "stop earlier":
		now := p.nowOf(ctx)
		return p.Escrow.CloseStream(ctx, p.stream(ctx, s), now-min(now, s.Seconds%10))
	case "replace":
		old := p.stream(ctx, s)
		next, err := p.Escrow.ReplaceStream(ctx, old, s.Rate)
		if err != nil || next.Id == old {
			return err
		}
		return p.book.successors.Set(ctx, old, next.Id)
	case "serve":
		old := p.stream(ctx, s)
		next, err := p.Escrow.ServeStream(ctx, old, s.Rate)
		if err != nil {
			return err
		}
		return p.book.successors.Set(ctx, old, next.Id)
	case "refund":
		grains := math.NewIntFromUint64(s.Rate * s.Seconds)
		paid, err := p.Escrow.Refund(ctx, payee, "usouk", p.epochOf(s), account, grains)
		p.refunded = paid
		return err
	case "forfeit":
		_, err := p.Escrow.Forfeit(ctx, payee, "usouk", p.epochOf(s))
		return err
	case "settle":
		return p.Escrow.SettleForfeited(ctx, payee, "usouk", p.epochOf(s))
	case "credit":
		return p.Escrow.Credit(ctx, payee, "usouk", p.epochOf(s), math.NewIntFromUint64(s.Rate*s.Seconds))
	case "withdraw":
		_, _, err := p.Escrow.WithdrawEarnings(ctx, payee, payee, "usouk")
		return err
	case "resume":
		_, err := p.Escrow.TryResume(ctx, account)
		return err
	case "grant":
		limit := sdk.NewCoins(chain.Coin(int64(s.Rate)))
		return p.Authz.SaveGrant(ctx, tenant(s.Account), uncle, types.NewDepositAuthorization(limit), nil)
	case "revoke":
		return p.Authz.DeleteGrant(ctx, tenant(s.Account), uncle, types.DepositURL())
	case "deposit of another":
		_, err := p.Escrow.Deposit(ctx, account, tenant(s.Account), chain.Coin(int64(s.Seconds)), uncle)
		return err
	case "halt", "go on":
		return p.change(ctx, func(params *types.Params) { params.Denoms[0].Halted = s.Kind == "halt" })
	case "epoch length":
		return p.change(ctx, func(params *types.Params) { params.EpochSeconds = 20 + uint32(s.Seconds) })
	case "end account":
		_, err := p.Escrow.EndAccount(ctx, account)
		return err
	case "deposit":
		_, err := p.Escrow.Deposit(ctx, account, tenant(s.Account), chain.Coin(int64(s.Seconds)), nil)
		return err
	case "gift":
		_, err := p.Escrow.Deposit(ctx, account, stranger, chain.Coin(int64(s.Seconds)), nil)
		return err
	case "hold":
		id, err := p.book.hold(ctx, account, s.Rate, s.Seconds)
		if err == nil {
			p.holds = append(p.holds, id)
		}
		return err
	case "release":
		return p.book.release(ctx, pick(p.holds, s.Other))
	case "pay hold":
		return p.Escrow.PayHold(ctx, account, 1, payee, s.Rate, s.Seconds)
	case "add funds":
		return p.Escrow.AddFunds(ctx, account, chain.Coin(int64(s.Seconds)), "treasury")
	case "close account":
		_, err := p.Escrow.CloseAccount(ctx, account)
		return err
	}
	panic(s.Kind)
}

// epochOf picks one of the last epochs that have closed, or the first.
func (p *player) epochOf(s step) uint64 { return max(2+s.Seconds%3, p.clock().Epoch) - 1 - s.Seconds%3 }

// stream picks the stream that pays now in the place of one that was opened once.
func (p *player) stream(ctx sdk.Context, s step) uint64 {
	id, err := p.book.latest(ctx, pick(p.streams, s.Other+s.Account*6))
	require.NoError(p.rt, err)
	return id
}

// change is a decision of governance.
func (p *player) change(ctx sdk.Context, f func(*types.Params)) error {
	params, err := p.Escrow.Params(ctx)
	require.NoError(p.rt, err)
	f(&params)
	_, err = keeper.NewMsgServer(p.Escrow).UpdateParams(ctx, &types.MsgUpdateParams{Authority: p.Authority, Params: params})
	return err
}

func (p *player) nowOf(ctx sdk.Context) uint64 {
	now, err := p.Escrow.Now(ctx)
	require.NoError(p.rt, err)
	return now
}

func tenant(n int) sdk.AccAddress { return chain.Account(fmt.Sprintf("tenant %d", n)) }

// uncle lets tenants deposit his money; the stranger makes gifts.
var uncle, stranger = chain.Account("uncle"), chain.Account("stranger")

// wealth is what everybody has who pays for something.
const wealth = 1_000_000

// newPlayer returns a player on a chain where everybody has coins.
func newPlayer(t *testing.T, rt *rapid.T, params types.Params) *player {
	p := &player{bench: start(t, params, chain.WithModuleAccount("treasury")), rt: rt}
	for i := range 6 {
		p.Fund(tenant(i), chain.Coin(wealth))
	}
	p.Fund(stranger, chain.Coin(wealth))
	p.Fund(uncle, chain.Coin(wealth))
	require.NoError(rt, p.Bank.SendCoinsFromAccountToModule(p.Ctx(), p.Funded("rich", chain.Coin(wealth)), "treasury",
		sdk.NewCoins(chain.Coin(wealth))))
	return p
}

// drawParams draws the parameters of a history: with pauses and without.
func drawParams(t *rapid.T) types.Params {
	params := quick()
	params.PauseRunwaySeconds = rapid.SampledFrom([]uint32{0, 1, 7, 10}).Draw(t, "pause runway")
	params.PauseBps = rapid.SampledFrom([]uint32{0, 1000, 2500, 10_000}).Draw(t, "pause bps")
	return params
}

// forever keeps everything that closes for longer than a history lasts.
func forever(params types.Params) types.Params {
	params.HoldbackEpochs = 1000
	return params
}

func TestInEveryHistoryNoCoinIsLostAndNothingIsNegative(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		params := drawParams(rt)
		params.MaxDeadlinesPerBlock = rapid.SampledFrom([]uint32{1, 3, 1000}).Draw(rt, "deadlines a block")
		params.HoldbackEpochs = rapid.SampledFrom([]uint32{0, 1, 20}).Draw(rt, "epochs held back")
		p := newPlayer(t, rt, params)
		p.after = func(s step, err error) {
			require.NoError(rt, p.Escrow.AssertInvariants(p.Ctx()), "%+v", s)
			requireRegistered(rt, err)
		}
		if !rapid.Bool().Draw(rt, "all is proven") {
			p.Escrow.SetCreditPolicy(policy(func(pot types.EpochPot) (math.Int, bool, error) {
				return pot.Service.QuoRaw(2), pot.Epoch%2 == 0, nil
			}))
		}
		p.play(drawHistory(rt, append(payouts, claims...)...))
	})
}

// requireRegistered accepts success and errors that carry a code of this module or of the bank.
func requireRegistered(t *rapid.T, err error) {
	if err == nil {
		return
	}
	_, code, _ := errorsmod.ABCIInfo(err, false)
	require.NotEqual(t, uint32(1), code, "unregistered: %v", err)
}

// TestBooksAgreeWithASecondBySecondModel plays histories on the chain and on the simplest model there is: a loop over
// seconds that takes the rates out of the balances.
func TestBooksAgreeWithASecondBySecondModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		p := newPlayer(t, rt, forever(drawParams(rt)))
		m := newModel(p)
		p.after = func(s step, err error) {
			m.apply(s, err)
			m.compare(rt)
			m.compareDue(rt, s)
		}
		p.play(drawHistory(rt, claims...))
	})
}

// TestWhatHappensDoesNotDependOnWhenItIsProcessed plays one history on a chain that processes all that is due and on
// one that gets to one item a block. A message that the second refuses, because it has not caught up, is not played on
// the first either: all others must have the same effect. Once the second has caught up, everybody has the same.
func TestWhatHappensDoesNotDependOnWhenItIsProcessed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		params := forever(drawParams(rt))
		delayed := params
		delayed.MaxDeadlinesPerBlock = 1
		prompt, slow := newPlayer(t, rt, params), newPlayer(t, rt, delayed)
		for _, s := range drawHistory(rt) {
			// How much a hold pays depends on what other holds leave, which the second chain may not have released.
			if s.Kind == "pay hold" && slow.clock().Frontier < slow.Now() {
				continue
			}
			// A stream stops no earlier than its epoch began, and the second chain may not have begun it yet.
			if s.Kind == "stop earlier" && slow.clock().EpochStart != prompt.clock().EpochStart {
				continue
			}
			if slow.step(s) == nil {
				require.NoError(rt, prompt.step(s), "%+v", s)
			}
		}
		require.Equal(rt, prompt.settle(), slow.settle())
	})
}

// settle lets a chain catch up and pays everything out, and returns what everybody has.
func (p *player) settle() map[string]string {
	for range 5 {
		p.NextBlock(50 * second)
		for p.clock().Frontier < p.Now() {
			p.NextBlock(0)
		}
	}
	result := make(map[string]string)
	for i, id := range p.accounts {
		_, err := p.Escrow.Account(p.Ctx(), id)
		if types.ErrAccountNotFound.Is(err) {
			result[fmt.Sprintf("account %d", i)] = "forgotten"
			continue
		}
		require.NoError(p.rt, err)
		result[fmt.Sprintf("account %d", i)] = p.account(id).Account.String()
	}
	for i := range 3 {
		e := p.earnings(fmt.Sprintf("payee %d", i))
		genesis, err := p.Escrow.ExportGenesis(p.Ctx())
		require.NoError(p.rt, err)
		result[fmt.Sprintf("payee %d", i)] = fmt.Sprintf("%s %s grains", e.Rate, p.earned(genesis, p.payeeText(i)))
	}
	for i := range 6 {
		result[fmt.Sprintf("tenant %d", i)] = fmt.Sprintf("%d, may deposit %s", p.Balance(tenant(i)), p.limit(i))
	}
	result["uncle"] = fmt.Sprint(p.Balance(uncle))
	require.NoError(p.rt, p.Escrow.AssertInvariants(p.Ctx()))
	return result
}

// limit is what a tenant may still deposit of the uncle's money.
func (p *player) limit(tenantNumber int) string {
	authorization, _ := p.Authz.GetAuthorization(p.Ctx(), tenant(tenantNumber), uncle, types.DepositURL())
	grant, ok := authorization.(*types.DepositAuthorization)
	if !ok {
		return "nothing"
	}
	return grant.SpendLimit.AmountOf("usouk").String()
}

// earned sums up what a payee ever earned, in grains.
func (p *player) earned(genesis *types.GenesisState, payee string) math.Int {
	sum := math.ZeroInt()
	now := math.NewIntFromUint64(p.Now())
	for _, pot := range genesis.Pots {
		if pot.Payee != payee {
			continue
		}
		lines := []types.Line{pot.Running.Service, pot.Running.Hold}
		if pot.Next != nil {
			lines = append(lines, pot.Next.Service, pot.Next.Hold)
		}
		for _, line := range lines {
			sum = sum.Add(line.Intercept).Add(line.Slope.Mul(now))
		}
		sum = sum.Add(pot.Available)
	}
	for _, pot := range genesis.EpochPots {
		if pot.Payee == payee {
			sum = sum.Add(pot.Service).Add(pot.Hold).Sub(pot.Refunded)
		}
	}
	return sum
}
