package keeper

import (
	"context"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/proof/types"
)

// CommitEpoch takes a provider's word on all its leases in an epoch, once. One that comes after the commit window is drawn by a
// round of its own, named in a later block, so that nobody can wait for a seed that spares it.
func (m msgServer) CommitEpoch(ctx context.Context, msg *types.MsgCommitEpoch) (*types.MsgCommitEpochResponse, error) {
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	provider, err := m.authorized(ctx, msg.Signer, msg.Provider)
	if err != nil {
		return nil, err
	}
	epoch, err := m.Epoch(ctx, msg.Epoch)
	if err != nil {
		return nil, err
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	if now >= epoch.LateUntil {
		return nil, types.ErrTooLate.Wrapf("epoch %d takes commitments until second %d, it is %d", epoch.Number, epoch.LateUntil, now)
	}
	if before, found, err := m.findCommitment(ctx, provider, epoch.Number); err != nil || found {
		if err == nil {
			err = types.ErrCommitted.Wrapf("to epoch %d, as commitment %d", epoch.Number, before.Id)
		}
		return nil, err
	}
	if err := m.checkRoots(ctx, provider, epoch.Number, msg.Roots); err != nil {
		return nil, err
	}
	params, err := m.Params(ctx)
	if err != nil {
		return nil, err
	}
	commitment := types.Commitment{
		Provider: msg.Provider, Epoch: epoch.Number, Roots: msg.Roots, Usage: msg.Usage, ReceiptGraceSeconds: params.ReceiptGraceSeconds,
		State: types.CommitmentState_COMMITMENT_STATE_COMMITTED, CommittedAt: now, Late: now >= epoch.CommitUntil,
	}
	if commitment, err = m.commit(ctx, provider, epoch, commitment); err != nil {
		return nil, err
	}
	return &types.MsgCommitEpochResponse{Commitment: commitment.Id, Late: commitment.Late}, emit(ctx, types.NewEventCommitted(commitment))
}

// authorized returns the operator of a provider if the signer is that operator or its agent.
func (k *Keeper) authorized(ctx context.Context, signer, provider string) (sdk.AccAddress, error) {
	if _, err := k.provider.Authorize(ctx, signer, provider); err != nil {
		return nil, err
	}
	return k.address(provider)
}

// checkRoots refuses roots that claim more than was earned by service.
func (k *Keeper) checkRoots(ctx context.Context, provider sdk.AccAddress, epoch uint64, roots []types.Root) error {
	for _, root := range roots {
		pot, err := k.escrow.EpochPot(ctx, provider, root.Denom, epoch)
		if err != nil {
			return types.ErrNoPot.Wrapf("in %s in epoch %d: %s", root.Denom, epoch, err)
		}
		if root.Sum.GT(pot.Service) {
			return types.ErrBeyondAccrual.Wrapf("%s grains of %s, service earned %s in epoch %d", root.Sum, root.Denom, pot.Service, epoch)
		}
	}
	return nil
}

// commit stores a commitment, and binds a seed that might have to be drawn by block hashes to it.
func (k *Keeper) commit(
	ctx context.Context, provider sdk.AccAddress, epoch types.Epoch, c types.Commitment,
) (types.Commitment, error) {
	var err error
	if c.Id, err = k.nextCommitment.Next(ctx); err != nil {
		return types.Commitment{}, fmt.Errorf("number a commitment: %w", err)
	}
	if epoch.Digest, err = types.NextDigest(epoch.Digest, c.Provider, c.Roots); err != nil {
		return types.Commitment{}, err
	}
	if err := k.writeEpoch(ctx, epoch); err != nil {
		return types.Commitment{}, err
	}
	return c, k.fileCommitment(ctx, provider, c)
}
