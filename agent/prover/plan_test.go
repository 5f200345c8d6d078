package prover_test

import (
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/agent/prover"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

const (
	committed = prooftypes.CommitmentState_COMMITMENT_STATE_COMMITTED
	audited   = prooftypes.CommitmentState_COMMITMENT_STATE_AUDITED
	proven    = prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN
	forged    = prooftypes.CommitmentState_COMMITMENT_STATE_FORGED
	disowned  = prooftypes.CommitmentState_COMMITMENT_STATE_DISOWNED
)

// closed is epoch 7 of 1000 to 1100, closed at 1102.
var closed = prooftypes.Epoch{Number: 7, Start: 1000, End: 1100, ClosedAt: 1102, CommitUntil: 1142, LateUntil: 1302, MaturesAt: 5000}

// view is one of epoch 7, with a commitment unless its state is 0.
func view(now uint64, state prooftypes.CommitmentState, change func(*prover.View)) prover.View {
	v := prover.View{
		Now: now, Metered: now, Epochs: []prooftypes.Epoch{closed}, ClaimRefunds: true,
		Params:      prooftypes.Params{CommitWindowSeconds: 40, OpenWindowSeconds: 200},
		Commitments: map[uint64]prooftypes.Commitment{}, Lost: map[uint64]bool{}, Idle: map[uint64]bool{}, Claimed: map[uint64]bool{},
	}
	if state != 0 {
		v.Commitments[7] = prooftypes.Commitment{Epoch: 7, State: state, OpenBy: 1400, Roots: []prooftypes.Root{
			{Denom: "ibc/A", Sum: math.NewInt(5)}, {Denom: "none", Sum: math.ZeroInt()}, {Denom: "usouk", Sum: math.NewInt(9)},
		}}
	}
	if change != nil {
		change(&v)
	}
	return v
}

func forced(id, epoch, by uint64) prooftypes.Forced {
	return prooftypes.Forced{Id: id, Epoch: epoch, AnswerBy: by}
}

func TestWhatIsToBeProven(t *testing.T) {
	step := func(kind prover.Kind) prover.Step { return prover.Step{Kind: kind, Epoch: 7} }
	lose := func(v *prover.View) { v.Lost[7] = true }
	refuse := func(v *prover.View) { v.Refused = map[uint64]bool{7: true} }
	opens := []prover.Step{{Kind: prover.Open, Epoch: 7, Denom: "ibc/A"}, {Kind: prover.Open, Epoch: 7, Denom: "usouk"}}
	ask := func(v *prover.View) {
		v.ClaimRefunds, v.Params.ForceWindowSeconds, v.Forced = false, 400, []prooftypes.Forced{forced(1, 7, 1700)}
	}
	for name, c := range map[string]struct {
		view prover.View
		want []prover.Step
	}{
		"the window is what it was when the epoch closed":   {view(1110, 0, func(v *prover.View) { v.Params.CommitWindowSeconds = 4000 }), []prover.Step{step(prover.Commit)}},
		"an epoch that just closed waits for receipts":      {view(1109, 0, nil), nil},
		"it is committed to when they have come":            {view(1110, 0, nil), []prover.Step{step(prover.Commit)}},
		"at once where there is no time to wait":            {view(1102, 0, func(v *prover.View) { v.Epochs[0].CommitUntil = 1107 }), []prover.Step{step(prover.Commit)}},
		"it waits for a look at what ran until its end":     {view(1110, 0, func(v *prover.View) { v.Metered = 1099 }), nil},
		"but no longer than half of the window":             {view(1122, 0, func(v *prover.View) { v.Metered = 1099 }), []prover.Step{step(prover.Commit)}},
		"it is committed to late":                           {view(1301, 0, nil), []prover.Step{step(prover.Commit)}},
		"and not any more when it is too late":              {view(1302, 0, nil), nil},
		"nothing was earned":                                {view(1110, 0, func(v *prover.View) { v.Idle[7] = true }), nil},
		"a commitment waits for the beacon":                 {view(1200, committed, nil), nil},
		"an audit is answered in each coin that has a sum":  {view(1200, audited, nil), []prover.Step{{Kind: prover.Open, Epoch: 7, Denom: "ibc/A"}, {Kind: prover.Open, Epoch: 7, Denom: "usouk"}}},
		"and not again in one that is opened":               {view(1200, audited, func(v *prover.View) { of := v.Commitments[7]; of.Opened = []string{"ibc/A"}; v.Commitments[7] = of }), []prover.Step{{Kind: prover.Open, Epoch: 7, Denom: "usouk"}}},
		"it is too late to open":                            {view(1400, audited, nil), nil},
		"leaves that are lost may be found":                 {view(1335, audited, lose), nil},
		"and are owned up to at last":                       {view(1336, audited, lose), []prover.Step{step(prover.Disown)}},
		"in time though the window was made shorter":        {view(1336, audited, func(v *prover.View) { v.Params.OpenWindowSeconds = 5; lose(v) }), []prover.Step{step(prover.Disown)}},
		"unless the chain takes nothing back":               {view(1336, audited, func(v *prover.View) { v.Disowned = true; lose(v) }), nil},
		"what the chain refuses is shown again":             {view(1335, audited, refuse), opens},
		"and owned up to at last":                           {view(1336, audited, refuse), []prover.Step{step(prover.Disown)}},
		"or shown again when that is refused, too":          {view(1336, audited, func(v *prover.View) { v.Disowned = true; refuse(v) }), opens},
		"refunds are claimed once it is proven":             {view(1500, proven, nil), []prover.Step{step(prover.Claim)}},
		"and not twice":                                     {view(1500, proven, func(v *prover.View) { v.Claimed[7] = true }), nil},
		"and not when the operator does not want it":        {view(1500, proven, func(v *prover.View) { v.ClaimRefunds = false }), nil},
		"and not without leaves":                            {view(1500, proven, lose), nil},
		"and not when the pots have matured":                {view(5000, proven, nil), nil},
		"what was forged is over":                           {view(1500, forged, nil), nil},
		"what has matured is forgotten":                     {view(5000, proven, func(v *prover.View) { v.Kept = []uint64{7} }), []prover.Step{step(prover.Drop)}},
		"and what the chain does not remember":              {view(1105, 0, func(v *prover.View) { v.Kept = []uint64{3} }), []prover.Step{{Kind: prover.Drop, Epoch: 3}}},
		"but not what still runs, or can be asked":          {view(1105, 0, func(v *prover.View) { v.Kept = []uint64{7, 8} }), nil},
		"nothing is forgotten when the chain knows nothing": {view(1105, 0, func(v *prover.View) { v.Kept, v.Epochs = []uint64{7}, nil }), nil},
		"forced leaves are shown, the most urgent first": {
			view(1500, committed, func(v *prover.View) {
				v.Forced = []prooftypes.Forced{forced(1, 7, 1700), forced(2, 7, 1600), forced(3, 7, 1500), forced(4, 6, 1700)}
			}),
			[]prover.Step{{Kind: prover.Answer, Forced: []prooftypes.Forced{forced(2, 7, 1600), forced(1, 7, 1700)}}},
		},
		"those that the chain has not taken come last": {
			view(1500, committed, func(v *prover.View) {
				v.Forced = []prooftypes.Forced{forced(1, 7, 1600), forced(2, 7, 1700)}
				v.Unanswered = map[uint64]bool{1: true}
			}),
			[]prover.Step{
				{Kind: prover.Answer, Forced: []prooftypes.Forced{forced(2, 7, 1700)}}, {Kind: prover.Answer, Forced: []prooftypes.Forced{forced(1, 7, 1600)}},
			},
		},
		"a lost leaf that is asked for may be found": {view(1599, proven, func(v *prover.View) { ask(v); lose(v) }), nil},
		"and what was proven of it is taken back":    {view(1600, proven, func(v *prover.View) { ask(v); lose(v) }), []prover.Step{step(prover.Disown)}},
		"but not what was taken back":                {view(1600, disowned, func(v *prover.View) { ask(v); lose(v) }), nil},
		"and not when they are lost":                 {view(1500, committed, func(v *prover.View) { v.Forced = []prooftypes.Forced{forced(1, 7, 1700)}; lose(v) }), nil},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, prover.Plan(c.view)) })
	}
}

func TestWhatIsUrgentComesFirst(t *testing.T) {
	v := view(1500, audited, func(v *prover.View) {
		v.Now = 1390
		v.Epochs = append(v.Epochs, prooftypes.Epoch{Number: 8, End: 1200, ClosedAt: 1300, LateUntil: 2000, MaturesAt: 6000})
		v.Forced = []prooftypes.Forced{forced(1, 7, 1700)}
	})
	var kinds []prover.Kind
	for _, s := range prover.Plan(v) {
		kinds = append(kinds, s.Kind)
	}
	require.Equal(t, []prover.Kind{prover.Open, prover.Open, prover.Answer, prover.Commit}, kinds)
}

func TestManyForcedLeavesAreShownInSeveralMessages(t *testing.T) {
	steps := prover.Plan(view(1500, committed, func(v *prover.View) {
		for id := range uint64(prover.MaxAnswers + 1) {
			v.Forced = append(v.Forced, forced(id, 7, 1700))
		}
	}))
	require.Len(t, steps, 2)
	require.Len(t, steps[0].Forced, prover.MaxAnswers)
}

func TestALostCommitmentIsTakenBackInTime(t *testing.T) {
	for window, want := range map[uint64]uint64{600: 150, 200: 50, 60: 30, 5: 4, 1: 0} {
		require.Equal(t, want, prover.DisownSeconds(window), "of %d seconds", window)
	}
}

// A book that was written earlier may be committed to as long as nothing that was learned since allows less.
func TestAnEarlierBookHoldsWhileItClaimsNoMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var before, now []prover.Lease
		lower := false
		for id := range rapid.Uint64Range(1, 8).Draw(t, "leases") {
			up, later := rapid.Uint64Range(0, 100).Draw(t, "up"), rapid.Uint64Range(0, 100).Draw(t, "later")
			before, now = append(before, lease(id+1, "usouk", 100, 100, up)), append(now, lease(id+1, "usouk", 100, 100, later))
			lower = lower || later < up
		}
		first, err := prover.Write(epoch, before)
		require.NoError(t, err)
		second, err := prover.Write(epoch, now)
		require.NoError(t, err)
		require.Equal(t, !lower, first.Holds(second))
		require.True(t, first.Holds(first))
		more, err := prover.Write(epoch, append(now, lease(99, "usouk", 100, 100, 100)))
		require.NoError(t, err)
		require.False(t, first.Holds(more), "a lease is missing")
		other, err := prover.Write(epoch, append(now, lease(99, "ibc/A", 100, 100, 100)))
		require.NoError(t, err)
		require.False(t, first.Holds(other), "a coin is missing")
	})
}

func TestABookKnowsItsLeases(t *testing.T) {
	book, err := prover.Write(epoch, []prover.Lease{
		lease(2, "usouk", 100, 100, 100), lease(5, "usouk", 100, 100, 50), lease(3, "ibc/A", 100, 50, 0),
	})
	require.NoError(t, err)
	reduced, err := book.Reduced()
	require.NoError(t, err)
	require.Equal(t, map[string][]uint64{"usouk": {5}, "ibc/A": {3}}, reduced)
	up, due, err := book.Seconds()
	require.NoError(t, err)
	require.EqualValues(t, 150, up)
	require.EqualValues(t, 250, due)
	require.Equal(t, "50", book.Credited(5).String())
	require.True(t, book.Credited(4).IsZero())
	denom, ok := book.DenomOf(3)
	require.True(t, ok)
	require.Equal(t, "ibc/A", denom)
	_, ok = book.DenomOf(4)
	require.False(t, ok)
	built, err := book.Build()
	require.NoError(t, err)
	require.True(t, prover.SameRoots(built.Roots(), built.Roots()))
	require.False(t, prover.SameRoots(built.Roots(), built.Roots()[:1]))
	changed := built.Roots()
	changed[0].Sum = math.NewInt(1)
	require.False(t, prover.SameRoots(built.Roots(), changed))
}

func TestNoMoreCoinsAreCommittedToThanACommitmentHolds(t *testing.T) {
	var leases []prover.Lease
	for i, denom := range []string{"a", "b", "c", "d", "e", "f"} {
		leases = append(leases, lease(uint64(i+1), denom, 100, 100, 100))
	}
	book, err := prover.Write(epoch, leases)
	require.NoError(t, err)
	require.Len(t, book.Trees, prooftypes.MaxRoots)
}

// Of a lease that pays little, several seconds are worth the same grains: the chain looks at the seconds.
func TestAnEarlierBookThatSaysMoreSecondsForTheSameGrainsDoesNotHold(t *testing.T) {
	before, err := prover.Write(epoch, []prover.Lease{lease(1, "usouk", 5, 10, 9)})
	require.NoError(t, err)
	now, err := prover.Write(epoch, []prover.Lease{lease(1, "usouk", 5, 10, 8)})
	require.NoError(t, err)
	require.Equal(t, before.Credited(1), now.Credited(1))
	require.False(t, before.Holds(now))
	require.True(t, now.Holds(before))
}

func TestWhereSomethingWasEarnedThereIsATree(t *testing.T) {
	of := epoch
	of.Earned = []string{"zzz", "usouk", "aaa"}
	book, err := prover.Write(of, []prover.Lease{lease(1, "usouk", 100, 100, 100)})
	require.NoError(t, err)
	built, err := book.Build()
	require.NoError(t, err)
	var denoms []string
	for _, root := range built.Roots() {
		denoms = append(denoms, root.Denom)
		_, err := root.Tree()
		require.NoError(t, err)
	}
	require.Equal(t, []string{"aaa", "usouk", "zzz"}, denoms)
	require.True(t, built.Roots()[0].Sum.IsZero())
}
