package types

import (
	"bytes"
	"fmt"
	"slices"

	"cosmossdk.io/core/address"
	"cosmossdk.io/math"
)

// Labels that bids ask about in fields of their own.
const (
	// ZoneLabel names the place of which a bid takes no more than max_per_zone.
	ZoneLabel = "zone"
	// LatencyLabel is a latency class from 0 to 31.
	LatencyLabel = "latency.class"
	// CarbonLabel is grams of carbon dioxide per kilowatt-hour, a whole number.
	CarbonLabel = "carbon.g_per_kwh"
)

// MaxTenants is the most tenants of an allow or deny list of an offer.
const MaxTenants = 16

const (
	latencyClasses = 32
	// maxTermSeconds bounds the lease bounds of an offer: a hundred years.
	maxTermSeconds = 100 * 366 * 24 * 3600
)

// Standing is what bids see of an offer beside its price, its capacity and its provider: offers that stand alike are of
// one class.
type Standing struct {
	// Labels of the offer, by key.
	Labels []Label
	// Attested is what auditors vouch for at present, one entry an auditor.
	Attested []Attested
	// Terms of the offer.
	Terms OfferTerms
}

// Tenant is what the terms of an offer look at.
type Tenant struct {
	// Owner of the deployment.
	Owner string
	// Denom of its account.
	Denom string
	// Received is all that its account was given, in micro-denom; unset when that is not known yet, and then it suffices.
	Received math.Int
}

// Suits tells whether a bid may take an offer that stands so: what the bid wants of it, and what it wants of the tenant.
// Price, capacity and provider are other questions.
func (b BidSpec) Suits(o Standing, tenant Tenant) bool {
	return Satisfies(o.Labels, b.Requirements) && b.attested(o.Attested) &&
		b.latencySuits(o.Labels) && b.carbonSuits(o.Labels) && b.termsSuit(o.Terms) && o.Terms.admit(tenant)
}

// attested tells whether one auditor that the bid trusts vouches for all of its requirements.
func (b BidSpec) attested(attested []Attested) bool {
	return len(b.AttestedBy) == 0 || slices.ContainsFunc(attested, func(a Attested) bool {
		return slices.Contains(b.AttestedBy, a.Auditor) && Satisfies(a.Labels, b.Requirements)
	})
}

func (b BidSpec) latencySuits(labels []Label) bool {
	if b.LatencyClasses == 0 {
		return true
	}
	class, ok := number(labels, LatencyLabel)
	return ok && b.TakesLatency(class)
}

// TakesLatency tells whether a latency class is one of those that will do; a bid without any takes none.
func (b BidSpec) TakesLatency(class int64) bool {
	return class >= 0 && class < latencyClasses && b.LatencyClasses>>uint(class)&1 == 1
}

func (b BidSpec) carbonSuits(labels []Label) bool {
	if b.MaxCarbon == 0 {
		return true
	}
	grams, ok := number(labels, CarbonLabel)
	return ok && grams <= int64(b.MaxCarbon)
}

// termsSuit tells whether an offer sells leases of the class and the term that the bid wants, in the way that it wants.
func (b BidSpec) termsSuit(t OfferTerms) bool {
	return b.TakesClass(t.Class) && t.AdmitTerm(b.LeaseSeconds) && (b.Quoted() || !t.QuotesOnly)
}

// TakesClass tells whether leases of a class will do: one on demand is as good as a spot one.
func (b BidSpec) TakesClass(class LeaseClass) bool {
	return class != LeaseClass_LEASE_CLASS_SPOT || b.Class == LeaseClass_LEASE_CLASS_SPOT
}

// AdmitTerm tells whether the offer sells leases of a term, in seconds; 0 is one without end.
func (t OfferTerms) AdmitTerm(seconds uint64) bool {
	if seconds == 0 {
		return t.MaxLeaseSeconds == 0
	}
	return seconds >= t.MinLeaseSeconds && (t.MaxLeaseSeconds == 0 || seconds <= t.MaxLeaseSeconds)
}

// Expired tells whether the offer has left the book by itself at a service second.
func (t OfferTerms) Expired(now uint64) bool { return t.ExpiresAt != 0 && now >= t.ExpiresAt }

// admit tells whether the offer sells to a tenant.
func (t OfferTerms) admit(tenant Tenant) bool {
	if len(t.Allow) > 0 && !slices.Contains(t.Allow, tenant.Owner) || slices.Contains(t.Deny, tenant.Owner) {
		return false
	}
	return t.AdmitDeposit(tenant)
}

// AdmitDeposit tells whether a tenant's account has received what the offer wants.
func (t OfferTerms) AdmitDeposit(tenant Tenant) bool {
	for _, least := range t.MinDeposit {
		if least.Denom == tenant.Denom && !tenant.Received.IsNil() && tenant.Received.LT(least.Amount) {
			return false
		}
	}
	return true
}

// Zone is the value of the offer's label zone, empty without one.
func (o Offer) Zone() string {
	zone, _ := valueOf(o.Labels, ZoneLabel)
	return zone
}

// LeaseClass is the class of the offer's leases.
func (o Offer) LeaseClass() LeaseClass {
	if o.Terms.Class == LeaseClass_LEASE_CLASS_SPOT {
		return LeaseClass_LEASE_CLASS_SPOT
	}
	return LeaseClass_LEASE_CLASS_ON_DEMAND
}

// At returns the offer as it is once so many clearings are done: higher asks take effect after the clearing that follows
// their message.
func (o Offer) At(clearings uint64) Offer {
	if len(o.NextAsks) > 0 && clearings > o.NextAt {
		o.Asks, o.NextAsks, o.NextAt = o.NextAsks, nil, 0
	}
	return o
}

// Declare replaces the asks of an offer, as it is once so many clearings are done. What is cheaper, and a denom that is
// new, counts at once, what is dearer after the next clearing; a denom that is left out is offered no more. A price that
// moves from all of the cpu to all of the memory, or back, is refused: in between the lease would be free.
func (o Offer) Declare(asks []Ask, clearings uint64) (Offer, error) {
	o = o.At(clearings)
	counting := make([]Ask, len(asks))
	dearer := false
	for i, ask := range asks {
		counting[i] = ask
		if before, ok := AskIn(o.Asks, ask.Denom); ok {
			counting[i] = lower(before, ask)
			if counting[i].Cpu == 0 && counting[i].Memory == 0 {
				return Offer{}, ErrInvalidAsk.Wrapf("%s: ask for cpu and memory before the price moves between them", ask.Denom)
			}
			dearer = dearer || counting[i] != ask
		}
	}
	o.Asks, o.NextAsks, o.NextAt = counting, nil, 0
	if dearer {
		o.NextAsks, o.NextAt = asks, clearings
	}
	return o, nil
}

// Gained tells whether the offer may serve bids that it could not before: it is in the book anew, its labels or terms are
// others, or it asks less.
func (o Offer) Gained(before Offer) (bool, error) {
	if before.State != OfferState_OFFER_STATE_ACTIVE || !slices.Equal(o.Labels, before.Labels) {
		return true, nil
	}
	terms, err := o.Terms.Marshal()
	if err != nil {
		return false, fmt.Errorf("encode terms: %w", err)
	}
	termsBefore, err := before.Terms.Marshal()
	if err != nil {
		return false, fmt.Errorf("encode terms: %w", err)
	}
	return !bytes.Equal(terms, termsBefore) || slices.ContainsFunc(o.Asks, func(a Ask) bool {
		asked, ok := AskIn(before.Asks, a.Denom)
		return !ok || a != asked
	}), nil
}

// Declared are the asks that the provider named last, whether they count yet or not.
func (o Offer) Declared() []Ask {
	if len(o.NextAsks) > 0 {
		return o.NextAsks
	}
	return o.Asks
}

// Validate refuses terms that nobody could meet, and lists that are too long or name somebody twice.
func (t OfferTerms) Validate(addresses address.Codec) error {
	if _, known := LeaseClass_name[int32(t.Class)]; !known {
		return ErrInvalidTerms.Wrapf("class %d", t.Class)
	}
	if err := validateAddresses(addresses, "allow", t.Allow, MaxTenants); err != nil {
		return err
	}
	if err := validateAddresses(addresses, "deny", t.Deny, MaxTenants); err != nil {
		return err
	}
	if t.MinLeaseSeconds > maxTermSeconds || t.MaxLeaseSeconds > maxTermSeconds ||
		t.MaxLeaseSeconds != 0 && t.MinLeaseSeconds > t.MaxLeaseSeconds {
		return ErrInvalidTerms.Wrapf("leases of %d to %d seconds", t.MinLeaseSeconds, t.MaxLeaseSeconds)
	}
	return t.validateDeposit()
}

func (t OfferTerms) validateDeposit() error {
	if len(t.MinDeposit) > MaxAsks {
		return ErrInvalidTerms.Wrapf("minimum deposits in %d denoms: at most %d", len(t.MinDeposit), MaxAsks)
	}
	for i, coin := range t.MinDeposit {
		if err := validateDeposit(coin); err != nil {
			return err
		}
		if i > 0 && t.MinDeposit[i-1].Denom >= coin.Denom {
			return ErrInvalidTerms.Wrap("minimum deposits must be sorted by denom, each once")
		}
	}
	return nil
}
