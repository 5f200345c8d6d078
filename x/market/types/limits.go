package types

import (
	"strings"

	"cosmossdk.io/core/address"
	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/match"
)

// Limits of lists and texts.
const (
	// MaxQuantity bounds each amount of a Resources: a billion vCPUs, an exbibyte.
	MaxQuantity = match.MaxQuantity
	// MaxPools is the most pools of a provider; their ids are below it.
	MaxPools = 16
	// MaxOffers is the most offers of a provider that are not withdrawn.
	MaxOffers = 64
	// MaxAsks is the most denoms an offer may ask in.
	MaxAsks = 4
	// MaxLabels is the most labels of an offer.
	MaxLabels = 32
	// MaxKeyBytes is the longest key of a label.
	MaxKeyBytes = 64
	// MaxValueBytes is the longest value of a label.
	MaxValueBytes = 128
	// MaxRequirements is the most requirements of a bid.
	MaxRequirements = 16
	// MaxValues is the most values of a requirement.
	MaxValues = 16
	// MaxBids is the most bids of a deployment.
	MaxBids = 32
	// MaxBidNames is the most names that bids of one deployment have had over its life: a bid that an update leaves out is
	// kept, closed, for the leases that it had.
	MaxBidNames = 128
	// MaxAttesters is the most auditors that a bid trusts.
	MaxAttesters = 4
	// MaxProviders is the most providers of an allow or deny list of a bid.
	MaxProviders = 16
	// MaxReputation is the whole, in parts per million.
	MaxReputation = 1_000_000
	// MaxAccessKeys is the most access keys of a deployment.
	MaxAccessKeys = 8
	// MaxCustodians is the most custodians of a deployment.
	MaxCustodians = 2
	// MaxReplicas is the most replicas of a bid.
	MaxReplicas = 1000
	// MaxStandbys is the most standbys of a bid.
	MaxStandbys = 8
	// MaxQuoteFloors is the most providers of which is remembered what they asked for a bid.
	MaxQuoteFloors = 2 * maxQuotesPerBid
	// MaxExcluded is the most providers that a bid remembers to have failed it; older ones are forgotten.
	MaxExcluded = 16
	// MaxLiveLeases is the most live leases of a deployment: escrow pays no more streams from one account.
	MaxLiveLeases = 256
	// MaxBatch is the most leases that one message acknowledges, resigns, reclaims or answers for.
	MaxBatch = 100
	// MaxNameBytes is the longest name of a deployment or a bid.
	MaxNameBytes = 63
	// WorthBytes is the length of what orders the bids that wait to be read.
	WorthBytes = 16
	// HashBytes is the length of a manifest hash.
	HashBytes = 32
	// MaxRate is the highest rate, cap or price, in micro-denom an hour.
	MaxRate = uint64(match.MaxRate)

	amountBits = 96
)

// ValidateName refuses what could not be a DNS label in lower case.
func ValidateName(name string) error {
	if len(name) == 0 || len(name) > MaxNameBytes {
		return ErrInvalidName.Wrapf("%d bytes: want 1 to %d", len(name), MaxNameBytes)
	}
	for i := range len(name) {
		c := name[i]
		inner := i > 0 && i < len(name)-1
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && (c != '-' || !inner) {
			return ErrInvalidName.Wrapf("%q: want lowercase letters, digits and inner hyphens", name)
		}
	}
	return nil
}

// validateDeposit refuses coins that are malformed, not positive or of more than 96 bits.
func validateDeposit(deposit sdk.Coin) error {
	switch {
	case sdk.ValidateDenom(deposit.Denom) != nil:
		return ErrInvalidDeposit.Wrapf("denom %.64q", deposit.Denom)
	case !isAmount(deposit.Amount) || deposit.Amount.IsZero():
		return ErrInvalidDeposit.Wrapf("amount must be positive and below 2^%d", amountBits)
	}
	return nil
}

// isAmount tells that an amount is set, not negative and of at most 96 bits.
func isAmount(amount math.Int) bool {
	return !amount.IsNil() && !amount.IsNegative() && amount.BigInt().BitLen() <= amountBits
}

// validateAddress wants the one text that state holds of an address: bech32 allows upper case too.
func validateAddress(addresses address.Codec, role, text string) error {
	if _, err := addresses.StringToBytes(text); err != nil {
		return ErrInvalidAddress.Wrapf("%s: %v", role, err)
	}
	if text != strings.ToLower(text) {
		return ErrInvalidAddress.Wrapf("%s: %q is not in lower case", role, text)
	}
	return nil
}
