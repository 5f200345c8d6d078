package keeper_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

func (b *bench) alive(provider string, leases ...uint64) *types.MsgAnswerAlive {
	return &types.MsgAnswerAlive{Signer: b.name(provider + "-agent"), Provider: b.name(provider), Leases: leases}
}

// answersAlive gives a sign of life, and returns the errors by place.
func (b *bench) answersAlive(provider string, leases ...uint64) []string {
	b.t.Helper()
	response, err := chain.Send[types.MsgAnswerAliveResponse](b.Chain, b.alive(provider, leases...))
	require.NoError(b.t, err)
	return texts(response.Results)
}

func sortKeys(keys []types.AccessKey) {
	slices.SortFunc(keys, func(a, b types.AccessKey) int { return strings.Compare(a.Address, b.Address) })
}

func TestAChallengeIsAnsweredUntilTheLastSecondAndNotOneSecondLater(t *testing.T) {
	for _, late := range []bool{false, true} {
		b := tuned(t, longEpochs)
		id, primary, spare := b.guarded(100_000, wantStandbys("web", 1, 1))
		bond := b.bond("a")
		by := b.challenges("alice", primary.Id)
		require.Equal(t, b.Now()+answerWindow, by)
		require.Equal(t, by, b.leases(id)[0].AnswerBy)
		require.Zero(t, b.Balance(chain.Account("alice")), "the fee is paid")
		require.Equal(t, int64(1+10_000), b.Balance(chain.Account("a")), "to the provider")
		b.refuses(types.ErrChallenged, b.challenge("alice", primary.Id))

		if late {
			b.EndBlock()
			b.Advance(answerWindow * second) // messages of this block come after its deadlines
			b.BeginBlock()
			require.Contains(t, b.answersAlive("a", primary.Id)[0], types.ErrLeaseState.Error(), "it is not challenged any more")
			lost, heir := b.leases(id)[0], b.leases(id)[1]
			b.ended(lost, failed, types.Reason_REASON_UNREACHABLE, by)
			require.Zero(t, lost.AnswerBy)
			b.tookOver(heir, lost)
			require.Equal(t, spare.Id, heir.Id)
			require.Equal(t, bond-int64(hourly), b.bond("a"))
			require.Equal(t, uint64(1), b.record("a").Failed)
			continue
		}
		b.tick((answerWindow - 1) * second)
		require.Equal(t, []string{""}, b.answersAlive("a", primary.Id))
		b.tick(60 * second)
		require.Equal(t, active, b.leases(id)[0].State)
		require.Zero(t, b.leases(id)[0].AnswerBy)
		require.Equal(t, standby, b.leases(id)[1].State)
		require.Equal(t, bond, b.bond("a"))
		require.Contains(t, b.answersAlive("a", primary.Id)[0], types.ErrLeaseState.Error(), "there is nothing to answer")
		b.challenges("alice", primary.Id) // again, for another fee
		b.check()
	}
}

func TestAnAnswerThatComesWhileAnUnansweredChallengeWaitsToBeProcessedIsLate(t *testing.T) {
	b := tuned(t, longEpochs, oneAtATime)
	id, primary, _ := b.guarded(100_000, wantStandbys("web", 1, 1))
	for _, name := range []string{"one", "two", "three"} { // these bids expire first
		spec := want(name, 1, 1)
		spec.LifetimeSeconds = answerWindow - 1
		b.deploys("bob", name, 1000, spec)
	}
	by := b.challenges("alice", primary.Id)
	b.tick((answerWindow + 1) * second)
	require.Equal(t, active, b.leases(id)[0].State, "not processed yet")
	require.Contains(t, b.answersAlive("a", primary.Id)[0], types.ErrAnswerLate.Error())
	b.tick(second)
	b.tick(second)
	b.tick(second)
	b.ended(b.leases(id)[0], failed, types.Reason_REASON_UNREACHABLE, by)
	b.tookOver(b.leases(id)[1], b.leases(id)[0])
}

func TestOnlyThoseWhomALeaseConcernsMayChallengeIt(t *testing.T) {
	b := tuned(t, longEpochs)
	b.sells("a", 10, hourly)
	b.sells("b", 10, hourly+1)
	b.sells("keeps", 1, 9999)
	b.sells("stranger", 1, 9999)
	create := b.create("alice", "web", 100_000, wantStandbys("web", 1, 1))
	for _, key := range []struct {
		name  string
		scope types.Scope
	}{{"manager", types.Scope_SCOPE_MANAGE}, {"watcher", types.Scope_SCOPE_WATCH}, {"reader", types.Scope_SCOPE_READ}} {
		create.AccessKeys = append(create.AccessKeys, types.AccessKey{Address: b.name(key.name), Scopes: []types.Scope{key.scope}})
	}
	sortKeys(create.AccessKeys)
	create.Custodians = []string{b.name("keeps")}
	b.Funded("alice", chain.Coin(100_000))
	require.NoError(t, b.Deliver(create))
	b.tick(second)
	b.acks("a", 1)
	b.tick(second)
	b.acks("b", 2)
	for _, who := range []string{"manager", "watcher", "keeps", "keeps-agent", "b", "b-agent", "alice"} {
		b.challenges(who, 1)
		require.Equal(t, []string{""}, b.answersAlive("a", 1), who)
	}
	b.challenges("a-agent", 2) // who serves may challenge who stands by
	require.Equal(t, []string{""}, b.answersAlive("b", 2))
	for _, who := range []string{"reader", "stranger", "stranger-agent", "bob", "a", "a-agent"} {
		b.Funded(who, chain.Coin(10_000))
		b.refuses(types.ErrUnauthorized, b.challenge(who, 1))
	}
	b.refuses(types.ErrUnauthorized, b.challenge("reader", 1))
	b.refuses(types.ErrUnauthorized, b.failover("b", 1), b.failover("keeps", 1))
	b.refuses(types.ErrUnauthorized, b.failover("reader", 1))
	require.NoError(t, b.Deliver(b.failover("watcher", 1)))
	b.check()
}

func TestACustodianThatDoesNotServeHasNoSay(t *testing.T) {
	for name, leave := range map[string]func(b *bench){
		"jailed": func(b *bench) { b.jails("keeps") },
		"leaving": func(b *bench) {
			require.NoError(b.t, b.Deliver(&providertypes.MsgDeregister{Operator: b.name("keeps")}))
		},
		"gone": func(b *bench) {
			params, err := b.Provider.GetParams(b.Ctx())
			require.NoError(b.t, err)
			params.UnbondingSeconds = 100
			require.NoError(b.t, b.Deliver(
				&providertypes.MsgUpdateParams{Authority: b.Authority, Params: params},
				&providertypes.MsgDeregister{Operator: b.name("keeps")},
				&providertypes.MsgUnbond{Operator: b.name("keeps"), Amount: chain.Coin(1_000_000_000)},
			))
			b.tick(200 * second)
			provider, err := b.Provider.GetProvider(b.Ctx(), chain.Account("keeps"))
			require.NoError(b.t, err)
			require.Equal(b.t, providertypes.Lifecycle_LIFECYCLE_GONE, provider.Lifecycle)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := tuned(t, longEpochs)
			b.sells("a", 10, hourly)
			b.joins("keeps", 1_000_000_000)
			create := b.create("alice", "web", 10_000_000, want("web", 1, 5000))
			create.Custodians = []string{b.name("keeps")}
			b.Funded("alice", chain.Coin(10_000_000))
			require.NoError(t, b.Deliver(create))
			b.tick(second)
			b.acks("a", 1)
			b.challenges("keeps", 1)
			require.Equal(t, []string{""}, b.answersAlive("a", 1))
			leave(b)
			b.Funded("keeps", chain.Coin(10_000))
			b.refuses(types.ErrUnauthorized, b.challenge("keeps", 1))
		})
	}
}

func TestWhatNeedNotAnswerIsNotChallenged(t *testing.T) {
	b := tuned(t, longEpochs)
	b.sells("a", 10, hourly)
	id := b.deploys("alice", "web", 1000, want("web", 1, 5000))
	b.tick(second)
	lease := b.lease(id).Id
	b.refuses(types.ErrLeaseState, b.challenge("alice", lease)) // pending
	b.acks("a", lease)
	b.refuses(sdkerrors.ErrInsufficientFunds, b.challenge("alice", lease))
	b.Funded("alice", chain.Coin(20_000))
	b.refuses(types.ErrLeaseNotFound, b.challenge("alice", 99))

	notice, err := b.Provider.GetParams(b.Ctx())
	require.NoError(t, err)
	from := b.Now() + uint64(notice.MaintenanceNoticeSeconds)
	require.NoError(t, b.Deliver(&providertypes.MsgDeclareMaintenance{
		Signer: b.name("a"), Provider: b.name("a"), From: from, Until: from + 50,
	}))
	gift := b.Funded("friend", chain.Coin(100_000))
	require.NoError(t, b.Try(func(ctx sdk.Context) error {
		_, err := b.Escrow.Deposit(ctx, id, gift, chain.Coin(100_000), nil)
		return err
	}))
	b.Run(time.Duration(from-b.Now()-answerWindow)*second, 1000*second)
	b.challenges("alice", lease) // answered before it begins
	require.Equal(t, []string{""}, b.answersAlive("a", lease))
	b.tick(second)
	b.refuses(types.ErrMaintenance, b.challenge("alice", lease))
	b.tick((answerWindow + 48) * second)
	b.refuses(types.ErrMaintenance, b.challenge("alice", lease))
	b.tick(second)
	b.challenges("alice", lease)
	require.Equal(t, []string{""}, b.answersAlive("a", lease))
}

func TestAPausedLeaseIsNotChallenged(t *testing.T) {
	b := tuned(t, longEpochs)
	b.sells("p", 10, hourly)
	id, lease := b.serves("alice", 200, want("web", 1, 5000))
	b.tick(150 * second)
	require.Equal(t, paused, b.lease(id).State)
	b.Funded("alice", chain.Coin(10_000))
	b.refuses(types.ErrLeaseState, b.challenge("alice", lease.Id))
}

func TestAnswersAreGivenOneByOneAndOnlyByTheProviderOfTheLease(t *testing.T) {
	b := tuned(t, longEpochs)
	_, primary, spare := b.guarded(100_000, wantStandbys("web", 1, 1))
	b.challenges("alice", primary.Id)
	b.challenges("alice", spare.Id)
	errs := b.answersAlive("a", primary.Id, spare.Id, 99, primary.Id)
	require.Empty(t, errs[0])
	require.Contains(t, errs[1], types.ErrUnauthorized.Error())
	require.Contains(t, errs[2], types.ErrLeaseNotFound.Error())
	require.Contains(t, errs[3], types.ErrLeaseState.Error(), "the same again")
	foreign := b.alive("b", spare.Id)
	foreign.Signer = b.name("a-agent")
	b.refuses(providertypes.ErrUnauthorized, foreign)
	b.refuses(types.ErrInvalidBatch, b.alive("b"))
	require.Equal(t, []string{""}, b.answersAlive("b", spare.Id))
	b.check()
}

func TestAStandbyThatDoesNotAnswerIsReplaced(t *testing.T) {
	b := tuned(t, longEpochs)
	id, _, spare := b.guarded(100_000, wantStandbys("web", 1, 1))
	by := b.challenges("a-agent", spare.Id)
	bond := b.bond("b")
	b.tick(answerWindow * second)
	b.ended(b.leases(id)[1], failed, types.Reason_REASON_UNREACHABLE, by)
	require.Equal(t, bond-int64(hourly+1), b.bond("b"), "an hour of its whole rate")
	require.Equal(t, active, b.leases(id)[0].State)
	b.tick(second)
	next := b.leases(id)[2]
	require.Equal(t, b.name("c"), next.Provider)
	require.True(t, next.Standby)
}
