package proof

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdkmath "cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/sumtree"
	"github.com/souk-network/souk/x/proof/types"
)

// gang starts a world with so many liars in good standing, whose leases have these sizes and of whom the first lease is dead.
func gang(t *testing.T, seed uint64, count int, sizes ...uint64) (*world, []*liar) {
	t.Helper()
	var liars []*liar
	var names []string
	for i := range count {
		l := newLiar(fmt.Sprintf("liar-%d", i), sizes...)
		liars, names = append(liars, l), append(names, l.name)
	}
	w := newWorld(t, seed, names...)
	w.opens(parties(liars)...)
	return w, liars
}

// A lease that stands there twice, in the place of a dead one, whose leaf the tenant's word would contradict.
func TestALeaseThatIsThereTwiceIsCaught(t *testing.T) {
	for name, inOrder := range map[string]bool{"ranges as they are": false, "ranges that ascend": true} {
		t.Run(name, func(t *testing.T) {
			w, liars := gang(t, 2, 100, 1, 1, 1, 1)
			double := func(w *world, l *liar, epoch uint64) forger {
				var leaves []sumtree.Leaf
				for i, lease := range l.leases {
					if !l.dead[i] {
						length := uint64(w.escrow.EpochSeconds)
						due := types.Due{Lease: lease.Id, Seconds: length, Grains: sdkmath.NewIntFromUint64(lease.Rate * length)}
						leaves = append(leaves, w.leafOf(epoch, leafOf{due, length}))
					}
				}
				slices.SortFunc(leaves, func(a, b sumtree.Leaf) int { return cmp.Compare(a.ID, b.ID) })
				return forger{leaves: append(leaves[:1:1], leaves...), inOrder: inOrder}
			}
			w.lies(liars, scheme{commits: func(w *world, l *liar, epoch uint64) {
				w.commits(l.party, epoch, double(w, l, epoch))
			}}, 60)
			hidden := hiddenShare(double(w, liars[0], 2))
			require.GreaterOrEqual(t, hidden, 0.25, "at least the value of the double cannot be shown")
			requireCaught(t, w, liars, hidden)
			requireBehind(t, w, liars)
		})
	}
}

// hiddenShare is the part of a claim's value whose openings prove nothing.
func hiddenShare(f forger) float64 {
	hidden := 0
	for i := range f.leaves {
		if _, err := f.opening(i).Verify(f.Root()); err != nil {
			hidden++
		}
	}
	return float64(hidden) / float64(len(f.leaves)) // they are of one size
}

func requireCaught(t *testing.T, w *world, liars []*liar, share float64) {
	t.Helper()
	risked, caught := rate(liars)
	chance := detection(w.params, share)
	t.Logf("%d of %d epochs of %d liars are caught: %.4f, formula %.4f", caught, risked, len(liars), float64(caught)/float64(risked), chance)
	requireShare(t, caught, risked, chance, "liars")
}

func requireBehind(t *testing.T, w *world, liars []*liar) {
	t.Helper()
	_, paid := w.behind(liars)
	t.Logf("behind: %.2f ± %.2f epochs of revenue", paid.mean(), paid.error())
	require.Less(t, paid.mean()+3*paid.error(), 0.0, "it pays")
}

func TestACommitmentToLeavesOfAnotherEpochIsCaughtWhenItIsDrawn(t *testing.T) {
	w, liars := gang(t, 3, 150, 1)
	for _, l := range liars {
		l.dead[0], l.old = false, true
	}
	w.lies(liars, scheme{commits: func(w *world, l *liar, epoch uint64) {
		old := w.vouches(l.party, epoch-1, w.whole)
		w.commits(l.party, epoch, old)
		require.ErrorIs(t, w.Deliver(w.commitment(l.party, epoch, old)), types.ErrCommitted, "twice")
		require.ErrorIs(t, w.Deliver(w.commitment(l.party, epoch+1, old)), types.ErrEpochNotFound, "before its epoch has closed")
	}}, 60)
	requireCaught(t, w, liars, 1)
}

func TestOldAnswersAndRoundsAreRefused(t *testing.T) {
	w, liars := gang(t, 4, 1, 1)
	l := liars[0]
	l.dead[0] = false
	var answer *types.MsgOpenAudit
	for epoch := uint64(2); ; epoch++ {
		require.Less(t, epoch, uint64(100), "it is never drawn")
		w.until(w.endOf(epoch))
		w.commits(l.party, epoch, w.vouches(l.party, epoch, w.whole))
		w.until(w.endOf(epoch) + uint64(w.params.CommitWindowSeconds))
		round := w.awaited()[0]
		w.beacon()
		require.ErrorIs(t, w.Deliver(w.round(round)), types.ErrKnown)
		c := w.committed(l.party, epoch)
		if c.State != types.CommitmentState_COMMITMENT_STATE_AUDITED {
			continue
		}
		if answer != nil {
			again := *answer
			again.Epoch = epoch
			require.ErrorIs(t, w.Deliver(&again), types.ErrInvalidOpening, "openings of epoch %d for epoch %d", answer.Epoch, epoch)
			return
		}
		answer = w.answer(l.party, epoch, w.drawn(l.party, l.claims[epoch], c.Seed))
		require.NoError(t, w.Deliver(answer))
		require.ErrorIs(t, w.Deliver(answer), types.ErrNotAudited, "answered already")
	}
}

// Liars try many roots, and commit to one that the newest randomness they know would spare.
func TestTryingManyRootsDoesNotHelp(t *testing.T) {
	const roots = 64
	w, liars := gang(t, 5, 200, 1, 3)
	known := []byte("nothing is known in the first epoch")
	var expected, variance float64
	tried := 0
	w.lies(liars, scheme{commits: func(w *world, l *liar, epoch uint64) {
		if l == liars[0] && epoch > 2 {
			known = w.randomness()
		}
		seed := types.EpochSeed(known, epoch)
		var chosen claim
		var share float64
		for i := range uint64(roots) {
			up := uint64(w.escrow.EpochSeconds) - i
			tree := w.vouches(l.party, epoch, func(lease int) uint64 {
				if l.dead[lease] {
					return up
				}
				return uint64(w.escrow.EpochSeconds)
			})
			chosen, share = tree, float64(up)/float64(up+3*uint64(w.escrow.EpochSeconds))
			tried++
			if !l.exposed(tree, w.drawn(l.party, tree, seed)) {
				break
			}
		}
		chance := detection(w.params, share)
		expected, variance = expected+chance, variance+chance*(1-chance)
		w.commits(l.party, epoch, chosen)
	}}, 8)
	risked, caught := rate(liars)
	t.Logf("%d roots tried for %d epochs: %d caught, formula %.1f", tried, risked, caught, expected)
	require.Greater(t, tried, 2*risked, "nobody had to try")
	require.InDelta(t, expected, float64(caught), 3*math.Sqrt(variance))
}

// randomness is that of the last round that is known.
func (w *world) randomness() []byte {
	w.t.Helper()
	genesis, err := w.Proof.ExportGenesis(w.Ctx())
	require.NoError(w.t, err)
	return genesis.Rounds[len(genesis.Rounds)-1].Randomness
}

// Liars wait for the seed of the epoch, and commit late to what it would spare.
func TestWaitingForTheSeedDoesNotHelp(t *testing.T) {
	w, liars := gang(t, 6, 200, 1, 4)
	const epoch = 2
	w.until(w.endOf(epoch) - beforeEnd)
	for _, l := range liars {
		w.complains(l.party, l.leases[0], epoch)
	}
	w.until(w.endOf(epoch))
	w.until(w.endOf(epoch) + uint64(w.params.CommitWindowSeconds))
	w.beacon()
	response, err := w.query().Epoch(w.Ctx(), &types.QueryEpochRequest{Epoch: epoch})
	require.NoError(t, err)
	seed := response.Epoch.Seed
	require.NotEmpty(t, seed, "the seed is known")
	waited := 0
	for _, l := range liars {
		lie := w.vouches(l.party, epoch, w.whole)
		if types.Audited(seed, l.address, w.params.AuditPpm) && l.exposed(lie, w.drawn(l.party, lie, seed)) {
			continue // it would be caught, and commits to nothing
		}
		waited++
		l.risked = 1
		w.commits(l.party, epoch, lie)
	}
	require.Greater(t, waited, len(liars)/2)
	w.beacon()
	for _, l := range liars {
		if l.risked > 0 {
			c := w.committed(l.party, epoch)
			require.True(t, c.Late)
			require.Equal(t, types.CommitmentState_COMMITMENT_STATE_AUDITED, c.State, "every late commitment is audited")
			require.NotEqual(t, seed, c.Seed)
			w.audits(l, scheme{}, epoch)
		}
	}
	w.NextBlock(time.Duration(w.params.OpenWindowSeconds) * second)
	for _, l := range liars {
		w.sees(l, epoch)
	}
	risked, caught := rate(liars)
	chance := 1 - math.Pow(1-liars[0].share(), float64(w.params.Openings))
	requireShare(t, caught, risked, chance, "late liars")
	w.check()
}

// Who takes back what is drawn loses what is held back all the same, once: after that it is audited every time.
func TestTakingBackWhatIsDrawnEarnsNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		sizes []uint64
	}{{"20 %", []uint64{1, 4}}, {"100 %", []uint64{1}}} {
		t.Run(c.name, func(t *testing.T) {
			w, liars := gang(t, 8, 120, c.sizes...)
			w.lies(liars, scheme{commits: fakesTicks, caught: disowns}, 60)
			requireCaught(t, w, liars, liars[0].share())
			var behind sample
			for _, l := range liars {
				require.NotZero(t, l.caught)
				behind.add(float64(l.risked)*l.share() - float64(l.forfeited))
				standing, err := w.Proof.Standing(w.Ctx(), l.address)
				require.NoError(t, err)
				require.Less(t, standing.CleanEpochs, uint64(w.params.ProbationEpochs), "it is audited every time")
				require.Equal(t, l.caught, standing.Disowned)
			}
			t.Logf("behind: %.2f ± %.2f epochs of revenue", behind.mean(), behind.error())
			require.LessOrEqual(t, behind.mean(), 0.0, "it pays")
		})
	}
}

func TestPayingOneselfCostsTheFee(t *testing.T) {
	w, liars := gang(t, 9, 20, 1, 2)
	const last = 31
	spent := make([]sdkmath.Int, len(liars))
	for epoch := uint64(2); epoch <= last; epoch++ {
		w.until(w.endOf(epoch))
		for _, l := range liars {
			l.dead = []bool{false, false} // nobody complains of what nobody was given
			w.commits(l.party, epoch, w.vouches(l.party, epoch, w.whole))
		}
		w.until(w.endOf(epoch) + uint64(w.params.CommitWindowSeconds))
		w.beacon()
		for _, l := range liars {
			w.audits(l, scheme{}, epoch)
		}
	}
	for i, l := range liars {
		spent[i] = w.revenue(l.party).MulRaw(last - 1).QuoRaw(3600)
	}
	for range w.escrow.HoldbackEpochs + 2 {
		w.NextBlock(3600 * second)
	}
	for i, l := range liars {
		before := w.Balance(l.address)
		paid := w.withdrawn(l.party)
		got := sdkmath.NewInt(w.Balance(l.address) - before)
		fee := paid.MulRaw(int64(w.escrow.FeeBps)).QuoRaw(types.WholeBps)
		require.Equal(t, spent[i], paid, "all that it paid itself is proven")
		require.Equal(t, paid.Sub(fee).String(), got.String())
		require.True(t, got.LT(spent[i]), "it has less than before")
	}
}

// A provider that keeps a leaf from its tenant is asked for it on the chain, and does not answer.
func TestWithholdingALeafCostsMoreThanItEarns(t *testing.T) {
	for _, c := range []struct {
		name    string
		sizes   []uint64
		forgery bool
	}{{"of one per cent of the value", []uint64{1, 99}, false}, {"of a fifth of the value", []uint64{1, 4}, true}} {
		t.Run(c.name, func(t *testing.T) {
			w, liars := gang(t, 10, 20, c.sizes...)
			const epoch = 2
			for _, l := range liars {
				l.dead[0] = false // its tenant does not know, and asks
			}
			w.until(w.endOf(epoch))
			for _, l := range liars {
				fakesTicks(w, l, epoch)
			}
			w.until(w.endOf(epoch) + uint64(w.params.CommitWindowSeconds))
			w.beacon()
			for _, l := range liars {
				w.audits(l, scheme{}, epoch)
			}
			for _, l := range liars {
				asker := sdk.AccAddress(l.key.PubKey().Address())
				w.Fund(asker, w.params.ForceBond)
				require.NoError(t, w.Deliver(&types.MsgForceOpen{Signer: w.Text(asker), Lease: l.leases[0].Id, Epoch: epoch}))
			}
			w.NextBlock(time.Duration(w.params.ForceWindowSeconds) * second)
			w.NextBlock(second)
			for _, l := range liars {
				requireWithheld(t, w, l, epoch, c.forgery)
			}
			w.check()
		})
	}
}

// requireWithheld asserts what a liar lost by a leaf that it did not show: the lease's due and ten times as much from its bond, and
// everything that is held back when that was a large part.
func requireWithheld(t *testing.T, w *world, l *liar, epoch uint64, forgery bool) {
	t.Helper()
	due := sdkmath.NewIntFromUint64(l.leases[0].Rate).MulRaw(int64(w.escrow.EpochSeconds))
	pot, found := w.pot(l.party, epoch)
	require.True(t, found)
	require.Equal(t, due.String(), pot.Refunded.String(), "the tenant has its due back")
	bond, err := w.Provider.BondOf(w.Ctx(), l.address)
	require.NoError(t, err)
	penalty := due.MulRaw(int64(w.params.ForcePenalty)).QuoRaw(3600)
	left := sdkmath.NewInt(bonded).Sub(bond.AmountOf(denom))
	require.True(t, left.GTE(penalty), "the bond pays %s, has lost %s", penalty, left)
	asker := sdk.AccAddress(l.key.PubKey().Address())
	require.Equal(t, w.params.ForceBond.Amount.Int64(), w.Balance(asker), "the bond of who asked is back")
	kinds := make(map[types.FaultKind]int)
	for _, fault := range w.faults(l.party) {
		kinds[fault.Kind]++
	}
	require.Equal(t, 1, kinds[types.FaultKind_FAULT_KIND_WITHHELD])
	provider, err := w.Provider.GetProvider(w.Ctx(), l.address)
	require.NoError(t, err)
	if !forgery {
		require.Equal(t, penalty.String(), left.String())
		require.Zero(t, provider.JailedUntil)
		return
	}
	require.Equal(t, 1, kinds[types.FaultKind_FAULT_KIND_FORGED])
	require.NotZero(t, provider.JailedUntil)
	require.Equal(t, w.revenue(l.party).String(), pot.Forfeited.Add(pot.Refunded).String(), "nothing is left of the epoch")
}
