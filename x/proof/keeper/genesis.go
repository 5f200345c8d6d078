package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"

	"github.com/souk-network/souk/x/proof/types"
)

// InitGenesis writes a state into an empty store, builds indexes and queues, and checks that the bank holds the bonds.
func (k *Keeper) InitGenesis(ctx context.Context, g *types.GenesisState) error {
	if err := g.Validate(k.addresses); err != nil {
		return err
	}
	if err := k.warnOfShortHoldback(ctx, g.Params); err != nil {
		return err
	}
	k.auth.GetModuleAccount(ctx, types.ModuleName)
	if err := k.importCounters(ctx, g); err != nil {
		return fmt.Errorf("import counters of x/%s: %w", types.ModuleName, err)
	}
	for _, epoch := range g.Epochs {
		if err := k.importEpoch(ctx, epoch); err != nil {
			return fmt.Errorf("import epoch %d: %w", epoch.Number, err)
		}
	}
	if err := k.importProvings(ctx, g); err != nil {
		return err
	}
	if err := k.importRounds(ctx, g); err != nil {
		return err
	}
	if err := k.importFaults(ctx, g); err != nil {
		return err
	}
	if err := k.importClaims(ctx, g); err != nil {
		return err
	}
	return k.checkBonds(ctx)
}

// warnOfShortHoldback tells operators that pots will mature before their proofs are judged. That is no reason not to start: nobody is
// punished for what ends after that, and governance can mend it.
func (k *Keeper) warnOfShortHoldback(ctx context.Context, params types.Params) error {
	escrowParams, err := k.escrow.Params(ctx)
	if err != nil {
		return err
	}
	if err := params.Fits(escrowParams); err != nil {
		k.logger(ctx).Warn("hold-back is shorter than the proof windows: what is earned may mature unproven", "err", err)
	}
	return nil
}

func (k *Keeper) importCounters(ctx context.Context, g *types.GenesisState) error {
	return errors.Join(
		k.params.Set(ctx, g.Params),
		k.nextCommitment.Set(ctx, g.NextCommitment),
		k.nextFault.Set(ctx, g.NextFault),
		k.nextForced.Set(ctx, g.NextForced),
	)
}

func (k *Keeper) importEpoch(ctx context.Context, epoch types.Epoch) error {
	err := errors.Join(k.writeEpoch(ctx, epoch), k.fileEpoch(ctx, epoch))
	if epoch.Round != 0 && !epoch.Seeded() {
		err = errors.Join(err, k.awaitingEpochs.Set(ctx, collections.Join(epoch.Round, epoch.Number)))
	}
	if epoch.Seeded() && !epoch.Drawn {
		err = errors.Join(err, k.drawing.Set(ctx, epoch.Number))
	}
	if phase := epoch.Turnout.Phase; phase == types.TurnoutCounts || phase == types.TurnoutJudges {
		err = errors.Join(err, k.turnouts.Set(ctx, epoch.Number))
	}
	return err
}

// importProvings writes what was to be proven, and what providers committed to.
func (k *Keeper) importProvings(ctx context.Context, g *types.GenesisState) error {
	for _, c := range g.Commitments {
		provider, err := k.address(c.Provider)
		if err != nil {
			return err
		}
		if err := k.fileCommitment(ctx, provider, c); err != nil {
			return err
		}
	}
	for _, record := range g.Expected {
		provider, err := k.address(record.Provider)
		if err != nil {
			return err
		}
		known, err := k.provider.GetProvider(ctx, provider)
		if err != nil {
			return fmt.Errorf("import what is expected of %s: %w", record.Provider, err)
		}
		if err := k.writeExpected(ctx, provider, known.Number, record); err != nil {
			return err
		}
	}
	return nil
}

// importRounds comes after the commitments that wait for rounds.
func (k *Keeper) importRounds(ctx context.Context, g *types.GenesisState) error {
	for _, round := range g.Rounds {
		late, err := k.awaits(ctx, k.awaitingLate, round.Number)
		if err != nil {
			return err
		}
		if late {
			err = k.ripe.Set(ctx, round.Number)
		}
		if err = errors.Join(err, k.rounds.Set(ctx, round.Number, round)); err != nil {
			return fmt.Errorf("import round %d: %w", round.Number, err)
		}
	}
	if len(g.BlockHashes) == 0 {
		return nil
	}
	if err := k.blockHashes.Set(ctx, types.JoinHashes(g.BlockHashes)); err != nil {
		return fmt.Errorf("import block hashes: %w", err)
	}
	return nil
}

// importFaults writes faults and standings. Who has had too many failures waits to be jailed.
func (k *Keeper) importFaults(ctx context.Context, g *types.GenesisState) error {
	for _, fault := range g.Faults {
		provider, err := k.address(fault.Provider)
		if err != nil {
			return err
		}
		if err := k.fileFault(ctx, provider, fault); err != nil {
			return err
		}
	}
	for _, standing := range g.Standings {
		provider, err := k.address(standing.Provider)
		if err != nil {
			return err
		}
		if err := k.writeStanding(ctx, provider, standing); err != nil {
			return err
		}
		if len(standing.Failed) < int(g.Params.FailedLeases) {
			continue
		}
		if err := k.fileJail(ctx, provider); err != nil {
			return err
		}
	}
	return nil
}

// fileJail files a provider that is to be jailed now: not within a hook of the market, which still ends its leases.
func (k *Keeper) fileJail(ctx context.Context, operator []byte) error {
	provider, err := k.provider.GetProvider(ctx, operator)
	if err != nil {
		return err
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return err
	}
	if err := k.jails.Set(ctx, collections.Join(now, provider.Number)); err != nil {
		return fmt.Errorf("file the jailing of %s: %w", provider.Operator, err)
	}
	return nil
}

func (k *Keeper) importClaims(ctx context.Context, g *types.GenesisState) error {
	for _, forced := range g.Forced {
		provider, err := k.address(forced.Provider)
		if err != nil {
			return err
		}
		if err := k.fileForced(ctx, provider, forced); err != nil {
			return err
		}
	}
	for _, claim := range g.Claims {
		if err := k.claims.Set(ctx, collections.Join(claim.Epoch, claim.Lease), claim); err != nil {
			return fmt.Errorf("import claim of lease %d: %w", claim.Lease, err)
		}
	}
	for _, posted := range g.Posted {
		if err := k.posted.Set(ctx, collections.Join(posted.Epoch, posted.Lease), posted); err != nil {
			return fmt.Errorf("import receipts of lease %d: %w", posted.Lease, err)
		}
	}
	return nil
}

// ExportGenesis returns the whole state, in the order of its keys.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	g := &types.GenesisState{}
	if err := k.exportCounters(ctx, g); err != nil {
		return nil, err
	}
	hashes, err := k.recentHashes(ctx)
	if err != nil {
		return nil, err
	}
	g.BlockHashes = types.SplitHashes(hashes)
	for _, walk := range []func() error{
		func() error { return all(ctx, "epochs", k.epochs, &g.Epochs) },
		func() error { return all(ctx, "commitments", k.commitments, &g.Commitments) },
		func() error { return all(ctx, "expected", k.expected, &g.Expected) },
		func() error { return all(ctx, "rounds", k.rounds, &g.Rounds) },
		func() error { return all(ctx, "faults", k.faults, &g.Faults) },
		func() error { return all(ctx, "standings", k.standings, &g.Standings) },
		func() error { return all(ctx, "forced", k.forced, &g.Forced) },
		func() error { return all(ctx, "claims", k.claims, &g.Claims) },
		func() error { return all(ctx, "posted", k.posted, &g.Posted) },
	} {
		if err := walk(); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// all appends every record of a map.
func all[K, V any](ctx context.Context, of string, records collections.Map[K, V], to *[]V) error {
	err := records.Walk(ctx, nil, func(_ K, record V) (bool, error) {
		*to = append(*to, record)
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("export %s: %w", of, err)
	}
	return nil
}

func (k *Keeper) exportCounters(ctx context.Context, g *types.GenesisState) (err error) {
	if g.Params, err = k.Params(ctx); err != nil {
		return err
	}
	for _, counter := range []struct {
		sequence collections.Sequence
		to       *uint64
	}{
		{k.nextCommitment, &g.NextCommitment}, {k.nextFault, &g.NextFault}, {k.nextForced, &g.NextForced},
	} {
		if *counter.to, err = counter.sequence.Peek(ctx); err != nil {
			return fmt.Errorf("export a counter: %w", err)
		}
	}
	return nil
}
