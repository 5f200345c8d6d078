package types

import (
	"google.golang.org/grpc/codes"

	"cosmossdk.io/errors"
)

// Errors of the module. Code 1 is reserved by the SDK.
var (
	// ErrUnauthorized: the signer is not who may do this.
	ErrUnauthorized = errors.Register(ModuleName, 2, "unauthorized")
	// ErrInvalidParams: parameters out of range.
	ErrInvalidParams = errors.Register(ModuleName, 3, "invalid parameters")
	// ErrInvalidAddress: not an address of this chain.
	ErrInvalidAddress = errors.Register(ModuleName, 4, "invalid address")
	// ErrInvalidResources: quantities that are too large, or none where some are needed.
	ErrInvalidResources = errors.Register(ModuleName, 5, "invalid resources")
	// ErrInvalidPool: a pool id that is too high.
	ErrInvalidPool = errors.Register(ModuleName, 6, "invalid pool")
	// ErrInvalidAsk: a price list that is empty, not sorted, too long or too high.
	ErrInvalidAsk = errors.Register(ModuleName, 7, "invalid ask")
	// ErrInvalidLabel: labels that are not sorted, not unique, too many or too long.
	ErrInvalidLabel = errors.Register(ModuleName, 8, "invalid label")
	// ErrInvalidName: a name that is not lowercase letters, digits and inner hyphens.
	ErrInvalidName = errors.Register(ModuleName, 9, "invalid name")
	// ErrInvalidBid: a bid that could never be served, or exceeds a limit.
	ErrInvalidBid = errors.Register(ModuleName, 10, "invalid bid")
	// ErrInvalidManifest: a manifest hash that is not 32 bytes.
	ErrInvalidManifest = errors.Register(ModuleName, 11, "invalid manifest hash")
	// ErrInvalidDeposit: a deposit that is not a positive amount below 2^96.
	ErrInvalidDeposit = errors.Register(ModuleName, 12, "invalid deposit")
	// ErrInvalidBatch: a batch that is empty or too long.
	ErrInvalidBatch = errors.Register(ModuleName, 13, "invalid batch")
	// ErrPoolNotFound: no such pool.
	ErrPoolNotFound = errors.RegisterWithGRPCCode(ModuleName, 14, codes.NotFound, "pool not found")
	// ErrOfferNotFound: no such offer.
	ErrOfferNotFound = errors.RegisterWithGRPCCode(ModuleName, 15, codes.NotFound, "offer not found")
	// ErrDeploymentNotFound: no such deployment.
	ErrDeploymentNotFound = errors.RegisterWithGRPCCode(ModuleName, 16, codes.NotFound, "deployment not found")
	// ErrBidNotFound: no such bid.
	ErrBidNotFound = errors.RegisterWithGRPCCode(ModuleName, 17, codes.NotFound, "bid not found")
	// ErrLeaseNotFound: no such lease.
	ErrLeaseNotFound = errors.RegisterWithGRPCCode(ModuleName, 18, codes.NotFound, "lease not found")
	// ErrNameTaken: the owner has an open deployment of that name.
	ErrNameTaken = errors.Register(ModuleName, 19, "name is taken")
	// ErrOfferState: the offer is withdrawn.
	ErrOfferState = errors.Register(ModuleName, 20, "offer is withdrawn")
	// ErrDeploymentState: the deployment is closed.
	ErrDeploymentState = errors.Register(ModuleName, 21, "deployment is closed")
	// ErrLeaseState: the lease is not in the state that this needs.
	ErrLeaseState = errors.Register(ModuleName, 22, "lease is in another state")
	// ErrAckLate: the acknowledgement window of the lease has passed.
	ErrAckLate = errors.Register(ModuleName, 23, "lease was not acknowledged in time")
	// ErrTooManyOffers: the provider has as many offers as it may.
	ErrTooManyOffers = errors.Register(ModuleName, 24, "too many offers")
	// ErrTooManyLeases: the deployment has as many live leases as it may.
	ErrTooManyLeases = errors.Register(ModuleName, 25, "too many leases")
	// ErrBondTooLow: the provider's bond does not cover what it offers.
	ErrBondTooLow = errors.Register(ModuleName, 26, "bond too low")
	// ErrNoCapacity: a pool has not enough that is free.
	ErrNoCapacity = errors.Register(ModuleName, 27, "not enough free capacity")
	// ErrDenom: a denom that escrow does not accept.
	ErrDenom = errors.Register(ModuleName, 28, "denom not accepted")
	// ErrInvalidGenesis: a genesis state that contradicts itself.
	ErrInvalidGenesis = errors.Register(ModuleName, 29, "invalid genesis")
	// ErrInvalidRequest: a query without what it needs.
	ErrInvalidRequest = errors.Register(ModuleName, 30, "invalid request")
	// ErrBroken: records that contradict each other.
	ErrBroken = errors.Register(ModuleName, 31, "books do not balance")
	// ErrInvalidTerms: terms of an offer that nobody could meet, or that exceed a limit.
	ErrInvalidTerms = errors.Register(ModuleName, 33, "invalid terms")
	// ErrSuspended: the offer may not return to the book yet.
	ErrSuspended = errors.Register(ModuleName, 34, "offer is suspended")
	// ErrInvalidAccess: access keys that are too many, not sorted, or without a known scope.
	ErrInvalidAccess = errors.Register(ModuleName, 35, "invalid access keys")
	// ErrInvalidList: addresses that are too many, or one of them twice.
	ErrInvalidList = errors.Register(ModuleName, 36, "invalid list of addresses")
	// ErrInvalidReason: not a reason that a provider may give for its notice.
	ErrInvalidReason = errors.Register(ModuleName, 37, "invalid reason")
	// ErrVersion: somebody else has changed the deployment.
	ErrVersion = errors.Register(ModuleName, 38, "deployment has another version")
	// ErrCustodian: a custodian that is not a provider.
	ErrCustodian = errors.Register(ModuleName, 39, "custodian is not a provider")
	// ErrResize: a lease that can not become what its bid says.
	ErrResize = errors.Register(ModuleName, 40, "lease can not be resized")
	// ErrTooManyBids: the deployment has had as many bids as it may.
	ErrTooManyBids = errors.Register(ModuleName, 41, "too many bids")
	// ErrBehind: the deployment's money has ended, and that waits to be processed; try again in the next block.
	ErrBehind = errors.Register(ModuleName, 42, "deadlines are behind")
	// ErrChallenged: somebody has challenged the lease, and its provider has not answered yet.
	ErrChallenged = errors.Register(ModuleName, 43, "lease is challenged already")
	// ErrMaintenance: the provider has declared maintenance, and need not answer.
	ErrMaintenance = errors.Register(ModuleName, 44, "provider is in maintenance")
	// ErrAnswerLate: the answer window of the challenge has passed.
	ErrAnswerLate = errors.Register(ModuleName, 45, "challenge was not answered in time")
	// ErrTooSoon: an access key that may only watch has just failed over another lease of the bid.
	ErrTooSoon = errors.Register(ModuleName, 46, "failed over too soon after the last time")
	// ErrInvalidQuote: a quote or an acceptance that is wrong whatever the state.
	ErrInvalidQuote = errors.Register(ModuleName, 50, "invalid quote")
	// ErrQuoteNotFound: the provider has no quote for the bid: it gave none, took it back, or it was displaced or used up.
	ErrQuoteNotFound = errors.RegisterWithGRPCCode(ModuleName, 51, codes.NotFound, "quote not found")
	// ErrQuoteExpired: the quote can not be accepted any more.
	ErrQuoteExpired = errors.Register(ModuleName, 52, "quote has expired")
	// ErrTooDear: a quote above the cap of its bid, or above what the tenant saw.
	ErrTooDear = errors.Register(ModuleName, 53, "quote is too dear")
	// ErrQuoteBeaten: the bid has as many quotes as it may, none of them dearer, or a cheaper one of the same provider.
	ErrQuoteBeaten = errors.Register(ModuleName, 54, "bid has better quotes")
	// ErrUnsuitable: the offer or its provider is not what the bid takes, or not for so many replicas.
	ErrUnsuitable = errors.Register(ModuleName, 55, "offer does not suit the bid")
	// ErrTakesNoLeases: the provider is jailed, leaves, or is in maintenance.
	ErrTakesNoLeases = errors.Register(ModuleName, 56, "provider takes no leases at present")
	// ErrHalted: governance lets no new leases begin.
	ErrHalted = errors.Register(ModuleName, 57, "market is halted")
	// ErrBidState: the bid is not open, or finds its providers by auction.
	ErrBidState = errors.Register(ModuleName, 58, "bid takes no quotes")
	// ErrTooManyReplicas: more replicas than were quoted, or are missing.
	ErrTooManyReplicas = errors.Register(ModuleName, 59, "too many replicas")
)
