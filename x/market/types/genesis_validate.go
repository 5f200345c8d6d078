package types

import (
	"fmt"
	"slices"

	"cosmossdk.io/core/address"

	"github.com/souk-network/souk/match"
)

type poolName struct {
	provider string
	id       uint32
}

// bidAt is a bid at a provider.
type bidAt struct {
	bid      uint64
	provider string
}

type bidName struct {
	deployment uint64
	name       string
}

// genesisValidator goes through the parts of a genesis state from the bottom up, and sums up what later parts must
// agree with.
type genesisValidator struct {
	genesis   GenesisState
	addresses address.Codec

	poolAt       map[poolName]CapacityPool
	offerAt      map[uint64]Offer
	deploymentAt map[uint64]Deployment
	bidAt        map[uint64]Bid

	offersOf  map[poolName][]Offer
	allocated map[poolName]match.Vector
	placed    map[uint64]uint32
	standing  map[uint64]uint32
	live      map[uint64]int
	bidsOf    map[uint64]int
	leaseAt   map[uint64]LeaseState
	servedAt  map[bidAt]bool // whether a bid is served there, or stood by

	bidNames   map[bidName]bool
	openBidsOf map[uint64]int
	listed     map[string]int
}

func newGenesisValidator(g GenesisState, addresses address.Codec) *genesisValidator {
	return &genesisValidator{
		genesis: g, addresses: addresses,
		poolAt: map[poolName]CapacityPool{}, offerAt: map[uint64]Offer{},
		deploymentAt: map[uint64]Deployment{}, bidAt: map[uint64]Bid{},
		offersOf: map[poolName][]Offer{}, allocated: map[poolName]match.Vector{}, placed: map[uint64]uint32{},
		standing: map[uint64]uint32{},
		servedAt: map[bidAt]bool{},
		live:     map[uint64]int{}, bidsOf: map[uint64]int{}, leaseAt: map[uint64]LeaseState{},
		bidNames: map[bidName]bool{}, openBidsOf: map[uint64]int{}, listed: map[string]int{},
	}
}

func (v *genesisValidator) pools() error {
	for _, p := range v.genesis.Pools {
		name := poolName{p.Provider, p.Id}
		if err := validateAddress(v.addresses, "provider", p.Provider); err != nil {
			return err
		}
		if p.Id >= MaxPools {
			return invalid("pool %d of %s: id too high", p.Id, p.Provider)
		}
		if _, twice := v.poolAt[name]; twice {
			return invalid("pool %d of %s twice", p.Id, p.Provider)
		}
		for _, r := range []Resources{p.Total, p.Allocated, p.LargestUnit} {
			if err := r.Validate(); err != nil {
				return err
			}
		}
		if err := v.nextTotal(p); err != nil {
			return err
		}
		v.poolAt[name] = p
	}
	return nil
}

// cleared checks the last clearings and the weights, by denom.
func (v *genesisValidator) cleared() error {
	last := ""
	for _, c := range v.genesis.Cleared {
		if err := c.Validate(); err != nil {
			return err
		}
		if c.Denom <= last {
			return invalid("cleared %s: not in order", c.Denom)
		}
		if c.Number > v.genesis.Clearing.Number {
			return invalid("cleared %s: clearing %d, the last was %d", c.Denom, c.Number, v.genesis.Clearing.Number)
		}
		var offer uint64
		for _, p := range c.Prices {
			if err := inOrder("price of offer", &offer, p.Offer, v.genesis.NextOffer); err != nil {
				return fmt.Errorf("cleared %s: %w", c.Denom, err)
			}
			if p.Price == (Resources{}) {
				return invalid("cleared %s: the price of offer %d is nothing", c.Denom, p.Offer)
			}
		}
		last = c.Denom
	}
	last = ""
	for _, w := range v.genesis.Weights {
		if err := w.Validate(); err != nil {
			return err
		}
		if w.Denom <= last {
			return invalid("weights of %s: not in order", w.Denom)
		}
		last = w.Denom
	}
	return nil
}

func (v *genesisValidator) nextTotal(p CapacityPool) error {
	if p.NextTotal == nil {
		if p.NextAt != 0 {
			return invalid("pool %d of %s: its next total is missing", p.Id, p.Provider)
		}
		return nil
	}
	if p.NextAt > v.genesis.Clearing.Number {
		return invalid("pool %d of %s: its next total waits for clearing %d", p.Id, p.Provider, p.NextAt)
	}
	if d := (CapacityPool{Total: p.Total}).Declare(*p.NextTotal, 0); d.Total != p.Total || d.NextTotal == nil {
		return invalid("pool %d of %s: its total is not the larger one", p.Id, p.Provider)
	}
	return nil
}

func (v *genesisValidator) offers() error {
	var last uint64
	for _, o := range v.genesis.Offers {
		if err := inOrder("offer", &last, o.Id, v.genesis.NextOffer); err != nil {
			return err
		}
		if err := v.offerTerms(o); err != nil {
			return fmt.Errorf("offer %d: %w", o.Id, err)
		}
		name := poolName{o.Provider, o.Pool}
		if _, found := v.poolAt[name]; !found {
			return invalid("offer %d sells a pool that is not there", o.Id)
		}
		switch o.State {
		case OfferState_OFFER_STATE_ACTIVE:
			v.offersOf[name] = append(v.offersOf[name], o)
			v.listed[o.Provider]++
		case OfferState_OFFER_STATE_SUSPENDED:
			v.listed[o.Provider]++
		case OfferState_OFFER_STATE_WITHDRAWN:
		default:
			return invalid("offer %d is in state %d", o.Id, o.State)
		}
		if v.listed[o.Provider] > MaxOffers {
			return invalid("%s has more than %d offers", o.Provider, MaxOffers)
		}
		if len(o.MissedAcks) > maxMissedAcks || !slices.IsSorted(o.MissedAcks) {
			return invalid("offer %d: missed acknowledgements must be sorted, at most %d", o.Id, maxMissedAcks)
		}
		v.offerAt[o.Id] = o
	}
	return nil
}

func (v *genesisValidator) offerTerms(o Offer) error {
	if err := validateOffer(v.addresses, o.Declared(), o.Labels, o.Terms); err != nil {
		return err
	}
	switch {
	case len(o.NextAsks) == 0:
		if o.NextAt != 0 {
			return invalid("next asks are missing")
		}
	case o.NextAt > v.genesis.Clearing.Number:
		return invalid("its next asks wait for clearing %d, the last was %d", o.NextAt, v.genesis.Clearing.Number)
	default:
		counting, err := (Offer{Asks: o.Asks}).Declare(o.NextAsks, 0)
		if err != nil || !slices.Equal(counting.Asks, o.Asks) || len(counting.NextAsks) == 0 {
			return invalid("its asks are not the lower ones")
		}
	}
	suspended := o.State == OfferState_OFFER_STATE_SUSPENDED
	if !suspended && o.SuspendedUntil != 0 {
		return invalid("it is not suspended, and may not return before second %d", o.SuspendedUntil)
	}
	return nil
}

func (v *genesisValidator) deployments() error {
	var last uint64
	names := map[[2]string]bool{}
	for _, d := range v.genesis.Deployments {
		if err := inOrder("deployment", &last, d.Id, 0); err != nil {
			return err
		}
		if err := validateAddress(v.addresses, "owner", d.Owner); err != nil {
			return err
		}
		if err := ValidateName(d.Name); err != nil {
			return fmt.Errorf("deployment %d: %w", d.Id, err)
		}
		if err := ValidateAccessKeys(v.addresses, d.AccessKeys); err != nil {
			return fmt.Errorf("deployment %d: %w", d.Id, err)
		}
		if err := validateAddresses(v.addresses, "custodians", d.Custodians, MaxCustodians); err != nil {
			return fmt.Errorf("deployment %d: %w", d.Id, err)
		}
		if d.Account != d.Id || d.Denom == "" || d.Version == 0 || len(d.ManifestHash) != HashBytes {
			return invalid("deployment %d: account, denom, version or manifest hash", d.Id)
		}
		open := d.State == DeploymentState_DEPLOYMENT_STATE_OPEN
		if !open && d.State != DeploymentState_DEPLOYMENT_STATE_CLOSED {
			return invalid("deployment %d is in state %d", d.Id, d.State)
		}
		if open != (d.ClosedAt == 0) || open != (d.Reason == Reason_REASON_UNSPECIFIED) {
			return invalid("deployment %d: second and reason of its end do not fit its state", d.Id)
		}
		name := [2]string{d.Owner, d.Name}
		if open && names[name] {
			return invalid("deployment %d: %s has two of the name %s", d.Id, d.Owner, d.Name)
		}
		names[name] = names[name] || open
		v.deploymentAt[d.Id] = d
	}
	return nil
}

func (v *genesisValidator) bids() error {
	var last uint64
	for _, b := range v.genesis.Bids {
		if err := inOrder("bid", &last, b.Id, v.genesis.NextBid); err != nil {
			return err
		}
		if err := b.Spec.Validate(v.addresses); err != nil {
			return fmt.Errorf("bid %d: %w", b.Id, err)
		}
		deployment, found := v.deploymentAt[b.Deployment]
		if !found || b.Denom != deployment.Denom {
			return invalid("bid %d: its deployment is not there, or of another denom", b.Id)
		}
		if err := v.countBid(b, deployment); err != nil {
			return err
		}
		if len(b.Excluded) > MaxExcluded {
			return invalid("bid %d excludes more than %d providers", b.Id, MaxExcluded)
		}
		if err := v.bidState(b); err != nil {
			return err
		}
		v.bidAt[b.Id] = b
	}
	return nil
}

// countBid refuses too many bids, and two of one name.
func (v *genesisValidator) countBid(b Bid, deployment Deployment) error {
	name := bidName{b.Deployment, b.Spec.Name}
	if v.bidNames[name] {
		return invalid("bid %d: its deployment has two of the name %s", b.Id, b.Spec.Name)
	}
	v.bidNames[name] = true
	if v.bidsOf[b.Deployment]++; v.bidsOf[b.Deployment] > MaxBidNames {
		return invalid("deployment %d has more than %d bids", b.Deployment, MaxBidNames)
	}
	if b.State == BidState_BID_STATE_CLOSED {
		return nil
	}
	if deployment.State == DeploymentState_DEPLOYMENT_STATE_CLOSED {
		return invalid("bid %d is not closed, and its deployment is", b.Id)
	}
	if v.openBidsOf[b.Deployment]++; v.openBidsOf[b.Deployment] > MaxBids {
		return invalid("deployment %d has more than %d bids that are not closed", b.Deployment, MaxBids)
	}
	return nil
}

func (v *genesisValidator) bidState(b Bid) error {
	if b.Placed > b.Spec.Replicas || b.Released > b.Spec.Replicas-b.Placed {
		return invalid("bid %d: %d replicas placed and %d released of %d", b.Id, b.Placed, b.Released, b.Spec.Replicas)
	}
	open := b.State == BidState_BID_STATE_OPEN
	if b.Returned && (!open || b.Missing() == 0) {
		return invalid("bid %d has got replicas back, and is not open for them", b.Id)
	}
	if b.StandingBy > b.Spec.Standbys || b.StandingBy > 0 && b.Placed == 0 && (!open || b.Missing() == 0) {
		return invalid("bid %d: %d standbys of %d, and %d replicas placed", b.Id, b.StandingBy, b.Spec.Standbys, b.Placed)
	}
	switch b.State {
	case BidState_BID_STATE_OPEN:
		if b.Complete() || b.ExpiresAt == 0 {
			return invalid("bid %d is open, and full or without end", b.Id)
		}
	case BidState_BID_STATE_FILLED:
		if !b.Complete() {
			return invalid("bid %d is filled and misses %d replicas and %d standbys", b.Id, b.Missing(), b.MissingStandbys())
		}
	case BidState_BID_STATE_CLOSED:
		if b.Placed != 0 {
			return invalid("bid %d is closed and has replicas placed", b.Id)
		}
	case BidState_BID_STATE_EXPIRED:
	default:
		return invalid("bid %d is in state %d", b.Id, b.State)
	}
	return nil
}

func (v *genesisValidator) leases() error {
	var last uint64
	for _, l := range v.genesis.Leases {
		if err := inOrder("lease", &last, l.Id, v.genesis.NextLease); err != nil {
			return err
		}
		bid, found := v.bidAt[l.Bid]
		if !found || bid.Deployment != l.Deployment || bid.Denom != l.Denom || l.State.Live() && bid.Spec.Unit != l.Unit {
			return invalid("lease %d: its bid is not there, or another", l.Id)
		}
		offer, found := v.offerAt[l.Offer]
		if !found || offer.Provider != l.Provider || offer.Pool != l.Pool {
			return invalid("lease %d: its offer is not there, or another", l.Id)
		}
		if l.Account != l.Deployment || l.Rate == 0 || l.Rate > MaxRate || l.Replicas == 0 || l.Replicas > MaxReplicas {
			return invalid("lease %d: account, rate or replicas", l.Id)
		}
		if err := leaseState(l); err != nil {
			return err
		}
		v.leaseAt[l.Id] = l.State
		if l.State.Live() {
			if err := v.apart(l); err != nil {
				return err
			}
			v.sumUp(l)
		}
	}
	return nil
}

// apart refuses a standby beside another lease of its bid: a provider that fails would take both.
func (v *genesisValidator) apart(l Lease) error {
	at := bidAt{l.Bid, l.Provider}
	if serves, known := v.servedAt[at]; known && (l.Standby || !serves) {
		return invalid("lease %d: bid %d stands by at %s, and has another lease there", l.Id, l.Bid, l.Provider)
	}
	v.servedAt[at] = !l.Standby
	return nil
}

func leaseState(l Lease) error {
	if l.Held.IsNil() || l.Held.IsNegative() {
		return invalid("lease %d: what is held must not be negative", l.Id)
	}
	if _, known := LeaseClass_name[int32(l.Class)]; !known || l.Ask.Denom != l.Denom {
		return invalid("lease %d: class or ask", l.Id)
	}
	notice := l.LeavesAt != 0 && l.LeaveReason != 0
	paid := l.Held.IsZero() && l.Stream != 0 && l.AckedAt != 0 && l.ClosedAt == 0 && l.Reason == 0
	var fits bool
	switch l.State {
	case LeaseState_LEASE_STATE_PENDING:
		fits = l.Held.IsPositive() && l.Stream == 0 && l.AckedAt == 0 && l.ClosedAt == 0 && l.Reason == 0 && l.AckBy != 0 &&
			l.EndsAt == 0 && l.LeavesAt == 0 && l.LeaveReason == 0
	case LeaseState_LEASE_STATE_ACTIVE, LeaseState_LEASE_STATE_PAUSED:
		fits = paid && l.LeavesAt == 0 && l.LeaveReason == 0 && !l.Standby
	case LeaseState_LEASE_STATE_STANDBY:
		fits = paid && l.LeavesAt == 0 && l.LeaveReason == 0 && l.Standby
	case LeaseState_LEASE_STATE_LEAVING:
		fits = paid && notice
	case LeaseState_LEASE_STATE_CLOSED, LeaseState_LEASE_STATE_FAILED:
		fits = l.Held.IsZero() && l.ClosedAt != 0 && l.Reason != 0
	}
	leaving := l.State == LeaseState_LEASE_STATE_LEAVING
	standby := !l.Standby || l.Replicas == 1 && l.EndsAt == 0 && !l.Paused
	bps := l.StandbyBps <= maxStandbyBps && (l.StandbyBps == 0 || l.Standby) &&
		(!l.State.Live() || (l.Standby && l.State.Paid()) == (l.StandbyBps != 0))
	challenged := l.AnswerBy == 0 || l.State.Paid()
	if !fits || !standby || !bps || !challenged || !leaving && l.Paused != (l.State == LeaseState_LEASE_STATE_PAUSED) {
		return invalid("lease %d: its fields do not fit state %d", l.Id, l.State)
	}
	return nil
}

func (v *genesisValidator) sumUp(l Lease) {
	name := poolName{l.Provider, l.Pool}
	allocated := v.allocated[name]
	for i, q := range l.Unit.Times(l.Replicas) {
		allocated[i] += q
	}
	v.allocated[name] = allocated
	if l.Standby {
		v.standing[l.Bid] += l.Replicas
	} else {
		v.placed[l.Bid] += l.Replicas
	}
	v.live[l.Deployment]++
}

func (v *genesisValidator) sums() error {
	for _, p := range v.genesis.Pools {
		name := poolName{p.Provider, p.Id}
		if p.Allocated.Vector() != v.allocated[name] {
			return invalid("pool %d of %s: what is allocated is not the sum of its leases", p.Id, p.Provider)
		}
		if !slices.Equal(p.HighestAsks, HighestAsks(v.offersOf[name])) {
			return invalid("pool %d of %s: highest asks are not those of its offers", p.Id, p.Provider)
		}
	}
	for _, b := range v.genesis.Bids {
		if b.Placed != v.placed[b.Id] {
			return invalid("bid %d: %d replicas placed, %d in leases", b.Id, b.Placed, v.placed[b.Id])
		}
		if b.StandingBy != v.standing[b.Id] {
			return invalid("bid %d: %d standbys, %d leases that stand by", b.Id, b.StandingBy, v.standing[b.Id])
		}
	}
	for _, d := range v.genesis.Deployments {
		if v.live[d.Id] > MaxLiveLeases {
			return invalid("deployment %d has more than %d live leases", d.Id, MaxLiveLeases)
		}
	}
	return nil
}

func (v *genesisValidator) clearing() error {
	g := v.genesis
	if g.NextOffer == 0 || g.NextBid == 0 || g.NextLease == 0 {
		return invalid("ids count from 1")
	}
	if c := g.Clearing; c.FreshEnd > g.NextBid || c.FreshCursor > g.NextBid {
		return invalid("the next bid is %d, and the fresh ones are read behind %d to %d", g.NextBid, c.FreshCursor, c.FreshEnd)
	}
	if len(g.Seed) > maxSeedBytes {
		return invalid("seed of %d bytes", len(g.Seed))
	}
	return nil
}

// sweeps must be sorted, of providers by number, and of causes that are known.
func (v *genesisValidator) sweeps() error {
	var last ProviderSweep
	for _, s := range v.genesis.Sweeps {
		if err := validateAddress(v.addresses, "provider of a sweep", s.Provider); err != nil {
			return err
		}
		if s.Second < last.Second || s.Second == last.Second && s.Number <= last.Number {
			return invalid("sweep of provider %d at %d after that of %d at %d", s.Number, s.Second, last.Number, last.Second)
		}
		if s.Cause != SweepCause_SWEEP_CAUSE_JAILED && s.Cause != SweepCause_SWEEP_CAUSE_LEAVING {
			return invalid("sweep of provider %d: cause %d", s.Number, s.Cause)
		}
		last = s
	}
	return nil
}

// retained must be sorted, of leases that have ended.
func (v *genesisValidator) retained() error {
	var last Retained
	for _, r := range v.genesis.Retained {
		if r.Second < last.Second || r.Second == last.Second && r.Lease <= last.Lease {
			return invalid("lease %d retained until %d after %d until %d", r.Lease, r.Second, last.Lease, last.Second)
		}
		if state, found := v.leaseAt[r.Lease]; !found || state.Live() {
			return invalid("lease %d is retained, and lives or is not there", r.Lease)
		}
		last = r
	}
	return nil
}

func (v *genesisValidator) unsettled() error {
	for _, provider := range slices.Concat(v.genesis.Unsettled, v.genesis.Gained, v.genesis.Swept) {
		if err := validateAddress(v.addresses, "provider", provider); err != nil {
			return err
		}
	}
	var last uint64
	for _, id := range v.genesis.Left {
		if err := inOrder("left bid", &last, id, v.genesis.NextBid); err != nil {
			return err
		}
		if bid, found := v.bidAt[id]; !found || bid.State != BidState_BID_STATE_OPEN || bid.Spec.Quoted() {
			return invalid("left bid %d is not open to the auction", id)
		}
	}
	return nil
}

// inOrder refuses ids that do not rise from 1 or reach the next one to be given; next is 0 when that is not known.
func inOrder(what string, last *uint64, id, next uint64) error {
	if id <= *last {
		return invalid("%s %d after %d: ids must rise from 1", what, id, *last)
	}
	if next != 0 && id >= next {
		return invalid("%s %d: the next one is %d", what, id, next)
	}
	*last = id
	return nil
}
