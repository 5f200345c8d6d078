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
	return validateOffer(addresses, m.Asks, m.Labels, m.Terms)
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgUpdateOffer) Validate(addresses address.Codec) error {
	if err := validateAddress(addresses, "signer", m.Signer); err != nil {
		return err
	}
	return validateOffer(addresses, m.Asks, m.Labels, m.Terms)
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
	if m.Granter != "" {
		if err := validateAddress(addresses, "granter", m.Granter); err != nil {
			return err
		}
	}
	if err := ValidateName(m.Name); err != nil {
		return err
	}
	if err := validateDeclared(addresses, m.ManifestHash, m.Bids, m.AccessKeys, m.Custodians); err != nil {
		return err
	}
	return validateDeposit(m.Deposit)
}

// validateDeclared refuses what neither a new nor an updated deployment may be.
func validateDeclared(
	addresses address.Codec, manifestHash []byte, bids []BidSpec, keys []AccessKey, custodians []string,
) error {
	if len(manifestHash) != HashBytes {
		return ErrInvalidManifest.Wrapf("%d bytes: want %d", len(manifestHash), HashBytes)
	}
	if err := ValidateBids(addresses, bids); err != nil {
		return err
	}
	if err := ValidateAccessKeys(addresses, keys); err != nil {
		return err
	}
	return validateAddresses(addresses, "custodians", custodians, MaxCustodians)
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgUpdateDeployment) Validate(addresses address.Codec) error {
	if err := validateAddress(addresses, "signer", m.Signer); err != nil {
		return err
	}
	return validateDeclared(addresses, m.ManifestHash, m.Bids, m.AccessKeys, m.Custodians)
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgCloseLease) Validate(addresses address.Codec) error {
	return validateAddress(addresses, "signer", m.Signer)
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
	return validateBatch(len(m.Accept) + len(m.Decline))
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgResignLeases) Validate(addresses address.Codec) error {
	if err := validateSigner(addresses, m.Signer, m.Provider); err != nil {
		return err
	}
	if m.Reason != Reason_REASON_PROVIDER_LEFT && m.Reason != Reason_REASON_POLICY {
		return ErrInvalidReason.Wrapf("%s: want %s or %s", m.Reason, Reason_REASON_PROVIDER_LEFT, Reason_REASON_POLICY)
	}
	return validateBatch(len(m.Leases))
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgReclaimLeases) Validate(addresses address.Codec) error {
	if err := validateSigner(addresses, m.Signer, m.Provider); err != nil {
		return err
	}
	return validateBatch(len(m.Leases))
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgFailover) Validate(addresses address.Codec) error {
	return validateAddress(addresses, "signer", m.Signer)
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgChallengeLease) Validate(addresses address.Codec) error {
	return validateAddress(addresses, "signer", m.Signer)
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgAnswerAlive) Validate(addresses address.Codec) error {
	if err := validateSigner(addresses, m.Signer, m.Provider); err != nil {
		return err
	}
	return validateBatch(len(m.Leases))
}

func validateBatch(leases int) error {
	if leases == 0 || leases > MaxBatch {
		return ErrInvalidBatch.Wrapf("%d leases: want 1 to %d", leases, MaxBatch)
	}
	return nil
}

func validateOffer(addresses address.Codec, asks []Ask, labels []Label, terms OfferTerms) error {
	if err := ValidateAsks(asks); err != nil {
		return err
	}
	if err := ValidateLabels(labels); err != nil {
		return err
	}
	return terms.Validate(addresses)
}

func validateSigner(addresses address.Codec, signer, provider string) error {
	if err := validateAddress(addresses, "signer", signer); err != nil {
		return err
	}
	return validateAddress(addresses, "provider", provider)
}
