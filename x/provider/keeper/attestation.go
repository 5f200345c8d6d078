package keeper

import (
	"context"
	"fmt"
	"slices"

	"cosmossdk.io/collections"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// AttestationsOf returns what auditors say of a provider, by auditor; expired attestations included. There is at most one
// for each auditor that the provider names.
func (k *Keeper) AttestationsOf(ctx context.Context, operator sdk.AccAddress) ([]types.Attestation, error) {
	iterator, err := k.attestations.Iterate(ctx, collections.NewPrefixedPairRange[sdk.AccAddress, sdk.AccAddress](operator))
	if err != nil {
		return nil, fmt.Errorf("walk attestations of %s: %w", k.show(operator), err)
	}
	attestations, err := iterator.Values()
	if err != nil {
		return nil, fmt.Errorf("walk attestations of %s: %w", k.show(operator), err)
	}
	return attestations, nil
}

// writeAttestation writes an attestation and the index by auditor.
func (k *Keeper) writeAttestation(ctx context.Context, operator, auditor sdk.AccAddress, a types.Attestation) error {
	err := k.attestations.Set(ctx, collections.Join(operator, auditor), a)
	if err == nil {
		err = k.attestationsBy.Set(ctx, collections.Join(auditor, operator))
	}
	if err != nil {
		return fmt.Errorf("write attestation of %s by %s: %w", a.Provider, a.Auditor, err)
	}
	return nil
}

func (k *Keeper) dropAttestation(ctx context.Context, operator, auditor sdk.AccAddress) error {
	err := k.attestations.Remove(ctx, collections.Join(operator, auditor))
	if err == nil {
		err = k.attestationsBy.Remove(ctx, collections.Join(auditor, operator))
	}
	if err != nil {
		return fmt.Errorf("drop attestation of %s by %s: %w", k.show(operator), k.show(auditor), err)
	}
	return emit(ctx, types.NewEventAttested(types.Attestation{Provider: k.show(operator), Auditor: k.show(auditor)}))
}

// dropAttestations drops what was said of a provider by all but the given auditors.
func (k *Keeper) dropAttestations(ctx context.Context, operator sdk.AccAddress, keep []string) error {
	attestations, err := k.AttestationsOf(ctx, operator)
	if err != nil {
		return err
	}
	dropped := false
	for _, a := range attestations {
		if slices.Contains(keep, a.Auditor) {
			continue
		}
		auditor, err := k.address(a.Auditor)
		if err != nil {
			return err
		}
		if err := k.dropAttestation(ctx, operator, auditor); err != nil {
			return err
		}
		dropped = true
	}
	if !dropped {
		return nil
	}
	return k.attested(ctx, operator)
}
