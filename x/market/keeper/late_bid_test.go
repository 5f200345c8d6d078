package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// promptAndLate runs a test once with blocks that process all that is due, and once with one deadline a block.
func promptAndLate(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	for _, deadlines := range []uint32{1000, 1} {
		t.Run(fmt.Sprintf("%d deadlines a block", deadlines), func(t *testing.T) {
			test(t, tuned(t, longEpochs, func(escrow *escrowtypes.Params, _ *types.Params) { escrow.MaxDeadlinesPerBlock = deadlines }))
		})
	}
}

// catchesUp lets blocks process whatever is due, and nothing more happen.
func (b *bench) catchesUp() {
	b.t.Helper()
	for range 20 {
		b.tick(0)
	}
}

// again declares a deployment as it is, with another manifest.
func (b *bench) again(signer string, deployment uint64, specs ...types.BidSpec) {
	b.t.Helper()
	hash := make([]byte, 32)
	require.NoError(b.t, b.Deliver(&types.MsgUpdateDeployment{
		Signer: b.name(signer), Deployment: deployment, ManifestHash: hash, Bids: specs,
	}))
	b.check()
}

func TestABidExpiresBeforeItLosesWhatEndsLaterHoweverLateBlocksAre(t *testing.T) {
	promptAndLate(t, func(t *testing.T, b *bench) {
		b.sells("a", 1, hourly)
		spec := want("web", 2, 5000)
		spec.MinReplicas, spec.LifetimeSeconds = 1, 50
		id := b.deploys("alice", "web", 100_000, spec)
		b.tick(second)
		require.Equal(t, []string{""}, b.acks("a", 1))
		expires := b.bids(id)[0].ExpiresAt
		b.tick(time.Duration(expires+2-answerWindow-b.Now()) * second)
		by := b.challenges("alice", 1)
		require.Equal(t, expires+2, by)
		b.delays(expires, "one", "two", "three")
		b.tick(time.Duration(by+4-b.Now()) * second)
		b.again("alice", id, spec)
		b.ended(b.leases(id)[0], failed, types.Reason_REASON_UNREACHABLE, by)
		b.catchesUp()
		bid := b.bids(id)[0]
		require.Equal(t, types.BidState_BID_STATE_OPEN, bid.State, "what was placed is wanted again")
		require.Equal(t, by+50, bid.ExpiresAt)
		require.Equal(t, uint32(1), bid.Released, "what had expired is not")
		require.Equal(t, uint32(1), bid.Missing())
	})
}

func TestWhatABidLosesBeforeItExpiresIsSettledBeforeIt(t *testing.T) {
	promptAndLate(t, func(t *testing.T, b *bench) {
		b.sells("a", 1, hourly)
		b.sells("b", 1, hourly+1)
		spec := want("web", 2, 5000)
		spec.MinReplicas, spec.LifetimeSeconds = 1, 50
		id := b.deploys("alice", "web", 100_000, spec)
		b.tick(second)
		require.Equal(t, []string{""}, b.acks("a", 1))
		late := b.leases(id)[1].AckBy
		b.delays(late, "one", "two", "three")
		b.tick(time.Duration(late+60-b.Now()) * second)
		require.Empty(t, b.failsOver("alice", 1))
		b.check()
		b.ended(b.leases(id)[1], failed, types.Reason_REASON_NOT_ACKED, late)
		b.catchesUp()
		bid := b.bids(id)[0]
		require.Equal(t, uint32(1), bid.Released, "what was lost first had expired")
		require.Equal(t, uint32(1), bid.Missing())
		require.Equal(t, b.Now()+50, bid.ExpiresAt)
	})
}

func TestAStandbyThatIsAcknowledgedAfterALossServesFromThenOnHoweverLateBlocksAre(t *testing.T) {
	promptAndLate(t, func(t *testing.T, b *bench) {
		b.sells("a", 1, hourly)
		b.sells("b", 1, hourly+1)
		spec := wantStandbys("web", 1, 1)
		spec.LeaseSeconds = 300
		id := b.deploys("alice", "web", 100_000, spec)
		b.tick(second)
		require.Equal(t, []string{""}, b.acks("a", 1))
		b.delays(b.Now()+2, "one", "two", "three", "four")
		b.tick(2 * second)
		require.Equal(t, pending, b.leases(id)[1].State)
		b.jails("a")
		at := b.Now()
		b.tick(2 * second)
		require.Equal(t, []string{""}, b.acks("b", 2))
		b.catchesUp()
		b.ended(b.leases(id)[0], failed, types.Reason_REASON_JAILED, at)
		heir := b.leases(id)[1]
		require.Equal(t, active, heir.State)
		require.False(t, heir.Standby)
		require.Equal(t, heir.AckedAt+300, heir.EndsAt, "its term begins")
		require.Equal(t, heir.AckedAt, b.stream(heir).OpenedAt, "nothing is paid of what nobody served")
		b.tick(10 * second)
		require.Equal(t, heir.Rate*(b.Now()-heir.AckedAt), b.paidFor(heir).Uint64())
	})
}

// unserved is a deployment whose replica was lost, and whose standby, with notice, was passed over: their bid is in the book.
func (b *bench) unserved(micro int64, specs ...types.BidSpec) uint64 {
	b.t.Helper()
	b.sells("a", 10, hourly)
	b.sells("b", 10, hourly+1)
	b.sells("p", 10, hourly+2)
	id := b.deploys("alice", "web", micro, specs...)
	b.tick(second)
	for _, lease := range b.leases(id) {
		b.acks("a", lease.Id)
		b.acks("p", lease.Id)
	}
	b.tick(second)
	standbys := b.leases(id)[len(specs):]
	require.Len(b.t, standbys, 1)
	require.Equal(b.t, []string{""}, b.acks("b", standbys[0].Id))
	b.tick(second)
	b.jails("a")
	require.NoError(b.t, b.Deliver(&providertypes.MsgDeregister{Operator: b.name("b")}))
	b.tick(second)
	require.Equal(b.t, leaving, b.leases(id)[len(specs)].State)
	require.True(b.t, b.leases(id)[len(specs)].Standby)
	require.True(b.t, b.bids(id)[0].Returned)
	return id
}

func TestWhenABidExpiresWithoutAReplicaWhatIsPausedBesideItsStandbysResumes(t *testing.T) {
	b := tuned(t, longEpochs, func(_ *escrowtypes.Params, params *types.Params) {
		params.StandbyBps, params.NoticeSeconds = 10_000, 100_000
	})
	web, db := wantStandbys("web", 1, 1), want("db", 1, 5000)
	web.Deny, db.Allow = []string{b.name("p")}, []string{b.name("p")}
	web.LifetimeSeconds = 200
	id := b.unserved(330, web, db)
	expires := b.bids(id)[0].ExpiresAt
	b.tick(time.Duration(expires-90-b.Now()) * second)
	require.Equal(t, paused, b.leases(id)[1].State)
	friend := b.Funded("friend", chain.Coin(115)) // which would resume the one, but not both
	_, err := b.Escrow.Deposit(b.Ctx(), id, friend, chain.Coin(115), nil)
	require.NoError(t, err)
	require.Equal(t, paused, b.leases(id)[1].State)
	b.tick(time.Duration(expires-b.Now()) * second)
	b.ended(b.leases(id)[2], closed, types.Reason_REASON_NOT_NEEDED, expires)
	require.Equal(t, active, b.leases(id)[1].State)
}
