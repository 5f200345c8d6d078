package price

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/match"
	markettypes "github.com/souk-network/souk/x/market/types"
)

var (
	list   = []markettypes.Ask{{Denom: "uatom", Cpu: 10, Ssd: 3}, {Denom: "usouk", Cpu: 1000, Memory: 500, Ssd: 7}}
	bounds = Bounds{FloorPercent: 50, CeilingPercent: 200}
)

// taken is a view in which a share of the processors is, in hundredths of a percent.
func taken(share uint64, present []markettypes.Ask) View {
	return View{Base: list, Present: present, Total: match.Vector{whole, whole}, Allocated: match.Vector{share, share / 2}}
}

func scaled(t require.TestingT, v View) []markettypes.Ask {
	asks, err := Scaled{bounds}.Asks(nil, v) //nolint:staticcheck // it does no work that could be ended
	require.NoError(t, err)
	return asks
}

func TestPricesRiseWithWhatIsTaken(t *testing.T) {
	tests := []struct {
		name  string
		share uint64
		cpu   uint64
		ssd   uint64 // of 7, rounded up
	}{
		{"nothing", 0, 500, 4},
		{"less than a step", 499, 500, 4},
		{"one step", 500, 575, 5},
		{"a third", 3_333, 950, 7},
		{"half", 5_000, 1250, 9},
		{"nearly all", 9_999, 1925, 14},
		{"all", 10_000, 2000, 14},
		{"more than there is, since a pool became smaller", 20_000, 2000, 14},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asks := scaled(t, taken(tt.share, nil))
			require.Equal(t, tt.cpu, asks[1].Cpu)
			require.Equal(t, tt.ssd, asks[1].Ssd)
			require.Zero(t, asks[0].Memory, "what is free stays free")
		})
	}
}

func TestOnlyResourcesWithAPriceCount(t *testing.T) {
	v := taken(0, nil)
	v.Total[match.EgressMbps], v.Allocated[match.EgressMbps] = 10, 10
	require.EqualValues(t, 500, scaled(t, v)[1].Cpu, "the uplink is given away")
	v.Total[match.SSDMiB], v.Allocated[match.SSDMiB] = 10, 10
	require.EqualValues(t, 2000, scaled(t, v)[1].Cpu, "the scarcest counts")
}

func TestOffersDoNotFlap(t *testing.T) {
	present := scaled(t, taken(5_000, nil))
	for _, share := range []uint64{4_750, 5_000, 5_250, 5_499, 5_500, 5_749} {
		require.Equal(t, present, scaled(t, taken(share, present)), "%d", share)
	}
	require.NotEqual(t, present, scaled(t, taken(4_749, present)))
	require.NotEqual(t, present, scaled(t, taken(5_750, present)))
	foreign := []markettypes.Ask{{Denom: "uatom", Cpu: 1}}
	require.Equal(t, present, scaled(t, taken(5_250, foreign)), "what the operator posted by hand is no step")
}

func drawAsk(t *rapid.T, denom string) markettypes.Ask {
	a := markettypes.Ask{Denom: denom}
	for d, price := range fields(&a) {
		*price = rapid.OneOf(rapid.Just(uint64(0)), rapid.Uint64Range(0, 2000), rapid.Uint64Range(0, math.MaxInt64)).Draw(t, names[d])
	}
	return a
}

func TestScaledPricesAreBoundedMonotoneAndSettled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		floor := rapid.Uint64Range(0, 200).Draw(t, "floor")
		s := Scaled{Bounds{floor, rapid.Uint64Range(max(floor, 1), 1000).Draw(t, "ceiling")}}
		require.NoError(t, s.Check())
		v := View{Base: []markettypes.Ask{drawAsk(t, "uatom"), drawAsk(t, "usouk")}}
		for d := range v.Total {
			v.Total[d] = rapid.Uint64Range(0, math.MaxInt64).Draw(t, "total")
			v.Allocated[d] = rapid.Uint64Range(0, math.MaxInt64).Draw(t, "allocated")
		}
		asks, err := s.Asks(t.Context(), v)
		require.NoError(t, err)
		more := v
		d := rapid.IntRange(0, len(v.Total)-1).Draw(t, "dimension")
		more.Allocated[d] += rapid.Uint64Range(0, math.MaxInt64).Draw(t, "more")
		dearer, err := s.Asks(t.Context(), more)
		require.NoError(t, err)
		for i := range asks {
			for d, price := range fields(&asks[i]) {
				base := *fields(&v.Base[i])[d]
				require.GreaterOrEqual(t, *price, portion(base, s.FloorPercent, 100))
				require.LessOrEqual(t, *price, portion(base, s.CeilingPercent, 100))
				require.LessOrEqual(t, *price, *fields(&dearer[i])[d], "taking more makes nothing cheaper")
			}
		}
		v.Present = asks
		again, err := s.Asks(t.Context(), v)
		require.NoError(t, err)
		require.Equal(t, asks, again, "an offer that was posted stays")
	})
}

func TestAPortionIsRoundedUpAndStaysAPrice(t *testing.T) {
	require.EqualValues(t, 1, portion(1, 1, 100))
	require.EqualValues(t, 0, portion(0, 200, 100))
	require.EqualValues(t, math.MaxInt64, portion(math.MaxInt64, 100, 100))
	require.EqualValues(t, math.MaxInt64, portion(math.MaxInt64, 200, 100))
	require.EqualValues(t, math.MaxInt64, portion(math.MaxUint64, math.MaxUint64, 1))
}

// program writes a program and gives the strategy that asks it.
func program(t *testing.T, text string) Script {
	t.Helper()
	path := filepath.Join(t.TempDir(), "prices")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o700))
	return Script{Bounds: bounds, Path: path, Limits: Limits{Time: 10 * time.Second, MemoryMiB: 128}}
}

func TestAProgramSetsPricesByWhatItIsTold(t *testing.T) {
	s := program(t, `#!/bin/sh
set -e
question=$(cat)
case "$question" in *'"utilisation_bps":{"cpu_millis":7500,'*) cpu=1500 ;; *) cpu=900 ;; esac
case "$question" in *'"present":[]'*) ssd=7 ;; *) ssd=8 ;; esac
echo "{\"asks\":[{\"denom\":\"usouk\",\"cpu\":$cpu,\"memory\":500,\"ssd\":$ssd},{\"denom\":\"uatom\",\"cpu\":10,\"ssd\":3}]}"
`)
	asks, err := s.Asks(t.Context(), taken(7_500, nil))
	require.NoError(t, err)
	require.Equal(t, []markettypes.Ask{{Denom: "uatom", Cpu: 10, Ssd: 3}, {Denom: "usouk", Cpu: 1500, Memory: 500, Ssd: 7}}, asks)
	asks, err = s.Asks(t.Context(), taken(0, list))
	require.NoError(t, err)
	require.Equal(t, []markettypes.Ask{{Denom: "uatom", Cpu: 10, Ssd: 3}, {Denom: "usouk", Cpu: 900, Memory: 500, Ssd: 8}}, asks)
}

func TestAProgramQuotesABidOrDoesNot(t *testing.T) {
	s := program(t, `#!/bin/sh
set -e
question=$(cat)
case "$question" in *'"bid":{"id":3,"denom":"usouk","unit":{"cpu_millis":1000,'*) ;; *) exit 1 ;; esac
case "$question" in
*'"cap":5000,'*) echo '{"asks":[{"denom":"usouk","cpu":800,"memory":500,"ssd":7}]}' ;;
*'"cap":100,'*) echo '{"asks":[{"denom":"usouk","cpu":1,"memory":500,"ssd":7}]}' ;;
*) echo '{"asks":[]}' ;;
esac
`)
	bid := func(denom string, most uint64) Wanted {
		return Wanted{Bid: 3, Denom: denom, Unit: match.Vector{1000}, Replicas: 2, Cap: most}
	}
	ask, err := s.Quote(t.Context(), taken(0, list), bid("usouk", 5000))
	require.NoError(t, err)
	require.Equal(t, &markettypes.Ask{Denom: "usouk", Cpu: 800, Memory: 500, Ssd: 7}, ask)
	ask, err = s.Quote(t.Context(), taken(0, list), bid("usouk", 10))
	require.NoError(t, err)
	require.Nil(t, ask, "it does not want to")
	ask, err = s.Quote(t.Context(), taken(0, list), bid("ustable", 5000))
	require.NoError(t, err)
	require.Nil(t, ask, "a coin that is not taken")
	_, err = s.Quote(t.Context(), taken(0, list), bid("usouk", 100))
	require.ErrorContains(t, err, "not within", "below the floor")
}

func TestProgramsThatAreRefused(t *testing.T) {
	answer := func(json string) string { return "#!/bin/sh\ncat >/dev/null\necho '" + json + "'\n" }
	const good = `{"asks":[{"denom":"usouk","cpu":1000,"memory":500,"ssd":7},{"denom":"uatom","cpu":10,"ssd":3}]}`
	tests := []struct{ name, program, says string }{
		{"it fails", "#!/bin/sh\necho no prices today >&2\nexit 3\n", "exit status 3: no prices today"},
		{"it says nothing", "#!/bin/sh\ncat >/dev/null\n", "can not be read"},
		{"it says something else", answer("12 pieces of eight"), "can not be read"},
		{"it answers twice", answer(good + good), "more than one answer"},
		{"it knows a resource that is not sold", answer(`{"asks":[{"denom":"usouk","tape":1}]}`), "tape"},
		{"it forgets a coin", answer(`{"asks":[{"denom":"usouk","cpu":1000,"memory":500,"ssd":7}]}`), "no prices in uatom"},
		{"it has a coin of its own", answer(`{"asks":[{"denom":"udoge","cpu":1}]}`), "udoge"},
		{"it gives away", answer(`{"asks":[{"denom":"usouk","cpu":0,"memory":500,"ssd":7},{"denom":"uatom","cpu":10,"ssd":3}]}`), "usouk cpu: 0 is not within 500 and 2000"},
		{"it is greedy", answer(`{"asks":[{"denom":"usouk","cpu":1000,"memory":500,"ssd":7},{"denom":"uatom","cpu":21,"ssd":3}]}`), "uatom cpu: 21"},
		{"it talks on", "#!/bin/sh\nwhile :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done\n", "printed more than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := program(t, tt.program).Asks(t.Context(), taken(0, nil))
			require.ErrorContains(t, err, tt.says)
		})
	}
}

func TestAProgramHasSoMuchMemoryAndNoMore(t *testing.T) {
	// tail keeps what it is told to keep: 60 MiB fit, 400 MiB do not.
	text := func(mib int) string {
		return fmt.Sprintf("#!/bin/bash\nset -o pipefail\ncat >/dev/null\nhead -c %dm /dev/zero | tail -c %dm | wc -c >&2 || exit 7\nexit 5\n", mib, mib)
	}
	_, err := program(t, text(60)).Asks(t.Context(), taken(0, nil))
	require.ErrorContains(t, err, "exit status 5")
	_, err = program(t, text(400)).Asks(t.Context(), taken(0, nil))
	require.ErrorContains(t, err, "exit status 7")
}

func TestAProgramThatTakesTooLongEndsWithAllThatItStarted(t *testing.T) {
	pids := filepath.Join(t.TempDir(), "pids")
	s := program(t, "#!/bin/sh\nsleep 600 &\necho $! $$ > "+pids+"\nwait\n")
	s.Limits.Time = 2 * time.Second
	started := time.Now()
	_, err := s.Asks(t.Context(), taken(0, nil))
	require.ErrorContains(t, err, "did not answer within 2s")
	require.Less(t, time.Since(started), 8*time.Second)
	raw, err := os.ReadFile(pids)
	require.NoError(t, err)
	for _, word := range strings.Fields(string(raw)) {
		pid, err := strconv.Atoi(word)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil || isZombie(pid) }, 5*time.Second, 10*time.Millisecond, "process %d", pid)
	}
}

// isZombie tells whether a process has ended and waits for its parent only.
func isZombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestAProgramDoesNotSeeTheAgentsEnvironment(t *testing.T) {
	t.Setenv("SOUK_SECRET", "sesame")
	_, err := program(t, "#!/bin/sh\nenv >&2\nexit 1\n").Asks(t.Context(), taken(0, nil))
	require.ErrorContains(t, err, "PATH=")
	require.NotContains(t, err.Error(), "sesame")
}
