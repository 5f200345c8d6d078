// Package keeper holds the state of x/provider: who provides, through which agent and gateway, what they have at
// stake, what auditors say of them, and what became of their leases. It tells time and moves earnings through x/escrow, and knows nothing of leases: the market tells it only what
// bond it asks for.
package keeper

import (
	"context"
	"errors"
	"fmt"

	"cosmossdk.io/collections"
	"cosmossdk.io/core/address"
	corestore "cosmossdk.io/core/store"

	"github.com/cosmos/gogoproto/proto"

	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// unbondingKey is (provider, second, id), dueKey is (second, id), attestationKey is (provider, auditor).
type (
	unbondingKey   = collections.Triple[sdk.AccAddress, uint64, uint64]
	dueKey         = collections.Pair[uint64, uint64]
	attestationKey = collections.Pair[sdk.AccAddress, sdk.AccAddress]
)

// Keeper of the provider store. Its collections are not exported: bonds move only through its methods.
type Keeper struct {
	addresses     address.Codec
	bank          types.BankKeeper
	auth          types.AccountKeeper
	escrow        types.EscrowKeeper
	communityPool types.CommunityPool
	authority     string

	hooks types.Hooks

	Schema collections.Schema

	params       collections.Item[types.Params]
	providers    collections.Map[sdk.AccAddress, types.Provider]
	agents       collections.Map[sdk.AccAddress, []byte]
	requirements collections.Map[sdk.AccAddress, types.Requirement]
	records      collections.Map[sdk.AccAddress, types.Record]

	nextNumber collections.Sequence
	numbers    collections.Map[uint64, []byte]
	rotations  collections.KeySet[dueKey]

	nextUnbonding  collections.Sequence
	unbondings     collections.Map[uint64, types.Unbonding]
	unbondingsOf   collections.KeySet[unbondingKey]
	unbondingQueue collections.KeySet[dueKey]

	attestations   collections.Map[attestationKey, types.Attestation]
	attestationsBy collections.KeySet[attestationKey]
}

// NewKeeper builds the keeper; authority is the governance account. It panics, at start-up only, when the application
// is wired wrongly.
func NewKeeper(
	cdc codec.BinaryCodec,
	storeService corestore.KVStoreService,
	addresses address.Codec,
	bank types.BankKeeper,
	auth types.AccountKeeper,
	escrow types.EscrowKeeper,
	communityPool types.CommunityPool,
	authority string,
) *Keeper {
	if auth.GetModuleAddress(types.ModuleName) == nil {
		panic(fmt.Errorf("the module account of x/%s is not set", types.ModuleName)) //nolint:forbidigo // at start-up
	}
	if _, err := addresses.StringToBytes(authority); err != nil {
		panic(fmt.Errorf("authority of x/%s: %w", types.ModuleName, err)) //nolint:forbidigo // at start-up
	}
	sb := collections.NewSchemaBuilder(storeService)
	dueCodec := collections.PairKeyCodec(collections.Uint64Key, collections.Uint64Key)
	attestationCodec := collections.PairKeyCodec(sdk.AccAddressKey, sdk.AccAddressKey)
	k := &Keeper{
		addresses:     addresses,
		bank:          bank,
		auth:          auth,
		escrow:        escrow,
		communityPool: communityPool,
		authority:     authority,

		params: collections.NewItem(sb, types.ParamsKey, "params", codec.CollValue[types.Params](cdc)),
		providers: collections.NewMap(sb, types.ProvidersKey, "providers", sdk.AccAddressKey,
			codec.CollValue[types.Provider](cdc)),
		agents: collections.NewMap(sb, types.AgentsKey, "agents", sdk.AccAddressKey, collections.BytesValue),
		requirements: collections.NewMap(sb, types.RequirementsKey, "requirements", sdk.AccAddressKey,
			codec.CollValue[types.Requirement](cdc)),
		records: collections.NewMap(sb, types.RecordsKey, "records", sdk.AccAddressKey,
			codec.CollValue[types.Record](cdc)),

		nextNumber: collections.NewSequence(sb, types.NextNumberKey, "next_number"),
		numbers:    collections.NewMap(sb, types.NumbersKey, "numbers", collections.Uint64Key, collections.BytesValue),
		rotations:  collections.NewKeySet(sb, types.RotationQueueKey, "rotation_queue", dueCodec),

		nextUnbonding: collections.NewSequence(sb, types.NextUnbondingKey, "next_unbonding"),
		unbondings: collections.NewMap(sb, types.UnbondingsKey, "unbondings", collections.Uint64Key,
			codec.CollValue[types.Unbonding](cdc)),
		unbondingsOf: collections.NewKeySet(sb, types.UnbondingsOfKey, "unbondings_of",
			collections.TripleKeyCodec(sdk.AccAddressKey, collections.Uint64Key, collections.Uint64Key)),
		unbondingQueue: collections.NewKeySet(sb, types.UnbondingQueueKey, "unbonding_queue", dueCodec),

		attestations: collections.NewMap(sb, types.AttestationsKey, "attestations", attestationCodec,
			codec.CollValue[types.Attestation](cdc)),
		attestationsBy: collections.NewKeySet(sb, types.AttestationsByKey, "attestations_by", attestationCodec),
	}
	schema, err := sb.Build()
	if err != nil {
		panic(fmt.Errorf("schema of x/%s: %w", types.ModuleName, err)) //nolint:forbidigo // at start-up
	}
	k.Schema = schema
	return k
}

// SetHooks sets who learns of what changes at a provider, and who says what bond it needs; once, at wiring time.
func (k *Keeper) SetHooks(hooks types.Hooks) {
	if k.hooks != nil {
		panic(fmt.Errorf("hooks of x/%s set twice", types.ModuleName)) //nolint:forbidigo // at start-up
	}
	k.hooks = hooks
}

// Authority returns the governance account.
func (k *Keeper) Authority() string { return k.authority }

// GetParams returns the parameters in force.
func (k *Keeper) GetParams(ctx context.Context) (types.Params, error) {
	params, err := k.params.Get(ctx)
	if err != nil {
		return types.Params{}, fmt.Errorf("read provider parameters: %w", err)
	}
	return params, nil
}

// GetProvider returns a provider by its operator, with the agent that it has at present, or ErrNotFound.
func (k *Keeper) GetProvider(ctx context.Context, operator sdk.AccAddress) (types.Provider, error) {
	provider, err := k.readProvider(ctx, operator)
	if err != nil || provider.NextAgent == "" {
		return provider, err
	}
	now, err := k.escrow.Now(ctx)
	if err != nil {
		return types.Provider{}, err
	}
	return provider.At(now), nil
}

// readProvider returns a provider as it is stored: a rotation that is due may not be completed yet.
func (k *Keeper) readProvider(ctx context.Context, operator sdk.AccAddress) (types.Provider, error) {
	provider, err := k.providers.Get(ctx, operator)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Provider{}, types.ErrNotFound.Wrap(k.show(operator))
	}
	if err != nil {
		return types.Provider{}, fmt.Errorf("read provider %s: %w", k.show(operator), err)
	}
	return provider, nil
}

// ProviderOfAgent returns the provider for which an agent account works at present, or ErrNotFound.
func (k *Keeper) ProviderOfAgent(ctx context.Context, agent sdk.AccAddress) (types.Provider, error) {
	operator, err := k.agents.Get(ctx, agent)
	if errors.Is(err, collections.ErrNotFound) {
		return types.Provider{}, types.ErrNotFound.Wrapf("of agent %s", k.show(agent))
	}
	if err != nil {
		return types.Provider{}, fmt.Errorf("read agent %s: %w", k.show(agent), err)
	}
	provider, err := k.GetProvider(ctx, operator)
	if err != nil {
		return types.Provider{}, err
	}
	if provider.Agent != k.show(agent) {
		return types.Provider{}, types.ErrNotFound.Wrapf("of agent %s at present", k.show(agent))
	}
	return provider, nil
}

// ProviderByNumber returns the operator of a provider by its number, or ErrNotFound.
func (k *Keeper) ProviderByNumber(ctx context.Context, number uint64) (sdk.AccAddress, error) {
	operator, err := k.numbers.Get(ctx, number)
	if errors.Is(err, collections.ErrNotFound) {
		return nil, types.ErrNotFound.Wrapf("number %d", number)
	}
	if err != nil {
		return nil, fmt.Errorf("read provider %d: %w", number, err)
	}
	return operator, nil
}

// Authorize returns the provider of an operator if the signer is that operator or the agent that it has at present. An
// agent of a provider that is gone may do nothing any more.
func (k *Keeper) Authorize(ctx context.Context, signer, operator string) (types.Provider, error) {
	addr, err := k.address(operator)
	if err != nil {
		return types.Provider{}, err
	}
	provider, err := k.GetProvider(ctx, addr)
	if err != nil {
		return types.Provider{}, err
	}
	gone := provider.Lifecycle == types.Lifecycle_LIFECYCLE_GONE
	if signer != provider.Operator && (signer != provider.Agent || gone) {
		return types.Provider{}, types.ErrUnauthorized.Wrapf("%.100q is neither operator nor agent of %s", signer, operator)
	}
	return provider, nil
}

func (k *Keeper) writeProvider(ctx context.Context, operator sdk.AccAddress, provider types.Provider) error {
	if err := k.providers.Set(ctx, operator, provider); err != nil {
		return fmt.Errorf("write provider %s: %w", provider.Operator, err)
	}
	return nil
}

func (k *Keeper) address(text string) (sdk.AccAddress, error) {
	return types.ParseAddress(k.addresses, text)
}

// receiver is address for accounts that coins will be sent to.
func (k *Keeper) receiver(text string) (sdk.AccAddress, error) {
	addr, err := k.address(text)
	if err != nil {
		return nil, err
	}
	if k.bank.BlockedAddr(addr) {
		return nil, types.ErrInvalidAddress.Wrapf("%s may not receive coins", text)
	}
	return addr, nil
}

// show names an address in an error.
func (k *Keeper) show(addr sdk.AccAddress) string {
	text, err := k.addresses.BytesToString(addr)
	if err != nil {
		return fmt.Sprintf("%X", []byte(addr))
	}
	return text
}

func emit(ctx context.Context, event proto.Message) error {
	if err := sdk.UnwrapSDKContext(ctx).EventManager().EmitTypedEvent(event); err != nil {
		return fmt.Errorf("emit event: %w", err)
	}
	return nil
}
