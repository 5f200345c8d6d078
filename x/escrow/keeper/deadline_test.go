package keeper_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/escrow/keeper"
	"github.com/souk-network/souk/x/escrow/types"
)

// scripted is a source whose items are given; it notes when it was called, and at which second.
type scripted struct {
	name    string
	seconds []uint64
	seen    *[]call
	now     func(context.Context) (uint64, error)

	failNext, failProcess, failQuarantine func() error
}

type call struct {
	source string
	second uint64
}

func (s *scripted) Name() string { return s.name }

func (s *scripted) NextDeadline(context.Context) (uint64, bool, error) {
	if s.failNext != nil {
		return 0, false, s.failNext()
	}
	if len(s.seconds) == 0 {
		return 0, false, nil
	}
	return s.seconds[0], true, nil
}

func (s *scripted) ProcessNext(ctx context.Context) (uint64, error) {
	if s.failProcess != nil {
		return s.seconds[0], s.failProcess()
	}
	return s.take(ctx)
}

func (s *scripted) Quarantine(ctx context.Context) (uint64, error) {
	if s.failQuarantine != nil {
		return s.seconds[0], s.failQuarantine()
	}
	id := s.seconds[0]
	s.seconds = s.seconds[1:]
	return id, nil
}

func (s *scripted) Retry(context.Context, uint64) error { return nil }

func (s *scripted) take(ctx context.Context) (uint64, error) {
	second, err := s.now(ctx)
	*s.seen = append(*s.seen, call{s.name, second})
	id := s.seconds[0]
	s.seconds = s.seconds[1:]
	return id, err
}

func script(b *bench, seen *[]call, name string, seconds ...uint64) *scripted {
	s := &scripted{name: name, seconds: seconds, seen: seen, now: b.Escrow.Now}
	b.Escrow.RegisterDeadlines(s)
	return s
}

func TestDeadlinesOfAllSourcesAreProcessedInTheOrderOfTimeAndThenOfRegistration(t *testing.T) {
	b := start(t, quick())
	var seen []call
	script(b, &seen, "one", 5, 9, 9, 30)
	script(b, &seen, "two", 4, 9, 40)
	b.NextBlock(29 * second)
	require.Equal(t, []call{{"two", 4}, {"one", 5}, {"one", 9}, {"one", 9}, {"two", 9}, {"one", 30}}, seen)
	require.Equal(t, uint64(30), b.clock().Frontier)
}

func TestTheCapOfABlockDelaysButDoesNotChangeTheSecond(t *testing.T) {
	params := quick()
	params.MaxDeadlinesPerBlock = 2
	b := start(t, params)
	var seen []call
	script(b, &seen, "one", 5, 6, 7, 8, 9)
	b.NextBlock(29 * second)
	require.Len(t, seen, 2)
	require.Equal(t, uint64(7), b.clock().Frontier)
	b.NextBlock(second)
	require.Equal(t, uint64(9), b.clock().Frontier)
	b.NextBlock(second)
	require.Equal(t, []call{{"one", 5}, {"one", 6}, {"one", 7}, {"one", 8}, {"one", 9}}, seen)
	require.Equal(t, uint64(32), b.clock().Frontier)
}

func TestTimeNeverRunsBackForAnItemFiledInThePast(t *testing.T) {
	b := start(t, quick())
	b.NextBlock(20 * second)
	var seen []call
	script(b, &seen, "one", 3, 25)
	b.NextBlock(10 * second)
	require.Equal(t, []call{{"one", 21}, {"one", 25}}, seen)
}

func TestAPoisonItemGoesIntoQuarantineAndTheChainGoesOn(t *testing.T) {
	for name, failure := range map[string]func() error{
		"an error": func() error { return errors.New("poison") },
		"a panic":  func() error { panic("poison") },
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, quick())
			id := b.open("alice", 100)
			b.pay(id, "bob", 5*unit, service)
			var seen []call
			one := script(b, &seen, "one", 5)
			one.failProcess = failure
			script(b, &seen, "two", 6)
			b.NextBlock(30 * second)
			require.Equal(t, []call{{"two", 6}}, seen)
			require.Equal(t, types.AccountState_ACCOUNT_STATE_CLOSED, b.account(id).Account.State)
			require.Equal(t, b.Now(), b.clock().Frontier)
			list, err := keeper.NewQueryServer(b.Escrow).Quarantine(b.Ctx(), &types.QueryQuarantineRequest{})
			require.NoError(t, err)
			require.Len(t, list.Items, 1)
			require.Equal(t, uint64(5), list.Items[0].Second)
			require.Equal(t, "one", list.Items[0].Source)

			require.NoError(t, b.Deliver(&types.MsgRetry{Authority: b.Authority, Source: "one", Id: 5}))
			require.ErrorIs(t, b.Deliver(&types.MsgRetry{Authority: b.Authority, Source: "one", Id: 5}), types.ErrNotQuarantined)
			b.AssertInvariants()
		})
	}
}

func TestASourceThatCannotBeReadStopsTimeButNotTheChain(t *testing.T) {
	breaks := map[string]func(*scripted){
		"cannot tell what is due": func(s *scripted) { s.failNext = func() error { return errors.New("broken") } },
		"panics when asked":       func(s *scripted) { s.failNext = func() error { panic("broken") } },
		"cannot take an item out": func(s *scripted) {
			s.failProcess = func() error { return errors.New("broken") }
			s.failQuarantine = func() error { return errors.New("broken") }
		},
	}
	for name, break_ := range breaks {
		t.Run(name, func(t *testing.T) {
			b := start(t, quick())
			id := b.open("alice", 1_000)
			b.pay(id, "bob", unit, service)
			var seen []call
			s := script(b, &seen, "one", 5)
			break_(s)
			b.Run(200*second, 50*second)
			require.LessOrEqual(t, b.clock().Frontier, uint64(5))
			require.Equal(t, uint64(1), b.clock().Epoch, "no epoch closes")
			require.Equal(t, int64(200), b.spent(id))
			b.AssertInvariants()

			s.failNext, s.failProcess, s.failQuarantine = nil, nil, nil
			b.NextBlock(second)
			require.Equal(t, []call{{"one", 5}}, seen)
			require.Equal(t, b.Now(), b.clock().Frontier)
			require.Equal(t, uint64(3), b.clock().Epoch)
			b.AssertInvariants()
		})
	}
}

func TestSourcesAreWiredOnceAndNamed(t *testing.T) {
	b := start(t, quick())
	var seen []call
	script(b, &seen, "one")
	require.Panics(t, func() { script(b, &seen, "one") })
	require.Panics(t, func() { script(b, &seen, "") })
	require.Panics(t, func() { script(b, &seen, "a name of more than thirty-two bytes") })
	require.Panics(t, func() { b.Escrow.SetHooks(b.book) })
	require.ErrorIs(t, b.Deliver(&types.MsgRetry{Authority: b.Authority, Source: "nobody", Id: 1}), types.ErrUnknownSource)
	b.fails(types.ErrUnauthorized, func(ctx sdk.Context) error {
		_, err := keeper.NewMsgServer(b.Escrow).Retry(ctx, &types.MsgRetry{Authority: b.Text([]byte("somebody else's addr")), Source: "one", Id: 1})
		return err
	})
}
