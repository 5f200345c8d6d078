package sim

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/codec"
	simtestutil "github.com/cosmos/cosmos-sdk/testutil/sims"
	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"
	slashingtypes "github.com/cosmos/cosmos-sdk/x/slashing/types"
	stakingtypes "github.com/cosmos/cosmos-sdk/x/staking/types"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
)

// purse is what every account has beside what the simulator gives it, in each settlement denom.
var purse = sdk.NewCoins(sdk.NewInt64Coin(scope.Denom, 1_000_000_000_000), sdk.NewInt64Coin(escrowsim.Stable, 1_000_000_000_000))

// genesisTime is that of every simulated chain, so that a seed always makes the same history.
var genesisTime = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// newState tells the simulator how a chain starts: with random state of every module.
func newState(c *chain) simsx.SimStateFactory {
	cdc := c.Encoding().Codec
	return simsx.SimStateFactory{
		Codec: cdc,
		AppStateFn: simtestutil.AppStateFnWithExtendedCbs(cdc, c.SimulationManager(), c.DefaultGenesis(),
			func(_ string, state any) {
				if bank, ok := state.(*banktypes.GenesisState); ok {
					fund(bank)
				}
			},
			func(state map[string]json.RawMessage) { keepValidators(cdc, state) }),
		BlockedAddr:   c.BankKeeper.GetBlockedAddresses(),
		AccountSource: c.AuthKeeper,
		BalanceSource: c.BankKeeper,
	}
}

// exportedState tells the simulator to go on from an exported state.
func exportedState(state json.RawMessage, at time.Time) func(c *chain) simsx.SimStateFactory {
	return func(c *chain) simsx.SimStateFactory {
		factory := newState(c)
		factory.AppStateFn = func(
			_ *rand.Rand, accounts []simtypes.Account, config simtypes.Config,
		) (json.RawMessage, []simtypes.Account, string, time.Time) {
			return state, accounts, config.ChainID, at
		}
		return factory
	}
}

// fund gives every account a purse; the pool of stake is none.
func fund(bank *banktypes.GenesisState) {
	pool := authtypes.NewModuleAddress(stakingtypes.NotBondedPoolName).String()
	for i := range bank.Balances {
		if bank.Balances[i].Address == pool {
			continue
		}
		bank.Balances[i].Coins = bank.Balances[i].Coins.Add(purse...)
		bank.Supply = bank.Supply.Add(purse...)
	}
}

// keepValidators lets validators miss blocks without being jailed for it: the simulator stops when none is left.
func keepValidators(cdc codec.JSONCodec, state map[string]json.RawMessage) {
	apptest.EditGenesis(cdc, state, slashingtypes.ModuleName, func(g *slashingtypes.GenesisState) {
		g.Params.SignedBlocksWindow = 10_000
		g.Params.MinSignedPerWindow = math.LegacyNewDecWithPrec(1, 2)
	})
}

// fewLiars are the first numbers that the simulator draws: how much evidence is old, how many accounts there are (crowd
// decides that), and in how many blocks a validator is seen to sign twice. Left to chance that is any share up to all, and no
// validator outlives a hundred blocks.
func fewLiars(seed int64) []byte {
	share := float64(seed%20) / 100
	var drawn []byte
	for _, fraction := range []float64{0.5, 0, share} {
		drawn = binary.BigEndian.AppendUint64(drawn, uint64(fraction*(1<<53)))
	}
	return drawn
}

// people is how many accounts there are, and validators how many of them validate.
const people, validators = 120, 100

func crowd(r *rand.Rand, _ int) []simtypes.Account { return simtypes.RandomAccounts(r, people) }

// paramsFile writes what is not left to chance, and more if given, and returns the file's name.
func paramsFile(tb testing.TB, more map[string]any) string {
	tb.Helper()
	settings := map[string]any{simtestutil.InitiallyBondedValidators: validators}
	maps.Copy(settings, more)
	bz, err := json.Marshal(settings)
	require.NoError(tb, err)
	file := filepath.Join(tb.TempDir(), "params.json")
	require.NoError(tb, os.WriteFile(file, bz, 0o600))
	return file
}

// sorted returns the keys of a map in their order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
