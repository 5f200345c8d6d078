package sim

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	simtypes "github.com/cosmos/cosmos-sdk/types/simulation"
)

// setting reads a number from the environment.
func setting(tb testing.TB, name string, otherwise int64) int64 {
	tb.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	value, err := strconv.ParseInt(text, 10, 64)
	require.NoError(tb, err, "environment variable %s", name)
	return value
}

// config is how long a simulation takes: BLOCKS blocks of OPS operations in the mean.
func config(tb testing.TB) simtypes.Config {
	tb.Helper()
	return simtypes.Config{
		InitialBlockHeight: 1, NumBlocks: int(setting(tb, "BLOCKS", 30)), BlockSize: int(setting(tb, "OPS", 60)),
		ChainID: simsx.SimAppChainID, GenesisTime: genesisTime.Unix(), DBBackend: "memdb", Commit: true, Lean: true,
		ParamsFile: paramsFile(tb, nil),
	}
}

// eachSeed runs a test for SEED alone, or else for the seeds from 1 to SEEDS, or to as many as are given.
func eachSeed(t *testing.T, otherwise int64, run func(t *testing.T, seed int64)) {
	t.Helper()
	first, last := int64(1), setting(t, "SEEDS", otherwise)
	if seed := setting(t, "SEED", 0); seed != 0 {
		first, last = seed, seed
	}
	for seed := first; seed <= last; seed++ {
		t.Run(fmt.Sprintf("SEED=%d", seed), func(t *testing.T) {
			t.Parallel()
			run(t, seed)
		})
	}
}

// simulate runs one chain from its genesis and hands it over when it has stopped.
func simulate(t *testing.T, seed int64, counts *tally, then ...func(testing.TB, simsx.TestInstance[*chain], []simtypes.Account)) {
	t.Helper()
	simsx.RunWithSeedAndRandAcc(t, config(t), open(t, counts), newState, seed, fewLiars(seed), crowd, then...)
}

// enoughSeeds is from how many histories on each message must have succeeded and each state must have been reached.
const enoughSeeds = 50

func TestRandomHistoriesOfTheWholeChainKeepEveryInvariant(t *testing.T) {
	counts := newTally()
	t.Cleanup(func() {
		t.Logf("messages:\n%s", counts)
		if !t.Failed() && setting(t, "SEEDS", 0) >= enoughSeeds {
			counts.passedEverything(t, messages(t))
			counts.sawEverything(t)
		}
	})
	eachSeed(t, 3, func(t *testing.T, seed int64) { simulate(t, seed, counts) })
}
