package simulation

import (
	"math/rand"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	"github.com/souk-network/souk/x/market/types"
)

// RandomGenesis returns an empty market with random parameters.
func RandomGenesis(r *rand.Rand) *types.GenesisState {
	genesis := types.DefaultGenesis()
	genesis.Params = RandomParams(simsx.NewXRand(r))
	return genesis
}

// RandomParams draws parameters under which windows and notices pass within a hundred blocks, and a block's caps cut sweeps
// and clearings into many parts.
func RandomParams(r *simsx.XRand) types.Params {
	seconds := func() uint32 { return uint32(escrowsim.UpTo(r, simsx.OneOf(r, []uint64{20, 3600}))) }
	params := types.DefaultParams()
	params.AckWindowSeconds = seconds()
	params.BidsPerBlock = simsx.OneOf(r, []uint32{2, 20, 200, 2048})
	params.OffersPerBlock = simsx.OneOf(r, []uint32{1, 20, 100, 4096})
	params.ClassesPerBlock = simsx.OneOf(r, []uint32{1, 10, 512, 512})
	params.ClearingGas = uint64(r.Intn(100_000))
	params.MissedAcks = uint32(escrowsim.UpTo(r, 4))
	params.BidLifetimeSeconds = uint32(escrowsim.UpTo(r, simsx.OneOf(r, []uint64{100, 10_000, 1_000_000})))
	params.NoticeSeconds = seconds()
	params.ReclaimNoticeSeconds = seconds()
	params.SuspensionSeconds = seconds()
	params.QuotesPerBid = simsx.OneOf(r, []uint32{1, 2, 20})
	params.StandbyBps = simsx.OneOf(r, []uint32{1, 500, 10_000})
	params.AnswerWindowSeconds = seconds()
	params.ChallengeFee.Amount = math.NewInt(1 + r.Int63n(1000))
	params.Halted = escrowsim.OneIn(r, 40)
	return params
}
