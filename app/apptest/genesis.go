package apptest

import (
	"encoding/json"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/codec"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	"github.com/cosmos/cosmos-sdk/crypto/keys/ed25519"
	sdk "github.com/cosmos/cosmos-sdk/types"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/souk-network/souk/app"
	"github.com/souk-network/souk/app/scope"
)

// stake is what the only validator holds.
var stake = sdk.NewInt64Coin(scope.Denom, 100_000_000_000)

// Exported is a state to start from.
type Exported struct {
	State           json.RawMessage
	ConsensusParams cmtproto.ConsensusParams
	// Height is that of the first block to make, 0 and 1 both for a chain that starts anew.
	Height int64
}

// EditGenesis changes one module's genesis within state: EditGenesis(cdc, state, "gov", func(g *govv1.GenesisState) {...}).
func EditGenesis[S any, P interface {
	*S
	proto.Message
}](cdc codec.JSONCodec, state map[string]json.RawMessage, module string, edit func(P)) {
	genesis := P(new(S))
	cdc.MustUnmarshalJSON(state[module], genesis)
	edit(genesis)
	state[module] = cdc.MustMarshalJSON(genesis)
}

func (c *Chain) initialize() {
	c.t.Helper()
	params := app.DefaultConsensusParams().ToProto()
	start := &abci.RequestInitChain{ChainId: c.opts.ChainID, Time: c.Time, ConsensusParams: &params, InitialHeight: 1}
	if exported := c.opts.Exported; exported != nil {
		start.AppStateBytes = exported.State
		start.ConsensusParams = &exported.ConsensusParams
		start.InitialHeight = max(exported.Height, 1)
	} else {
		start.AppStateBytes = c.genesis()
	}
	_, err := c.App.InitChain(start)
	require.NoError(c.t, err, "initialize chain")
	c.Height = start.InitialHeight - 1
}

// genesis is the chain's default state with the accounts and the validator. The validator starts unbonded, so that it joins
// the set the way every validator does, hooks and signing record included.
func (c *Chain) genesis() json.RawMessage {
	cdc := c.App.Encoding().Codec
	state := c.App.DefaultGenesis()

	EditGenesis(cdc, state, authtypes.ModuleName, func(g *authtypes.GenesisState) {
		accounts := make(authtypes.GenesisAccounts, 0, len(c.Accounts)+1)
		for i, account := range append([]*Account{c.Validator}, c.Accounts...) {
			accounts = append(accounts, authtypes.NewBaseAccount(account.Address, account.Key.PubKey(), uint64(i), 0))
		}
		packed, err := authtypes.PackAccounts(accounts)
		require.NoError(c.t, err)
		g.Accounts = packed
	})
	EditGenesis(cdc, state, banktypes.ModuleName, func(g *banktypes.GenesisState) {
		for _, account := range append([]*Account{c.Validator}, c.Accounts...) {
			g.Balances = append(g.Balances, banktypes.Balance{Address: account.String(), Coins: c.opts.Funds})
		}
		pool, err := scope.AddressCodec().BytesToString(authtypes.NewModuleAddress(stakingtypes.NotBondedPoolName))
		require.NoError(c.t, err)
		g.Balances = append(g.Balances, banktypes.Balance{Address: pool, Coins: sdk.NewCoins(stake)})
	})
	EditGenesis(cdc, state, stakingtypes.ModuleName, func(g *stakingtypes.GenesisState) {
		validator, delegation := c.validator()
		g.Validators = []stakingtypes.Validator{validator}
		g.Delegations = []stakingtypes.Delegation{delegation}
	})

	if c.opts.Genesis != nil {
		c.opts.Genesis(cdc, state)
	}
	bz, err := json.Marshal(state)
	require.NoError(c.t, err)
	return bz
}

func (c *Chain) validator() (stakingtypes.Validator, stakingtypes.Delegation) {
	operator, err := scope.ValidatorAddressCodec().BytesToString(c.Validator.Address)
	require.NoError(c.t, err)
	key, err := codectypes.NewAnyWithValue(c.consensus.PubKey())
	require.NoError(c.t, err)
	shares := math.LegacyNewDecFromInt(stake.Amount)
	return stakingtypes.Validator{
		OperatorAddress:   operator,
		ConsensusPubkey:   key,
		Status:            stakingtypes.Unbonded,
		Tokens:            stake.Amount,
		DelegatorShares:   shares,
		Commission:        stakingtypes.NewCommission(math.LegacyZeroDec(), math.LegacyZeroDec(), math.LegacyZeroDec()),
		MinSelfDelegation: math.OneInt(),
	}, stakingtypes.NewDelegation(c.Validator.String(), operator, shares)
}

// validatorKey signs blocks.
type validatorKey struct{ *ed25519.PrivKey }

func newValidatorKey() validatorKey {
	return validatorKey{ed25519.GenPrivKeyFromSecret([]byte("souk test validator"))}
}

func (k validatorKey) address() []byte { return k.PubKey().Address() }

func (k validatorKey) vote() abci.VoteInfo {
	power := sdk.TokensToConsensusPower(stake.Amount, sdk.DefaultPowerReduction)
	return abci.VoteInfo{
		Validator:   abci.Validator{Address: k.address(), Power: power},
		BlockIdFlag: cmtproto.BlockIDFlagCommit,
	}
}
