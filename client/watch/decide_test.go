package watch_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/client/watch"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func coins(n int64) sdk.Coins { return sdk.NewCoins(sdk.NewInt64Coin("usouk", n)) }

// healthy is a deployment of one lease with which all is well, and means for everything.
func healthy() watch.Observed {
	return watch.Observed{
		At: start, Second: 1000, OthersAsked: 2, OthersAnswered: 1,
		ChallengeFee: sdk.NewInt64Coin("usouk", 10), Purse: coins(100), Allowance: coins(1_000_000), Funds: coins(10_000_000),
		Deployments: []watch.Deployment{{
			ID: 1, Account: 1, Name: "shop", Open: true, Trusted: true, Revision: "ab", Denom: "usouk", Rate: math.NewInt(3600), Runway: 100_000,
			Resume: math.ZeroInt(), Held: map[string]bool{"web": true},
			Leases: []watch.Lease{{ID: 7, Group: "web", Provider: "p", Acked: true, Gateway: watch.Yes, Manifest: watch.Yes}},
		}},
	}
}

// seen is what is healthy, changed.
func seen(change func(*watch.Observed, *watch.Deployment, *watch.Lease)) watch.Observed {
	o := healthy()
	change(&o, &o.Deployments[0], &o.Deployments[0].Leases[0])
	return o
}

// rounds decides again and again, and returns the kinds of what is done in each.
func rounds(s watch.Settings, n int, every time.Duration, look func(round int) watch.Observed) [][]watch.Kind {
	var memory watch.Memory
	out := make([][]watch.Kind, n)
	for i := range n {
		o := look(i)
		o.At = start.Add(time.Duration(i) * every)
		var actions []watch.Action
		memory, actions = watch.Decide(s, memory, o)
		for _, a := range actions {
			out[i] = append(out[i], a.Kind)
		}
	}
	return out
}

func TestOneLookDecidesWhatIsDone(t *testing.T) {
	type change = func(*watch.Observed, *watch.Deployment, *watch.Lease)
	for _, c := range []struct {
		name   string
		change change
		want   []watch.Kind
	}{
		{"all is well", func(*watch.Observed, *watch.Deployment, *watch.Lease) {}, nil},
		{"a provider has no manifest", func(_ *watch.Observed, _ *watch.Deployment, l *watch.Lease) { l.Manifest = watch.No }, []watch.Kind{watch.Send}},
		{"nobody has it", func(_ *watch.Observed, d *watch.Deployment, l *watch.Lease) { l.Manifest, d.Held = watch.No, nil }, []watch.Kind{watch.Warn}},
		{"no copy is kept", func(_ *watch.Observed, d *watch.Deployment, _ *watch.Lease) { d.Held = nil }, []watch.Kind{watch.Fetch}},
		{"a lease that is not accepted has no manifest", func(_ *watch.Observed, _ *watch.Deployment, l *watch.Lease) { l.Manifest, l.Acked = watch.No, false }, nil},
		{"one miss is none", func(_ *watch.Observed, _ *watch.Deployment, l *watch.Lease) { l.Gateway = watch.No }, nil},
		{"the node is behind", func(o *watch.Observed, _ *watch.Deployment, l *watch.Lease) {
			o.BlockAge, l.Manifest = time.Hour, watch.No
		}, []watch.Kind{watch.Warn}},
		{"closed", func(_ *watch.Observed, d *watch.Deployment, l *watch.Lease) { d.Open, l.Manifest = false, watch.No }, []watch.Kind{watch.Warn}},
		{"the key was taken away", func(_ *watch.Observed, d *watch.Deployment, l *watch.Lease) { d.Trusted, l.Manifest = false, watch.No }, []watch.Kind{watch.Warn}},
		{"money runs low", func(_ *watch.Observed, d *watch.Deployment, _ *watch.Lease) { d.Runway = 6*3600 - 1 }, []watch.Kind{watch.TopUp}},
		{"money lasts long enough", func(_ *watch.Observed, d *watch.Deployment, _ *watch.Lease) { d.Runway = 6 * 3600 }, nil},
		{"nothing is paid for", func(_ *watch.Observed, d *watch.Deployment, _ *watch.Lease) { d.Runway, d.Rate = 0, math.ZeroInt() }, nil},
		{"the allowance is used up", func(o *watch.Observed, d *watch.Deployment, _ *watch.Lease) { d.Runway, o.Allowance = 60, nil }, []watch.Kind{watch.Warn}},
		{"the owner has nothing", func(o *watch.Observed, d *watch.Deployment, _ *watch.Lease) { d.Runway, o.Funds = 60, nil }, []watch.Kind{watch.Warn}},
		{"too little to resume", func(_ *watch.Observed, d *watch.Deployment, _ *watch.Lease) { d.Resume = math.NewInt(2_000_000) }, []watch.Kind{watch.Warn}},
		{"paused for want of money", func(_ *watch.Observed, d *watch.Deployment, _ *watch.Lease) { d.Resume = math.NewInt(500_000) }, []watch.Kind{watch.TopUp}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, actions := watch.Decide(watch.DefaultSettings(), watch.Memory{}, seen(c.change))
			var kinds []watch.Kind
			for _, a := range actions {
				kinds = append(kinds, a.Kind)
			}
			require.Equal(t, c.want, kinds)
		})
	}
}

func TestAProviderIsChallengedAfterSomeMissesInARowAndNotAgainForAWhile(t *testing.T) {
	silent := func(int) watch.Observed {
		return seen(func(_ *watch.Observed, _ *watch.Deployment, l *watch.Lease) { l.Gateway = watch.No })
	}
	challenge := []watch.Kind{watch.Challenge}
	s := watch.DefaultSettings()
	got := rounds(s, 30, time.Minute, silent)
	for i, kinds := range got {
		if i == 2 || i == 12 || i == 22 {
			require.Equal(t, challenge, kinds, "round %d", i)
		} else {
			require.Empty(t, kinds, "round %d", i)
		}
	}
	flaky := rounds(s, 20, time.Second, func(i int) watch.Observed {
		return seen(func(_ *watch.Observed, _ *watch.Deployment, l *watch.Lease) {
			if i%3 != 2 {
				l.Gateway = watch.No
			}
		})
	})
	for i, kinds := range flaky {
		require.Empty(t, kinds, "round %d: never three in a row", i)
	}
	for name, change := range map[string]func(*watch.Observed, *watch.Lease){
		"cut off itself":          func(o *watch.Observed, _ *watch.Lease) { o.OthersAnswered = 0 },
		"paused":                  func(_ *watch.Observed, l *watch.Lease) { l.Paused = true },
		"in maintenance":          func(_ *watch.Observed, l *watch.Lease) { l.Maintenance = true },
		"challenged by somebody":  func(_ *watch.Observed, l *watch.Lease) { l.AnswerBy = 1030 },
		"not accepted":            func(_ *watch.Observed, l *watch.Lease) { l.Acked = false },
		"not asked":               func(_ *watch.Observed, l *watch.Lease) { l.Gateway = watch.NotAsked },
		"the chain stands still":  func(o *watch.Observed, _ *watch.Lease) { o.BlockAge = time.Hour },
		"without the fee for one": func(o *watch.Observed, _ *watch.Lease) { o.Purse = coins(9) },
	} {
		for i, kinds := range rounds(s, 10, time.Minute, func(int) watch.Observed {
			return seen(func(o *watch.Observed, _ *watch.Deployment, l *watch.Lease) {
				l.Gateway = watch.No
				change(o, l)
			})
		}) {
			require.NotContains(t, kinds, watch.Challenge, "%s, round %d", name, i)
		}
	}
}

func TestWithoutOthersToAskTheWatcherIsMorePatient(t *testing.T) {
	got := rounds(watch.DefaultSettings(), 12, time.Second, func(int) watch.Observed {
		return seen(func(o *watch.Observed, _ *watch.Deployment, l *watch.Lease) {
			l.Gateway, o.OthersAsked, o.OthersAnswered = watch.No, 0, 0
		})
	})
	require.Equal(t, []watch.Kind{watch.Challenge}, got[11])
	require.Empty(t, slices.Concat(got[:11]...))
}

func TestTimeInWhichItDidNotLookIsNoSilence(t *testing.T) {
	s := watch.DefaultSettings()
	s.FailoverAfter = 5 * time.Minute
	silent := func(change func(*watch.Observed)) watch.Observed {
		return seen(func(o *watch.Observed, _ *watch.Deployment, l *watch.Lease) {
			l.Gateway = watch.No
			change(o)
		})
	}
	for name, change := range map[string]func(*watch.Observed){
		"asleep":                  nil,
		"cut off itself":          func(o *watch.Observed) { o.OthersAnswered = 0 },
		"beside a node that lags": func(o *watch.Observed) { o.BlockAge = time.Hour },
	} {
		t.Run(name, func(t *testing.T) {
			var memory watch.Memory
			at := start
			look := func(change func(*watch.Observed)) (kinds []watch.Kind) {
				o := silent(change)
				o.At = at
				var actions []watch.Action
				memory, actions = watch.Decide(s, memory, o)
				for _, a := range actions {
					kinds = append(kinds, a.Kind)
				}
				return kinds
			}
			for range 2 {
				require.Empty(t, look(func(*watch.Observed) {}))
				at = at.Add(time.Minute)
			}
			if change == nil {
				at = at.Add(8 * time.Hour)
			} else {
				for range 100 {
					require.NotContains(t, look(change), watch.Challenge)
					at = at.Add(time.Minute)
				}
			}
			for i, want := range []bool{false, false, true} {
				require.Equal(t, want, slices.Contains(look(func(*watch.Observed) {}), watch.Challenge), "look %d", i)
				at = at.Add(time.Minute)
			}
		})
	}
}

func TestAProviderThatAnswersOnlyTheChainIsGivenUpIfThatIsWanted(t *testing.T) {
	s := watch.DefaultSettings()
	s.FailoverAfter = 5 * time.Minute
	got := rounds(s, 8, time.Minute, func(int) watch.Observed {
		return seen(func(_ *watch.Observed, _ *watch.Deployment, l *watch.Lease) { l.Gateway = watch.No })
	})
	require.Equal(t, []watch.Kind{watch.Challenge}, got[2])
	require.Equal(t, []watch.Kind{watch.Failover}, got[5])
}

func TestADepositFillsUpToTheRunwayThatIsWantedWithinTheAllowance(t *testing.T) {
	low := func(o *watch.Observed) (watch.Memory, []watch.Action) {
		o.Deployments[0].Runway = 3600
		return watch.Decide(watch.DefaultSettings(), watch.Memory{}, *o)
	}
	o := healthy()
	memory, actions := low(&o)
	require.Equal(t, sdk.NewInt64Coin("usouk", 23*3600), actions[0].Amount, "an hour is there of the 24")
	_, again := watch.Decide(watch.DefaultSettings(), memory, o)
	require.Empty(t, again, "not at once again")

	o = healthy()
	o.Allowance = coins(1000)
	_, actions = low(&o)
	require.Equal(t, sdk.NewInt64Coin("usouk", 1000), actions[0].Amount)

	o = healthy()
	o.Deployments[0].Runway = 3600
	second := o.Deployments[0]
	second.ID = 2
	o.Deployments = append(o.Deployments, second)
	o.Allowance = coins(23*3600 + 5)
	_, actions = watch.Decide(watch.DefaultSettings(), watch.Memory{}, o)
	require.Equal(t, []sdk.Coin{sdk.NewInt64Coin("usouk", 23*3600), sdk.NewInt64Coin("usouk", 5)}, []sdk.Coin{actions[0].Amount, actions[1].Amount},
		"two deployments share it")
}

func TestAWarningIsToldOnceInAWhile(t *testing.T) {
	got := rounds(watch.DefaultSettings(), 121, time.Minute, func(int) watch.Observed {
		return seen(func(o *watch.Observed, d *watch.Deployment, _ *watch.Lease) { d.Runway, o.Allowance = 60, nil })
	})
	told := 0
	for _, kinds := range got {
		told += len(kinds)
	}
	require.Equal(t, 3, told)
}

func TestWhateverIsSeenNeverMoreIsSpentThanThereIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var memory watch.Memory
		at := start
		for range rapid.IntRange(1, 12).Draw(t, "rounds") {
			o := watch.Observed{
				At: at, OthersAsked: rapid.IntRange(0, 2).Draw(t, "asked"), ChallengeFee: sdk.NewInt64Coin("usouk", rapid.Int64Range(0, 20).Draw(t, "fee")),
				Purse: coins(rapid.Int64Range(0, 60).Draw(t, "purse")), Allowance: coins(rapid.Int64Range(0, 100_000).Draw(t, "allowance")),
				Funds: coins(rapid.Int64Range(0, 100_000).Draw(t, "funds")), BlockAge: time.Duration(rapid.IntRange(0, 60).Draw(t, "age")) * time.Second,
			}
			o.OthersAnswered = rapid.IntRange(0, o.OthersAsked).Draw(t, "answered")
			for id := range uint64(rapid.IntRange(0, 3).Draw(t, "deployments")) {
				d := watch.Deployment{
					ID: id, Open: rapid.Bool().Draw(t, "open"), Trusted: rapid.Bool().Draw(t, "trusted"), Denom: "usouk",
					Rate: math.NewInt(rapid.Int64Range(0, 5000).Draw(t, "rate")), Runway: rapid.Uint64Range(0, 100_000).Draw(t, "runway"),
					Resume: math.NewInt(rapid.Int64Range(0, 50_000).Draw(t, "resume")), Held: map[string]bool{"g": rapid.Bool().Draw(t, "held")},
				}
				for l := range uint64(rapid.IntRange(0, 3).Draw(t, "leases")) {
					answer := rapid.SampledFrom([]watch.Answer{watch.NotAsked, watch.Yes, watch.No})
					d.Leases = append(d.Leases, watch.Lease{
						ID: 10*id + l, Group: "g", Acked: rapid.Bool().Draw(t, "acked"), Gateway: answer.Draw(t, "gateway"), Manifest: answer.Draw(t, "manifest"),
						AnswerBy: rapid.Uint64Range(0, 1).Draw(t, "answer by"),
					})
				}
				o.Deployments = append(o.Deployments, d)
			}
			before := fmt.Sprint(memory, o)
			next, actions := watch.Decide(watch.DefaultSettings(), memory, o)
			again, same := watch.Decide(watch.DefaultSettings(), memory, o)
			require.Equal(t, next, again)
			require.Equal(t, actions, same)
			require.Equal(t, before, fmt.Sprint(memory, o), "what is given is not changed")
			deposited, fees := sdk.NewCoins(), sdk.NewCoins()
			for _, a := range actions {
				switch a.Kind {
				case watch.TopUp:
					require.True(t, a.Amount.IsPositive())
					deposited = deposited.Add(a.Amount)
				case watch.Challenge:
					fees = fees.Add(o.ChallengeFee)
					require.GreaterOrEqual(t, next.Leases[a.Lease].Misses, 3)
				}
			}
			require.True(t, o.Allowance.IsAllGTE(deposited) && o.Funds.IsAllGTE(deposited), "%s of %s", deposited, o.Allowance)
			require.True(t, o.Purse.IsAllGTE(fees))
			memory, at = next, at.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "seconds"))*time.Second)
		}
	})
}
