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

// drawHistory draws a history: blocks of 0 to 90 s, and what tenants and providers do between them.
func drawHistory(t *rapid.T) []step {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			Kind: rapid.SampledFrom([]string{
				"block", "block", "block", "open account", "open account", "stream", "stream", "stream", "stop", "stop earlier",
				"deposit", "gift", "hold", "hold", "release", "pay hold", "add funds", "close account",
			}).Draw(t, "kind"),
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
	after    func(step, error)
	// pockets is what all tenants would have if nothing had ever been refunded.
	pockets int64
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
	err := p.Try(func(ctx sdk.Context) error { return p.act(ctx, s) })
	if err == nil {
		p.pockets += p.pocketChange(s)
	}
	return err
}

// pocketChange is what a step that succeeded takes out of the tenants' pockets, or puts into them past the accounts.
func (p *player) pocketChange(s step) int64 {
	switch s.Kind {
	case "open account":
		return -100 - int64(s.Rate/4)
	case "deposit":
		return -int64(s.Seconds)
	case "add funds":
		account, err := p.Escrow.Account(p.Ctx(), pick(p.accounts, s.Account))
		require.NoError(p.rt, err)
		if account.State == types.AccountState_ACCOUNT_STATE_CLOSED {
			return int64(s.Seconds)
		}
	}
	return 0
}

func (p *player) payeeText(n int) string { return p.Text(chain.Account(fmt.Sprintf("payee %d", n))) }

func pick(ids []uint64, n int) uint64 {
	if len(ids) == 0 {
		return 0
	}
	return ids[n%len(ids)]
}

func (p *player) act(ctx sdk.Context, s step) error {
	payee := chain.Account(fmt.Sprintf("payee %d", s.Other%3))
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
		return p.Escrow.CloseStream(ctx, pick(p.streams, s.Other+s.Account*6), p.nowOf(ctx))
	case "stop earlier":
		now := p.nowOf(ctx)
		return p.Escrow.CloseStream(ctx, pick(p.streams, s.Other+s.Account*6), now-min(now, s.Seconds%10))
	case "deposit":
		_, err := p.Escrow.Deposit(ctx, account, tenant(s.Account), chain.Coin(int64(s.Seconds)), nil)
		return err
	case "gift":
		_, err := p.Escrow.Deposit(ctx, account, chain.Account("stranger"), chain.Coin(int64(s.Seconds)), nil)
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

func (p *player) nowOf(ctx sdk.Context) uint64 {
	now, err := p.Escrow.Now(ctx)
	require.NoError(p.rt, err)
	return now
}

func tenant(n int) sdk.AccAddress { return chain.Account(fmt.Sprintf("tenant %d", n)) }

// newPlayer returns a player on a chain where everybody has coins.
func newPlayer(t *testing.T, rt *rapid.T, params types.Params) *player {
	p := &player{bench: start(t, params, chain.WithModuleAccount("treasury")), rt: rt}
	for i := range 6 {
		p.Fund(tenant(i), chain.Coin(1_000_000))
		p.pockets += 1_000_000
	}
	p.Fund(chain.Account("stranger"), chain.Coin(1_000_000))
	require.NoError(rt, p.Bank.SendCoinsFromAccountToModule(p.Ctx(), p.Funded("rich", chain.Coin(1_000_000)), "treasury",
		sdk.NewCoins(chain.Coin(1_000_000))))
	return p
}

func TestInEveryHistoryNoCoinIsLostAndNothingIsNegative(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		params := quick()
		params.MaxDeadlinesPerBlock = rapid.SampledFrom([]uint32{1, 3, 1000}).Draw(rt, "deadlines a block")
		p := newPlayer(t, rt, params)
		p.after = func(s step, err error) {
			require.NoError(rt, p.Escrow.AssertInvariants(p.Ctx()), "%+v", s)
			requireRegistered(rt, err)
		}
		p.play(drawHistory(rt))
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
		p := newPlayer(t, rt, quick())
		m := newModel(1)
		p.after = func(s step, err error) {
			m.apply(s, err, p)
			m.compare(rt, p)
		}
		p.play(drawHistory(rt))
	})
}

// TestWhatHappensDoesNotDependOnWhenItIsProcessed plays one history on a chain that processes all that is due and on
// one that gets to one item a block. A message that the second refuses, because it has not caught up, is not played on
// the first either: all others must have the same effect. Once the second has caught up, everybody has the same.
func TestWhatHappensDoesNotDependOnWhenItIsProcessed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		delayed := quick()
		delayed.MaxDeadlinesPerBlock = 1
		prompt, slow := newPlayer(t, rt, quick()), newPlayer(t, rt, delayed)
		for _, s := range drawHistory(rt) {
			// How much a hold pays depends on what other holds leave, which the second chain may not have released.
			if s.Kind == "pay hold" && slow.clock().Frontier < slow.Now() {
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
		account := p.account(id).Account
		result[fmt.Sprintf("account %d", i)] = account.String()
	}
	for i := range 3 {
		e := p.earnings(fmt.Sprintf("payee %d", i))
		genesis, err := p.Escrow.ExportGenesis(p.Ctx())
		require.NoError(p.rt, err)
		result[fmt.Sprintf("payee %d", i)] = fmt.Sprintf("%s %s grains", e.Rate, p.earned(genesis, p.payeeText(i)))
	}
	for i := range 6 {
		result[fmt.Sprintf("tenant %d", i)] = fmt.Sprint(p.Balance(tenant(i)))
	}
	require.NoError(p.rt, p.Escrow.AssertInvariants(p.Ctx()))
	return result
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
			sum = sum.Add(pot.Service).Add(pot.Hold)
		}
	}
	return sum
}
