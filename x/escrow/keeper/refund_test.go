package keeper_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/escrow/keeper"
	"github.com/souk-network/souk/x/escrow/types"
)

// proven finds so many micro-denom of every pot's service proven.
func proven(micro int64) policy {
	return func(types.EpochPot) (math.Int, bool, error) { return math.NewInt(micro * 3600), true, nil }
}

// refund takes micro-denom of bob's back in an epoch.
func (b *bench) refund(epoch, account uint64, micro int64) int64 {
	b.t.Helper()
	var paid math.Int
	require.NoError(b.t, b.Try(func(ctx sdk.Context) (err error) {
		paid, err = b.Escrow.Refund(ctx, chain.Account("bob"), "usouk", epoch, account, math.NewInt(micro*3600))
		return err
	}))
	b.AssertInvariants()
	return paid.QuoRaw(3600).Int64()
}

// epochPot returns what bob earned in an epoch: payable, refundable, forfeited, refunded and settled, in micro-denom.
func (b *bench) epochPot(epoch uint64) []int64 {
	b.t.Helper()
	pot, err := b.Escrow.EpochPot(b.Ctx(), chain.Account("bob"), "usouk", epoch)
	require.NoError(b.t, err)
	var micro []int64
	for _, grains := range []math.Int{pot.Payable, pot.Refundable, pot.Forfeited, pot.Refunded, pot.Settled} {
		micro = append(micro, grains.QuoRaw(3600).Int64())
	}
	return micro
}

// supply is how many micro-denom there are.
func (b *bench) supply() int64 { return b.Bank.GetSupply(b.Ctx(), "usouk").Amount.Int64() }

func TestARefundGoesBackIntoTheAccountUntilTheServiceIsUsedUp(t *testing.T) {
	b := start(t, quick())
	b.Escrow.SetCreditPolicy(proven(600))
	id := b.open("alice", 10_000)
	b.pay(id, "bob", 10*unit, service)
	b.pay(id, "bob", unit, hold)
	b.Run(110*second, 10*second) // 111: epoch 1 earned 1,000 by service and 100 by hold
	require.Equal(t, []int64{700, 400, 0, 0, 0}, b.epochPot(1))
	left := b.left(id)
	require.Equal(t, int64(350), b.refund(1, id, 350))
	require.Equal(t, []int64{700, 50, 0, 350, 0}, b.epochPot(1))
	require.Equal(t, left+350, b.left(id))
	require.Equal(t, int64(350), b.refund(1, id, 350))
	require.Equal(t, []int64{400, 0, 0, 700, 0}, b.epochPot(1))
	require.Equal(t, int64(300), b.refund(1, id, 10_000), "what is left of service, and no hold")
	require.Equal(t, []int64{100, 0, 0, 1_000, 0}, b.epochPot(1))
	require.Zero(t, b.refund(1, id, 1))
	require.Equal(t, left+1_000, b.left(id))

	b.Run(200*second, 10*second) // 311: matured
	net, fee := b.withdraw("bob")
	require.Equal(t, int64(100), net+fee)
	require.Equal(t, fee, b.CommunityPool(), "nothing was left to claim")
	b.AssertInvariants()
}

func TestARefundResumesAnAccountThatIsLow(t *testing.T) {
	b := start(t, careful())
	id := b.open("alice", 1_200)
	b.pay(id, "bob", 10*unit, service)
	b.Run(115*second, 5*second)
	require.Equal(t, low, b.stored(id).State)
	require.Equal(t, int64(50), b.refund(1, id, 50))
	require.Equal(t, low, b.stored(id).State, "that does not last for 20 s")
	require.Equal(t, int64(200), b.refund(1, id, 200))
	require.Equal(t, funded, b.stored(id).State)
	b.Run(300*second, 10*second)
	require.Equal(t, closedState, b.stored(id).State)
	b.AssertInvariants()
}

func TestARefundToAClosedAccountIsPaidToItsDepositorsAndRestoresTheirGrant(t *testing.T) {
	b := start(t, quick())
	b.Fund(uncle, chain.Coin(1_000))
	id := b.open("alice", 500)
	b.grants(600, 0)
	require.NoError(t, b.Deliver(b.grantedDeposit(id, 600)))
	b.pay(id, "bob", 8*unit, service)
	b.NextBlock(50 * second)
	b.NextBlock(50 * second) // 101: 800 are paid, 500 of alice's and 300 of the uncle's
	require.NoError(t, b.Try(func(ctx sdk.Context) error {
		if _, err := b.Escrow.EndAccount(ctx, id); err != nil {
			return err
		}
		_, err := b.Escrow.Refund(ctx, chain.Account("bob"), "usouk", 1, id, math.NewInt(100*3600+1))
		return err
	}), "in the block in which it closes")
	b.AssertInvariants()
	require.Equal(t, []int64{800, 400}, []int64{b.Balance(uncle), b.mayDeposit()})
	require.Equal(t, int64(1), b.Balance(chain.Account("alice")), "the newest entry that was drawn on comes first")
	require.NoError(t, b.Try(func(ctx sdk.Context) error {
		_, err := b.Escrow.Refund(ctx, chain.Account("bob"), "usouk", 1, id, math.NewInt(250*3600+3599))
		return err
	}))
	b.AssertInvariants()
	require.Equal(t, []int64{1_000, 600}, []int64{b.Balance(uncle), b.mayDeposit()})
	require.Equal(t, int64(1+51), b.Balance(chain.Account("alice")), "two grains and 3,599 make one micro-denom more")
	b.Run(700*second, 50*second)
	_, err := b.Escrow.Account(b.Ctx(), id)
	require.ErrorIs(t, err, types.ErrAccountNotFound)
	b.AssertInvariants()
}

func TestARefundToAnAccountThatRanOut(t *testing.T) {
	t.Run("and is closed", func(t *testing.T) {
		b := start(t, quick())
		id := b.open("alice", 1_005)
		b.pay(id, "bob", 10*unit, service)
		b.Run(120*second, 60*second)
		require.Equal(t, closedState, b.stored(id).State)
		require.Equal(t, int64(700), b.refund(1, id, 700))
		require.Equal(t, int64(5+700), b.Balance(chain.Account("alice")))
	})
	t.Run("and is in quarantine", func(t *testing.T) {
		b := start(t, quick())
		id := b.open("alice", 1_005)
		stream := b.pay(id, "bob", 10*unit, service)
		b.book.poisonStreams = map[uint64]bool{stream: true}
		b.Run(120*second, 60*second)
		require.NotEqual(t, closedState, b.stored(id).State)
		require.Equal(t, int64(700), b.refund(1, id, 700))
		due, err := b.Escrow.Due(b.Ctx(), stream, 1, 500)
		require.NoError(t, err)
		require.Equal(t, uint64(100), due.Seconds, "up to its end")
		b.book.poisonStreams = nil
		require.NoError(t, b.Deliver(&types.MsgRetry{Authority: b.Authority, Source: types.AccountSource, Id: id}))
		require.Equal(t, int64(5+700), b.Balance(chain.Account("alice")))
		b.AssertInvariants()
	})
}

// TestNoMoreIsRefundedThanWasDrawnForGood is a caller that asks for another account's money: what its own streams draw in the
// running epoch does not count, because they may close at its beginning.
func TestNoMoreIsRefundedThanWasDrawnForGood(t *testing.T) {
	b := start(t, quick())
	b.pay(b.open("alice", 10_000), "bob", 10*unit, service)
	b.NextBlock(60 * second)
	id := b.open("dave", 10_000)
	stream := b.pay(id, "bob", unit, service)
	b.NextBlock(60 * second) // 121: 40 are paid in epoch 1, 20 since
	require.Equal(t, int64(40), b.refund(1, id, 1_000))
	require.Zero(t, b.refund(1, id, 1_000))
	require.NoError(t, b.Escrow.CloseStream(b.Ctx(), stream, 101))
	require.Equal(t, int64(10_000), b.left(id))
	b.AssertInvariants()
	require.NoError(t, b.Try(func(ctx sdk.Context) error { _, err := b.Escrow.CloseAccount(ctx, id); return err }))
	require.Equal(t, int64(10_000), b.Balance(chain.Account("dave")))
	b.AssertInvariants()
}

func TestARefundIsRefused(t *testing.T) {
	params := quick()
	params.Denoms = append([]types.DenomParams{{Denom: "uother", MinDeposit: math.NewInt(1)}}, params.Denoms...)
	b := start(t, params)
	decided := false
	b.Escrow.SetCreditPolicy(policy(func(pot types.EpochPot) (math.Int, bool, error) { return pot.Service, decided, nil }))
	id := b.open("alice", 10_000)
	b.pay(id, "bob", 10*unit, service)
	b.NextBlock(60 * second)
	b.NextBlock(60 * second)
	bob := chain.Account("bob")
	refund := func(want error, denom string, epoch, account uint64, grains math.Int) {
		t.Helper()
		b.fails(want, func(ctx sdk.Context) error {
			_, err := b.Escrow.Refund(ctx, bob, denom, epoch, account, grains)
			return err
		})
	}
	one := math.OneInt()
	refund(types.ErrEpochPot, "usouk", 1, id, one) // not credited
	require.NoError(t, b.Escrow.Credit(b.Ctx(), bob, "usouk", 1, math.ZeroInt()))
	refund(types.ErrEpochPot, "usouk", 2, id, one)
	refund(types.ErrEpochPot, "uother", 1, id, one)
	refund(types.ErrDenom, "u", 1, id, one)
	refund(types.ErrAccountNotFound, "usouk", 1, 99, one)
	refund(types.ErrInvalidAmount, "usouk", 1, id, math.NewInt(-1))
	refund(types.ErrInvalidAmount, "usouk", 1, id, math.Int{})
	other := b.Funded("erin", sdk.NewInt64Coin("uother", 5))
	account, err := b.Escrow.OpenAccount(b.Ctx(), other, sdk.NewInt64Coin("uother", 5), nil)
	require.NoError(t, err)
	refund(types.ErrDenom, "usouk", 1, account, one)
	b.Run(180*second, 60*second) // 301
	refund(types.ErrEpochPot, "usouk", 1, id, one)
	b.fails(types.ErrEpochPot, func(ctx sdk.Context) error {
		_, err := b.Escrow.Forfeit(ctx, bob, "usouk", 1)
		return err
	})
}

func TestWhatIsForfeitedPaysClaimsAndTheRestIsHalfBurnedHalfTheCommunitys(t *testing.T) {
	for name, credit := range map[string]policy{
		"before it is credited": func(types.EpochPot) (math.Int, bool, error) { return math.Int{}, false, nil },
		"after":                 proven(600),
	} {
		for how, settle := range map[string]func(b *bench){
			"by itself": func(b *bench) {
				require.NoError(b.t, b.Escrow.SettleForfeited(b.Ctx(), chain.Account("bob"), "usouk", 1))
				require.Equal(b.t, []int64{100, 0, 0, 101, 899}, b.epochPot(1))
			},
			"by a withdrawal": func(b *bench) {},
		} {
			t.Run(name+", settled "+how, func(t *testing.T) {
				b := start(t, quick())
				b.Escrow.SetCreditPolicy(credit)
				id := b.open("alice", 10_000)
				stream, standby := b.pay(id, "bob", 10*unit, service), b.pay(id, "bob", unit, hold)
				b.NextBlock(50 * second)
				b.NextBlock(50 * second)
				b.stop(stream)
				b.stop(standby)
				b.forfeit(1_000)
				b.forfeit(0)
				require.Equal(t, []int64{100, 0, 1_000, 0, 0}, b.epochPot(1))
				require.Equal(t, int64(1_000), b.earnings("bob").Forfeited.Int64())
				require.Equal(t, int64(101), b.refund(1, id, 101))
				b.fails(types.ErrEpochPot, func(ctx sdk.Context) error {
					return b.Escrow.SettleForfeited(ctx, chain.Account("bob"), "usouk", 1)
				})
				b.Run(200*second, 50*second) // 301
				supply := b.supply()
				settle(b)
				settle(b)
				b.AssertInvariants()
				net, fee := b.withdraw("bob")
				require.Equal(t, int64(100), net+fee)
				require.Equal(t, int64(449), supply-b.supply())
				require.Equal(t, 450+fee, b.CommunityPool(), "the odd one too")
				require.NoError(t, b.Escrow.SettleForfeited(b.Ctx(), chain.Account("bob"), "usouk", 1), "it is gone")
				b.AssertInvariants()
			})
		}
	}
}

// forfeit takes what bob earned in the first epoch.
func (b *bench) forfeit(micro int64) {
	b.t.Helper()
	var taken math.Int
	require.NoError(b.t, b.Try(func(ctx sdk.Context) (err error) {
		taken, err = b.Escrow.Forfeit(ctx, chain.Account("bob"), "usouk", 1)
		return err
	}))
	require.Equal(b.t, micro*3600, taken.Int64())
	b.AssertInvariants()
}

func TestForfeitedCoinsOfOtherChainsAllGoToTheCommunity(t *testing.T) {
	params := quick()
	params.Denoms = append([]types.DenomParams{{Denom: "uother", MinDeposit: math.NewInt(1)}}, params.Denoms...)
	b := start(t, params)
	owner, bob := b.Funded("alice", sdk.NewInt64Coin("uother", 10_000)), chain.Account("bob")
	require.NoError(t, b.Try(func(ctx sdk.Context) error {
		id, err := b.Escrow.OpenAccount(ctx, owner, sdk.NewInt64Coin("uother", 10_000), nil)
		if err != nil {
			return err
		}
		_, err = b.Escrow.OpenStream(ctx, id, 1, bob, 10*unit+1, service)
		return err
	}))
	b.Run(110*second, 55*second)
	taken, err := b.Escrow.Forfeit(b.Ctx(), bob, "uother", 1)
	require.NoError(t, err)
	require.Equal(t, int64(100*(10*unit+1)), taken.Int64())
	b.Run(200*second, 50*second)
	require.NoError(t, b.Escrow.SettleForfeited(b.Ctx(), bob, "uother", 1))
	require.Equal(t, int64(10_000), b.Bank.GetSupply(b.Ctx(), "uother").Amount.Int64(), "nothing is burned")
	pool, err := b.Distribution.FeePool.Get(b.Ctx())
	require.NoError(t, err)
	require.Equal(t, int64(1_000), pool.CommunityPool.AmountOf("uother").TruncateInt64())
	b.AssertInvariants()
	genesis := b.genesis()
	require.Equal(t, []types.Dust{{Denom: "uother", Grains: math.NewInt(100)}}, genesis.Dust)
}

func TestEpochPotsAreListedInPages(t *testing.T) {
	b := start(t, quick())
	b.Escrow.SetCreditPolicy(proven(600))
	id := b.open("alice", 10_000)
	b.pay(id, "bob", 10*unit, service)
	b.pay(id, "zoe", unit, service)
	b.Run(110*second, 55*second)
	b.forfeit(1_000)
	b.Run(240*second, 60*second)
	q, bob := keeper.NewQueryServer(b.Escrow), b.Text(chain.Account("bob"))
	request := &types.QueryEpochPotsRequest{Payee: bob, Denom: "usouk", Pagination: &query.PageRequest{Limit: 2}}
	first, err := q.EpochPots(b.Ctx(), request)
	require.NoError(t, err)
	require.Len(t, first.EpochPots, 2)
	require.Equal(t, int64(1_000*3600), first.EpochPots[0].Forfeited.Int64())
	request.Pagination.Key = first.Pagination.NextKey
	rest, err := q.EpochPots(b.Ctx(), request)
	require.NoError(t, err)
	require.Len(t, rest.EpochPots, 1)
	require.Equal(t, uint64(3), rest.EpochPots[0].Epoch)
	require.Equal(t, bob, rest.EpochPots[0].Payee)
	require.Empty(t, rest.Pagination.NextKey)
	require.Equal(t, int64(800), b.earnings("bob").Refundable.Int64())
	for _, bad := range []*types.QueryEpochPotsRequest{
		nil,
		{Payee: bob},
		{Payee: "bob", Denom: "usouk"},
		{Payee: bob, Denom: "usouk", Pagination: &query.PageRequest{Offset: 1}},
		{Payee: bob, Denom: "usouk", Pagination: &query.PageRequest{Key: []byte{1}}},
	} {
		_, err := q.EpochPots(b.Ctx(), bad)
		require.Error(t, err)
	}
}

// teller is a policy that notes in which order it is told what.
type teller struct {
	told  []uint64
	first types.Epoch
	fails func() error
}

func (p *teller) OnEpochClosed(_ context.Context, epoch types.Epoch) error {
	if p.fails != nil {
		if err := p.fails(); err != nil {
			return err
		}
	}
	if epoch.Number == 1 {
		p.first = epoch
	}
	p.told = append(p.told, epoch.Number)
	return nil
}

func (p *teller) CheckParams(context.Context, types.Params) error { return nil }

func (p *teller) OnEpochPot(_ context.Context, pot types.EpochPot) (math.Int, bool, error) {
	p.told = append(p.told, 100+pot.Epoch)
	return math.Int{}, false, nil
}

func TestThePolicyIsToldOfAnEpochBeforeItsPots(t *testing.T) {
	p := &teller{}
	b := start(t, quick())
	b.Escrow.SetCreditPolicy(p)
	b.pay(b.open("alice", 10_000), "bob", unit, service)
	b.Run(220*second, 55*second)
	require.Equal(t, []uint64{1, 101, 2, 102}, p.told)
	require.Equal(t, types.Epoch{Number: 1, Start: 1, End: 101, ClosedAt: 111, MaturesAt: 301}, p.first)
	pot, err := b.Escrow.EpochPot(b.Ctx(), chain.Account("bob"), "usouk", 1)
	require.NoError(t, err)
	require.Equal(t, p.first.MaturesAt, pot.MaturesAt)
}

func TestAnEpochThatCouldNotBeToldIsToldAgain(t *testing.T) {
	for name, failure := range map[string]func() error{
		"after an error": func() error { return errPoison },
		"after a panic":  func() error { panic(errPoison) },
	} {
		t.Run(name, func(t *testing.T) {
			p := &teller{fails: failure}
			b := start(t, quick())
			b.Escrow.SetCreditPolicy(p)
			b.pay(b.open("alice", 10_000), "bob", unit, service)
			b.Run(110*second, 55*second)
			require.Equal(t, []uint64{101}, p.told, "the chain goes on, and the pot waits")
			require.Equal(t, int64(100), b.earnings("bob").HeldBack.Int64())
			require.Equal(t, types.EpochSource, b.genesis().Quarantine[0].Source)
			again := chain.New(t, chain.WithStore("book"), chain.WithState(b.Export()))
			require.Equal(t, b.state(), (&bench{Chain: again, t: t}).state())
			require.ErrorIs(t, b.Deliver(&types.MsgRetry{Authority: b.Authority, Source: types.EpochSource, Id: 1}), errorOf(failure))

			p.fails = nil
			b.Run(110*second, 55*second) // the second epoch closes
			require.Equal(t, []uint64{101, 1, 2, 102}, p.told)
			require.Empty(t, b.genesis().Quarantine)
			require.Empty(t, b.genesis().UntoldEpochs)
			require.Equal(t, types.Epoch{Number: 1, Start: 1, End: 101, ClosedAt: 111, MaturesAt: 301}, p.first)

			p.fails = failure
			b.Run(110*second, 55*second)
			p.fails = nil
			require.NoError(t, b.Deliver(&types.MsgRetry{Authority: b.Authority, Source: types.EpochSource, Id: 3}))
			require.Empty(t, b.genesis().UntoldEpochs)
		})
	}
}

// errorOf is what an isolated call returns.
func errorOf(f func() error) error { return types.Guard(f) }

func TestAnEpochPotIsRolledBeforeTheSweepComesToIt(t *testing.T) {
	params := quick()
	params.MaxDeadlinesPerBlock = 1
	b := start(t, params)
	id := b.open("alice", 100_000)
	for _, payee := range []string{"a", "b", "c", "bob", "d"} {
		b.pay(id, payee, unit, service)
	}
	b.NextBlock(50 * second)
	b.NextBlock(50 * second) // 101: one of five is rolled
	for _, payee := range []string{"a", "b", "c", "bob", "d"} {
		pot, err := b.Escrow.EpochPot(b.Ctx(), chain.Account(payee), "usouk", 1)
		require.NoError(t, err)
		require.Equal(t, int64(100*3600), pot.Service.Int64())
	}
	b.fails(types.ErrEpochPot, func(ctx sdk.Context) error {
		_, err := b.Escrow.EpochPot(ctx, chain.Account("bob"), "usouk", 2)
		return err
	})
	b.AssertInvariants()
	b.Run(10*second, second)
	require.Len(t, b.genesis().EpochPots, 5)
	b.AssertInvariants()
}
