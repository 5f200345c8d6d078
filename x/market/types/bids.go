package types

import (
	"bytes"
	"fmt"
	"slices"

	"cosmossdk.io/core/address"

	"github.com/souk-network/souk/match"
)

// ValidateBids refuses a list that is empty or too long, names used twice, and bids that could never be served.
func ValidateBids(addresses address.Codec, bids []BidSpec) error {
	if len(bids) == 0 || len(bids) > MaxBids {
		return ErrInvalidBid.Wrapf("%d bids: want 1 to %d", len(bids), MaxBids)
	}
	names := make(map[string]bool, len(bids))
	for _, b := range bids {
		if err := b.Validate(addresses); err != nil {
			return err
		}
		if names[b.Name] {
			return ErrInvalidBid.Wrapf("two bids are named %s", b.Name)
		}
		names[b.Name] = true
	}
	return nil
}

// Validate refuses a bid that could never be served.
func (b BidSpec) Validate(addresses address.Codec) error {
	if err := ValidateName(b.Name); err != nil {
		return err
	}
	if err := b.Unit.Validate(); err != nil {
		return err
	}
	if err := b.validateNumbers(); err != nil {
		return err
	}
	for _, r := range b.Requirements {
		if err := r.Validate(); err != nil {
			return err
		}
	}
	return b.validateLists(addresses)
}

func (b BidSpec) validateNumbers() error {
	_, class := LeaseClass_name[int32(b.Class)]
	_, mode := BidMode_name[int32(b.Mode)]
	switch {
	case b.Unit.CpuMillis == 0 || b.Unit.MemoryMib == 0:
		return ErrInvalidResources.Wrapf("bid %s: a replica needs cpu and memory", b.Name)
	case b.Replicas == 0 || b.Replicas > MaxReplicas:
		return ErrInvalidBid.Wrapf("bid %s: %d replicas: want 1 to %d", b.Name, b.Replicas, MaxReplicas)
	case b.MinReplicas > b.Replicas:
		return ErrInvalidBid.Wrapf("bid %s: at least %d of %d replicas", b.Name, b.MinReplicas, b.Replicas)
	case b.Cap == 0 || b.Cap > MaxRate:
		return ErrInvalidBid.Wrapf("bid %s: cap %d: want 1 to 2^63-1", b.Name, b.Cap)
	case len(b.Requirements) > MaxRequirements:
		return ErrInvalidBid.Wrapf("bid %s: %d requirements: at most %d", b.Name, len(b.Requirements), MaxRequirements)
	case b.MinReputation > MaxReputation:
		return ErrInvalidBid.Wrapf("bid %s: reputation %d: at most %d", b.Name, b.MinReputation, MaxReputation)
	case b.MaxPerProvider > MaxReplicas || b.MaxPerZone > MaxReplicas:
		return ErrInvalidBid.Wrapf("bid %s: spread over %d and %d replicas: at most %d", b.Name, b.MaxPerProvider,
			b.MaxPerZone, MaxReplicas)
	case b.Standbys > MaxStandbys:
		return ErrInvalidBid.Wrapf("bid %s: %d standbys: at most %d", b.Name, b.Standbys, MaxStandbys)
	case b.Standbys > 0 && b.Mode == BidMode_BID_MODE_QUOTE:
		return ErrInvalidBid.Wrapf("bid %s: standbys come from the auction, not from quotes", b.Name)
	case !class:
		return ErrInvalidBid.Wrapf("bid %s: class %d", b.Name, b.Class)
	case !mode:
		return ErrInvalidBid.Wrapf("bid %s: mode %d", b.Name, b.Mode)
	case b.LeaseSeconds > maxTermSeconds:
		return ErrInvalidBid.Wrapf("bid %s: a term of %d s: at most %d", b.Name, b.LeaseSeconds, maxTermSeconds)
	case b.LifetimeSeconds > maxBidLifetimeSeconds:
		return ErrInvalidBid.Wrapf("bid %s: %d s in the book: at most %d", b.Name, b.LifetimeSeconds, maxBidLifetimeSeconds)
	}
	return nil
}

func (b BidSpec) validateLists(addresses address.Codec) error {
	for _, list := range []struct {
		name    string
		entries []string
		most    int
	}{
		{"attested_by", b.AttestedBy, MaxAttesters}, {"allow", b.Allow, MaxProviders}, {"deny", b.Deny, MaxProviders},
	} {
		if err := validateAddresses(addresses, list.name, list.entries, list.most); err != nil {
			return fmt.Errorf("bid %s: %w", b.Name, err)
		}
	}
	return nil
}

// validateAddresses refuses a list that is too long, or has malformed or repeated entries.
func validateAddresses(addresses address.Codec, role string, list []string, most int) error {
	if len(list) > most {
		return ErrInvalidList.Wrapf("%s: %d entries: at most %d", role, len(list), most)
	}
	for i, entry := range list {
		if err := validateAddress(addresses, role, entry); err != nil {
			return err
		}
		if slices.Contains(list[:i], entry) {
			return ErrInvalidList.Wrapf("%s: %s twice", role, entry)
		}
	}
	return nil
}

// Same tells whether two bids want the same in every respect.
func (b BidSpec) Same(other BidSpec) (bool, error) {
	one, err := b.Marshal()
	if err != nil {
		return false, fmt.Errorf("encode bid %s: %w", b.Name, err)
	}
	two, err := other.Marshal()
	if err != nil {
		return false, fmt.Errorf("encode bid %s: %w", other.Name, err)
	}
	return bytes.Equal(one, two), nil
}

// Lifetime is how long the bid rests in the book, in seconds: as long as it wants, at most what the market allows.
func (b BidSpec) Lifetime(most uint32) uint64 {
	if b.LifetimeSeconds == 0 {
		return uint64(most)
	}
	return min(b.LifetimeSeconds, uint64(most))
}

// Missing is how many replicas the bid still wants: neither placed nor released.
func (b Bid) Missing() uint32 {
	return b.Spec.Replicas - min(b.Spec.Replicas, b.Placed+b.Released)
}

// MissingStandbys is how many standbys the bid still wants: none when it wants nobody to serve.
func (b Bid) MissingStandbys() uint32 {
	if b.Placed == 0 && b.Missing() == 0 {
		return 0
	}
	return b.Spec.Standbys - min(b.Spec.Standbys, b.StandingBy)
}

// Complete tells that the bid has all replicas and standbys that it wants.
func (b Bid) Complete() bool { return b.Missing() == 0 && b.MissingStandbys() == 0 }

// Demand is the bid as package match sees it: the replicas it misses, and how many of them are too few; its standbys when
// it misses none, as many as there are.
func (b Bid) Demand() match.Bid {
	if b.Missing() == 0 {
		return match.Bid{
			ID: b.Id, Unit: b.Spec.Unit.Vector(), Wanted: b.MissingStandbys(), CapPerHour: b.Spec.Cap,
		}
	}
	return match.Bid{
		ID:         b.Id,
		Unit:       b.Spec.Unit.Vector(),
		Min:        min(b.Missing(), b.Spec.MinReplicas-min(b.Spec.MinReplicas, b.Placed)),
		Wanted:     b.Missing(),
		CapPerHour: b.Spec.Cap,
		Returned:   b.Returned,
	}
}
