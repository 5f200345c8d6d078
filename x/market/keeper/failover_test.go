package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// answerWindow is what the parameters of these tests say, in seconds.
const answerWindow = 30

func (b *bench) failover(signer string, lease uint64) *types.MsgFailover {
	return &types.MsgFailover{Signer: b.name(signer), Lease: lease}
}

// failsOver gives up a lease, and returns the standbys that took over.
func (b *bench) failsOver(signer string, lease uint64) []uint64 {
	b.t.Helper()
	response, err := chain.Send[types.MsgFailoverResponse](b.Chain, b.failover(signer, lease))
	require.NoError(b.t, err)
	return response.Promoted
}

func (b *bench) challenge(signer string, lease uint64) *types.MsgChallengeLease {
	return &types.MsgChallengeLease{Signer: b.name(signer), Lease: lease}
}

// challenges asks for a sign of life, and returns the second by which it must come.
func (b *bench) challenges(signer string, lease uint64) uint64 {
	b.t.Helper()
	b.Funded(signer, chain.Coin(10_000))
	response, err := chain.Send[types.MsgChallengeLeaseResponse](b.Chain, b.challenge(signer, lease))
	require.NoError(b.t, err)
	return response.AnswerBy
}

// loss is a way in which a bid loses a lease of the provider a. It returns the second at which it takes effect, which may
// be to come.
type loss struct {
	name    string
	pending bool // of a lease that was not acknowledged
	atOnce  bool // by the message itself, not by a deadline
	spot    bool // of a spot lease
	state   types.LeaseState
	reason  types.Reason
	penalty int64 // what the tenant gets
	wait    int64 // what the tenant pays the provider for the wait, in seconds
	do      func(b *bench, lease types.Lease) uint64
}

var losses = []loss{
	{name: "jailed", state: failed, reason: types.Reason_REASON_JAILED, do: func(b *bench, _ types.Lease) uint64 {
		b.jails("a")
		return b.Now()
	}},
	{name: "given up", atOnce: true, state: failed, reason: types.Reason_REASON_TENANT_FAILOVER, do: func(b *bench, lease types.Lease) uint64 {
		b.failsOver("alice", lease.Id)
		return b.Now()
	}},
	{name: "replaced", atOnce: true, state: closed, reason: types.Reason_REASON_TENANT, do: func(b *bench, lease types.Lease) uint64 {
		require.NoError(b.t, b.Deliver(b.closeLease("alice", lease.Id, true)))
		return b.Now()
	}},
	{name: "unreachable", state: failed, reason: types.Reason_REASON_UNREACHABLE, penalty: int64(hourly) / 2, do: func(b *bench, lease types.Lease) uint64 {
		return b.challenges("alice", lease.Id)
	}},
	{name: "resigned", state: closed, reason: types.Reason_REASON_POLICY, do: func(b *bench, lease types.Lease) uint64 {
		require.Equal(b.t, []string{""}, b.resigns("a", types.Reason_REASON_POLICY, lease.Id))
		return b.Now() + notice
	}},
	{name: "left", state: closed, reason: types.Reason_REASON_PROVIDER_LEFT, do: func(b *bench, _ types.Lease) uint64 {
		require.NoError(b.t, b.Deliver(&providertypes.MsgDeregister{Operator: b.name("a")}))
		return b.Now() + notice
	}},
	{name: "reclaimed", spot: true, state: closed, reason: types.Reason_REASON_RECLAIMED, do: func(b *bench, lease types.Lease) uint64 {
		require.Equal(b.t, []string{""}, b.reclaims("a", lease.Id))
		return b.Now() + reclaim
	}},
	{name: "not acknowledged", pending: true, state: failed, reason: types.Reason_REASON_NOT_ACKED, penalty: int64(hourly) / 2, do: func(_ *bench, lease types.Lease) uint64 {
		return lease.AckBy
	}},
	{name: "declined", atOnce: true, pending: true, state: failed, reason: types.Reason_REASON_DECLINED, penalty: int64(hourly) / 2, do: func(b *bench, lease types.Lease) uint64 {
		require.Equal(b.t, []string{""}, b.declines("a", lease.Id))
		return b.Now()
	}},
	{name: "left while it waited", pending: true, state: failed, reason: types.Reason_REASON_DECLINED, penalty: int64(hourly) / 2, do: func(b *bench, _ types.Lease) uint64 {
		require.NoError(b.t, b.Deliver(&providertypes.MsgDeregister{Operator: b.name("a")}))
		return b.Now()
	}},
	{name: "jailed while it waited", pending: true, state: failed, reason: types.Reason_REASON_JAILED, do: func(b *bench, _ types.Lease) uint64 {
		b.jails("a")
		return b.Now()
	}},
	{name: "given up while it waited", atOnce: true, pending: true, state: closed, reason: types.Reason_REASON_TENANT, wait: window, do: func(b *bench, lease types.Lease) uint64 {
		b.failsOver("alice", lease.Id)
		return b.Now()
	}},
	{name: "replaced while it waited", atOnce: true, pending: true, state: closed, reason: types.Reason_REASON_TENANT, wait: window, do: func(b *bench, lease types.Lease) uint64 {
		require.NoError(b.t, b.Deliver(b.closeLease("alice", lease.Id, true)))
		return b.Now()
	}},
}

// lossBench is a market in which alice's bid has a lease at a, the cheapest of three, and a standby at b, as far as wanted.
func lossBench(t *testing.T, l loss, standbys uint32, acked bool) (b *bench, deployment uint64) {
	t.Helper()
	b = tuned(t, longEpochs)
	for i, name := range []string{"a", "b", "c"} {
		b.joins(name, 1_000_000_000)
		b.sets(name, units(10))
		post := b.postOffer(name, hourly+uint64(i))
		if l.spot {
			post.Terms.Class = types.LeaseClass_LEASE_CLASS_SPOT
		}
		require.NoError(t, b.Deliver(post))
	}
	spec := wantStandbys("web", 1, standbys)
	if l.spot {
		spec.Class = types.LeaseClass_LEASE_CLASS_SPOT
	}
	deployment = b.deploys("alice", "web", 100_000, spec)
	b.tick(second)
	if !l.pending {
		require.Equal(t, []string{""}, b.acks("a", b.leases(deployment)[0].Id))
	}
	b.tick(second)
	if standbys > 0 {
		require.Len(t, b.leases(deployment), 2)
		if acked {
			require.Equal(t, []string{""}, b.acks("b", b.leases(deployment)[1].Id))
		}
	}
	b.tick(3 * second)
	return b, deployment
}

func TestWhateverAProviderLosesAStandbyTakesOverAtThatVerySecond(t *testing.T) {
	for _, l := range losses {
		for _, with := range []string{"a standby", "a standby that waits for its provider", "no standby"} {
			for _, late := range []time.Duration{0, 7 * second} { // the block comes so long after the loss
				t.Run(fmt.Sprintf("%s with %s, %s late", l.name, with, late), func(t *testing.T) {
					standbys := uint32(1)
					if with == "no standby" {
						standbys = 0
					}
					b, id := lossBench(t, l, standbys, with == "a standby")
					at := l.do(b, b.leases(id)[0])
					if with == "a standby that waits for its provider" && at > b.Now()+5 {
						return // by then it would have missed its acknowledgement
					}
					if !l.atOnce {
						b.tick(time.Duration(at-b.Now())*second + late)
					}
					b.check()
					b.showsLoss(l, id, at, with)
				})
			}
		}
	}
}

// showsLoss asserts what a loss at a second left behind, in the block in which it was processed.
func (b *bench) showsLoss(l loss, deployment, at uint64, with string) {
	b.t.Helper()
	leases := b.leases(deployment)
	lost := leases[0]
	b.ended(lost, l.state, l.reason, at)
	bid := b.bids(deployment)[0]
	require.Equal(b.t, types.BidState_BID_STATE_OPEN, bid.State)
	require.Equal(b.t, []string{b.name("a")}, bid.Excluded)
	placed := uint32(0)
	if with == "a standby" {
		placed = 1
		b.tookOver(leases[1], lost)
		require.Equal(b.t, uint32(1), bid.MissingStandbys())
	}
	require.Equal(b.t, placed, bid.Placed)
	require.Equal(b.t, placed == 0, bid.Returned)
	b.accounted(deployment, 100_000+l.penalty, l.wait)

	next := "c" // where nothing of the bid is
	if with == "no standby" {
		next = "b"
	}
	b.tick(second)
	b.tick(second)
	leases = b.leases(deployment)
	last := leases[len(leases)-1]
	require.Equal(b.t, b.name(next), last.Provider)
	require.Equal(b.t, pending, last.State)
	require.Equal(b.t, with == "a standby", last.Standby)
	require.False(b.t, b.bids(deployment)[0].Returned)
	b.accounted(deployment, 100_000+l.penalty, l.wait)
}

// tookOver asserts that a standby serves from the second at which a lease was lost, paid in full by another stream.
func (b *bench) tookOver(lease, lost types.Lease) {
	b.t.Helper()
	require.Equal(b.t, active, lease.State)
	require.False(b.t, lease.Standby)
	stream := b.stream(lease)
	require.Equal(b.t, lost.ClosedAt, stream.OpenedAt)
	require.Equal(b.t, escrowtypes.StreamKind_STREAM_KIND_SERVICE, stream.Kind)
	require.Equal(b.t, lease.Rate, stream.Rate)
	for _, s := range b.streamsOf(lease.Deployment) {
		if s.Ref == lease.Id && s.Id != stream.Id {
			require.Equal(b.t, lost.ClosedAt, s.ClosedAt, "it stood by until then")
			require.Equal(b.t, uint64(share), s.Rate)
		}
		if s.Ref == lost.Id {
			require.Equal(b.t, lost.ClosedAt, s.ClosedAt)
		}
	}
}

// accounted asserts that all that an account was given is left in it, or was paid by its streams or for a wait, to the grain.
func (b *bench) accounted(deployment uint64, given, wait int64) {
	b.t.Helper()
	paid := math.ZeroInt()
	for _, lease := range b.leases(deployment) {
		paid = paid.Add(b.paidFor(lease))
	}
	require.Equal(b.t, 3600*given-wait*int64(hourly)-paid.Int64(), b.grains(deployment))
}
