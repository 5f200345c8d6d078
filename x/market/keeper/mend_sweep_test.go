package keeper_test

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	escrowkeeper "github.com/souk-network/souk/x/escrow/keeper"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// spoils writes bytes over the record of a sweep, as no message can, or beside all that there are.
func (b *bench) spoils(at, number uint64, record []byte) {
	b.t.Helper()
	key := append([]byte{}, types.SweepsKey.Bytes()...)
	key = binary.BigEndian.AppendUint64(key, at)
	key = binary.BigEndian.AppendUint64(key, number)
	require.NoError(b.t, b.StoreService(types.StoreKey).OpenKVStore(b.Ctx()).Set(key, record))
}

func (b *bench) sweeps() []types.ProviderSweep {
	b.t.Helper()
	g, err := b.Market.ExportGenesis(b.Ctx())
	require.NoError(b.t, err)
	return g.Sweeps
}

func (b *bench) quarantine() []escrowtypes.Quarantined {
	b.t.Helper()
	response, err := escrowkeeper.NewQueryServer(b.Escrow).Quarantine(b.Ctx(), &escrowtypes.QueryQuarantineRequest{})
	require.NoError(b.t, err)
	return response.Items
}

func encoded(t *testing.T, sweep types.ProviderSweep) []byte {
	t.Helper()
	record, err := sweep.Marshal()
	require.NoError(t, err)
	return record
}

// TestASweepWhoseRecordCannotBeReadEndsAsItWouldHave spoils the record of each sweep when the sweep has dealt with one lease.
// In the end the whole state is what it is where nothing was spoilt, after as many blocks.
func TestASweepWhoseRecordCannotBeReadEndsAsItWouldHave(t *testing.T) {
	leaves := func(b *bench) { require.NoError(b.t, b.Deliver(&providertypes.MsgDeregister{Operator: b.name("p")})) }
	causes := map[string]func(b *bench){
		"a jailing": func(b *bench) { b.jails("p") },
		"a leaving": leaves,
		"a leaving and a jailing in the same second": func(b *bench) { leaves(b); b.jails("p") },
		"a jailing after another": func(b *bench) {
			require.NoError(b.t, b.Deliver(&providertypes.MsgJail{
				Authority: b.Authority, Provider: b.name("p"), Seconds: 1, Reason: "short",
			}))
			b.tick(second)
			require.NoError(b.t, b.Deliver(&providertypes.MsgUnjail{Operator: b.name("p")}))
			b.jails("p")
			require.Len(b.t, b.sweeps(), 2)
		},
		"a jailing after a leaving": func(b *bench) { leaves(b); b.tick(second); b.jails("p"); require.Len(b.t, b.sweeps(), 2) },
	}
	records := map[string]func(sweep types.ProviderSweep) []byte{
		"of garbage":  func(types.ProviderSweep) []byte { return []byte{0xff, 0xff, 0xff} },
		"of no bytes": func(types.ProviderSweep) []byte { return []byte{} },
		"of another provider": func(sweep types.ProviderSweep) []byte {
			sweep.Number++
			return encoded(t, sweep)
		},
		"of another second": func(sweep types.ProviderSweep) []byte {
			sweep.Second++
			return encoded(t, sweep)
		},
		"without a cause": func(sweep types.ProviderSweep) []byte {
			sweep.Cause = types.SweepCause_SWEEP_CAUSE_UNSPECIFIED
			return encoded(t, sweep)
		},
		"without a provider": func(sweep types.ProviderSweep) []byte {
			sweep.Provider = ""
			return encoded(t, sweep)
		},
	}
	for cause, befalls := range causes {
		run := func(t *testing.T, record func(types.ProviderSweep) []byte) *bench {
			b := tuned(t, oneAtATime, longEpochs)
			b.sells("p", 100, hourly)
			id := b.deploys("alice", "web", 100_000,
				want("a", 1, 5000), want("b", 1, 5000), want("c", 1, 5000), want("d", 1, 5000), want("e", 1, 5000))
			b.tick(second)
			leases := b.live(id)
			b.acks("p", leases[0].Id, leases[1].Id, leases[2].Id, leases[4].Id)
			befalls(b)
			b.tick(second)
			require.NotEmpty(t, b.sweeps(), "under way")
			if record != nil {
				for _, sweep := range b.sweeps() {
					b.spoils(sweep.Second, sweep.Number, record(sweep))
				}
			}
			// A message that touches a lease does first what the sweep has not done yet.
			require.NoError(t, b.Deliver(b.update("alice", id,
				want("a", 1, 5000), want("b", 1, 5000), want("c", 1, 5000), want("d", 1, 5000))))
			for range 30 {
				b.NextBlock(0)
			}
			b.tick(second)
			clock, err := b.Escrow.Clock(b.Ctx())
			require.NoError(t, err)
			require.Equal(t, clock.Now(), clock.Frontier, "time goes on")
			require.Empty(t, b.sweeps())
			require.Empty(t, b.quarantine())
			return b
		}
		t.Run(cause, func(t *testing.T) {
			whole := run(t, nil).Export()
			for name, record := range records {
				t.Run(name, func(t *testing.T) { require.Equal(t, whole, run(t, record).Export()) })
			}
		})
	}
}

// TestASweepOfWhichNothingCanBeKnownIsSetAside plants records that say nothing under keys that say nothing either.
func TestASweepOfWhichNothingCanBeKnownIsSetAside(t *testing.T) {
	for name, number := range map[string]uint64{"no such provider": 999, "a provider that nothing befell": 1} {
		t.Run(name, func(t *testing.T) {
			b := tuned(t, longEpochs)
			b.sells("p", 100, hourly)
			id, _ := b.serves("alice", 100_000, want("web", 1, 5000))
			at := b.Now() + 1
			b.spoils(at, number, []byte{0xff, 0xff, 0xff})
			b.tick(second)
			b.tick(second)
			clock, err := b.Escrow.Clock(b.Ctx())
			require.NoError(t, err)
			require.Equal(t, at+1, clock.Now())
			require.Equal(t, at+1, clock.Frontier, "time goes on")
			require.Empty(t, b.sweeps())
			require.Equal(t, active, b.lease(id).State)

			items := b.quarantine()
			require.Len(t, items, 1)
			require.Equal(t, types.SweepSource, items[0].Source)
			require.Equal(t, at, items[0].Second)
			require.Zero(t, items[0].Id)
			require.Contains(t, items[0].Error, "mend sweep of provider")
			require.NoError(t, b.Deliver(&escrowtypes.MsgRetry{Authority: b.Authority, Source: types.SweepSource}))
			b.check()
			require.Empty(t, b.quarantine())
		})
	}
}

// TestALostSweepLeavesItsLeasesToThemselves spoils the record of a sweep and, behind it, who the provider is.
func TestALostSweepLeavesItsLeasesToThemselves(t *testing.T) {
	b := tuned(t, longEpochs)
	b.sells("p", 100, hourly)
	_, lease := b.serves("alice", 100_000, want("web", 1, 5000))
	b.jails("p")
	sweep := b.sweeps()[0]
	b.spoils(sweep.Second, sweep.Number, []byte{0xff, 0xff, 0xff})
	number := binary.BigEndian.AppendUint64(append([]byte{}, providertypes.NumbersKey.Bytes()...), sweep.Number)
	store := b.StoreService(providertypes.StoreKey).OpenKVStore(b.Ctx())
	operator, err := store.Get(number)
	require.NoError(t, err)
	require.NoError(t, store.Delete(number))
	b.NextBlock(second)
	require.NoError(t, b.StoreService(providertypes.StoreKey).OpenKVStore(b.Ctx()).Set(number, operator))

	require.Empty(t, b.sweeps())
	require.Len(t, b.quarantine(), 1)
	require.NoError(t, b.Deliver(b.closeLease("alice", lease.Id, false)), "its index says nothing any more")
}
