// Package types holds the protobuf types of x/market with their validation, errors and events, and the interfaces that
// the module asks of those below it (x/escrow, x/provider). It knows no stores.
package types

import "cosmossdk.io/collections"

const (
	// ModuleName names the module. It has no account: it holds no coins.
	ModuleName = "market"
	// StoreKey names the module's store.
	StoreKey = ModuleName
	// AckSource is the name of the deadlines of leases that wait for their provider, by lease id.
	AckSource = "ack"
	// BidSource is the name of the deadlines of bids that rest in the book, by bid id.
	BidSource = "bid"
	// LeaseSource is the name of the deadlines of leases whose term or notice ends, by lease id.
	LeaseSource = "lease"
	// ChallengeSource is the name of the deadlines of challenged leases whose provider must answer, by lease id.
	ChallengeSource = "challenge"
	// SweepSource is the name of the deadlines of providers that were jailed or leave, by lease id.
	SweepSource = "sweep"
	// RetainedSource is the name of the deadlines of ended leases that nothing can claim any more, by lease id.
	RetainedSource = "retained-lease"
	// OfferSource is the name of the deadlines of offers that leave the book, by offer id.
	OfferSource = "offer"
)

// Store prefixes. Records do not repeat in their value what their key says; what changes often is stored apart.
var (
	ParamsKey             = collections.NewPrefix(0)
	NextOfferKey          = collections.NewPrefix(1)
	NextBidKey            = collections.NewPrefix(2)
	NextLeaseKey          = collections.NewPrefix(3)
	PoolsKey              = collections.NewPrefix(4)
	AllocatedKey          = collections.NewPrefix(5)
	OffersKey             = collections.NewPrefix(6)
	ActiveOffersKey       = collections.NewPrefix(7)
	ProviderOffersKey     = collections.NewPrefix(8)
	DeploymentsKey        = collections.NewPrefix(9)
	OpenNamesKey          = collections.NewPrefix(10)
	OwnerDeploymentsKey   = collections.NewPrefix(11)
	BidsKey               = collections.NewPrefix(12)
	BidStatusesKey        = collections.NewPrefix(13)
	DeploymentBidsKey     = collections.NewPrefix(14)
	OpenBidsKey           = collections.NewPrefix(15)
	BidDeadlinesKey       = collections.NewPrefix(16)
	LeasesKey             = collections.NewPrefix(17)
	LeaseStatusesKey      = collections.NewPrefix(18)
	DeploymentLeasesKey   = collections.NewPrefix(19)
	LiveLeasesKey         = collections.NewPrefix(20)
	ProviderLiveLeasesKey = collections.NewPrefix(21)
	AckDeadlinesKey       = collections.NewPrefix(22)
	ExposuresKey          = collections.NewPrefix(23)
	UnsettledKey          = collections.NewPrefix(24)
	ClearingKey           = collections.NewPrefix(25)
	SeedKey               = collections.NewPrefix(26)
	GainedKey             = collections.NewPrefix(27)
	SweptKey              = collections.NewPrefix(28)
	OfferDeadlinesKey     = collections.NewPrefix(29)
	LeaseDeadlinesKey     = collections.NewPrefix(30)
	SweepsKey             = collections.NewPrefix(31)
	ProviderSweepsKey     = collections.NewPrefix(32)
	RetainedKey           = collections.NewPrefix(33)
	LeftKey               = collections.NewPrefix(34)
	DeploymentEndsKey     = collections.NewPrefix(35)
	AnswerDeadlinesKey    = collections.NewPrefix(36)
	StandbysKey           = collections.NewPrefix(37)
	QuotesKey             = collections.NewPrefix(40)
	QuoteBidsKey          = collections.NewPrefix(41)
	QuoteOffersKey        = collections.NewPrefix(42)
	CustodyKey            = collections.NewPrefix(43)
	ClearedKey            = collections.NewPrefix(44)
	WeightsKey            = collections.NewPrefix(45)
	FreshKey              = collections.NewPrefix(46)
	WorthKey              = collections.NewPrefix(47)
	QuoteFloorsKey        = collections.NewPrefix(48)
	ProviderLeasesKey     = collections.NewPrefix(49)
)
