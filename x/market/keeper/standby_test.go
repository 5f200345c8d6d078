package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

const (
	standby = types.LeaseState_LEASE_STATE_STANDBY

	// share is what a standby of about the plain ask is paid: a twentieth, rounded up, in micro-denom an hour.
	share = 181
)

// wantStandbys is a bid for replicas of one plain unit with standbys.
func wantStandbys(name string, replicas, standbys uint32) types.BidSpec {
	spec := want(name, replicas, 5000)
	spec.Standbys = standbys
	return spec
}

// guarded is a deployment with one replica at the cheapest of three providers and a standby at the next, both acknowledged.
func (b *bench) guarded(micro int64, spec types.BidSpec) (deployment uint64, primary, spare types.Lease) {
	b.t.Helper()
	b.sells("a", 10, hourly)
	b.sells("b", 10, hourly+1)
	b.sells("c", 10, hourly+2)
	id := b.deploys("alice", "web", micro, spec)
	b.tick(second)
	require.Len(b.t, b.leases(id), 1, "replicas come first")
	require.Equal(b.t, []string{""}, b.acks("a", b.leases(id)[0].Id))
	b.tick(second)
	require.Len(b.t, b.leases(id), 2)
	require.Equal(b.t, []string{""}, b.acks("b", b.leases(id)[1].Id))
	b.check()
	leases := b.leases(id)
	require.Equal(b.t, active, leases[0].State)
	require.Equal(b.t, standby, leases[1].State)
	return id, leases[0], leases[1]
}

// stream returns the stream of a lease.
func (b *bench) stream(lease types.Lease) escrowtypes.Stream {
	b.t.Helper()
	stream, err := b.Escrow.Stream(b.Ctx(), lease.Stream)
	require.NoError(b.t, err)
	return stream
}

// paidFor returns what all streams of a lease have paid up to now, in grains, and asserts that none overlaps another.
func (b *bench) paidFor(lease types.Lease) math.Int {
	b.t.Helper()
	paid := math.ZeroInt()
	for _, s := range b.streamsOf(lease.Deployment) {
		if s.Ref == lease.Id {
			end := s.ClosedAt
			if end == 0 {
				end = b.Now()
			}
			paid = paid.Add(math.NewIntFromUint64(s.Rate).Mul(math.NewIntFromUint64(end - s.OpenedAt)))
		}
	}
	return paid
}

// streamsOf returns the streams of an account, open and closed.
func (b *bench) streamsOf(account uint64) (streams []escrowtypes.Stream) {
	b.t.Helper()
	g, err := b.Escrow.ExportGenesis(b.Ctx())
	require.NoError(b.t, err)
	for _, s := range append(g.OpenStreams, g.ClosedStreams...) {
		if s.Account == account {
			streams = append(streams, s)
		}
	}
	return streams
}

func TestAStandbyIsPlacedAtAnotherProviderAndPaidAShareOfItsRate(t *testing.T) {
	b := tuned(t, longEpochs)
	id, primary, spare := b.guarded(100_000, wantStandbys("web", 1, 1))
	require.Equal(t, b.name("a"), primary.Provider)
	require.Equal(t, b.name("b"), spare.Provider)
	require.True(t, spare.Standby)
	require.Equal(t, hourly+1, spare.Rate)
	require.Equal(t, uint32(1), spare.Replicas)
	stream := b.stream(spare)
	require.Equal(t, uint64(share), stream.Rate, "a twentieth of 3601, rounded up")
	require.Equal(t, escrowtypes.StreamKind_STREAM_KIND_HOLD, stream.Kind)
	bid := b.bids(id)[0]
	require.Equal(t, types.BidState_BID_STATE_FILLED, bid.State)
	require.Equal(t, uint32(1), bid.Placed)
	require.Equal(t, uint32(1), bid.StandingBy)
	require.Equal(t, units(1), b.offer(spare.Offer).Pool.Allocated, "its capacity is kept")
	b.tick(3600 * second)
	require.Equal(t, math.NewInt(share*3600), b.paidFor(spare))
}
