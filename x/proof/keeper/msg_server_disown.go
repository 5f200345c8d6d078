package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/proof/types"
)

// Disown takes back a commitment whose leaves are lost, before its audit or the answer to one who asks for a leaf is late: all that
// is held back is forfeited, but nothing is slashed and nobody is jailed. Whatever else was committed to by then is forfeited, too,
// and cannot be forged any more. A provider may do that once in probation_epochs.
func (m msgServer) Disown(ctx context.Context, msg *types.MsgDisown) (*types.MsgDisownResponse, error) {
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	provider, err := m.authorized(ctx, msg.Signer, msg.Provider)
	if err != nil {
		return nil, err
	}
	c, why, err := m.disownable(ctx, provider, msg.Epoch)
	if err != nil {
		return nil, err
	}
	params, err := m.Params(ctx)
	if err != nil {
		return nil, err
	}
	standing, err := m.Standing(ctx, provider)
	if err != nil {
		return nil, err
	}
	if !standing.MayDisown(c.Epoch, params) {
		return nil, types.ErrDisowned.Wrapf("epoch %d was: the next may be epoch %d", standing.Disowned,
			standing.Disowned+uint64(params.ProbationEpochs))
	}
	fault := types.Fault{
		Provider: c.Provider, Kind: types.FaultKind_FAULT_KIND_MISSED, Epoch: c.Epoch, Commitment: &c,
		Reason: fmt.Sprintf("epoch %d was taken back when %s", c.Epoch, why),
	}
	if fault.Forfeited, err = m.takeBack(ctx, provider, c, types.CommitmentState_COMMITMENT_STATE_DISOWNED); err != nil {
		return nil, err
	}
	standing = standing.Miss(c.Epoch, params)
	standing.CleanEpochs, standing.Disowned = 0, c.Epoch
	if standing.DisownedAt, err = m.escrow.Now(ctx); err != nil {
		return nil, err
	}
	if err := m.writeStanding(ctx, provider, standing); err != nil {
		return nil, err
	}
	return &types.MsgDisownResponse{}, m.addFault(ctx, provider, fault)
}

// disownable returns a commitment that is audited, or of which a leaf is asked for, and why it is of use to take it back.
func (k *Keeper) disownable(ctx context.Context, provider sdk.AccAddress, epoch uint64) (types.Commitment, string, error) {
	c, err := k.Commitment(ctx, provider, epoch)
	if err != nil {
		return types.Commitment{}, "", err
	}
	if c.State != types.CommitmentState_COMMITMENT_STATE_PROVEN {
		c, err = k.audited(ctx, provider, epoch)
		return c, "it was audited", err
	}
	asked, err := k.isAsked(ctx, provider, epoch)
	if err == nil && !asked {
		err = types.ErrNotAudited.Wrapf("commitment %d is %s, and nobody asks for a leaf of it", c.Id, c.State)
	}
	return c, "a leaf of it was asked for", err
}

// askedAtMost are the requests that are looked at: the last one is the last to be answered, unless the window was made shorter.
const askedAtMost = 64

// isAsked tells whether a provider owes an answer about an epoch.
func (k *Keeper) isAsked(ctx context.Context, provider sdk.AccAddress, epoch uint64) (asked bool, err error) {
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return false, err
	}
	looked, lastFirst := 0, new(collections.Range[askedKey]).Prefix(collections.TripleSuperPrefix[sdk.AccAddress, uint64, uint64](provider, epoch)).Descending()
	err = k.forcedOf.Walk(ctx, lastFirst, func(key askedKey) (bool, error) {
		forced, err := k.readForced(ctx, key.K3())
		looked, asked = looked+1, err == nil && now < forced.AnswerBy
		return asked || looked >= askedAtMost, err
	})
	if err != nil {
		return false, fmt.Errorf("look up what is asked of epoch %d: %w", epoch, err)
	}
	return asked, nil
}

// disownedWith tells that a commitment was there when its provider took one back: its pots are forfeited with that.
func (k *Keeper) disownedWith(ctx context.Context, c types.Commitment) (bool, error) {
	provider, err := k.address(c.Provider)
	if err != nil {
		return false, err
	}
	standing, err := k.Standing(ctx, provider)
	return err == nil && standing.DisownedAt != 0 && c.CommittedAt <= standing.DisownedAt, err
}
