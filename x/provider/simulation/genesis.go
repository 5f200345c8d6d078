package simulation

import (
	"math/rand"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/provider/types"
)

// RandomGenesis returns a chain without providers and with random parameters.
func RandomGenesis(r *rand.Rand) *types.GenesisState {
	genesis := types.DefaultGenesis()
	genesis.Params = RandomParams(simsx.NewXRand(r))
	return genesis
}

// RandomParams draws parameters under which bond returns, agents rotate and windows of maintenance pass within a hundred
// blocks.
func RandomParams(r *simsx.XRand) types.Params {
	params := types.DefaultParams()
	params.BondHours, params.FreeBondHours = uint32(r.Intn(50)), uint32(r.Intn(5))
	params.UnbondingSeconds = uint32(escrowsim.UpTo(r, simsx.OneOf(r, []uint64{20, 2000, 100_000})))
	params.MinBond = sdk.NewCoins()
	if escrowsim.OneIn(r, 2) {
		params.MinBond = sdk.NewCoins(sdk.NewInt64Coin(escrowtypes.DefaultDenom, r.Int63n(10_000)))
	}
	params.MaintenanceNoticeSeconds = uint32(escrowsim.UpTo(r, simsx.OneOf(r, []uint64{10, 7200})))
	params.MaintenancePeriodSeconds = uint32(escrowsim.UpTo(r, 30*24*3600))
	params.MaintenanceQuotaSeconds = uint32(escrowsim.UpTo(r, uint64(params.MaintenancePeriodSeconds)))
	params.RotationEpochs = uint32(escrowsim.UpTo(r, 3))
	return params
}
