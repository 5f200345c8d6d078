// Package keeper is the state machine of x/market: pools, offers, deployments, bids, leases, and the clearing that turns
// bids and offers into leases. It owns which lease lives at whose cost; it must not know how money is booked (x/escrow)
// or who may provide (x/provider), and it holds no coins.
package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	"cosmossdk.io/core/store"
	"cosmossdk.io/log/v2"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/souk-network/souk/x/market/types"
)

// Keeper reads and writes the market. Its stores are private: everything goes through its operations.
type Keeper struct {
	addresses address.Codec
	escrow    types.EscrowKeeper
	provider  types.ProviderKeeper
	bank      types.BankKeeper
	authority string
	hooks     types.Hooks // nil when nothing is above

	schema collections.Schema
	params collections.Item[types.Params]

	pools     collections.Map[poolKey, types.CapacityPool] // total, largest unit, highest asks
	allocated collections.Map[poolKey, types.Resources]

	nextOffer      collections.Sequence
	offers         collections.Map[uint64, types.Offer]
	activeOffers   collections.KeySet[uint64]      // those of the auction
	quoteOffers    collections.KeySet[uint64]      // active ones that take no part in the auction
	providerOffers collections.KeySet[providerKey] // not the withdrawn
	offerDeadlines collections.KeySet[pairKey]     // second, offer

	deployments      collections.Map[uint64, types.Deployment]    // as if open
	deploymentEnds   collections.Map[uint64, types.DeploymentEnd] // of those that are closed
	openNames        collections.Map[nameKey, uint64]
	ownerDeployments collections.KeySet[providerKey]
	custody          collections.KeySet[providerKey] // open deployments by custodian

	nextBid        collections.Sequence
	bids           collections.Map[uint64, types.Bid] // without what changes
	bidStatuses    collections.Map[uint64, types.BidStatus]
	deploymentBids collections.KeySet[pairKey]
	openBids       collections.KeySet[uint64]
	quoteBids      collections.KeySet[uint64]             // open ones that collect quotes
	quotes         collections.Map[quoteKey, types.Quote] // by bid and provider
	quoteFloors    collections.Map[quoteKey, uint64]      // the least rate asked, by bid and provider
	leftBids       collections.KeySet[uint64]             // those that a clearing left
	fresh          collections.Map[uint64, []byte]        // open ones that wait to be read, with their worth
	worthiest      collections.KeySet[worthKey]           // the same by denom, the worthiest first
	bidDeadlines   collections.KeySet[pairKey]            // second, bid

	nextLease          collections.Sequence
	leases             collections.Map[uint64, types.Lease] // without what changes
	leaseStatuses      collections.Map[uint64, types.LeaseStatus]
	deploymentLeases   collections.KeySet[pairKey] // ended ones too
	liveLeases         collections.KeySet[pairKey] // by deployment
	providerLiveLeases collections.KeySet[providerKey]
	providerLeases     collections.KeySet[providerKey] // ended ones too
	ackDeadlines       collections.KeySet[pairKey]     // second, lease
	leaseDeadlines     collections.KeySet[pairKey]     // second, lease
	answerDeadlines    collections.KeySet[pairKey]     // second, lease
	standbys           collections.KeySet[pairKey]     // bid, live lease that stands by or is to
	retained           collections.KeySet[pairKey]     // second, lease

	sweeps         collections.Map[pairKey, types.ProviderSweep] // second, number of the provider
	providerSweeps collections.Map[providerKey, uint64]          // second to number

	exposures collections.Map[denomKey, uint64]     // micro-denom per hour
	unsettled collections.Map[sdk.AccAddress, bool] // whether it gained
	gained    collections.KeySet[sdk.AccAddress]    // for the next sweep
	swept     collections.KeySet[sdk.AccAddress]    // for the sweep under way
	clearing  collections.Item[types.Clearing]
	seed      collections.Item[[]byte]
	cleared   collections.Map[string, types.Cleared]   // the last, by denom
	weights   collections.Map[string, types.Resources] // by denom
}

type (
	poolKey     = collections.Pair[sdk.AccAddress, uint32]
	providerKey = collections.Pair[sdk.AccAddress, uint64]
	nameKey     = collections.Pair[sdk.AccAddress, string]
	denomKey    = collections.Pair[sdk.AccAddress, string]
	pairKey     = collections.Pair[uint64, uint64]
	worthKey    = collections.Triple[string, []byte, uint64] // denom, worth upside down, bid
	quoteKey    = collections.Pair[uint64, sdk.AccAddress]
)

// NewKeeper returns the keeper. It panics on a faulty schema, at wiring time. The authority may change the parameters.
func NewKeeper(
	cdc codec.BinaryCodec, storeService store.KVStoreService, addresses address.Codec,
	escrow types.EscrowKeeper, provider types.ProviderKeeper, bank types.BankKeeper, authority string,
) *Keeper {
	var (
		sb      = collections.NewSchemaBuilder(storeService)
		pools   = collections.PairKeyCodec(sdk.AccAddressKey, collections.Uint32Key)
		ofOwner = collections.PairKeyCodec(sdk.AccAddressKey, collections.Uint64Key)
		named   = collections.PairKeyCodec(sdk.AccAddressKey, collections.StringKey)
		pairs   = collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key)
		id      = collections.Uint64Key
		byWorth = collections.TripleKeyCodec(collections.StringKey, collections.BytesKey, id)
		ofBid   = collections.PairKeyCodec(id, sdk.AccAddressKey)
	)
	k := &Keeper{
		addresses: addresses, escrow: escrow, provider: provider, bank: bank, authority: authority,

		params: collections.NewItem(sb, types.ParamsKey, "params", codec.CollValue[types.Params](cdc)),

		pools:     collections.NewMap(sb, types.PoolsKey, "pools", pools, codec.CollValue[types.CapacityPool](cdc)),
		allocated: collections.NewMap(sb, types.AllocatedKey, "allocated", pools, codec.CollValue[types.Resources](cdc)),

		nextOffer:      collections.NewSequence(sb, types.NextOfferKey, "next_offer"),
		offers:         collections.NewMap(sb, types.OffersKey, "offers", id, codec.CollValue[types.Offer](cdc)),
		activeOffers:   collections.NewKeySet(sb, types.ActiveOffersKey, "active_offers", id),
		quoteOffers:    collections.NewKeySet(sb, types.QuoteOffersKey, "quote_offers", id),
		providerOffers: collections.NewKeySet(sb, types.ProviderOffersKey, "provider_offers", ofOwner),
		offerDeadlines: collections.NewKeySet(sb, types.OfferDeadlinesKey, "offer_deadlines", pairs),

		deployments:      collections.NewMap(sb, types.DeploymentsKey, "deployments", id, codec.CollValue[types.Deployment](cdc)),
		deploymentEnds:   collections.NewMap(sb, types.DeploymentEndsKey, "deployment_ends", id, codec.CollValue[types.DeploymentEnd](cdc)),
		openNames:        collections.NewMap(sb, types.OpenNamesKey, "open_names", named, collections.Uint64Value),
		ownerDeployments: collections.NewKeySet(sb, types.OwnerDeploymentsKey, "owner_deployments", ofOwner),
		custody:          collections.NewKeySet(sb, types.CustodyKey, "custody", ofOwner),

		nextBid:        collections.NewSequence(sb, types.NextBidKey, "next_bid"),
		bids:           collections.NewMap(sb, types.BidsKey, "bids", id, codec.CollValue[types.Bid](cdc)),
		bidStatuses:    collections.NewMap(sb, types.BidStatusesKey, "bid_statuses", id, codec.CollValue[types.BidStatus](cdc)),
		deploymentBids: collections.NewKeySet(sb, types.DeploymentBidsKey, "deployment_bids", pairs),
		openBids:       collections.NewKeySet(sb, types.OpenBidsKey, "open_bids", id),
		quoteBids:      collections.NewKeySet(sb, types.QuoteBidsKey, "quote_bids", id),
		quotes:         collections.NewMap(sb, types.QuotesKey, "quotes", ofBid, codec.CollValue[types.Quote](cdc)),
		quoteFloors:    collections.NewMap(sb, types.QuoteFloorsKey, "quote_floors", ofBid, collections.Uint64Value),
		leftBids:       collections.NewKeySet(sb, types.LeftKey, "left_bids", id),
		fresh:          collections.NewMap(sb, types.FreshKey, "fresh_bids", id, collections.BytesValue),
		worthiest:      collections.NewKeySet(sb, types.WorthKey, "worthiest_bids", byWorth),
		bidDeadlines:   collections.NewKeySet(sb, types.BidDeadlinesKey, "bid_deadlines", pairs),

		nextLease:          collections.NewSequence(sb, types.NextLeaseKey, "next_lease"),
		leases:             collections.NewMap(sb, types.LeasesKey, "leases", id, codec.CollValue[types.Lease](cdc)),
		leaseStatuses:      collections.NewMap(sb, types.LeaseStatusesKey, "lease_statuses", id, codec.CollValue[types.LeaseStatus](cdc)),
		deploymentLeases:   collections.NewKeySet(sb, types.DeploymentLeasesKey, "deployment_leases", pairs),
		liveLeases:         collections.NewKeySet(sb, types.LiveLeasesKey, "live_leases", pairs),
		providerLiveLeases: collections.NewKeySet(sb, types.ProviderLiveLeasesKey, "provider_live_leases", ofOwner),
		providerLeases:     collections.NewKeySet(sb, types.ProviderLeasesKey, "provider_leases", ofOwner),
		ackDeadlines:       collections.NewKeySet(sb, types.AckDeadlinesKey, "ack_deadlines", pairs),
		leaseDeadlines:     collections.NewKeySet(sb, types.LeaseDeadlinesKey, "lease_deadlines", pairs),
		answerDeadlines:    collections.NewKeySet(sb, types.AnswerDeadlinesKey, "answer_deadlines", pairs),
		standbys:           collections.NewKeySet(sb, types.StandbysKey, "standbys", pairs),
		retained:           collections.NewKeySet(sb, types.RetainedKey, "retained", pairs),

		sweeps:         collections.NewMap(sb, types.SweepsKey, "sweeps", pairs, codec.CollValue[types.ProviderSweep](cdc)),
		providerSweeps: collections.NewMap(sb, types.ProviderSweepsKey, "provider_sweeps", ofOwner, collections.Uint64Value),

		exposures: collections.NewMap(sb, types.ExposuresKey, "exposures", named, collections.Uint64Value),
		unsettled: collections.NewMap(sb, types.UnsettledKey, "unsettled", sdk.AccAddressKey, collections.BoolValue),
		gained:    collections.NewKeySet(sb, types.GainedKey, "gained", sdk.AccAddressKey),
		swept:     collections.NewKeySet(sb, types.SweptKey, "swept", sdk.AccAddressKey),
		clearing:  collections.NewItem(sb, types.ClearingKey, "clearing", codec.CollValue[types.Clearing](cdc)),
		seed:      collections.NewItem(sb, types.SeedKey, "seed", collections.BytesValue),
		cleared:   collections.NewMap(sb, types.ClearedKey, "cleared", collections.StringKey, codec.CollValue[types.Cleared](cdc)),
		weights:   collections.NewMap(sb, types.WeightsKey, "weights", collections.StringKey, codec.CollValue[types.Resources](cdc)),
	}
	schema, err := sb.Build()
	if err != nil {
		panic(fmt.Errorf("build the schema of x/%s: %w", types.ModuleName, err)) //nolint:forbidigo // at start-up
	}
	k.schema = schema
	return k
}

// SetHooks sets who learns of leases that fail; once, at wiring time.
func (k *Keeper) SetHooks(hooks types.Hooks) {
	if k.hooks != nil {
		panic(fmt.Errorf("hooks of x/%s set twice", types.ModuleName)) //nolint:forbidigo // at start-up
	}
	k.hooks = hooks
}

// Authority returns the account that may change the parameters.
func (k *Keeper) Authority() string { return k.authority }

// Params returns the parameters in force.
func (k *Keeper) Params(ctx context.Context) (types.Params, error) {
	params, err := k.params.Get(ctx)
	if err != nil {
		return types.Params{}, fmt.Errorf("read market parameters: %w", err)
	}
	return params, nil
}

func (k *Keeper) logger(ctx context.Context) log.Logger {
	return sdk.UnwrapSDKContext(ctx).Logger().With("module", "x/"+types.ModuleName)
}

func emit(ctx context.Context, event proto.Message) error {
	if err := sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(event); err != nil {
		return fmt.Errorf("emit %T: %w", event, err)
	}
	return nil
}

// operator decodes a provider's name.
func (k *Keeper) operator(provider string) (sdk.AccAddress, error) {
	operator, err := k.addresses.StringToBytes(provider)
	if err != nil {
		return nil, types.ErrInvalidAddress.Wrapf("provider: %v", err)
	}
	return operator, nil
}
