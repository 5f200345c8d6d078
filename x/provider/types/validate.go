package types

import (
	"bytes"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"cosmossdk.io/core/address"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

const (
	maxGatewayBytes = 256
	maxNameBytes    = 64
	maxTextBytes    = 256
	maxTLSKeys      = 2
	tlsKeyBytes     = 32
	maxBondDenoms   = 16
	maxAmountBits   = 96
)

// ValidateGateway accepts an https address with a host, and nothing else in it than a port and a path.
func ValidateGateway(uri string) error {
	if uri == "" || len(uri) > maxGatewayBytes {
		return ErrInvalidGateway.Wrapf("%d bytes: want 1 to %d", len(uri), maxGatewayBytes)
	}
	u, err := url.Parse(uri)
	if err != nil {
		return ErrInvalidGateway.Wrap("not an address")
	}
	if u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" ||
		!printable(uri) {
		return ErrInvalidGateway.Wrap("want https://HOST[:PORT][/PATH]")
	}
	return nil
}

// ValidateTLSKeys accepts one or two different SHA-256 hashes.
func ValidateTLSKeys(keys [][]byte) error {
	if len(keys) < 1 || len(keys) > maxTLSKeys {
		return ErrInvalidTLSKeys.Wrapf("%d keys: want 1 or %d", len(keys), maxTLSKeys)
	}
	for _, key := range keys {
		if len(key) != tlsKeyBytes {
			return ErrInvalidTLSKeys.Wrapf("a key of %d bytes: want %d", len(key), tlsKeyBytes)
		}
	}
	if len(keys) == maxTLSKeys && bytes.Equal(keys[0], keys[1]) {
		return ErrInvalidTLSKeys.Wrap("both are the same")
	}
	return nil
}

// Validate bounds what is shown to tenants; control characters could take over their terminals.
func (i Info) Validate() error {
	texts := []struct {
		name, text string
		limit      int
	}{
		{"name", i.Name, maxNameBytes},
		{"website", i.Website, maxTextBytes},
		{"contact", i.Contact, maxTextBytes},
	}
	for _, t := range texts {
		if len(t.text) > t.limit {
			return ErrInvalidInfo.Wrapf("%s of %d bytes: want at most %d", t.name, len(t.text), t.limit)
		}
		if !printable(t.text) {
			return ErrInvalidInfo.Wrapf("%s is not printable", t.name)
		}
	}
	return nil
}

// printable tells that a text is UTF-8 of letters, marks, numbers, punctuation, symbols and plain spaces.
func printable(text string) bool {
	if !utf8.ValidString(text) {
		return false
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// ValidateBond accepts coins that are sorted, positive and below 2^96 each; none at all is fine. Whether their denoms
// are accepted is for escrow to say.
func ValidateBond(coins sdk.Coins) error {
	if len(coins) > maxBondDenoms {
		return ErrInvalidBond.Wrapf("%d denoms: want at most %d", len(coins), maxBondDenoms)
	}
	for _, coin := range coins {
		if coin.Amount.IsNil() || !coin.Amount.IsPositive() || coin.Amount.BigInt().BitLen() > maxAmountBits {
			return ErrInvalidBond.Wrapf("every amount must be positive and below 2^%d", maxAmountBits)
		}
	}
	if err := coins.Validate(); err != nil {
		return ErrInvalidBond.Wrap(err.Error())
	}
	return nil
}

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

// Validate checks a stored provider.
func (p Provider) Validate(addresses address.Codec) error {
	for _, a := range []string{p.Operator, p.Agent, p.Payout} {
		if _, err := ParseAddress(addresses, a); err != nil {
			return err
		}
	}
	if err := ValidateGateway(p.GatewayUri); err != nil {
		return err
	}
	if err := ValidateTLSKeys(p.TlsKeys); err != nil {
		return err
	}
	if err := p.Info.Validate(); err != nil {
		return err
	}
	if err := ValidateAuditors(addresses, p.Auditors); err != nil {
		return err
	}
	if err := validateMaintenance(p.Maintenance); err != nil {
		return err
	}
	if err := p.validateLife(); err != nil {
		return err
	}
	if err := p.validateRotation(addresses); err != nil {
		return err
	}
	return ValidateStoredBond(p.Bond)
}

// validateLife checks that the seconds of a provider's life fit its lifecycle.
func (p Provider) validateLife() error {
	_, known := Lifecycle_name[int32(p.Lifecycle)]
	leaving := p.Lifecycle == Lifecycle_LIFECYCLE_LEAVING || p.Lifecycle == Lifecycle_LIFECYCLE_GONE
	switch {
	case !known || p.Lifecycle == Lifecycle_LIFECYCLE_UNSPECIFIED || p.Reputation > WholePpm || p.Number == 0:
		return ErrInvalidGenesis.Wrapf("lifecycle %d, reputation %d, number %d", p.Lifecycle, p.Reputation, p.Number)
	case leaving != (p.LeavingSince != 0):
		return ErrInvalidGenesis.Wrapf("lifecycle %d, leaving since %d", p.Lifecycle, p.LeavingSince)
	case p.Lifecycle == Lifecycle_LIFECYCLE_GONE && !p.Bond.Empty():
		return ErrInvalidGenesis.Wrapf("gone with a bond of %s", p.Bond)
	case p.JailedUntil != 0 && (p.JailedAt == 0 || p.JailedUntil <= p.JailedAt):
		return ErrInvalidGenesis.Wrapf("jailed at %d until %d", p.JailedAt, p.JailedUntil)
	}
	return nil
}

// validateRotation checks that an agent that takes over has a second, and is another one.
func (p Provider) validateRotation(addresses address.Codec) error {
	if p.NextAgent == "" && p.RotatesAt == 0 {
		return nil
	}
	if _, err := ParseAddress(addresses, p.NextAgent); err != nil {
		return err
	}
	if p.NextAgent == p.Agent || p.RotatesAt == 0 || p.RotatesAt > maxSecond || p.Lifecycle == Lifecycle_LIFECYCLE_GONE {
		return ErrInvalidGenesis.Wrapf("agent %s takes over at %d", p.NextAgent, p.RotatesAt)
	}
	return nil
}

// names tells whether an account is an auditor of the provider.
func (p Provider) names(auditor string) bool { return slices.Contains(p.Auditors, auditor) }

// ValidateStoredBond is ValidateBond for a sum of many deposits, which may be larger than one.
func ValidateStoredBond(coins sdk.Coins) error {
	for _, coin := range coins {
		if coin.Amount.IsNil() || coin.Amount.BigInt().BitLen() > maxStoredBits {
			return ErrInvalidBond.Wrapf("every amount must be below 2^%d", maxStoredBits)
		}
	}
	if err := coins.Validate(); err != nil {
		return ErrInvalidBond.Wrap(err.Error())
	}
	return nil
}

// maxStoredBits bounds the bond of one provider in one denom, and a requirement.
const maxStoredBits = 128
