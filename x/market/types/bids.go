package types

import "github.com/souk-network/souk/match"

// ValidateBids refuses a list that is empty or too long, names used twice, and bids that could never be served.
func ValidateBids(bids []BidSpec) error {
	if len(bids) == 0 || len(bids) > MaxBids {
		return ErrInvalidBid.Wrapf("%d bids: want 1 to %d", len(bids), MaxBids)
	}
	names := make(map[string]bool, len(bids))
	for _, b := range bids {
		if err := b.Validate(); err != nil {
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
func (b BidSpec) Validate() error {
	if err := ValidateName(b.Name); err != nil {
		return err
	}
	if err := b.Unit.Validate(); err != nil {
		return err
	}
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
	}
	for _, r := range b.Requirements {
		if err := r.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Missing is how many replicas the bid still wants.
func (b Bid) Missing() uint32 { return b.Spec.Replicas - min(b.Spec.Replicas, b.Placed) }

// Demand is the bid as package match sees it: the replicas it misses, and how many of them are too few.
func (b Bid) Demand() match.Bid {
	return match.Bid{
		ID:         b.Id,
		Unit:       b.Spec.Unit.Vector(),
		Min:        b.Spec.MinReplicas - min(b.Spec.MinReplicas, b.Placed),
		Wanted:     b.Missing(),
		CapPerHour: b.Spec.Cap,
	}
}
