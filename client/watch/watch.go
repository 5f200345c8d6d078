// Package watch decides what a tenant's watcher does about what it sees: whom it challenges, what it hands over, when it adds
// money. It owns the decision, which is a pure function, and what it has to remember for it. It knows nothing of connections,
// files or terminals.
package watch

import (
	"time"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
)

// Settings say how soon the watcher acts.
type Settings struct {
	Misses         int           // probes of a gateway that must fail in a row before its lease is challenged
	ChallengeEvery time.Duration // between two challenges of one lease
	FailoverAfter  time.Duration // of silence towards the watcher, though the provider answers challenges; 0 for never
	Runway         time.Duration // below it money is added; 0 for never
	Refill         time.Duration // runway that is there afterwards
	TryEvery       time.Duration // between two tries to do the same
	WarnEvery      time.Duration // between two warnings of the same
	StaleAfter     time.Duration // age of the last block from which the watcher does not trust what it sees
	Every          time.Duration // between two looks, when one takes as long as it may
	JudgeGap       time.Duration // between two looks, up to which a lease that was down at both was down between them
	Receipts       bool          // say how long leases were up, to providers and, of those that were down, to the chain
	Claims         bool          // claim what was not proven
	Forces         bool          // ask on the chain for leaves that are withheld
	GapAfter       time.Duration // without a look that counts, from which silence is counted anew: it slept, or was cut off
}

// DefaultSettings suit a chain with blocks every few seconds.
func DefaultSettings() Settings {
	return Settings{
		Misses: 3, ChallengeEvery: 10 * time.Minute, Runway: 6 * time.Hour, Refill: 24 * time.Hour,
		TryEvery: 15 * time.Second, WarnEvery: time.Hour, StaleAfter: 45 * time.Second, GapAfter: 3 * time.Minute,
		Every: 9 * time.Second, JudgeGap: 15 * time.Second, Receipts: true, Claims: true, Forces: true,
	}
}

// Answer is what came of asking somebody.
type Answer int

// Answers.
const (
	NotAsked Answer = iota
	Yes
	No
)

// Observed is all that the watcher sees at one moment.
type Observed struct {
	At       time.Time
	BlockAge time.Duration // since the last block
	Second   uint64        // of the chain's service clock
	// Others are endpoints that have nothing to do with the deployments: that none of some answers says that the watcher
	// itself is cut off. Where there are none, more probes must fail.
	OthersAsked, OthersAnswered int

	ChallengeFee sdk.Coin
	Purse        sdk.Coins // of the watch key, which pays challenges
	Allowance    sdk.Coins // that may still be deposited
	Funds        sdk.Coins // of the owner, from which it comes
	Deployments  []Deployment
	Unseen       []Unseen // that could not be looked at
	Proof        Proof
}

// Unseen is a deployment that could not be looked at, and why.
type Unseen struct {
	ID   uint64
	Name string
	Why  string
}

// Deployment is what is watched.
type Deployment struct {
	ID, Account uint64
	Name        string
	Open        bool
	Trusted     bool // the watch key is one of its access keys
	Revision    string
	Denom       string
	Rate        math.Int // that would be drawn if nothing were paused, in micro-denom per hour
	Runway      uint64   // seconds
	Resume      math.Int // to be deposited before what is paused goes on; 0 if nothing is
	Held        map[string]bool
	Unreadable  map[string]string // why the copy that is kept of a group can not be used
	Leases      []Lease
	Ended       []Ended  // leases that may still be refunded
	Refunds     []Refund // that were asked for in this look
}

// Lease is a live lease.
type Lease struct {
	ID          uint64
	Group       string
	Provider    string
	Acked       bool
	Paused      bool
	Standby     bool
	AnswerBy    uint64
	Maintenance bool   // declared, now
	Gateway     Answer // whether it answers with the key that is pinned on the chain
	Manifest    Answer // whether the provider has the group of the wanted revision
	Why         string // why the gateway does not answer
	AckedAt     uint64
	Paying      bool   // for service, now
	Served      Answer // whether the workload is: No when it is not for a reason of its provider's
	Trouble     string // why it is not
}

// Kind is what an action does.
type Kind string

// Kinds.
const (
	Send      Kind = "send"      // the manifest group to the provider of a lease
	Fetch     Kind = "fetch"     // the manifest group from the provider of a lease, to keep
	Challenge Kind = "challenge" // the provider of a lease
	Failover  Kind = "failover"  // give the lease up
	TopUp     Kind = "top-up"    // deposit into the account of a deployment
	Post      Kind = "post"      // put receipts on the chain
	Receipt   Kind = "receipt"   // give the provider a receipt
	Refunds   Kind = "claim"     // claim refunds
	Force     Kind = "force"     // ask for a leaf on the chain
	Warn      Kind = "warn"      // tell people
)

// Action is one thing to do.
type Action struct {
	Kind       Kind
	Deployment uint64
	Lease      uint64
	Group      string
	Amount     sdk.Coin
	Epoch      uint64
	Said       []Said  // receipts to sign
	Claims     []Claim // refunds to ask for
	Why        string
}

// Memory is what the watcher remembers from one decision to the next; it survives restarts.
type Memory struct {
	Round  time.Time              `json:"round,omitzero"` // of the last look that counted
	Leases map[uint64]LeaseMemory `json:"leases"`
	// Done is when something was last tried or told, by what it is.
	Done map[string]time.Time `json:"done"`
	// Counts are for how long leases were seen not to be served.
	Counts map[uint64]Count `json:"counts,omitempty"`
	// Refunds by lease and epoch.
	Refunds map[uint64]map[uint64]RefundMemory `json:"refunds,omitempty"`
}

// LeaseMemory is what the watcher remembers of a lease.
type LeaseMemory struct {
	Misses int       `json:"misses,omitempty"` // in a row
	Since  time.Time `json:"since,omitzero"`   // of the first of them
}
