package simulation

import (
	"math/rand"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"

	"github.com/souk-network/souk/x/escrow/types"
)

// Stable is the second settlement denom of simulated chains, beside the native one.
const Stable = "uusd"

// RandomGenesis returns an empty escrow with random parameters.
func RandomGenesis(r *rand.Rand) *types.GenesisState {
	genesis := types.DefaultGenesis()
	genesis.Params = RandomParams(simsx.NewXRand(r))
	genesis.Clock.EpochEnd = genesis.Clock.EpochStart + uint64(genesis.Params.EpochSeconds)
	return genesis
}

// RandomParams draws parameters under which a hundred blocks, each longer than a tick may be, see many epochs pass, deposits
// run out, and queues of due items that no single block empties.
func RandomParams(r *simsx.XRand) types.Params {
	params := types.DefaultParams()
	params.MaxTickSeconds = uint32(UpTo(r, 3600))
	ticks := func(most uint64) uint32 { return uint32(UpTo(r, most*uint64(params.MaxTickSeconds))) }

	params.EpochSeconds = ticks(10)
	params.HoldbackEpochs = simsx.OneOf(r, []uint32{0, 1, 2, 3, 6, 6, 6})
	params.MinRunwaySeconds = ticks(5)
	params.PauseRunwaySeconds = uint32(r.Int63n(int64(params.MinRunwaySeconds) + 1))
	params.PauseBps = uint32(r.Intn(10_001))
	params.FeeBps = uint32(r.Intn(1000))
	params.MaxDeadlinesPerBlock = simsx.OneOf(r, []uint32{1, 1, 2, 5, 50, 1000})
	params.Denoms = []types.DenomParams{
		{Denom: types.DefaultDenom, MinDeposit: math.NewIntFromUint64(UpTo(r, 5000)), Halted: OneIn(r, 30)},
		{Denom: Stable, MinDeposit: math.NewIntFromUint64(UpTo(r, 5000)), Halted: OneIn(r, 30)},
	}
	return params
}
