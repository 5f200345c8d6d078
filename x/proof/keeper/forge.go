package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/proof/types"
)

// forgeUnopened punishes a provider whose audit was not answered in time. In quarantine its money waits; an answer is late all the
// same. Nobody is punished for an audit that ends after its pots have matured, when what is due may be forgotten: so it can be only
// when the genesis made the hold-back shorter than the windows.
func (k *Keeper) forgeUnopened(ctx context.Context, id uint64) error {
	c, found, err := k.lookUpCommitment(ctx, id)
	if err != nil || !found || c.State != types.CommitmentState_COMMITMENT_STATE_AUDITED {
		return err
	}
	epoch, err := k.Epoch(ctx, c.Epoch)
	if err != nil {
		return err
	}
	if c.OpenBy >= epoch.MaturesAt {
		return k.settleUndecided(ctx, c)
	}
	if disowned, err := k.disownedWith(ctx, c); err != nil || disowned {
		if err != nil {
			return err
		}
		c.State = types.CommitmentState_COMMITMENT_STATE_DISOWNED
		return k.writeCommitment(ctx, c)
	}
	return k.forge(ctx, c, 0, fmt.Sprintf("audit of epoch %d was not answered by second %d: opened %d of %d roots", c.Epoch, c.OpenBy,
		len(c.Opened), c.ToOpen()))
}

// forge punishes a provider for a commitment that it does not open, or whose leaves it withholds, for the reason (P2): all that is
// held back is forfeited, a share of what is at stake is lost, and its leases end. A lease of 0 is all.
func (k *Keeper) forge(ctx context.Context, c types.Commitment, lease uint64, reason string) error {
	provider, err := k.address(c.Provider)
	if err != nil {
		return err
	}
	params, err := k.Params(ctx)
	if err != nil {
		return err
	}
	fault := types.Fault{
		Provider: c.Provider, Kind: types.FaultKind_FAULT_KIND_FORGED, Epoch: c.Epoch, Lease: lease, Reason: reason, Commitment: &c,
	}
	if fault.Forfeited, err = k.takeBack(ctx, provider, c, types.CommitmentState_COMMITMENT_STATE_FORGED); err != nil {
		return err
	}
	cause := fmt.Sprintf("commitment %d to epoch %d forged", c.Id, c.Epoch)
	if fault.Slashed, err = k.provider.SlashShare(ctx, provider, params.ForgedSlashBps, cause); err != nil {
		return fmt.Errorf("slash %s: %w", c.Provider, err)
	}
	if fault.JailedUntil, err = k.jail(ctx, provider, params.ForgedJailSeconds, cause); err != nil {
		return err
	}
	if err := k.provider.SetReputation(ctx, provider, 0); err != nil {
		return fmt.Errorf("set the reputation of %s: %w", c.Provider, err)
	}
	standing, err := k.Standing(ctx, provider)
	if err != nil {
		return err
	}
	standing.CleanEpochs = 0
	if err := k.writeStanding(ctx, provider, standing); err != nil {
		return err
	}
	return k.addFault(ctx, provider, fault)
}

// takeBack forfeits all that is held back of a provider, and leaves a commitment in a state in which nothing of it counts as
// proven. It returns what was forfeited, in grains by denom.
func (k *Keeper) takeBack(
	ctx context.Context, provider sdk.AccAddress, c types.Commitment, state types.CommitmentState,
) (sdk.Coins, error) {
	taken, err := k.forfeit(ctx, provider)
	if err != nil {
		return nil, err
	}
	if c.State == types.CommitmentState_COMMITMENT_STATE_AUDITED {
		if err := k.openQueue.Remove(ctx, collections.Join(c.OpenBy, c.Id)); err != nil {
			return nil, fmt.Errorf("take commitment %d out of the queue: %w", c.Id, err)
		}
	}
	c.State = state
	return taken, k.writeCommitment(ctx, c)
}

// jail ends the leases of a provider, and returns the second of its release.
func (k *Keeper) jail(ctx context.Context, provider sdk.AccAddress, seconds uint32, cause string) (uint64, error) {
	if err := k.provider.Jail(ctx, provider, uint64(seconds), 0, cause); err != nil {
		return 0, fmt.Errorf("jail: %w", err)
	}
	jailed, err := k.provider.GetProvider(ctx, provider)
	if err != nil {
		return 0, err
	}
	return jailed.JailedUntil, nil
}
