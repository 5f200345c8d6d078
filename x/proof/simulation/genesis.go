package simulation

import (
	"math/rand"
	mathrand "math/rand/v2"
	"sync"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"

	"github.com/souk-network/souk/beacon/local"
	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	"github.com/souk-network/souk/x/proof/types"
)

// beaconGenesis is the Unix second of the first round of the simulated beacon, before that of every simulated chain.
const beaconGenesis = 1_577_836_800

// group is the beacon of all simulated chains, with a round every three seconds.
var group = sync.OnceValues(func() (*local.Keys, error) {
	return local.Generate(mathrand.NewChaCha8([32]byte{7}), local.Spec{
		Members: 1, Threshold: 1, GenesisTime: beaconGenesis, PeriodSeconds: 3,
	})
})

// RandomGenesis returns a state without epochs with random parameters.
func RandomGenesis(r *rand.Rand) *types.GenesisState {
	genesis := types.DefaultGenesis()
	genesis.Params = RandomParams(simsx.NewXRand(r))
	return genesis
}

// RandomParams draws parameters under which windows pass within a hundred blocks, some before anybody acts, and a block's cap cuts
// draws and turnouts into many parts.
func RandomParams(r *simsx.XRand) types.Params {
	seconds := func() uint32 { return uint32(escrowsim.UpTo(r, simsx.OneOf(r, []uint64{10, 1000, 10_000}))) }
	params := types.DefaultParams()
	params.CommitWindowSeconds = seconds()
	params.SeedDelaySeconds = uint32(escrowsim.UpTo(r, 60))
	params.OpenWindowSeconds = seconds()
	params.LateEpochs = uint32(r.Intn(3))
	params.LateFeeBps = uint32(r.Intn(10_001))
	params.AuditPpm = uint32(r.Intn(types.WholePpm + 1))
	params.Openings = uint32(escrowsim.UpTo(r, 8))
	params.ProbationEpochs = uint32(escrowsim.UpTo(r, 4))
	params.ForgedJailSeconds, params.MissedJailSeconds, params.FailedJailSeconds = seconds(), seconds(), seconds()
	params.MissedPpm = uint32(r.Intn(types.WholePpm + 1))
	params.OutagePpm = uint32(r.Intn(types.WholePpm + 1))
	params.FailedLeases = uint32(escrowsim.UpTo(r, 6))
	params.ForceBond.Amount = math.NewInt(r.Int63n(1000))
	params.ForceWindowSeconds = seconds()
	params.ForcePenalty = uint32(r.Intn(20))
	params.WithheldPpm = uint32(r.Intn(types.WholePpm + 1))
	params.BeaconTimeoutSeconds = seconds()
	params.BeaconRebate.Amount = math.NewInt(r.Int63n(1000))
	params.DrawsPerBlock = simsx.OneOf(r, []uint32{1, 2, 200})
	params.ReceiptGraceSeconds = uint32(r.Intn(100))
	if keys, err := group(); err == nil {
		params.Beacon = types.NewBeacon(keys.Group)
	}
	return params
}
