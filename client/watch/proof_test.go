package watch_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/client/watch"
)

// Epoch 5 runs from 1000 to 1100; epoch 4 has closed.
var (
	fourth = watch.Epoch{Number: 4, Start: 900, End: 1000, PostUntil: 1040, MaturesAt: 2000}
	fifth  = watch.Epoch{Number: 5, Start: 1000, End: 1100}
)

// served is a deployment of one lease that is paid for and served, at a second.
func served(second uint64) watch.Observed {
	return seen(func(o *watch.Observed, _ *watch.Deployment, l *watch.Lease) {
		o.At, o.Second = start.Add(time.Duration(second)*time.Second), second
		o.Proof = watch.Proof{Running: fifth, Closed: []watch.Epoch{fourth}, Tick: 5, ForceBond: sdk.NewInt64Coin("usouk", 50), ForceWindow: 60}
		l.AckedAt, l.Paying, l.Served = 500, true, watch.Yes
	})
}

// play decides at seconds, every five of them, and returns what was done besides warning, with its second.
func play(s watch.Settings, from, until uint64, change func(*watch.Observed)) (watch.Memory, map[uint64][]watch.Action) {
	var memory watch.Memory
	out := map[uint64][]watch.Action{}
	for second := from; second < until; second += 5 {
		o := served(second)
		if second >= fifth.End {
			closed := fifth
			closed.PostUntil, closed.MaturesAt = fifth.End+40, 2100
			o.Proof.Closed = append(o.Proof.Closed, closed)
			o.Proof.Running = watch.Epoch{Number: 6, Start: 1100, End: 1200}
		}
		change(&o)
		var actions []watch.Action
		memory, actions = watch.Decide(s, memory, o)
		if len(actions) > 0 {
			out[second] = actions
		}
	}
	return memory, out
}

func of(kind watch.Kind, done map[uint64][]watch.Action) (seconds []uint64, all []watch.Action) {
	for second, actions := range done {
		for _, a := range actions {
			if a.Kind == kind {
				seconds = append(seconds, second)
			}
		}
	}
	slices.Sort(seconds)
	for _, second := range seconds {
		for _, a := range done[second] {
			if a.Kind == kind {
				all = append(all, a)
			}
		}
	}
	return seconds, all
}

func between(second, from, until uint64) bool { return second >= from && second < until }

func TestAProviderGetsReceiptsAFewTimesAnEpochAndAtItsEnd(t *testing.T) {
	_, done := play(watch.DefaultSettings(), 1000, 1140, func(*watch.Observed) {})
	seconds, receipts := of(watch.Receipt, done)
	require.NotEmpty(t, receipts)
	in5 := slices.DeleteFunc(slices.Clone(receipts), func(a watch.Action) bool { return a.Said[0].Epoch != 5 })
	require.GreaterOrEqual(t, len(in5), 6)
	require.LessOrEqual(t, len(in5), 10)
	for i := 1; i < len(in5); i++ {
		require.Greater(t, in5[i].Said[0].Until, in5[i-1].Said[0].Until, "each judges more than the one before")
	}
	last := in5[len(in5)-1].Said[0]
	require.Equal(t, watch.Word{Up: 100, Until: 1100}, last.Word, "the last one is of the whole epoch")
	require.Contains(t, seconds, uint64(1100))
	posts, _ := of(watch.Post, done)
	require.Empty(t, posts, "nothing was down: the chain is not told")
}

func TestDownTimeIsPutOnTheChainShortlyBeforeTheEpochEndsAndAtItsEnd(t *testing.T) {
	for name, down := range map[string]func(*watch.Observed){
		"its gateway is silent": func(o *watch.Observed) {
			o.Deployments[0].Leases[0].Gateway, o.Deployments[0].Leases[0].Served = watch.No, watch.NotAsked
		},
		"its workload is, by the provider": func(o *watch.Observed) { o.Deployments[0].Leases[0].Served = watch.No },
	} {
		t.Run(name, func(t *testing.T) {
			memory, done := play(watch.DefaultSettings(), 1000, 1140, func(o *watch.Observed) {
				if between(o.Second, 1020, 1061) {
					down(o)
				}
			})
			seconds, posts := of(watch.Post, done)
			require.Len(t, posts, 1, "it is said once: it does not change any more")
			require.True(t, between(seconds[0], 1075, 1096), "%d", seconds[0])
			said := posts[0].Said[0]
			require.EqualValues(t, []uint64{7, 5}, []uint64{said.Lease, said.Epoch})
			require.EqualValues(t, 40, said.Until-1000-said.Up)
			require.EqualValues(t, 60, said.Allows(1100))
			word, seconds40 := memory.Counts[7].Word(1000, 1100)
			require.Equal(t, watch.Word{Up: 60, Until: 1100}, word)
			require.EqualValues(t, 40, seconds40)
		})
	}
	t.Run("it goes on being down", func(t *testing.T) {
		_, done := play(watch.DefaultSettings(), 1000, 1140, func(o *watch.Observed) {
			if o.Second >= 1050 {
				o.Deployments[0].Leases[0].Served = watch.No
			}
		})
		seconds, posts := of(watch.Post, done)
		require.Len(t, posts, 3, "shortly before the end, at it, and what came after that: %v", seconds)
		require.EqualValues(t, 50, posts[2].Said[0].Allows(1100))
	})
}

func TestNothingIsSaidOfTimesInWhichTheWatcherCouldNotLook(t *testing.T) {
	for name, change := range map[string]func(*watch.Observed){
		"nobody else answers":  func(o *watch.Observed) { o.OthersAnswered = 0 },
		"the node is behind":   func(o *watch.Observed) { o.BlockAge = time.Hour },
		"it is not asked":      func(o *watch.Observed) { o.Deployments[0].Leases[0].Served = watch.NotAsked },
		"nothing is paid for":  func(o *watch.Observed) { o.Deployments[0].Leases[0].Paying = false },
		"it is not accepted":   func(o *watch.Observed) { o.Deployments[0].Leases[0].AckedAt = 0 },
		"it is told not to":    func(*watch.Observed) {},
		"its key is not valid": func(o *watch.Observed) { o.Deployments[0].Trusted = false },
		"no proof of service":  func(o *watch.Observed) { o.Proof = watch.Proof{} },
	} {
		t.Run(name, func(t *testing.T) {
			s := watch.DefaultSettings()
			s.Receipts = name != "it is told not to"
			_, done := play(s, 1000, 1140, func(o *watch.Observed) {
				l := &o.Deployments[0].Leases[0]
				l.Served = watch.No
				if name != "it is not asked" {
					l.Gateway = watch.No
				}
				change(o)
			})
			seconds, _ := of(watch.Post, done)
			require.Empty(t, seconds)
		})
	}
}

func TestARestartedWatcherDoesNotForgetWhatItSaw(t *testing.T) {
	memory, _ := play(watch.DefaultSettings(), 1000, 1060, func(o *watch.Observed) {
		if between(o.Second, 1020, 1041) {
			o.Deployments[0].Leases[0].Served = watch.No
		}
	})
	_, actions := watch.Decide(watch.DefaultSettings(), memory, served(1090))
	require.Equal(t, []watch.Kind{watch.Post, watch.Receipt}, []watch.Kind{actions[0].Kind, actions[1].Kind})
	require.EqualValues(t, 80, actions[0].Said[0].Allows(1100))
}

// told is what chain and provider say of lease 7 in epoch 4.
func told(change func(*watch.Refund)) watch.Refund {
	r := watch.Refund{
		Lease: 7, Epoch: 4, State: watch.ByLeaf, Due: math.NewInt(900_000), DueSeconds: 100, Claimable: math.ZeroInt(), Until: 2000, Leaf: &watch.Leaf{Up: 100, Opening: []byte{1}},
	}
	change(&r)
	return r
}

func TestWhatWasNotProvenIsClaimed(t *testing.T) {
	for _, c := range []struct {
		name    string
		refund  watch.Refund
		want    []watch.Kind
		settled bool
	}{
		{"all was proven", told(func(*watch.Refund) {}), nil, true},
		{"the leaf is less than the due", told(func(r *watch.Refund) { r.Claimable = math.NewInt(3) }), []watch.Kind{watch.Refunds}, false},
		{"nothing was proven", told(func(r *watch.Refund) { r.State, r.Leaf, r.Claimable = watch.Whole, nil, math.NewInt(3) }), []watch.Kind{watch.Refunds}, false},
		{"it is not decided", told(func(r *watch.Refund) { r.State, r.Leaf = watch.Waits, nil }), nil, false},
		{"it is over", told(func(r *watch.Refund) { r.State, r.Leaf = watch.Over, nil }), nil, true},
		{"all came back", told(func(r *watch.Refund) { r.State, r.Leaf = watch.Whole, nil }), nil, true},
		{"the leaf is not shown yet", told(func(r *watch.Refund) { r.Leaf, r.Why = nil, "silent" }), nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := served(1050)
			o.Deployments[0].Refunds = []watch.Refund{c.refund}
			s := watch.DefaultSettings()
			s.Receipts = false
			memory, actions := watch.Decide(s, watch.Memory{}, o)
			var kinds []watch.Kind
			for _, a := range actions {
				kinds = append(kinds, a.Kind)
				require.Equal(t, []watch.Claim{{Lease: 7, Epoch: 4, Opening: openingOf(c.refund), Grains: math.NewInt(3)}}, a.Claims)
			}
			require.Equal(t, c.want, kinds)
			require.Equal(t, c.settled, memory.Refunds[7][4].Settled)
			require.False(t, memory.AsksRefund(s, o.At.Add(time.Second), 7, fourth), "not again at once")
			require.Equal(t, !c.settled, memory.AsksRefund(s, o.At.Add(time.Minute), 7, fourth))
			require.True(t, memory.AsksRefund(s, o.At.Add(2*time.Minute), 7, fourth), "later faults may change it")
			s.Claims = false
			_, actions = watch.Decide(s, watch.Memory{}, o)
			require.Empty(t, actions)
		})
	}
}

func openingOf(r watch.Refund) []byte {
	if r.Leaf == nil {
		return nil
	}
	return r.Leaf.Opening
}

func TestManyRefundsGoIntoFewTransactions(t *testing.T) {
	o := served(1050)
	for lease := range uint64(30) {
		o.Deployments[0].Refunds = append(o.Deployments[0].Refunds, told(func(r *watch.Refund) { r.Lease, r.Claimable = 100+lease, math.NewInt(1) }))
	}
	_, actions := watch.Decide(watch.DefaultSettings(), watch.Memory{}, o)
	var claims []watch.Claim
	transactions := 0
	for _, a := range actions {
		if a.Kind == watch.Refunds {
			claims = append(claims, a.Claims...)
			transactions++
		}
	}
	require.Len(t, claims, 30)
	require.Equal(t, 3, transactions)
}

func TestALeafThatSaysMoreThanWasSeenIsAnsweredWithAReceiptWhileThatCounts(t *testing.T) {
	count := watch.Count{From: 500, Until: 1030, Was: watch.Up, Down: []watch.Span{{From: 910, Until: 940}}}
	for _, c := range []struct {
		name   string
		second uint64
		change func(*watch.Refund)
		posts  int
	}{
		{"it says more", 1035, func(*watch.Refund) {}, 1},
		{"it says as much", 1035, func(r *watch.Refund) { r.Leaf.Up = 70 }, 0},
		{"it is too late", 1040, func(*watch.Refund) {}, 0},
		{"the chain knows it", 1035, func(r *watch.Refund) { r.Posted = &watch.Word{Up: 70, Until: 1000} }, 0},
		{"the chain knows half of it", 1035, func(r *watch.Refund) { r.Posted = &watch.Word{Up: 20, Until: 935} }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := served(c.second)
			o.Deployments[0].Refunds = []watch.Refund{told(c.change)}
			said := map[uint64]map[uint64]watch.RefundMemory{7: {4: {Posted: watch.Word{Up: 70, Until: 1000}}}}
			_, actions := watch.Decide(watch.DefaultSettings(), watch.Memory{Counts: map[uint64]watch.Count{7: count}, Refunds: said}, o)
			posts := 0
			for _, a := range actions {
				if a.Kind == watch.Post {
					posts++
					require.Equal(t, watch.Said{Lease: 7, Epoch: 4, Word: watch.Word{Up: 70, Until: 1000}}, a.Said[0])
				}
			}
			require.Equal(t, c.posts, posts)
		})
	}
}

func TestAReceiptThatDidNotGetThereIsSentAgain(t *testing.T) {
	count := watch.Count{From: 500, Until: 1004, Was: watch.Up, Down: []watch.Span{{From: 910, Until: 940}}}
	memory := watch.Memory{
		Counts:  map[uint64]watch.Count{7: count},
		Refunds: map[uint64]map[uint64]watch.RefundMemory{7: {4: {Posted: watch.Word{Up: 65, Until: 995}}}},
	}
	var posted []uint64
	for second := uint64(1005); second < 1035; second += 5 {
		o := served(second)
		if memory.AsksRefund(watch.DefaultSettings(), o.At, 7, fourth) {
			o.Deployments[0].Refunds = []watch.Refund{told(func(r *watch.Refund) { r.State, r.Leaf = watch.Waits, nil })}
		}
		var actions []watch.Action
		memory, actions = watch.Decide(watch.DefaultSettings(), memory, o)
		if slices.ContainsFunc(actions, func(a watch.Action) bool { return a.Kind == watch.Post }) {
			posted = append(posted, second)
		}
	}
	require.Equal(t, []uint64{1005, 1020}, posted, "whenever the chain still does not know it")
}

func TestALeafThatIsWithheldForLongIsAskedForOnTheChainOnce(t *testing.T) {
	hidden := told(func(r *watch.Refund) { r.Leaf, r.Why = nil, "its gateway is silent" })
	run := func(change func(*watch.Settings, *watch.Observed)) (forced []uint64, warned bool) {
		memory := watch.Memory{Counts: map[uint64]watch.Count{7: {From: 500, Until: 1000, Down: []watch.Span{{From: 920, Until: 941}}}}}
		for second := uint64(1010); second < 1900; second += 15 {
			s, o := watch.DefaultSettings(), served(second)
			o.Proof.Running.End, o.Deployments[0].Refunds = 2000, []watch.Refund{hidden}
			change(&s, &o)
			var actions []watch.Action
			memory, actions = watch.Decide(s, memory, o)
			for _, a := range actions {
				switch a.Kind {
				case watch.Force:
					require.EqualValues(t, []uint64{7, 4}, []uint64{a.Lease, a.Epoch})
					forced = append(forced, second)
				case watch.Warn:
					warned = true
				}
			}
		}
		return forced, warned
	}
	forced, _ := run(func(*watch.Settings, *watch.Observed) {})
	require.Equal(t, []uint64{1070}, forced, "after as long as the answer on the chain may take")
	for name, change := range map[string]func(*watch.Settings, *watch.Observed){
		"it may not":                   func(s *watch.Settings, _ *watch.Observed) { s.Forces = false },
		"it has not the bond":          func(_ *watch.Settings, o *watch.Observed) { o.Purse = coins(49) },
		"the answer would be late":     func(_ *watch.Settings, o *watch.Observed) { o.Deployments[0].Refunds[0].Until = o.Second + 60 },
		"its key is not an access key": func(_ *watch.Settings, o *watch.Observed) { o.Deployments[0].Trusted = false },
		"a fifth of it was seen to be missing, and that is less than the bond": func(_ *watch.Settings, o *watch.Observed) {
			o.Deployments[0].Refunds[0].Due = math.NewInt(850_000)
		},
		"nothing was seen to be missing": func(_ *watch.Settings, o *watch.Observed) { o.Deployments[0].Refunds[0].Lease = 8 },
	} {
		forced, warned := run(change)
		require.Empty(t, forced, name)
		require.True(t, warned, name)
	}
	forced, _ = run(func(_ *watch.Settings, o *watch.Observed) { o.OthersAnswered = 0 })
	require.Empty(t, forced, "the watcher itself is cut off")
}

func TestWhatCanBeNeitherSaidNorClaimedIsForgotten(t *testing.T) {
	memory := watch.Memory{
		Counts: map[uint64]watch.Count{
			7: {From: 500, Until: 990, Down: []watch.Span{{From: 600, Until: 700}, {From: 950, Until: 960}}},
			8: {From: 500, Until: 899}, 9: {From: 500, To: 899, Until: 990},
		},
		Refunds: map[uint64]map[uint64]watch.RefundMemory{7: {3: {Settled: true}, 4: {Settled: true}}, 8: {3: {Settled: true}}},
	}
	before := memory.Counts[7]
	after, _ := watch.Decide(watch.DefaultSettings(), memory, served(1000))
	require.Len(t, after.Counts, 1)
	require.Equal(t, []watch.Span{{From: 950, Until: 960}}, after.Counts[7].Down)
	require.NotContains(t, after.Refunds, uint64(8))
	require.NotContains(t, after.Refunds[7], uint64(3))
	require.Equal(t, before, memory.Counts[7], "what was given stays as it was")
	require.Len(t, memory.Refunds[7], 2)
}
