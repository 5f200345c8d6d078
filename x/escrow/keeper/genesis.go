package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	"github.com/souk-network/souk/x/escrow/types"
)

// InitGenesis writes a state into an empty store, builds the indexes and the queue of deadlines from it, and checks it
// against the bank. The clock forgets the time of the last block, so that the first tick adds nothing.
func (k *Keeper) InitGenesis(ctx context.Context, genesis *types.GenesisState) error {
	if err := genesis.Validate(k.addresses); err != nil {
		return err
	}
	clock := genesis.Clock
	clock.LastBlockTime = nil
	steps := []struct {
		what string
		do   func() error
	}{
		{"module account", func() error { k.auth.GetModuleAccount(ctx, types.ModuleName); return nil }},
		{"params", func() error { return k.params.Set(ctx, genesis.Params) }},
		{"clock", func() error { return k.clock.Set(ctx, clock) }},
		{"next account", func() error { return k.nextAccount.Set(ctx, genesis.NextAccount) }},
		{"quarantine", func() error {
			return each(genesis.Quarantine, func(q types.Quarantined) error {
				return k.quarantine.Set(ctx, collections.Join(q.Source, q.Id), q)
			})
		}},
		{"accounts", func() error {
			return each(genesis.Accounts, func(a types.Account) error { return k.importAccount(ctx, a) })
		}},
		{"open streams", func() error {
			return each(genesis.OpenStreams, func(s types.Stream) error { return k.openStreams.Set(ctx, s.Id, packStream(s)) })
		}},
		{"closed streams", func() error {
			return each(genesis.ClosedStreams, func(s types.Stream) error { return k.closedStreams.Set(ctx, s.Id, packStream(s)) })
		}},
		{"retained", func() error {
			return each(genesis.Retained, func(r types.Retained) error { return k.retained.Set(ctx, collections.Join(r.Second, r.Id)) })
		}},
		{"pots", func() error { return each(genesis.Pots, func(p types.Pot) error { return k.importPot(ctx, p) }) }},
		{"epoch pots", func() error {
			return each(genesis.EpochPots, func(p types.EpochPot) error { return k.importEpochPot(ctx, p) })
		}},
		{"dust", func() error {
			return each(genesis.Dust, func(d types.Dust) error { return k.dust.Set(ctx, d.Denom, d.Grains) })
		}},
		{"sweep", func() error {
			if genesis.Sweep == nil {
				return nil
			}
			return k.sweep.Set(ctx, *genesis.Sweep)
		}},
		{"untold epochs", func() error {
			return each(genesis.UntoldEpochs, func(e types.Epoch) error { return k.untold.Set(ctx, e.Number, e) })
		}},
		{"books", func() error { return k.CheckBooks(ctx) }},
		{"conservation", func() error { return k.CheckConservation(ctx) }},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			return fmt.Errorf("import %s of x/%s: %w", step.what, types.ModuleName, err)
		}
	}
	return nil
}

func each[T any](items []T, do func(T) error) error {
	for _, item := range items {
		if err := do(item); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) importAccount(ctx context.Context, account types.Account) error {
	owner, err := k.address(account.Owner)
	if err != nil {
		return err
	}
	if err := k.owners.Set(ctx, collections.Join(owner, account.Id)); err != nil {
		return err
	}
	aside, err := k.setAside(ctx, account)
	if err != nil {
		return err
	}
	if !aside {
		if err := k.moveDue(ctx, account.Id, 0, account.DueAt()); err != nil {
			return err
		}
	}
	return k.writeAccount(ctx, account)
}

func (k *Keeper) importPot(ctx context.Context, pot types.Pot) error {
	payee, err := k.address(pot.Payee)
	if err != nil {
		return err
	}
	return k.writePot(ctx, payee, pot)
}

func (k *Keeper) importEpochPot(ctx context.Context, pot types.EpochPot) error {
	payee, err := k.address(pot.Payee)
	if err != nil {
		return err
	}
	return k.writeEpochPot(ctx, payee, pot)
}

// ExportGenesis returns the whole state, in the order of its keys.
func (k *Keeper) ExportGenesis(ctx context.Context) (*types.GenesisState, error) {
	genesis := &types.GenesisState{}
	steps := []struct {
		what string
		do   func() error
	}{
		{"params", func() (err error) { genesis.Params, err = k.params.Get(ctx); return err }},
		{"clock", func() (err error) {
			genesis.Clock, err = k.clock.Get(ctx)
			genesis.Clock.LastBlockTime = nil
			return err
		}},
		{"next account", func() (err error) { genesis.NextAccount, err = k.nextAccount.Peek(ctx); return err }},
		{"accounts", func() error { return k.exportAccounts(ctx, genesis) }},
		{"streams", func() error { return k.exportStreams(ctx, genesis) }},
		{"retained", func() error {
			return k.retained.Walk(ctx, nil, func(key collections.Pair[uint64, uint64]) (bool, error) {
				genesis.Retained = append(genesis.Retained, types.Retained{Second: key.K1(), Id: key.K2()})
				return false, nil
			})
		}},
		{"pots", func() error { return k.exportPots(ctx, genesis) }},
		{"dust", func() error {
			return k.dust.Walk(ctx, nil, func(denom string, grains math.Int) (bool, error) {
				genesis.Dust = append(genesis.Dust, types.Dust{Denom: denom, Grains: grains})
				return false, nil
			})
		}},
		{"quarantine", func() error {
			return k.quarantine.Walk(ctx, nil, func(_ collections.Pair[string, uint64], q types.Quarantined) (bool, error) {
				genesis.Quarantine = append(genesis.Quarantine, q)
				return false, nil
			})
		}},
		{"sweep", func() error { return k.exportSweep(ctx, genesis) }},
		{"untold epochs", func() error {
			return k.untold.Walk(ctx, nil, func(_ uint64, e types.Epoch) (bool, error) {
				genesis.UntoldEpochs = append(genesis.UntoldEpochs, e)
				return false, nil
			})
		}},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			return nil, fmt.Errorf("export %s of x/%s: %w", step.what, types.ModuleName, err)
		}
	}
	return genesis, nil
}

func (k *Keeper) exportAccounts(ctx context.Context, genesis *types.GenesisState) error {
	return k.accounts.Walk(ctx, nil, func(id uint64, a types.Account) (bool, error) {
		genesis.Accounts = append(genesis.Accounts, unpackAccount(id, a))
		return false, nil
	})
}

func (k *Keeper) exportStreams(ctx context.Context, genesis *types.GenesisState) error {
	err := k.openStreams.Walk(ctx, nil, func(id uint64, s types.Stream) (bool, error) {
		genesis.OpenStreams = append(genesis.OpenStreams, unpackStream(id, s))
		return false, nil
	})
	if err != nil {
		return err
	}
	return k.closedStreams.Walk(ctx, nil, func(id uint64, s types.Stream) (bool, error) {
		genesis.ClosedStreams = append(genesis.ClosedStreams, unpackStream(id, s))
		return false, nil
	})
}

func (k *Keeper) exportPots(ctx context.Context, genesis *types.GenesisState) error {
	err := k.pots.Walk(ctx, nil, func(key potKey, pot types.Pot) (bool, error) {
		pot, err := k.unpackPot(key.K1(), key.K2(), pot)
		genesis.Pots = append(genesis.Pots, pot)
		return false, err
	})
	if err != nil {
		return err
	}
	return k.epochPots.Walk(ctx, nil, func(key epochPotKey, pot types.EpochPot) (bool, error) {
		pot, err := k.unpackEpochPot(key, pot)
		genesis.EpochPots = append(genesis.EpochPots, pot)
		return false, err
	})
}

func (k *Keeper) exportSweep(ctx context.Context, genesis *types.GenesisState) error {
	found, err := k.sweep.Has(ctx)
	if err != nil || !found {
		return err
	}
	sweep, err := k.sweep.Get(ctx)
	genesis.Sweep = &sweep
	return err
}
