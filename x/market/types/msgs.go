package types

import (
	"cosmossdk.io/core/address"
)

// Validate refuses a message that is wrong whatever the state.
func (m *MsgSetPool) Validate(addresses address.Codec) error {
	if err := validateSigner(addresses, m.Signer, m.Provider); err != nil {
		return err
	}
	if m.Id >= MaxPools {
		return ErrInvalidPool.Wrapf("id %d: at most %d", m.Id, MaxPools-1)
	}
	if err := m.Total.Validate(); err != nil {
		return err
	}
	return m.LargestUnit.Validate()
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgPostOffer) Validate(addresses address.Codec) error {
	if err := validateSigner(addresses, m.Signer, m.Provider); err != nil {
		return err
	}
	if m.Pool >= MaxPools {
		return ErrInvalidPool.Wrapf("id %d: at most %d", m.Pool, MaxPools-1)
	}
	return validateOffer(m.Asks, m.Labels)
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgUpdateOffer) Validate(addresses address.Codec) error {
	if err := validateAddress(addresses, "signer", m.Signer); err != nil {
		return err
	}
	return validateOffer(m.Asks, m.Labels)
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgWithdrawOffer) Validate(addresses address.Codec) error {
	return validateAddress(addresses, "signer", m.Signer)
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgCreateDeployment) Validate(addresses address.Codec) error {
	if err := validateAddress(addresses, "owner", m.Owner); err != nil {
		return err
	}
	if err := ValidateName(m.Name); err != nil {
		return err
	}
	if len(m.ManifestHash) != HashBytes {
		return ErrInvalidManifest.Wrapf("%d bytes: want %d", len(m.ManifestHash), HashBytes)
	}
	if err := ValidateBids(m.Bids); err != nil {
		return err
	}
	return validateDeposit(m.Deposit)
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgCloseDeployment) Validate(addresses address.Codec) error {
	return validateAddress(addresses, "owner", m.Owner)
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgAckLeases) Validate(addresses address.Codec) error {
	if err := validateSigner(addresses, m.Signer, m.Provider); err != nil {
		return err
	}
	if n := len(m.Accept) + len(m.Decline); n == 0 || n > MaxBatch {
		return ErrInvalidBatch.Wrapf("%d leases: want 1 to %d", n, MaxBatch)
	}
	return nil
}

func validateOffer(asks []Ask, labels []Label) error {
	if err := ValidateAsks(asks); err != nil {
		return err
	}
	return ValidateLabels(labels)
}

func validateSigner(addresses address.Codec, signer, provider string) error {
	if err := validateAddress(addresses, "signer", signer); err != nil {
		return err
	}
	return validateAddress(addresses, "provider", provider)
}
