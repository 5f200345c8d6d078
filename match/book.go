package match

// Input is one batch. All caps, asks and room in it are of one denom.
type Input struct {
	// Seed orders bids of the same key: the hash of the previous block.
	Seed []byte
	Bids []Bid
	Book Book
	// Weights are what resources count in the keys of the bids, fixed before the
	// batch (see [NextWeights]); the zero value counts all ask units alike.
	Weights Weights
	// Prices steer the choice, if there are any: see the package comment and
	// [Improve]. A class without one has a price of 0.
	Prices []ClassPrice
	// Accounts pay for the bids. With none, money bounds no bid.
	Accounts []Account
	// Work bounds what the batch may cost, in entries of the book looked at: no
	// bid is begun once that many were. One that was begun is finished, so that
	// a batch always serves at least one bid. 0 is no bound.
	Work uint64
}

// Account pays for the leases of some bids.
type Account struct {
	// RateRoom is the further lease rate that the account's free balance can
	// hold, in micro-denom per hour. It counts as MaxRate when it is above.
	RateRoom uint64
}

// Book is what can be had: offers sell pools, pools belong to providers.
// Indexes are positions in these slices; what refers to a position that does
// not exist is left out of the market.
type Book struct {
	Providers []Provider
	Pools     []Pool
	Offers    []Offer
}

// Provider is the seller of some pools.
type Provider struct {
	// RateRoom is the further lease rate that the provider's bond can carry, in
	// micro-denom per hour. It counts as MaxRate when it is above.
	RateRoom uint64
}

// Pool is capacity at one provider. Several offers may sell it.
type Pool struct {
	Provider    uint32 // index in Book.Providers
	Free        Vector // not allocated
	LargestUnit Vector // the largest single unit that the pool's machines can hold
}

// Offer is a standing offer to sell units of a pool.
type Offer struct {
	ID    uint64 // unique among the offers
	Pool  uint32 // index in Book.Pools
	Class uint32 // what a bid's masks see of it; numbered from 0
	// Reputation in parts per million decides between offers of the same rate.
	Reputation uint32
	// Zone is where the offer is: a number that those of one place share; 0 is
	// nowhere that is known.
	Zone uint32
	Ask  Vector
}

// Bid asks for replicas of one unit.
type Bid struct {
	ID uint64 // unique among the bids
	// Account is an index in Input.Accounts; where there are some, a bid of one
	// that does not exist is left out of the market.
	Account uint32
	Unit    Vector // one replica
	Min     uint32 // fewer replicas than this are not taken
	Wanted  uint32 // at least 1 and at least Min
	// CapPerHour is the most that one replica may cost, in micro-denom per hour.
	CapPerHour uint64
	// Returned bids lost replicas with a provider: among equal keys they go first.
	Returned bool
	// Classes are the offer classes that the bid may use.
	Classes ClassSet
	// MinReputation is the least reputation of an offer for this bid.
	MinReputation uint32
	// Allowed are the only providers that the bid may use; empty is all. One that
	// does not exist allows nobody, so that a list of such leaves no provider.
	Allowed []uint32
	// Excluded are the providers that the bid may not use.
	Excluded []uint32
	// MaxPerProvider bounds the replicas at one provider; 0 is no bound.
	MaxPerProvider uint32
	// MaxPerZone bounds the replicas in one zone; 0 is no bound. With a bound the
	// bid takes no offer without a zone.
	MaxPerZone uint32
	// Placed are replicas that the bid has already: they count against
	// MaxPerProvider and MaxPerZone and for nothing else.
	Placed []Placement
}

// Placement is a number of replicas at a provider and in a zone. Neither needs
// to be in the book.
type Placement struct {
	Provider uint32
	Zone     uint32 // as [Offer.Zone]
	Replicas uint32
}

// Output is the result of one batch.
type Output struct {
	// Assignments in the order in which they were made: bids by rank, offers as
	// taken, so that those of one bid stand together.
	Assignments []Assignment
	// Short are the bids (Bid.ID) by rank that took nothing although there was a
	// further replica for them, which their account could not hold. Bids that
	// could not have their minimum with all capacity at hand are not among them.
	Short []uint64
	// Left are the bids (Bid.ID) by rank whose turn did not come before Input.Work
	// was spent. Nothing is decided of them.
	Left []uint64
	// Work is what the batch cost, in entries looked at.
	Work uint64
}

// Assignment is a lease to be opened.
type Assignment struct {
	Bid         uint64 // Bid.ID
	Offer       uint64 // Offer.ID
	Replicas    uint32 // at least 1
	RatePerHour uint64 // of all the replicas, in micro-denom; at most MaxRate
}

// Candidate is an offer that could serve a bid, taken alone.
type Candidate struct {
	Offer       uint64 // Offer.ID
	Replicas    uint32 // how many it could take, between 1 and Bid.Wanted
	RatePerHour uint64 // of one replica, in micro-denom
}
