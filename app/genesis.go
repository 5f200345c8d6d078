package app

import (
	"encoding/json"
	"fmt"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/client"
	"github.com/cosmos/cosmos-sdk/codec"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/module"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	"github.com/cosmos/cosmos-sdk/x/genutil"
	genutiltypes "github.com/cosmos/cosmos-sdk/x/genutil/types"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"
	govv1 "github.com/cosmos/cosmos-sdk/x/gov/types/v1"
	minttypes "github.com/cosmos/cosmos-sdk/x/mint/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/souk-network/souk/app/scope"
)

const (
	// MaxBlockGas is the default of the consensus parameter block.max_gas: about one second of work on a small machine, so
	// that a full block never outlasts the time in which validators must vote on it.
	MaxBlockGas = 80_000_000
	// MaxBlockBytes is the default of the consensus parameter block.max_bytes.
	MaxBlockBytes = 1_572_864

	// blockTime is what a block takes at the default timeout_commit, votes included.
	blockTime     = 1300 * time.Millisecond
	unbondingTime = stakingtypes.DefaultUnbondingTime
	day           = 24 * time.Hour
)

// DefaultGenesis returns the genesis state of a new network without accounts and validators, by module.
func (app *App) DefaultGenesis() map[string]json.RawMessage {
	return app.basics.DefaultGenesis(app.encoding.Codec)
}

// DefaultConsensusParams returns the consensus parameters of a new network. Evidence stays valid for as long as the stake
// behind it can be slashed.
func DefaultConsensusParams() *cmttypes.ConsensusParams {
	params := cmttypes.DefaultConsensusParams()
	params.Block.MaxGas = MaxBlockGas
	params.Block.MaxBytes = MaxBlockBytes
	params.Evidence.MaxAgeDuration = unbondingTime
	params.Evidence.MaxAgeNumBlocks = int64(unbondingTime / blockTime)
	params.Evidence.MaxBytes = MaxBlockBytes / 4
	return params
}

// newBasics returns the stateless parts of all modules, with this chain's genesis where it differs from the module's own.
func newBasics(modules *module.Manager) module.BasicManager {
	basics := module.NewBasicManagerFromManager(modules, map[string]module.AppModuleBasic{
		genutiltypes.ModuleName: genutil.NewAppModuleBasic(genutiltypes.DefaultMessageValidator),
	})
	withGenesis(basics, banktypes.ModuleName, bankGenesis)
	withGenesis(basics, govtypes.ModuleName, govGenesis)
	withGenesis(basics, minttypes.ModuleName, mintGenesis)
	withGenesis(basics, slashingtypes.ModuleName, slashingGenesis)
	return basics
}

// bankGenesis describes the native coin, so that wallets show SOUK.
func bankGenesis(state *banktypes.GenesisState) {
	state.DenomMetadata = append(state.DenomMetadata, banktypes.Metadata{
		Name:        scope.DisplayDenom,
		Symbol:      scope.DisplayDenom,
		Description: "The staking and fee coin of the Souk network.",
		Base:        scope.Denom,
		Display:     scope.DisplayDenom,
		DenomUnits: []*banktypes.DenomUnit{
			{Denom: scope.Denom, Exponent: 0, Aliases: []string{"microsouk"}},
			{Denom: scope.DisplayDenom, Exponent: scope.DisplayExponent},
		},
	})
}

// govGenesis asks for a deposit that spam cannot afford, a tenth of it at once.
func govGenesis(state *govv1.GenesisState) {
	state.Params.MinDeposit = souk(500)
	state.Params.ExpeditedMinDeposit = souk(2500)
	state.Params.MinInitialDepositRatio = math.LegacyNewDecWithPrec(10, 2).String()
}

// mintGenesis tells the mint how many blocks there are in a year, so that the yearly inflation is what it says.
func mintGenesis(state *minttypes.GenesisState) {
	state.Params.BlocksPerYear = uint64(365*day+day/4) / uint64(blockTime)
}

// slashingGenesis gives a validator about four hours of the blocks before absence is punished.
func slashingGenesis(state *slashingtypes.GenesisState) {
	state.Params.SignedBlocksWindow = int64(4 * time.Hour / blockTime)
	state.Params.MinSignedPerWindow = math.LegacyNewDecWithPrec(5, 2)
}

// souk returns an amount in the display denom as coins.
func souk(amount int64) sdk.Coins {
	return sdk.NewCoins(sdk.NewInt64Coin(scope.Denom, amount*1_000_000))
}

// withGenesis makes the module's default genesis pass through change.
func withGenesis[S any, P interface {
	*S
	codec.ProtoMarshaler
}](basics module.BasicManager, name string, change func(P)) {
	basics[name] = genesisBasic{
		AppModuleBasic: basics[name],
		change: func(cdc codec.JSONCodec, bz json.RawMessage) json.RawMessage {
			state := P(new(S))
			cdc.MustUnmarshalJSON(bz, state)
			change(state)
			return cdc.MustMarshalJSON(state)
		},
	}
}

// genesisBasic is a module's stateless part with another default genesis.
type genesisBasic struct {
	module.AppModuleBasic
	change func(codec.JSONCodec, json.RawMessage) json.RawMessage
}

// DefaultGenesis returns the module's default genesis state as this chain has it.
func (b genesisBasic) DefaultGenesis(cdc codec.JSONCodec) json.RawMessage {
	return b.change(cdc, b.AppModuleBasic.(module.HasGenesisBasics).DefaultGenesis(cdc))
}

// ValidateGenesis checks the module's part of a genesis file.
func (b genesisBasic) ValidateGenesis(cdc codec.JSONCodec, txConfig client.TxEncodingConfig, bz json.RawMessage) error {
	basic, ok := b.AppModuleBasic.(module.HasGenesisBasics)
	if !ok {
		return fmt.Errorf("module %s cannot validate its genesis", b.Name())
	}
	return basic.ValidateGenesis(cdc, txConfig, bz)
}
