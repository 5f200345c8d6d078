package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/proof/types"
)

// CheckInvariants checks all records (see the genesis validation), every index and queue, and that the bank holds the bonds. It
// walks everything: for tests and imports.
func (k *Keeper) CheckInvariants(ctx context.Context) error {
	g, err := k.ExportGenesis(ctx)
	if err != nil {
		return err
	}
	if err := g.Validate(k.addresses); err != nil {
		return err
	}
	for _, check := range []func(context.Context, *types.GenesisState) error{
		k.checkEpochIndexes, k.checkCommitmentIndexes, k.checkExpectedIndexes, k.checkFaultIndexes, k.checkForcedIndexes,
	} {
		if err := check(ctx, g); err != nil {
			return err
		}
	}
	return k.checkBonds(ctx)
}

// checkBonds checks that the bank holds the bonds of all forced openings, and that their sums are right.
func (k *Keeper) checkBonds(ctx context.Context) error {
	var want sdk.Coins
	err := k.forced.Walk(ctx, nil, func(_ uint64, f types.Forced) (bool, error) {
		want = want.Add(f.Bond)
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("sum up bonds: %w", err)
	}
	found := 0
	account := k.auth.GetModuleAddress(types.ModuleName)
	err = k.forcedBonds.Walk(ctx, nil, func(denom string, sum math.Int) (bool, error) {
		found++
		held := k.bank.GetBalance(ctx, account, denom).Amount
		if !sum.Equal(want.AmountOf(denom)) || held.LT(sum) {
			return true, types.ErrBroken.Wrapf("bonds in %s: %s in the books, %s in the bank", denom, sum, held)
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if found != len(want) {
		return types.ErrBroken.Wrapf("bonds in %d denoms, want %d", found, len(want))
	}
	return nil
}

// keys are the pairs of a set of pairs.
type keys map[[2]uint64]bool

// samePairs checks that a set holds exactly some pairs.
func samePairs(ctx context.Context, name string, set collections.KeySet[pairKey], want keys) error {
	found, err := somePairs(ctx, name, set, want)
	if err == nil && found != len(want) {
		err = types.ErrBroken.Wrapf("%s has %d entries, want %d", name, found, len(want))
	}
	return err
}

// somePairs checks that a set holds no pairs but those that it may, and returns how many. An item in quarantine is in no queue.
func somePairs(ctx context.Context, name string, set collections.KeySet[pairKey], may keys) (found int, err error) {
	err = set.Walk(ctx, nil, func(key pairKey) (bool, error) {
		found++
		if !may[[2]uint64{key.K1(), key.K2()}] {
			return true, types.ErrBroken.Wrapf("%s has (%d, %d) too much", name, key.K1(), key.K2())
		}
		return false, nil
	})
	return found, err
}

// sameNumbers checks that a set holds exactly some numbers.
func sameNumbers(ctx context.Context, name string, set collections.KeySet[uint64], want map[uint64]bool) error {
	found := 0
	err := set.Walk(ctx, nil, func(number uint64) (bool, error) {
		found++
		if !want[number] {
			return true, types.ErrBroken.Wrapf("%s has %d too much", name, number)
		}
		return false, nil
	})
	if err == nil && found != len(want) {
		err = types.ErrBroken.Wrapf("%s has %d entries, want %d", name, found, len(want))
	}
	return err
}

func (k *Keeper) checkEpochIndexes(ctx context.Context, g *types.GenesisState) error {
	awaiting, drawing, turnouts := keys{}, map[uint64]bool{}, map[uint64]bool{}
	for _, e := range g.Epochs {
		if e.Round != 0 && !e.Seeded() {
			awaiting[[2]uint64{e.Round, e.Number}] = true
		}
		if e.Seeded() && !e.Drawn {
			drawing[e.Number] = true
		}
		if phase := e.Turnout.Phase; phase == types.TurnoutCounts || phase == types.TurnoutJudges {
			turnouts[e.Number] = true
		}
	}
	if err := samePairs(ctx, "awaiting epochs", k.awaitingEpochs, awaiting); err != nil {
		return err
	}
	if err := sameNumbers(ctx, "drawing", k.drawing, drawing); err != nil {
		return err
	}
	return sameNumbers(ctx, "turnouts", k.turnouts, turnouts)
}

func (k *Keeper) checkCommitmentIndexes(ctx context.Context, g *types.GenesisState) error {
	in, open, late, due, ripe := keys{}, keys{}, keys{}, keys{}, map[uint64]bool{}
	known := map[uint64]bool{}
	for _, r := range g.Rounds {
		known[r.Number] = true
	}
	for _, c := range g.Commitments {
		in[[2]uint64{c.Epoch, c.Id}] = true
		if c.State == types.CommitmentState_COMMITMENT_STATE_AUDITED {
			open[[2]uint64{c.OpenBy, c.Id}] = true
		}
		if c.AwaitsOwnRound() {
			late[[2]uint64{c.Round, c.Id}] = true
			if c.Round != unnamed {
				due[[2]uint64{c.DrawBy, c.Id}] = true
			}
			if known[c.Round] {
				ripe[c.Round] = true
			}
		}
		provider, err := k.address(c.Provider)
		if err != nil {
			return err
		}
		if id, err := k.commitmentsOf.Get(ctx, collections.Join(provider, c.Epoch)); err != nil || id != c.Id {
			return types.ErrBroken.Wrapf("commitment %d is not indexed by provider: %v", c.Id, err)
		}
	}
	for _, check := range []struct {
		name string
		set  collections.KeySet[pairKey]
		want keys
	}{
		{"commitments in epochs", k.commitmentsIn, in},
		{"awaiting late", k.awaitingLate, late},
		{"late due", k.lateDue, due},
	} {
		if err := samePairs(ctx, check.name, check.set, check.want); err != nil {
			return err
		}
	}
	if _, err := somePairs(ctx, "open queue", k.openQueue, open); err != nil {
		return err
	}
	if err := sameNumbers(ctx, "ripe rounds", k.ripe, ripe); err != nil {
		return err
	}
	return sameCount(ctx, "commitments of providers", k.commitmentsOf, len(g.Commitments))
}

// sameCount checks that a map has so many entries.
func sameCount[K, V any](ctx context.Context, name string, records collections.Map[K, V], want int) error {
	found := 0
	err := records.Walk(ctx, nil, func(K, V) (bool, error) {
		found++
		return false, nil
	})
	if err == nil && found != want {
		err = types.ErrBroken.Wrapf("%s: %d entries, want %d", name, found, want)
	}
	return err
}

func (k *Keeper) checkExpectedIndexes(ctx context.Context, g *types.GenesisState) error {
	for _, record := range g.Expected {
		provider, err := k.address(record.Provider)
		if err != nil {
			return err
		}
		if _, found, err := k.findExpected(ctx, provider, record.Epoch); err != nil || !found {
			return types.ErrBroken.Wrapf("expected of %s in epoch %d is not indexed: %v", record.Provider, record.Epoch, err)
		}
	}
	return sameCount(ctx, "expected of providers", k.expectedOf, len(g.Expected))
}

func (k *Keeper) checkFaultIndexes(ctx context.Context, g *types.GenesisState) error {
	for _, fault := range g.Faults {
		provider, err := k.address(fault.Provider)
		if err != nil {
			return err
		}
		if found, err := k.faultsOf.Has(ctx, collections.Join(provider, fault.Id)); err != nil || !found {
			return types.ErrBroken.Wrapf("fault %d is not indexed: %v", fault.Id, err)
		}
	}
	return nil
}

func (k *Keeper) checkForcedIndexes(ctx context.Context, g *types.GenesisState) error {
	queue := keys{}
	for _, forced := range g.Forced {
		provider, err := k.address(forced.Provider)
		if err != nil {
			return err
		}
		queue[[2]uint64{forced.AnswerBy, forced.Id}] = true
		if found, err := k.forcedOf.Has(ctx, collections.Join3(provider, forced.Epoch, forced.Id)); err != nil || !found {
			return types.ErrBroken.Wrapf("forced opening %d is not indexed by provider: %v", forced.Id, err)
		}
		if id, err := k.forcedFor.Get(ctx, collections.Join(forced.Lease, forced.Epoch)); err != nil || id != forced.Id {
			return types.ErrBroken.Wrapf("forced opening %d is not indexed by lease: %v", forced.Id, err)
		}
	}
	if err := sameCount(ctx, "forced by lease", k.forcedFor, len(g.Forced)); err != nil {
		return err
	}
	_, err := somePairs(ctx, "forced queue", k.forcedQueue, queue)
	return err
}
