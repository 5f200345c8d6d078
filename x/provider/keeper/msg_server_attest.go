package keeper

import (
	"context"
	"fmt"
	"slices"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// Attest writes what an auditor says of a provider that names it, in place of what it said before.
func (m msgServer) Attest(ctx context.Context, msg *types.MsgAttest) (*types.MsgAttestResponse, error) {
	auditor, err := m.address(msg.Auditor)
	if err != nil {
		return nil, err
	}
	operator, err := m.address(msg.Provider)
	if err != nil {
		return nil, err
	}
	provider, err := m.change(ctx, operator)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(provider.Auditors, msg.Auditor) {
		return nil, types.ErrNotAuditor.Wrapf("%s names %d auditors, %s is none of them", msg.Provider, len(provider.Auditors), msg.Auditor)
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	attestation := types.Attestation{
		Provider: msg.Provider, Auditor: msg.Auditor, Labels: msg.Labels, ExpiresAt: msg.ExpiresAt, AttestedAt: now,
	}
	if err := attestation.ValidateNew(now); err != nil {
		return nil, err
	}
	if err := m.writeAttestation(ctx, operator, auditor, attestation); err != nil {
		return nil, err
	}
	if err := emit(ctx, types.NewEventAttested(attestation)); err != nil {
		return nil, err
	}
	return &types.MsgAttestResponse{}, m.attested(ctx, operator)
}

// RevokeAttestation takes back what an auditor said.
func (m msgServer) RevokeAttestation(
	ctx context.Context, msg *types.MsgRevokeAttestation,
) (*types.MsgRevokeAttestationResponse, error) {
	auditor, err := m.address(msg.Auditor)
	if err != nil {
		return nil, err
	}
	operator, err := m.address(msg.Provider)
	if err != nil {
		return nil, err
	}
	found, err := m.attestations.Has(ctx, collections.Join(operator, auditor))
	if err != nil {
		return nil, fmt.Errorf("read attestation of %s by %s: %w", msg.Provider, msg.Auditor, err)
	}
	if !found {
		return nil, types.ErrNoAttestation.Wrapf("of %s by %s", msg.Provider, msg.Auditor)
	}
	if err := m.dropAttestation(ctx, operator, auditor); err != nil {
		return nil, err
	}
	return &types.MsgRevokeAttestationResponse{}, m.attested(ctx, operator)
}

// attested tells the module above that what auditors say of a provider has changed.
func (k *Keeper) attested(ctx context.Context, operator sdk.AccAddress) error {
	if k.hooks == nil {
		return nil
	}
	return k.hooks.AfterAttested(ctx, operator)
}
