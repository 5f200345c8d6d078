// Package keeper holds the state of x/escrow: the service clock, accounts, streams, pots, deadlines and epochs.
//
// It loads, calls package ledger, and stores; all arithmetic is there. It knows nothing of markets: a stream carries
// an opaque ref, and what lies above is reached only through types.Hooks, types.DeadlineSource and
// types.CreditPolicy.
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

	"github.com/souk-network/souk/x/escrow/types"
)

// potKey is (payee, denom), epochPotKey is (payee, denom, epoch), quarantineKey is (source, id).
type (
	potKey        = collections.Pair[sdk.AccAddress, string]
	epochPotKey   = collections.Triple[sdk.AccAddress, string, uint64]
	quarantineKey = collections.Pair[string, uint64]
)

// Keeper of the escrow store. Its collections are not exported: money moves only through its methods.
type Keeper struct {
	cdc           codec.BinaryCodec
	addresses     address.Codec
	bank          types.BankKeeper
	auth          types.AccountKeeper
	communityPool types.CommunityPool
	authz         types.AuthzKeeper
	authority     string

	hooks   types.Hooks
	sources []types.DeadlineSource
	policy  types.CreditPolicy

	Schema collections.Schema

	params        collections.Item[types.Params]
	clock         collections.Item[types.Clock]
	nextAccount   collections.Sequence
	accounts      collections.Map[uint64, types.Account]
	owners        collections.KeySet[collections.Pair[sdk.AccAddress, uint64]]
	dueAccounts   collections.KeySet[collections.Pair[uint64, uint64]]
	retained      collections.KeySet[collections.Pair[uint64, uint64]]
	openStreams   collections.Map[uint64, types.Stream]
	closedStreams collections.Map[uint64, types.Stream]
	pots          collections.Map[potKey, types.Pot]
	epochPots     collections.Map[epochPotKey, types.EpochPot]
	dust          collections.Map[string, math.Int]
	quarantine    collections.Map[collections.Pair[string, uint64], types.Quarantined]
	sweep         collections.Item[types.Sweep]
	untold        collections.Map[uint64, types.Epoch]
}

// NewKeeper builds the keeper; authority is the governance account. It panics, at start-up only, when the application
// is wired wrongly.
func NewKeeper(
	cdc codec.BinaryCodec,
	storeService corestore.KVStoreService,
	addresses address.Codec,
	bank types.BankKeeper,
	auth types.AccountKeeper,
	communityPool types.CommunityPool,
	authz types.AuthzKeeper,
	authority string,
) *Keeper {
	if auth.GetModuleAddress(types.ModuleName) == nil {
		panic(fmt.Errorf("the module account of x/%s is not set", types.ModuleName)) //nolint:forbidigo // at start-up
	}
	if _, err := addresses.StringToBytes(authority); err != nil {
		panic(fmt.Errorf("authority of x/%s: %w", types.ModuleName, err)) //nolint:forbidigo // at start-up
	}

	sb := collections.NewSchemaBuilder(storeService)
	potKeyCodec := collections.PairKeyCodec(sdk.AccAddressKey, collections.StringKey)
	epochPotKeyCodec := collections.TripleKeyCodec(sdk.AccAddressKey, collections.StringKey, collections.Uint64Key)
	k := &Keeper{
		cdc:           cdc,
		addresses:     addresses,
		bank:          bank,
		auth:          auth,
		communityPool: communityPool,
		authz:         authz,
		authority:     authority,
		policy:        creditAll{},

		params:      collections.NewItem(sb, types.ParamsKey, "params", codec.CollValue[types.Params](cdc)),
		clock:       collections.NewItem(sb, types.ClockKey, "clock", codec.CollValue[types.Clock](cdc)),
		nextAccount: collections.NewSequence(sb, types.NextAccountKey, "next_account"),
		accounts: collections.NewMap(sb, types.AccountsKey, "accounts", collections.Uint64Key,
			codec.CollValue[types.Account](cdc)),
		owners: collections.NewKeySet(sb, types.OwnersKey, "owners",
			collections.PairKeyCodec(sdk.AccAddressKey, collections.Uint64Key)),
		dueAccounts: collections.NewKeySet(sb, types.DueAccountsKey, "due_accounts",
			collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key)),
		retained: collections.NewKeySet(sb, types.RetainedKey, "retained",
			collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key)),
		openStreams: collections.NewMap(sb, types.OpenStreamsKey, "open_streams", collections.Uint64Key,
			codec.CollValue[types.Stream](cdc)),
		closedStreams: collections.NewMap(sb, types.ClosedStreamsKey, "closed_streams", collections.Uint64Key,
			codec.CollValue[types.Stream](cdc)),
		pots: collections.NewMap(sb, types.PotsKey, "pots", potKeyCodec, codec.CollValue[types.Pot](cdc)),
		epochPots: collections.NewMap(sb, types.EpochPotsKey, "epoch_pots", epochPotKeyCodec,
			codec.CollValue[types.EpochPot](cdc)),
		dust: collections.NewMap(sb, types.DustKey, "dust", collections.StringKey, sdk.IntValue),
		quarantine: collections.NewMap(sb, types.QuarantineKey, "quarantine",
			collections.PairKeyCodec(collections.StringKey, collections.Uint64Key), codec.CollValue[types.Quarantined](cdc)),
		sweep: collections.NewItem(sb, types.SweepKey, "sweep", codec.CollValue[types.Sweep](cdc)),
		untold: collections.NewMap(sb, types.UntoldEpochsKey, "untold_epochs", collections.Uint64Key,
			codec.CollValue[types.Epoch](cdc)),
	}

	schema, err := sb.Build()
	if err != nil {
		panic(fmt.Errorf("schema of x/%s: %w", types.ModuleName, err)) //nolint:forbidigo // at start-up
	}
	k.Schema = schema
	k.sources = []types.DeadlineSource{k.accountSource(), k.retainedSource()}
	return k
}

// SetHooks sets who learns that money ran out; once, at wiring time.
func (k *Keeper) SetHooks(hooks types.Hooks) {
	if k.hooks != nil {
		panic(fmt.Errorf("hooks of x/%s set twice", types.ModuleName)) //nolint:forbidigo // at start-up
	}
	k.hooks = hooks
}

// SetCreditPolicy replaces the policy that credits everything at once; at wiring time.
func (k *Keeper) SetCreditPolicy(policy types.CreditPolicy) { k.policy = policy }

// RegisterDeadlines adds a source of deadlines; at wiring time. Ties in time are processed in the order of
// registration, after escrow's own.
func (k *Keeper) RegisterDeadlines(source types.DeadlineSource) {
	if name := source.Name(); name == "" || len(name) > types.MaxSourceBytes {
		panic(fmt.Errorf("deadline source %q: want a name of 1 to %d bytes", name, types.MaxSourceBytes)) //nolint:forbidigo // at start-up
	}
	if _, ok := k.source(source.Name()); ok {
		panic(fmt.Errorf("deadline source %q registered twice", source.Name())) //nolint:forbidigo // at start-up
	}
	k.sources = append(k.sources, source)
}

// Authority returns the governance account.
func (k *Keeper) Authority() string { return k.authority }

// Params returns the parameters in force.
func (k *Keeper) Params(ctx context.Context) (types.Params, error) {
	params, err := k.params.Get(ctx)
	if err != nil {
		return types.Params{}, fmt.Errorf("read escrow parameters: %w", err)
	}
	return params, nil
}

// DenomParams returns the parameters of a settlement denom, or ErrDenom.
func (k *Keeper) DenomParams(ctx context.Context, denom string) (types.DenomParams, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return types.DenomParams{}, err
	}
	denomParams, ok := params.Denom(denom)
	if !ok {
		return types.DenomParams{}, types.ErrDenom.Wrapf("%q is not a settlement currency", denom)
	}
	return denomParams, nil
}

// IsSettlementDenom tells whether accounts may hold a denom.
func (k *Keeper) IsSettlementDenom(ctx context.Context, denom string) (bool, error) {
	params, err := k.Params(ctx)
	if err != nil {
		return false, err
	}
	_, ok := params.Denom(denom)
	return ok, nil
}

func (k *Keeper) logger(ctx context.Context) log.Logger {
	return sdk.UnwrapSDKContext(ctx).Logger().With("module", "x/"+types.ModuleName)
}

// text writes an address, and refuses one that is empty or too long.
func (k *Keeper) text(addr sdk.AccAddress) (string, error) {
	if err := sdk.VerifyAddressFormat(addr); err != nil {
		return "", types.ErrInvalidAddress.Wrap(err.Error())
	}
	text, err := k.addresses.BytesToString(addr)
	if err != nil {
		return "", types.ErrInvalidAddress.Wrap(err.Error())
	}
	return text, nil
}

func (k *Keeper) address(text string) (sdk.AccAddress, error) {
	addr, err := k.addresses.StringToBytes(text)
	if err != nil {
		return nil, types.ErrInvalidAddress.Wrap(err.Error())
	}
	return addr, nil
}
