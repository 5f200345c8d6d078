package types

import (
	"cosmossdk.io/core/address"
)

const (
	maxAuditors          = 8
	maxLabels            = 32
	maxLabelKeyBytes     = 64
	maxLabelValueBytes   = 128
	maxAttestationSecond = 2 * 365 * 24 * 3600
)

// ValidateAuditors accepts at most 8 different accounts.
func ValidateAuditors(addresses address.Codec, auditors []string) error {
	if len(auditors) > maxAuditors {
		return ErrInvalidAuditors.Wrapf("%d auditors: want at most %d", len(auditors), maxAuditors)
	}
	seen := make(map[string]bool, len(auditors))
	for _, auditor := range auditors {
		if _, err := ParseAddress(addresses, auditor); err != nil {
			return ErrInvalidAuditors.Wrap(err.Error())
		}
		if seen[auditor] {
			return ErrInvalidAuditors.Wrapf("%s twice", auditor)
		}
		seen[auditor] = true
	}
	return nil
}

// ValidateNew checks what an auditor says now: labels, and an expiry to come, at most two years ahead.
func (a Attestation) ValidateNew(now uint64) error {
	if a.ExpiresAt <= now || a.ExpiresAt-now > maxAttestationSecond {
		return ErrInvalidAttestation.Wrapf("expires at second %d: want %d to %d", a.ExpiresAt, now+1, now+maxAttestationSecond)
	}
	return validateAttestedLabels(a.Labels)
}

// validateAttestedLabels bounds labels as offers have them, so that both can be compared.
func validateAttestedLabels(labels []AttestedLabel) error {
	if len(labels) > maxLabels {
		return ErrInvalidAttestation.Wrapf("%d labels: want at most %d", len(labels), maxLabels)
	}
	for i, l := range labels {
		switch {
		case len(l.Key) == 0 || len(l.Key) > maxLabelKeyBytes || !ascii(l.Key, '!'):
			return ErrInvalidAttestation.Wrapf("label %d: want a key of 1 to %d bytes of ASCII without spaces", i, maxLabelKeyBytes)
		case len(l.Value) > maxLabelValueBytes || !ascii(l.Value, ' '):
			return ErrInvalidAttestation.Wrapf("label %s: want a value of at most %d bytes of ASCII", l.Key, maxLabelValueBytes)
		case i > 0 && labels[i-1].Key >= l.Key:
			return ErrInvalidAttestation.Wrapf("labels not sorted and unique at %s", l.Key)
		}
	}
	return nil
}

// ascii tells that every byte of a text lies between a lowest one and the last one that can be printed.
func ascii(text string, lowest byte) bool {
	for i := range len(text) {
		if text[i] < lowest || text[i] > '~' {
			return false
		}
	}
	return true
}
