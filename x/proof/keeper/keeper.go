// Package keeper is the state machine of x/proof: epochs from their close until their pots have matured, what providers commit to,
// the beacon rounds that draw audits, openings, and what becomes of those who do not open. It decides what of an epoch's service
// was proven; it must not know how money is booked (x/escrow), how leases are made (x/market), or how bonds are kept (x/provider).
// Its own account holds nothing but the bonds of those who ask for leaves.
package keeper

import (
	"context"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	corestore "cosmossdk.io/core/store"
	"cosmossdk.io/log/v2"
	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/gogoproto/proto"

	"github.com/souk-network/souk/x/proof/types"
)

type (
	pairKey     = collections.Pair[uint64, uint64]                   // (second or round or epoch, id)
	providerKey = collections.Pair[sdk.AccAddress, uint64]           // (provider, epoch or id)
	askedKey    = collections.Triple[sdk.AccAddress, uint64, uint64] // (provider, epoch, request)
)

// Keeper of the proof store. Its collections are not exported: what is proven changes only through its methods.
type Keeper struct {
	addresses address.Codec
	bank      BankKeeper
	auth      AccountKeeper
	escrow    EscrowKeeper
	provider  ProviderKeeper
	market    MarketKeeper
	authority string

	Schema collections.Schema

	params collections.Item[types.Params]

	epochs     collections.Map[uint64, types.Epoch]
	drawing    collections.KeySet[uint64]  // epochs with a seed that are not drawn
	turnouts   collections.KeySet[uint64]  // epochs whose missing providers are judged
	epochQueue collections.KeySet[pairKey] // second, epoch

	nextCommitment collections.Sequence
	commitments    collections.Map[uint64, types.Commitment]
	commitmentsOf  collections.Map[providerKey, uint64] // (provider, epoch) to id
	commitmentsIn  collections.KeySet[pairKey]          // epoch, id
	openQueue      collections.KeySet[pairKey]          // second, commitment

	awaitingEpochs collections.KeySet[pairKey] // round, epoch
	awaitingLate   collections.KeySet[pairKey] // round, commitment
	lateDue        collections.KeySet[pairKey] // second, commitment
	rounds         collections.Map[uint64, types.Round]
	ripe           collections.KeySet[uint64] // rounds that are known and await late commitments
	blockHashes    collections.Item[[]byte]   // of the last blocks, the newest last

	expected   collections.Map[pairKey, types.Expected] // epoch, number of the provider
	expectedOf collections.Map[providerKey, uint64]     // (provider, epoch) to number

	nextFault collections.Sequence
	faults    collections.Map[uint64, types.Fault]
	faultsOf  collections.KeySet[providerKey] // provider, fault
	standings collections.Map[sdk.AccAddress, types.Standing]
	jails     collections.KeySet[pairKey] // second, number of the provider

	nextForced  collections.Sequence
	forced      collections.Map[uint64, types.Forced]
	forcedOf    collections.KeySet[askedKey]          // provider, epoch, request
	forcedFor   collections.Map[pairKey, uint64]      // (lease, epoch) to request
	forcedQueue collections.KeySet[pairKey]           // second, request
	forcedBonds collections.Map[string, math.Int]     // sums of bonds by denom
	claims      collections.Map[pairKey, types.Claim] // epoch, lease
	posted      collections.Map[pairKey, types.Posted]
}

// NewKeeper builds the keeper; authority is the governance account. It panics, at start-up only, when the application
// is wired wrongly.
func NewKeeper(
	cdc codec.BinaryCodec,
	storeService corestore.KVStoreService,
	addresses address.Codec,
	bank BankKeeper,
	auth AccountKeeper,
	escrow EscrowKeeper,
	provider ProviderKeeper,
	market MarketKeeper,
	authority string,
) *Keeper {
	if auth.GetModuleAddress(types.ModuleName) == nil {
		panic(fmt.Errorf("the module account of x/%s is not set", types.ModuleName)) //nolint:forbidigo // at start-up
	}
	if _, err := addresses.StringToBytes(authority); err != nil {
		panic(fmt.Errorf("authority of x/%s: %w", types.ModuleName, err)) //nolint:forbidigo // at start-up
	}
	var (
		sb    = collections.NewSchemaBuilder(storeService)
		id    = collections.Uint64Key
		pairs = collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key)
		of    = collections.PairKeyCodec(sdk.AccAddressKey, collections.Uint64Key)
	)
	k := &Keeper{
		addresses: addresses, bank: bank, auth: auth, escrow: escrow, provider: provider, market: market, authority: authority,

		params: collections.NewItem(sb, types.ParamsKey, "params", codec.CollValue[types.Params](cdc)),

		epochs:     collections.NewMap(sb, types.EpochsKey, "epochs", id, codec.CollValue[types.Epoch](cdc)),
		drawing:    collections.NewKeySet(sb, types.DrawingKey, "drawing", id),
		turnouts:   collections.NewKeySet(sb, types.TurnoutsKey, "turnouts", id),
		epochQueue: collections.NewKeySet(sb, types.EpochQueueKey, "epoch_queue", pairs),

		nextCommitment: collections.NewSequence(sb, types.NextCommitmentKey, "next_commitment"),
		commitments:    collections.NewMap(sb, types.CommitmentsKey, "commitments", id, codec.CollValue[types.Commitment](cdc)),
		commitmentsOf:  collections.NewMap(sb, types.CommitmentsOfKey, "commitments_of", of, collections.Uint64Value),
		commitmentsIn:  collections.NewKeySet(sb, types.CommitmentsInKey, "commitments_in", pairs),
		openQueue:      collections.NewKeySet(sb, types.OpenQueueKey, "open_queue", pairs),

		awaitingEpochs: collections.NewKeySet(sb, types.AwaitingEpochsKey, "awaiting_epochs", pairs),
		awaitingLate:   collections.NewKeySet(sb, types.AwaitingLateKey, "awaiting_late", pairs),
		lateDue:        collections.NewKeySet(sb, types.LateDueKey, "late_due", pairs),
		rounds:         collections.NewMap(sb, types.RoundsKey, "rounds", id, codec.CollValue[types.Round](cdc)),
		ripe:           collections.NewKeySet(sb, types.RipeRoundsKey, "ripe_rounds", id),
		blockHashes:    collections.NewItem(sb, types.BlockHashesKey, "block_hashes", collections.BytesValue),

		expected:   collections.NewMap(sb, types.ExpectedKey, "expected", pairs, codec.CollValue[types.Expected](cdc)),
		expectedOf: collections.NewMap(sb, types.ExpectedOfKey, "expected_of", of, collections.Uint64Value),

		nextFault: collections.NewSequence(sb, types.NextFaultKey, "next_fault"),
		faults:    collections.NewMap(sb, types.FaultsKey, "faults", id, codec.CollValue[types.Fault](cdc)),
		faultsOf:  collections.NewKeySet(sb, types.FaultsOfKey, "faults_of", of),
		standings: collections.NewMap(sb, types.StandingsKey, "standings", sdk.AccAddressKey, codec.CollValue[types.Standing](cdc)),
		jails:     collections.NewKeySet(sb, types.JailQueueKey, "jail_queue", pairs),

		nextForced:  collections.NewSequence(sb, types.NextForcedKey, "next_forced"),
		forced:      collections.NewMap(sb, types.ForcedKey, "forced", id, codec.CollValue[types.Forced](cdc)),
		forcedOf:    collections.NewKeySet(sb, types.ForcedOfKey, "forced_of", collections.TripleKeyCodec(sdk.AccAddressKey, collections.Uint64Key, collections.Uint64Key)),
		forcedFor:   collections.NewMap(sb, types.ForcedForKey, "forced_for", pairs, collections.Uint64Value),
		forcedQueue: collections.NewKeySet(sb, types.ForcedQueueKey, "forced_queue", pairs),
		forcedBonds: collections.NewMap(sb, types.ForcedBondsKey, "forced_bonds", collections.StringKey, sdk.IntValue),
		claims:      collections.NewMap(sb, types.ClaimsKey, "claims", pairs, codec.CollValue[types.Claim](cdc)),
		posted:      collections.NewMap(sb, types.PostedKey, "posted", pairs, codec.CollValue[types.Posted](cdc)),
	}
	schema, err := sb.Build()
	if err != nil {
		panic(fmt.Errorf("schema of x/%s: %w", types.ModuleName, err)) //nolint:forbidigo // at start-up
	}
	k.Schema = schema
	return k
}

// Authority returns the governance account.
func (k *Keeper) Authority() string { return k.authority }

// Params returns the parameters in force.
func (k *Keeper) Params(ctx context.Context) (types.Params, error) {
	params, err := k.params.Get(ctx)
	if err != nil {
		return types.Params{}, fmt.Errorf("read proof parameters: %w", err)
	}
	return params, nil
}

// address reads the one text that state holds of an address.
func (k *Keeper) address(text string) (sdk.AccAddress, error) {
	return types.ParseAddress(k.addresses, text)
}

// text writes an address.
func (k *Keeper) text(addr sdk.AccAddress) (string, error) {
	text, err := k.addresses.BytesToString(addr)
	if err != nil {
		return "", types.ErrInvalidAddress.Wrap(err.Error())
	}
	return text, nil
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
