package agent

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/reconcile"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/manifest/manifestpb"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func TestWhoIsAskedForAGroup(t *testing.T) {
	lease := func(bid uint64, provider string, state markettypes.LeaseState) markettypes.Lease {
		return markettypes.Lease{Bid: bid, Provider: provider, State: state}
	}
	l := workload.Lease{Bid: 2, Custodians: []string{"custodian", "self"}}
	holders := holdersOf(l, []markettypes.Lease{
		lease(2, "serving", markettypes.LeaseState_LEASE_STATE_ACTIVE),
		lease(2, "self", markettypes.LeaseState_LEASE_STATE_ACTIVE),
		lease(2, "serving", markettypes.LeaseState_LEASE_STATE_PAUSED),
		lease(2, "pending", markettypes.LeaseState_LEASE_STATE_PENDING),
		lease(3, "another-group", markettypes.LeaseState_LEASE_STATE_ACTIVE),
		lease(2, "failed", markettypes.LeaseState_LEASE_STATE_FAILED),
		lease(2, "custodian", markettypes.LeaseState_LEASE_STATE_LEAVING),
	}, "self")
	require.Equal(t, []string{"custodian", "serving"}, holders)
}

func TestOthersAreAskedAgainEverMoreSlowly(t *testing.T) {
	f := newFetches()
	leases := []workload.Lease{{ID: 7, Hash: []byte{0xaa}}}
	now := time.Unix(1_700_000_000, 0)
	var pauses []time.Duration
	for range 8 {
		require.Empty(t, f.busyNow(leases, now))
		require.True(t, f.begin(7, "aa"))
		require.False(t, f.begin(7, "aa"), "one at a time")
		require.Equal(t, []uint64{7}, f.busyNow(leases, now))
		f.end(7, errors.New("nobody answers"), now)
		from := now
		for len(f.busyNow(leases, now)) > 0 {
			now = now.Add(time.Second)
		}
		pauses = append(pauses, now.Sub(from)/time.Second)
	}
	require.Equal(t, []time.Duration{1, 2, 4, 8, 16, 30, 30, 30}, pauses)
	f.begin(7, "aa")
	f.end(7, errors.New("nobody answers"), now)
	leases[0].Hash = []byte{0xbb}
	require.Empty(t, f.busyNow(leases, now), "another manifest is asked for at once")
	require.Empty(t, f.busyNow(nil, now))
	require.Empty(t, f.of, "nothing is remembered of leases that ended")
}

func TestATenantHearsOnceThatItsLeaseWaits(t *testing.T) {
	f := newFetches()
	now := time.Unix(1_700_000_000, 0)
	var said []string
	fail := func(err error) {
		f.begin(7, "aa")
		if say := f.end(7, err, now); say != "" {
			said = append(said, say)
		}
	}
	for range 10 {
		fail(errNobody)
	}
	require.Equal(t, []string{errNobody.Error()}, said)
	f.begin(7, "aa")
	require.Equal(t, "provider souk1custodian does not have it", f.end(7, &heldError{"souk1custodian", connect.NewError(connect.CodeFailedPrecondition, errors.New("at 10.0.0.1"))}, now))
	f.begin(7, "aa")
	require.Empty(t, f.end(7, nil, now))
	fail(errNobody)
	require.Len(t, said, 1, "a manifest is on its way for a moment")
}

func TestImagesArePinnedByDigestWhereTheyAreKept(t *testing.T) {
	l := workload.Lease{Owner: "souk1owner"}
	public := &manifestpb.Image{Reference: "docker.io:5000/library/nginx:1.27", Digest: "sha256:aa"}
	require.Equal(t, pin{runtime.PublicScope, "docker.io:5000/library/nginx@sha256:aa"}, pinOf(l, public))
	private := &manifestpb.Image{Reference: "r.example/app", Digest: "sha256:bb", Username: "me"}
	require.Equal(t, pin{"souk1owner", "r.example/app@sha256:bb"}, pinOf(l, private))
}

func TestWhatIsPinnedForStandbysAndWhoTakesOver(t *testing.T) {
	status := statusText("souk-test", "1", "false")
	a := newAgent(t, &status)
	image := func(name string) *manifestpb.Group {
		return &manifestpb.Group{Services: []*manifestpb.Service{{Image: &manifestpb.Image{Reference: name, Digest: "sha256:aa"}}}}
	}
	a.leases = map[uint64]workload.Lease{1: {ID: 1, Standby: true}, 2: {ID: 2, Active: true}, 3: {ID: 3, Active: true}}
	a.groups = map[uint64]group{1: {group: image("standby")}, 2: {group: image("taking-over")}, 3: {group: image("running")}, 4: {group: image("ended")}}
	require.Equal(t, map[pin]bool{
		{runtime.PublicScope, "standby@sha256:aa"}: true, {runtime.PublicScope, "taking-over@sha256:aa"}: true,
	}, a.wantedPins([]reconcile.Workload{{Lease: 3}}))
}

func TestAStandbyIsPreparedOnceForARevisionAndAgainAfterAFailure(t *testing.T) {
	status := statusText("souk-test", "1", "false")
	a := newAgent(t, &status)
	leases := []workload.Lease{{ID: 1, Standby: true}}
	now := time.Now()
	require.True(t, a.setPrepared(1, prepared{run: "aa1", running: true}))
	require.False(t, a.setPrepared(1, prepared{run: "bb1", running: true}), "one at a time")
	require.Equal(t, []reconcile.Prepared{{Lease: 1, Run: "aa1"}}, a.preparedNow(leases, now))
	a.endPrepare(1, "aa1", errors.New("no such image"))
	require.NotEmpty(t, a.problems[1].text)
	require.Len(t, a.preparedNow(leases, now), 1, "not at once")
	require.Empty(t, a.preparedNow(leases, now.Add(2*preparePause)))
	require.True(t, a.setPrepared(1, prepared{run: "aa1", running: true}))
	a.endPrepare(1, "aa1", nil)
	require.Empty(t, a.problems)
	require.Len(t, a.preparedNow(leases, now.Add(time.Hour)), 1)
	require.Empty(t, a.preparedNow(nil, now), "nothing is remembered of leases that ended")
}

func TestATenantHearsInOneLineWhatOthersDidNotGiveAndNoMore(t *testing.T) {
	all := errors.Join(&heldError{"souk1a", errors.New("dial tcp 10.0.0.1:8443: refused")}, &heldError{"souk1b", fmt.Errorf("layer: %w", runtime.ErrDigestMismatch)})
	require.Equal(t, "the manifest is not here: provider souk1a does not answer as it should; provider souk1b sent something else",
		textFor(fmt.Errorf("the manifest is not here: %w", all)))
	require.NotContains(t, textFor(errors.New("dial tcp 10.0.0.1:9090: refused")), "10.0.0.1", "the own node is nobody's business")
}
