package keeper

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cosmossdk.io/collections"
	"cosmossdk.io/math"

	"github.com/souk-network/souk/x/escrow/ledger"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

// CheckInvariants checks the whole market: the sums over its records (see the genesis validation), every index, and that
// escrow holds and pays what the leases say. It walks everything: for tests and imports.
func (k *Keeper) CheckInvariants(ctx context.Context) error {
	g, err := k.ExportGenesis(ctx)
	if err != nil {
		return err
	}
	for _, check := range []func(context.Context, *types.GenesisState) error{
		func(_ context.Context, g *types.GenesisState) error { return g.Validate(k.addresses) },
		k.checkExposures, k.checkOfferIndexes, k.checkDeploymentIndexes, k.checkBidIndexes, k.checkLeaseIndexes,
		k.checkFresh, k.checkSweeps, k.checkMoney,
	} {
		if err := check(ctx, g); err != nil {
			return err
		}
	}
	return nil
}

func (k *Keeper) checkExposures(ctx context.Context, g *types.GenesisState) error {
	want := map[[2]string]uint64{}
	for _, l := range g.Leases {
		if l.State.Live() {
			want[[2]string{l.Provider, l.Denom}] += l.Rate
		}
	}
	found := 0
	err := k.exposures.Walk(ctx, nil, func(key denomKey, rate uint64) (bool, error) {
		provider, err := k.addresses.BytesToString(key.K1())
		if err != nil {
			return true, err
		}
		found++
		if rate == 0 || rate != want[[2]string{provider, key.K2()}] {
			return true, types.ErrBroken.Wrapf("exposure of %s is %d%s", provider, rate, key.K2())
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if found != len(want) {
		return types.ErrBroken.Wrapf("%d exposures, want %d", found, len(want))
	}
	return nil
}

func (k *Keeper) checkOfferIndexes(ctx context.Context, g *types.GenesisState) error {
	var active, quoting []uint64
	var listed []providerKey
	for _, o := range g.Offers {
		operator, err := k.operator(o.Provider)
		if err != nil {
			return err
		}
		switch {
		case o.State != types.OfferState_OFFER_STATE_ACTIVE:
		case o.Terms.QuotesOnly:
			quoting = append(quoting, o.Id)
		default:
			active = append(active, o.Id)
		}
		if o.State != types.OfferState_OFFER_STATE_WITHDRAWN {
			listed = append(listed, collections.Join(operator, o.Id))
		}
	}
	return errors.Join(
		sameKeys(ctx, "active offers", k.activeOffers, active),
		sameKeys(ctx, "active offers outside of the auction", k.quoteOffers, quoting),
		sameKeys(ctx, "offers by provider", k.providerOffers, listed),
	)
}

func (k *Keeper) checkDeploymentIndexes(ctx context.Context, g *types.GenesisState) error {
	var owned, kept []providerKey
	open := 0
	for _, d := range g.Deployments {
		owner, err := k.operator(d.Owner)
		if err != nil {
			return err
		}
		owned = append(owned, collections.Join(owner, d.Id))
		if d.State != types.DeploymentState_DEPLOYMENT_STATE_OPEN {
			continue
		}
		open++
		for _, custodian := range d.Custodians {
			operator, err := k.operator(custodian)
			if err != nil {
				return err
			}
			kept = append(kept, collections.Join(operator, d.Id))
		}
		if id, err := k.openNames.Get(ctx, collections.Join(owner, d.Name)); err != nil || id != d.Id {
			return types.ErrBroken.Wrapf("name of deployment %d: %d, %v", d.Id, id, err)
		}
	}
	err := k.openNames.Walk(ctx, nil, func(nameKey, uint64) (bool, error) {
		open--
		return false, nil
	})
	if err != nil {
		return err
	}
	if open != 0 {
		return types.ErrBroken.Wrapf("%d names more than open deployments", -open)
	}
	return errors.Join(
		sameKeys(ctx, "deployments by owner", k.ownerDeployments, owned),
		sameKeys(ctx, "deployments by custodian", k.custody, kept),
	)
}

func (k *Keeper) checkBidIndexes(ctx context.Context, g *types.GenesisState) error {
	var all, due []pairKey
	var open, collecting []uint64
	for _, b := range g.Bids {
		all = append(all, collections.Join(b.Deployment, b.Id))
		if b.State == types.BidState_BID_STATE_OPEN {
			open = append(open, b.Id)
			due = append(due, collections.Join(b.ExpiresAt, b.Id))
			if b.Spec.Quoted() {
				collecting = append(collecting, b.Id)
			}
		}
	}
	return errors.Join(
		sameKeys(ctx, "bids by deployment", k.deploymentBids, all),
		sameKeys(ctx, "open bids", k.openBids, open),
		sameKeys(ctx, "bids that collect quotes", k.quoteBids, collecting),
		someKeys(ctx, "bid deadlines", k.bidDeadlines, due),
	)
}

func (k *Keeper) checkLeaseIndexes(ctx context.Context, g *types.GenesisState) error {
	var all, live, unacked, ending, challenged, standbys []pairKey
	var work []providerKey
	for _, l := range g.Leases {
		operator, err := k.operator(l.Provider)
		if err != nil {
			return err
		}
		all = append(all, collections.Join(l.Deployment, l.Id))
		if l.State.Live() {
			live = append(live, collections.Join(l.Deployment, l.Id))
			work = append(work, collections.Join(operator, l.Id))
			if l.Standby {
				standbys = append(standbys, collections.Join(l.Bid, l.Id))
			}
		}
		if l.State == types.LeaseState_LEASE_STATE_PENDING {
			unacked = append(unacked, collections.Join(l.AckBy, l.Id))
		}
		if l.AnswerBy != 0 {
			challenged = append(challenged, collections.Join(l.AnswerBy, l.Id))
		}
		if at := l.Deadline(); at != 0 {
			ending = append(ending, collections.Join(at, l.Id))
		}
	}
	forgotten, err := k.forgottenLeases(ctx)
	if err != nil {
		return err
	}
	kept, err := k.keptLeases(ctx)
	if err != nil {
		return err
	}
	return errors.Join(
		sameKeys(ctx, "leases by provider", k.providerLeases, kept),
		sameKeys(ctx, "leases by deployment", k.deploymentLeases, append(all, forgotten...)),
		sameKeys(ctx, "live leases", k.liveLeases, live),
		sameKeys(ctx, "live leases by provider", k.providerLiveLeases, work),
		sameKeys(ctx, "standbys by bid", k.standbys, standbys),
		someKeys(ctx, "acknowledgement deadlines", k.ackDeadlines, unacked),
		someKeys(ctx, "answer deadlines", k.answerDeadlines, challenged),
		someKeys(ctx, "lease deadlines", k.leaseDeadlines, ending),
	)
}

// forgottenLeases returns the keys of leases whose deployment has been pruned before them.
func (k *Keeper) forgottenLeases(ctx context.Context) ([]pairKey, error) {
	var forgotten []pairKey
	err := k.deploymentLeases.Walk(ctx, nil, func(key pairKey) (bool, error) {
		kept, err := k.deployments.Has(ctx, key.K1())
		if !kept {
			forgotten = append(forgotten, key)
		}
		return false, err
	})
	return forgotten, err
}

// keptLeases returns the keys of all leases by provider.
func (k *Keeper) keptLeases(ctx context.Context) ([]providerKey, error) {
	var kept []providerKey
	err := k.leases.Walk(ctx, nil, func(id uint64, lease types.Lease) (bool, error) {
		operator, err := k.operator(lease.Provider)
		kept = append(kept, collections.Join(operator, id))
		return false, err
	})
	return kept, err
}

// checkSweeps checks that each sweep has an index entry, under the number of its provider, and there are no others.
func (k *Keeper) checkSweeps(ctx context.Context, g *types.GenesisState) error {
	for _, sweep := range g.Sweeps {
		operator, err := k.operator(sweep.Provider)
		if err != nil {
			return err
		}
		provider, err := k.provider.GetProvider(ctx, operator)
		if err != nil {
			return fmt.Errorf("provider of a sweep: %w", err)
		}
		number, err := k.providerSweeps.Get(ctx, collections.Join(operator, sweep.Second))
		if err != nil || number != sweep.Number || number != provider.Number {
			return types.ErrBroken.Wrapf("sweep of provider %d at %d: %d, %v", sweep.Number, sweep.Second, number, err)
		}
	}
	indexed := 0
	err := k.providerSweeps.Walk(ctx, nil, func(providerKey, uint64) (bool, error) {
		indexed++
		return false, nil
	})
	if err != nil {
		return err
	}
	if indexed != len(g.Sweeps) {
		return types.ErrBroken.Wrapf("%d sweeps indexed, want %d", indexed, len(g.Sweeps))
	}
	return nil
}

// checkMoney checks that every open deployment has an account which holds what its pending leases need, and pays those
// that are served and nothing else.
func (k *Keeper) checkMoney(ctx context.Context, g *types.GenesisState) error {
	held := map[uint64]math.Int{}
	streams := map[uint64]uint32{}
	for _, d := range g.Deployments {
		held[d.Id] = math.ZeroInt()
	}
	for _, l := range g.Leases {
		held[l.Deployment] = held[l.Deployment].Add(l.Held)
		if !l.State.Paid() {
			continue
		}
		streams[l.Deployment]++
		if err := k.checkStream(ctx, l); err != nil {
			return err
		}
	}
	for _, d := range g.Deployments {
		account, err := k.escrow.Account(ctx, d.Account)
		if err != nil {
			return fmt.Errorf("account of deployment %d: %w", d.Id, err)
		}
		open := d.State == types.DeploymentState_DEPLOYMENT_STATE_OPEN
		if open == (account.State == escrowtypes.AccountState_ACCOUNT_STATE_CLOSED) || account.Owner != d.Owner ||
			account.Denom != d.Denom {
			return types.ErrBroken.Wrapf("account %d is not that of deployment %d", account.Id, d.Id)
		}
		if account.ExhaustedAt == 0 && (!account.Held.Equal(held[d.Id]) || account.Streams != streams[d.Id]) {
			return types.ErrBroken.Wrapf("account %d holds %s and has %d streams; leases want %s and %d", account.Id,
				account.Held, account.Streams, held[d.Id], streams[d.Id])
		}
	}
	return nil
}

// checkStream checks that a lease which is served is paid as its state says: in full, paused for its capacity only, or the
// share of a standby as of its acknowledgement or resize. The stream of an account whose end is in quarantine has stopped.
func (k *Keeper) checkStream(ctx context.Context, l types.Lease) error {
	stream, err := k.escrow.Stream(ctx, l.Stream)
	if err != nil {
		return fmt.Errorf("stream of lease %d: %w", l.Id, err)
	}
	if l.Standby {
		if stream.Ref != l.Id || stream.Payee != l.Provider || stream.Account != l.Account || stream.FullRate != 0 ||
			stream.Kind != escrowtypes.StreamKind_STREAM_KIND_HOLD || stream.Rate != ledger.HoldRate(l.Rate, l.StandbyBps) || l.Paused {
			return types.ErrBroken.Wrapf("stream %d is not that of standby %d", stream.Id, l.Id)
		}
		return nil
	}
	paused := stream.FullRate != 0
	rate := stream.Rate
	if paused {
		rate = stream.FullRate
	}
	if stream.Ref != l.Id || rate != l.Rate || stream.Payee != l.Provider || stream.Account != l.Account ||
		paused != (stream.Kind == escrowtypes.StreamKind_STREAM_KIND_HOLD) {
		return types.ErrBroken.Wrapf("stream %d is not that of lease %d", stream.Id, l.Id)
	}
	leaving := l.State == types.LeaseState_LEASE_STATE_LEAVING
	if l.Paused != paused || !leaving && l.State != paidState(stream) {
		return types.ErrBroken.Wrapf("lease %d is %s, and its stream pays %d of %d", l.Id, l.State, stream.Rate, l.Rate)
	}
	return nil
}

// sameKeys checks that a set has exactly the keys that it should have.
func sameKeys[K any](ctx context.Context, what string, set collections.KeySet[K], want []K) error {
	if err := someKeys(ctx, what, set, want); err != nil {
		return err
	}
	found := 0
	err := set.Walk(ctx, nil, func(K) (bool, error) {
		found++
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("walk %s: %w", what, err)
	}
	if found != len(want) {
		return types.ErrBroken.Wrapf("%s: %d keys, want %d", what, found, len(want))
	}
	return nil
}

// someKeys checks that a queue has no keys but those that it may have. An item in quarantine is in no queue.
func someKeys[K any](ctx context.Context, what string, set collections.KeySet[K], may []K) error {
	names := make([]string, len(may))
	for i, key := range may {
		names[i] = set.KeyCodec().Stringify(key)
	}
	slices.Sort(names)
	return set.Walk(ctx, nil, func(key K) (bool, error) {
		name := set.KeyCodec().Stringify(key)
		if _, found := slices.BinarySearch(names, name); !found {
			return true, types.ErrBroken.Wrapf("%s: %s should not be there", what, name)
		}
		return false, nil
	})
}
