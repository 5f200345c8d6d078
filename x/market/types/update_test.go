package types_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/x/market/types"
)

const (
	waits  = types.LeaseState_LEASE_STATE_PENDING
	served = types.LeaseState_LEASE_STATE_ACTIVE
)

func spec(name string, replicas uint32, cpu uint64) types.BidSpec {
	return types.BidSpec{
		Name: name, Replicas: replicas, Cap: 10_000, Unit: types.Resources{CpuMillis: 1000 * cpu, MemoryMib: 1024},
	}
}

// placed is a bid with its leases, which have the replicas given.
func placed(id uint64, s types.BidSpec, leases ...types.Lease) (types.Bid, []types.Lease) {
	bid := types.Bid{Id: id, Spec: s, State: types.BidState_BID_STATE_FILLED}
	for i := range leases {
		leases[i].Bid, leases[i].Unit = id, s.Unit
		leases[i].Ask = types.Ask{Denom: "usouk", Cpu: 1000}
		leases[i].Rate = uint64(leases[i].Replicas) * s.Unit.CpuMillis
		bid.Placed += leases[i].Replicas
	}
	return bid, leases
}

func lease(id uint64, state types.LeaseState, replicas uint32) types.Lease {
	return types.Lease{Id: id, State: state, Replicas: replicas}
}

func ids(leases []types.Lease) []uint64 {
	var out []uint64
	for _, l := range leases {
		out = append(out, l.Id)
	}
	return out
}

func TestAScaleDownEndsWhatWaitsThenTheNewestAndShrinksOne(t *testing.T) {
	bid, leases := placed(7, spec("web", 10, 1),
		lease(1, served, 3), lease(2, waits, 2), lease(3, served, 2), lease(4, waits, 1), lease(5, served, 2))
	for _, test := range []struct {
		to     uint32
		closed []uint64
		shrunk uint64
		left   uint32
	}{
		{10, nil, 0, 0},
		{9, []uint64{4}, 0, 0},
		{8, []uint64{4}, 2, 1},
		{7, []uint64{4, 2}, 0, 0},
		{6, []uint64{4, 2}, 5, 1},
		{2, []uint64{4, 2, 5, 3}, 1, 2},
	} {
		update, err := types.PlanUpdate([]types.Bid{bid}, leases, []types.BidSpec{spec("web", test.to, 1)}, false)
		require.NoError(t, err)
		require.Equal(t, test.closed, ids(update.Closed), "to %d", test.to)
		require.Equal(t, min(test.to, 10), update.Bids[0].Bid.Placed)
		if test.shrunk == 0 {
			require.Empty(t, update.Reshaped)
			continue
		}
		require.Len(t, update.Reshaped, 1)
		require.Equal(t, test.shrunk, update.Reshaped[0].Lease.Id)
		require.Equal(t, test.left, update.Reshaped[0].Replicas)
		require.Equal(t, uint64(test.left)*1000, update.Reshaped[0].Rate)
	}
}

func TestAResizeIsPricedAtTheLeasesAskAndBoundedByTheCap(t *testing.T) {
	bid, leases := placed(7, spec("web", 2, 1), lease(1, served, 2))
	update, err := types.PlanUpdate([]types.Bid{bid}, leases, []types.BidSpec{spec("web", 2, 10)}, false)
	require.NoError(t, err)
	require.Equal(t, uint64(20_000), update.Reshaped[0].Rate)
	_, err = types.PlanUpdate([]types.Bid{bid}, leases, []types.BidSpec{spec("web", 2, 11)}, false)
	require.ErrorIs(t, err, types.ErrResize)
	leases[0].State = waits
	_, err = types.PlanUpdate([]types.Bid{bid}, leases, []types.BidSpec{spec("web", 2, 2)}, false)
	require.ErrorIs(t, err, types.ErrLeaseState)
}

func TestWhatBecomesCheaperComesFirst(t *testing.T) {
	a, ofA := placed(1, spec("a", 1, 1), lease(1, served, 1))
	b, ofB := placed(2, spec("b", 1, 5), lease(2, served, 1))
	update, err := types.PlanUpdate([]types.Bid{a, b}, append(ofA, ofB...), []types.BidSpec{spec("a", 1, 5), spec("b", 1, 1)}, false)
	require.NoError(t, err)
	require.Equal(t, uint64(2), update.Reshaped[0].Lease.Id)
	require.Equal(t, uint64(1), update.Reshaped[1].Lease.Id)
}

func TestAnUpdateOfWhatIsDeclaredAlreadyDoesNothing(t *testing.T) {
	bid, leases := placed(7, spec("web", 2, 1), lease(1, served, 2))
	gone := types.Bid{Id: 8, Spec: spec("old", 1, 1), State: types.BidState_BID_STATE_CLOSED}
	update, err := types.PlanUpdate([]types.Bid{bid, gone}, leases, []types.BidSpec{spec("web", 2, 1)}, false)
	require.NoError(t, err)
	require.Equal(t, types.Update{Bids: []types.BidUpdate{{Bid: bid}}}, update)
}

func TestNoUpdateLosesOrInventsReplicas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ofBid []types.Lease
		for i := range rapid.IntRange(0, 6).Draw(t, "leases") {
			state := rapid.SampledFrom([]types.LeaseState{waits, served, types.LeaseState_LEASE_STATE_LEAVING}).Draw(t, "state")
			ofBid = append(ofBid, lease(uint64(i+1), state, rapid.Uint32Range(1, 5).Draw(t, "replicas")))
		}
		bid, leases := placed(7, spec("web", 40, 1), ofBid...)
		to := rapid.Uint32Range(1, 40).Draw(t, "to")
		update, err := types.PlanUpdate([]types.Bid{bid}, leases, []types.BidSpec{spec("web", to, 1)}, false)
		require.NoError(t, err)
		left := map[uint64]uint32{}
		for _, l := range leases {
			left[l.Id] = l.Replicas
		}
		for _, l := range update.Closed {
			delete(left, l.Id)
		}
		for _, r := range update.Reshaped {
			require.Contains(t, left, r.Lease.Id)
			require.Positive(t, r.Replicas)
			left[r.Lease.Id] = r.Replicas
		}
		var sum uint32
		for _, replicas := range left {
			sum += replicas
		}
		require.LessOrEqual(t, len(update.Reshaped), 1)
		require.Equal(t, min(bid.Placed, to), sum)
		require.Equal(t, sum, update.Bids[0].Bid.Placed)
	})
}

func TestAccessKeysAreSortedAndHaveScopes(t *testing.T) {
	key := func(address string, scopes ...types.Scope) types.AccessKey {
		return types.AccessKey{Address: address, Scopes: scopes}
	}
	scope.Set()
	codec := scope.AddressCodec()
	one, err := codec.BytesToString(make([]byte, 20))
	require.NoError(t, err)
	two, err := codec.BytesToString(make([]byte, 32))
	require.NoError(t, err)
	if one > two {
		one, two = two, one
	}
	read, manage := types.Scope_SCOPE_READ, types.Scope_SCOPE_MANAGE
	for name, test := range map[string]struct {
		keys []types.AccessKey
		want error
	}{
		"none":           {nil, nil},
		"two":            {[]types.AccessKey{key(one, read, manage), key(two, read)}, nil},
		"out of order":   {[]types.AccessKey{key(two, read), key(one, read)}, types.ErrInvalidAccess},
		"twice":          {[]types.AccessKey{key(one, read), key(one, manage)}, types.ErrInvalidAccess},
		"without scope":  {[]types.AccessKey{key(one)}, types.ErrInvalidAccess},
		"scope twice":    {[]types.AccessKey{key(one, read, read)}, types.ErrInvalidAccess},
		"scope unsorted": {[]types.AccessKey{key(one, manage, read)}, types.ErrInvalidAccess},
		"unspecified":    {[]types.AccessKey{key(one, types.Scope_SCOPE_UNSPECIFIED)}, types.ErrInvalidAccess},
		"unknown":        {[]types.AccessKey{key(one, 99)}, types.ErrInvalidAccess},
		"no address":     {[]types.AccessKey{key("nobody", read)}, types.ErrInvalidAddress},
		"too many":       {make([]types.AccessKey, types.MaxAccessKeys+1), types.ErrInvalidAccess},
	} {
		t.Run(name, func(t *testing.T) {
			err := types.ValidateAccessKeys(codec, test.keys)
			if test.want == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, test.want)
		})
	}
	deployment := types.Deployment{AccessKeys: []types.AccessKey{key(one, read)}}
	require.True(t, deployment.May(one, read, 100))
	require.False(t, deployment.May(one, manage, 100))
	require.False(t, deployment.May(two, read, 100))
	deployment.AccessKeys[0].ExpiresAt = 100
	require.True(t, deployment.May(one, read, 99))
	require.False(t, deployment.May(one, read, 100))
}

func TestALeasesDeadlineIsTheFirstOfTermAndNotice(t *testing.T) {
	for _, test := range []struct {
		state              types.LeaseState
		ends, leaves, want uint64
	}{
		{waits, 0, 0, 0},
		{served, 0, 0, 0},
		{served, 9, 0, 9},
		{types.LeaseState_LEASE_STATE_PAUSED, 9, 0, 9},
		{types.LeaseState_LEASE_STATE_LEAVING, 0, 8, 8},
		{types.LeaseState_LEASE_STATE_LEAVING, 9, 8, 8},
		{types.LeaseState_LEASE_STATE_LEAVING, 8, 9, 8},
		{types.LeaseState_LEASE_STATE_LEAVING, 8, 8, 8},
		{types.LeaseState_LEASE_STATE_CLOSED, 9, 8, 0},
	} {
		require.Equal(t, test.want, types.Lease{State: test.state, EndsAt: test.ends, LeavesAt: test.leaves}.Deadline())
	}
}
