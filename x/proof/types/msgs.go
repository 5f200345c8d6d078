package types

import (
	"strings"

	"cosmossdk.io/core/address"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/beacon"
	"github.com/souk-network/souk/sumtree"
)

// ParseAddress reads the one text that state holds of an address: bech32 allows upper case too.
func ParseAddress(addresses address.Codec, text string) (sdk.AccAddress, error) {
	raw, err := addresses.StringToBytes(text)
	if err != nil {
		return nil, ErrInvalidAddress.Wrap(err.Error())
	}
	if text != strings.ToLower(text) {
		return nil, ErrInvalidAddress.Wrapf("%q is not in lower case", text)
	}
	return raw, nil
}

func validateAddresses(addresses address.Codec, texts ...string) error {
	for _, text := range texts {
		if _, err := ParseAddress(addresses, text); err != nil {
			return err
		}
	}
	return nil
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgCommitEpoch) Validate(addresses address.Codec) error {
	if err := validateAddresses(addresses, m.Signer, m.Provider); err != nil {
		return err
	}
	return ValidateRoots(m.Roots)
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgOpenAudit) Validate(addresses address.Codec) error {
	if err := validateAddresses(addresses, m.Signer, m.Provider); err != nil {
		return err
	}
	if err := sdk.ValidateDenom(m.Denom); err != nil {
		return ErrInvalidOpening.Wrap(err.Error())
	}
	if len(m.Openings) == 0 || len(m.Openings) > MaxOpenings {
		return ErrInvalidOpening.Wrapf("%d openings: want 1 to %d", len(m.Openings), MaxOpenings)
	}
	for i, shown := range m.Openings {
		if len(shown.Opening) == 0 || len(shown.Opening) > sumtree.MaxOpeningBytes {
			return ErrInvalidOpening.Wrapf("opening %d of %d bytes: want 1 to %d", i, len(shown.Opening), sumtree.MaxOpeningBytes)
		}
		if shown.Receipt != nil && shown.Receipt.Size() > MaxReceiptBytes {
			return ErrInvalidReceipt.Wrapf("receipt %d of %d bytes: want at most %d", i, shown.Receipt.Size(), MaxReceiptBytes)
		}
	}
	return nil
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgDisown) Validate(addresses address.Codec) error {
	return validateAddresses(addresses, m.Signer, m.Provider)
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgPostRound) Validate(addresses address.Codec) error {
	if err := validateAddresses(addresses, m.Signer); err != nil {
		return err
	}
	if m.Round == 0 || len(m.Signature) != beacon.SignatureSize {
		return ErrInvalidSignature.Wrapf("round %d with a signature of %d bytes: want %d", m.Round, len(m.Signature), beacon.SignatureSize)
	}
	return nil
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgPostReceipt) Validate(addresses address.Codec) error {
	if err := validateAddresses(addresses, m.Signer); err != nil {
		return err
	}
	if m.Receipt.Size() > MaxReceiptBytes {
		return ErrInvalidReceipt.Wrapf("receipt of %d bytes: want at most %d", m.Receipt.Size(), MaxReceiptBytes)
	}
	return m.Receipt.Validate()
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgClaimRefund) Validate(addresses address.Codec) error {
	if err := validateAddresses(addresses, m.Signer); err != nil {
		return err
	}
	if m.Lease == 0 || m.Epoch == 0 {
		return ErrInvalidOpening.Wrap("leases and epochs count from 1")
	}
	return validateShown(m.Opening, m.Absence, false)
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgForceOpen) Validate(addresses address.Codec) error {
	if err := validateAddresses(addresses, m.Signer); err != nil {
		return err
	}
	if m.Lease == 0 || m.Epoch == 0 {
		return ErrInvalidOpening.Wrap("leases and epochs count from 1")
	}
	return nil
}

// Validate refuses a message that is wrong whatever the state. What a single answer shows is judged answer by answer.
func (m *MsgAnswerForced) Validate(addresses address.Codec) error {
	if err := validateAddresses(addresses, m.Signer, m.Provider); err != nil {
		return err
	}
	if len(m.Answers) == 0 || len(m.Answers) > MaxAnswers {
		return ErrInvalidAnswers.Wrapf("%d answers: want 1 to %d", len(m.Answers), MaxAnswers)
	}
	for i, answer := range m.Answers {
		if err := validateShown(answer.Opening, answer.Absence, true); err != nil {
			return ErrInvalidAnswers.Wrapf("answer %d: %s", i, err)
		}
	}
	return nil
}

// validateShown bounds what shows a leaf or its absence: one of them at most, and at least if it must.
func validateShown(opening, absence []byte, must bool) error {
	switch {
	case len(opening) > 0 && len(absence) > 0:
		return ErrInvalidOpening.Wrap("a leaf cannot be there and absent")
	case must && len(opening) == 0 && len(absence) == 0:
		return ErrInvalidOpening.Wrap("neither a leaf nor its absence")
	case len(opening) > sumtree.MaxOpeningBytes:
		return ErrInvalidOpening.Wrapf("opening of %d bytes: want at most %d", len(opening), sumtree.MaxOpeningBytes)
	case len(absence) > sumtree.MaxAbsenceBytes:
		return ErrInvalidOpening.Wrapf("absence of %d bytes: want at most %d", len(absence), sumtree.MaxAbsenceBytes)
	}
	return nil
}

// Validate refuses a message that is wrong whatever the state.
func (m *MsgUpdateParams) Validate(addresses address.Codec) error {
	if err := validateAddresses(addresses, m.Authority); err != nil {
		return err
	}
	return m.Params.Validate()
}
