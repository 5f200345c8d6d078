package tenant

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/watch"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/manifest"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func TestAWatcherKeepsManifestsSealedAndGivesBackTheRevisionThatIsWanted(t *testing.T) {
	project := parsed(t, "  cap: 1\n")
	seal := func() (hash []byte, state watchState) {
		salts, err := project.Salts(nil)
		require.NoError(t, err)
		m, err := project.Manifest(salts)
		require.NoError(t, err)
		hash, err = manifest.Hash(m)
		require.NoError(t, err)
		envelope, err := manifest.Seal(m, "main")
		require.NoError(t, err)
		state, err = makeWatchState(t.TempDir())
		require.NoError(t, err)
		require.NoError(t, state.keep(7, "main", envelope))
		return hash, state
	}
	hash, state := seal()
	envelope, err := state.kept(7, "main", hash)
	require.NoError(t, err)
	require.NotNil(t, envelope)
	again, err := makeWatchState(state.dir)
	require.NoError(t, err)
	envelope, err = again.kept(7, "main", hash)
	require.NoError(t, err)
	require.NotNil(t, envelope, "after a restart, too")

	for _, missing := range []struct {
		deployment uint64
		group      string
	}{{8, "main"}, {7, "other"}} {
		envelope, err = state.kept(missing.deployment, missing.group, hash)
		require.NoError(t, err)
		require.Nil(t, envelope)
	}
	changed, _ := seal()
	envelope, err = state.kept(7, "main", changed)
	require.NoError(t, err)
	require.Nil(t, envelope, "another revision is wanted")

	file, _ := state.envelopeFile(7, "main")
	sealed, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(sealed), "nginx")
	require.NotContains(t, file, "main")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	sealed[len(sealed)-1] ^= 1
	require.NoError(t, os.WriteFile(file, sealed, 0o600))
	_, err = state.kept(7, "main", hash)
	require.Error(t, err, "a changed copy is not sent")
}

func TestAWatcherHasAKeyOfItsOwnThatSurvivesRestarts(t *testing.T) {
	dir := t.TempDir()
	state, err := makeWatchState(dir)
	require.NoError(t, err)
	address, err := state.key()
	require.NoError(t, err)
	state, err = makeWatchState(dir)
	require.NoError(t, err)
	again, err := state.key()
	require.NoError(t, err)
	require.Equal(t, address, again)
	ring, err := state.keyring()
	require.NoError(t, err)
	signer, err := token.KeyringSigner(ring, watchKey)
	require.NoError(t, err)
	a := &authority{chainID: "c", owner: address, logins: logins{dir}, account: func() (token.Signer, error) { return signer, nil }}
	for _, issue := range []func() (string, error){
		func() (string, error) {
			return a.token(markettypes.Lease{Id: 7, Provider: address}, token.ScopeManifest)
		},
		func() (string, error) { return a.custody(address, 3, token.ScopeManifest) },
	} {
		secret, err := issue()
		require.NoError(t, err)
		require.NotEmpty(t, secret)
	}
}

func TestTwoWatchersDoNotShareAFolder(t *testing.T) {
	state, err := makeWatchState(t.TempDir())
	require.NoError(t, err)
	require.False(t, state.running())
	first, err := state.lock()
	require.NoError(t, err)
	_, err = state.lock()
	require.ErrorContains(t, err, "another watcher runs")
	require.True(t, state.running())
	require.NoError(t, first.Close())
	require.False(t, state.running())
}

func TestWhatAWatcherRemembersSurvivesARestart(t *testing.T) {
	state, err := makeWatchState(t.TempDir())
	require.NoError(t, err)
	empty, err := state.memory()
	require.NoError(t, err)
	require.Equal(t, watch.Memory{}, empty)
	at := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	m := watch.Memory{Leases: map[uint64]watch.LeaseMemory{7: {Misses: 2, Since: at}}, Done: map[string]time.Time{"challenge/7": at}}
	require.NoError(t, state.remember(m))
	got, err := state.memory()
	require.NoError(t, err)
	require.Equal(t, m, got)
}

// watchedMarket is a chain with deployments of one group that nobody serves, one of which it does not tell.
type watchedMarket struct {
	markettypes.QueryClient
	hash   []byte
	silent uint64
}

func (m watchedMarket) Deployment(_ context.Context, r *markettypes.QueryDeploymentRequest, _ ...grpc.CallOption) (*markettypes.QueryDeploymentResponse, error) {
	if r.Id == m.silent {
		return nil, errors.New("a page of it is lost")
	}
	return &markettypes.QueryDeploymentResponse{
		Deployment: markettypes.Deployment{Id: r.Id, Account: r.Id, State: markettypes.DeploymentState_DEPLOYMENT_STATE_OPEN, ManifestHash: m.hash},
		Bids:       []markettypes.Bid{{Id: 10 + r.Id, Spec: markettypes.BidSpec{Name: "main"}}},
	}, nil
}

func (watchedMarket) Leases(context.Context, *markettypes.QueryLeasesRequest, ...grpc.CallOption) (*markettypes.QueryLeasesResponse, error) {
	return &markettypes.QueryLeasesResponse{}, nil
}

type fullAccounts struct{ escrowtypes.QueryClient }

func (fullAccounts) Runway(context.Context, *escrowtypes.QueryRunwayRequest, ...grpc.CallOption) (*escrowtypes.QueryRunwayResponse, error) {
	return &escrowtypes.QueryRunwayResponse{FullRate: math.ZeroInt(), Rate: math.ZeroInt(), ResumeDeposit: math.ZeroInt(), Seconds: 100}, nil
}

func TestOneDeploymentThatCannotBeLookedAtDoesNotStopTheOthers(t *testing.T) {
	state, err := makeWatchState(t.TempDir())
	require.NoError(t, err)
	file, _ := state.envelopeFile(1, "main")
	require.NoError(t, os.WriteFile(file, []byte("not sealed by this key"), 0o600))
	w := &watcher{
		tenant: &tenant{Client: &client.Client{Market: watchedMarket{hash: []byte{1}, silent: 2}, Escrow: fullAccounts{}}},
		state:  state, hashes: map[uint64][]byte{}, gateways: map[uint64]cachedGateway{}, delivered: map[uint64]string{},
		order: watchOrder{Deployments: []watchedName{{1, 1, "torn"}, {2, 2, "lost"}, {3, 3, "well"}}},
	}
	var o watch.Observed
	w.lookAtAll(t.Context(), &o, watchedEpochs{now: 7})
	require.Len(t, o.Deployments, 2)
	require.False(t, o.Deployments[0].Held["main"], "another copy is asked for")
	require.Equal(t, "well", o.Deployments[1].Name)
	problems := problemsOf(o)
	require.Len(t, problems, 2)
	require.Equal(t, []string{"lost", "torn"}, []string{problems[0].Deployment, problems[1].Deployment})
	require.ErrorIs(t, partly(o), errPartly)
	require.ErrorContains(t, partly(o), "a page of it is lost")
	require.NoError(t, partly(watch.Observed{Deployments: o.Deployments[1:]}))

	r := &watchRounds{watcher: w}
	require.NoError(t, r.report(o, partly(o)))
	var status watchStatus
	_, err = readJSON(filepath.Join(state.dir, "status.json"), &status.Report)
	require.NoError(t, err)
	require.Empty(t, status.Report.Error, "the look as a whole went well")
	text := status.text(false, time.Now())
	require.Contains(t, text, "problem   torn: the copy of the manifest of group main can not be used")
	require.Contains(t, text, "problem   lost: it can not be looked at")
	require.Equal(t, session.ExitFailed, session.ExitCode(status.verdict()))
	require.NoError(t, watchStatus{}.verdict())

	_, actions := watch.Decide(watch.DefaultSettings(), watch.Memory{}, o)
	told := map[uint64]watch.Kind{}
	for _, a := range actions {
		if strings.Contains(a.Why, "can not be") {
			told[a.Deployment] = a.Kind
		}
	}
	require.Equal(t, watch.Warn, told[2])
}

func TestARestartedWatcherKnowsWhatItPaidToday(t *testing.T) {
	state, err := makeWatchState(t.TempDir())
	require.NoError(t, err)
	open := func() *watchFees {
		f, err := state.fees()
		require.NoError(t, err)
		return f
	}
	fee := func(n int64) sdk.Coins { return sdk.NewCoins(sdk.NewInt64Coin("usouk", n)) }
	since, spent := open().Spent()
	require.True(t, since.IsZero() && spent.Empty())

	began := time.Now().Add(-time.Hour)
	f := open()
	for hash, n := range map[string]int64{"A": 10, "B": 20, "C": 40} {
		require.NoError(t, f.Reserve(began, hash, fee(n)))
	}
	require.NoError(t, f.Release("B"))
	since, spent = open().Spent()
	require.True(t, since.Equal(began))
	require.Equal(t, "50usouk", spent.String())
	require.NoError(t, open().Reserve(began, "C", fee(40)), "twice counts once")
	require.NoError(t, open().Release("B"), "nothing is no error")

	require.NoError(t, open().Reserve(time.Now(), "D", fee(5)))
	_, spent = open().Spent()
	require.Equal(t, "5usouk", spent.String(), "another day")
	require.NoError(t, open().Reserve(time.Now().Add(time.Hour), "E", fee(5)))
	since, _ = open().Spent()
	require.False(t, since.After(time.Now()), "the clock went back")
	require.NoError(t, os.WriteFile(f.file, []byte("{"), 0o600))
	_, err = state.fees()
	require.Error(t, err, "what cannot be read renews nothing")
}

func TestAWatcherShowsWhatItSaw(t *testing.T) {
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	d := watch.Deployment{
		Name: "shop", Open: true, Runway: 7200, Held: map[string]bool{"web": true},
		Leases: []watch.Lease{
			{ID: 7, Group: "web", Provider: "souk1p", Acked: true, Paying: true, Gateway: watch.No, Why: "no route", AnswerBy: 50},
			{ID: 8, Group: "web", Provider: "souk1q", Acked: true, Standby: true, Gateway: watch.Yes, Manifest: watch.Yes},
			{ID: 9, Group: "db", Provider: "souk1r"},
		},
	}
	views := watchedViews(d, watch.Memory{Leases: map[uint64]watch.LeaseMemory{7: {Misses: 4}}, Counts: map[uint64]watch.Count{7: {From: 10, Until: 150, Down: []watch.Span{{From: 90, Until: 120}}}}}, watch.Epoch{Start: 100, End: 200})
	require.Equal(t, []string{"challenged", "standby", "pending"}, []string{views[0].Role, views[1].Role, views[2].Role})
	require.Equal(t, 4, views[0].Misses)
	require.Equal(t, []string{"no", "-"}, []string{views[0].Served, views[1].Served}, "a lease whose gateway is silent is not served; nothing is paid for one that stands by")
	require.EqualValues(t, []uint64{20, 0}, []uint64{views[0].Down, views[1].Down}, "in the running epoch")
	require.Equal(t, "closed", watchedViews(watch.Deployment{Name: "gone"}, watch.Memory{}, watch.Epoch{})[0].Role)
	status := watchStatus{
		watchOrder: watchOrder{Address: "souk1w", Expires: now.Add(-time.Hour)}, State: "/srv/watch", Running: true,
		Report: watchReport{
			At: now.Add(-5 * time.Second), Error: "ask the node: refused", Allowance: sdk.NewCoins(sdk.NewInt64Coin("usouk", 1_500_000)), Leases: views,
			Recent: []doneAction{{At: now, Kind: "challenge", Deployment: "shop", Lease: 7, Why: "silent", Result: "block 9"}},
		},
	}
	text := status.text(false, now)
	for _, part := range []string{
		"watcher   running", "the key has expired", "looked    5s ago", "error     ask the node: refused", "1.5 SOUK may still be", "nothing for challenges",
		"challenge  shop lease 7  silent (block 9)", "trouble   lease 7: no route",
	} {
		require.Contains(t, text, part)
	}
	require.Contains(t, watchStatus{State: "/srv/watch"}.text(false, now), "souk watch run --state /srv/watch")
}

func TestAWatcherIsToldOnlyWhatItCanDo(t *testing.T) {
	good := watchOptions{Settings: watch.DefaultSettings(), every: 5 * time.Second}
	require.NoError(t, good.check())
	for name, change := range map[string]func(*watchOptions){
		"too often":      func(o *watchOptions) { o.every = time.Millisecond },
		"no misses":      func(o *watchOptions) { o.Misses = 0 },
		"always":         func(o *watchOptions) { o.ChallengeEvery = 0 },
		"in the past":    func(o *watchOptions) { o.FailoverAfter = -1 },
		"empty at once":  func(o *watchOptions) { o.Refill = time.Hour },
		"a negative end": func(o *watchOptions) { o.Runway = -time.Hour },
	} {
		o := good
		change(&o)
		require.Error(t, o.check(), name)
	}
	for _, url := range watchedMessages() {
		require.True(t, strings.HasPrefix(url, "/souk."), url)
	}
}
