package keeper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-network/souk/testutil/chain"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// alone are parameters in which the misses of a provider count although it is all of the network.
func alone() types.Params {
	params := quick()
	params.OutagePpm, params.MissedPpm = types.WholePpm, 400_000 // two of six may be missed
	return params
}

func TestWhoMissesTooOftenIsJailed(t *testing.T) {
	b := startWith(t, alone())
	b.sells("acme", 1)
	b.rents("alice", "acme", 100_000)
	for epoch := uint64(1); epoch <= 3; epoch++ {
		b.until(b.lateUntil(epoch))
		b.tick(second)
		b.tick(second)
		b.tick(second)
		fault := b.faults("acme")[0]
		require.Equal(t, types.FaultKind_FAULT_KIND_MISSED, fault.Kind)
		require.Equal(t, epoch, fault.Epoch)
		require.Equal(t, epoch == 3, b.provider("acme").Jailed(), "after %d", epoch)
		require.Equal(t, epoch == 3, !fault.Slashed.IsZero())
	}
	require.Equal(t, int64(bonded-bonded/200), b.provider("acme").Bond.AmountOf(denom).Int64())
	require.Empty(t, b.standing("acme").Missed)
}

func TestMaintenanceThatWasDeclaredIsNoMiss(t *testing.T) {
	b := startWith(t, alone())
	b.sells("acme", 1)
	b.rents("alice", "acme", 100_000)
	notice := uint64(providertypes.DefaultParams().MaintenanceNoticeSeconds)
	from := b.Now() + notice + 1
	require.NoError(t, b.Deliver(&providertypes.MsgDeclareMaintenance{
		Signer: b.name("acme"), Provider: b.name("acme"), From: from, Until: from + 50,
	}))
	epoch := (from-1)/epochLength + 1
	for b.Now() < endOf(epoch) {
		number := (b.Now()-1)/epochLength + 1
		if number == epoch {
			b.until(endOf(epoch))
			break
		}
		b.proves("acme", number, 100)
		b.until(max(b.Now(), endOf(number)))
	}
	b.until(b.lateUntil(epoch))
	b.Run(3*second, second)
	require.Equal(t, types.TurnoutDone, b.epoch(epoch).Turnout.Phase)
	require.Equal(t, uint64(1), b.epoch(epoch).Turnout.Missing)
	require.Empty(t, b.faults("acme"))
}

func TestMaintenanceInTheTimeToCommitIsNoMissWhenItLeavesLessThanACommitWindow(t *testing.T) {
	closed, late := endOf(1), endOf(1)+lateEpochs*epochLength
	for name, c := range map[string]struct {
		windows []providertypes.Maintenance
		excused bool
	}{
		"none":                            {nil, false},
		"the last second of the epoch":    {[]providertypes.Maintenance{{From: closed - 1, Until: closed}}, true},
		"all of the time to commit":       {[]providertypes.Maintenance{{From: closed, Until: late}}, true},
		"all of it, in parts":             {[]providertypes.Maintenance{{From: closed, Until: closed + 50}, {From: closed + 50, Until: late + 5}}, true},
		"all but less than a window":      {[]providertypes.Maintenance{{From: closed + commitWindow - 1, Until: late}}, true},
		"all but a window":                {[]providertypes.Maintenance{{From: closed + commitWindow, Until: late}}, false},
		"the commit window":               {[]providertypes.Maintenance{{From: closed, Until: closed + commitWindow}}, false},
		"the time after, when it is over": {[]providertypes.Maintenance{{From: late, Until: late + 100}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			genesis := providertypes.DefaultGenesis()
			genesis.Params.MaintenanceNoticeSeconds = 20
			b := startWith(t, alone(), chain.WithGenesis(providertypes.ModuleName, chain.JSON(genesis)))
			b.sells("acme", 1)
			b.rents("alice", "acme", 100_000)
			for _, window := range c.windows {
				require.NoError(t, b.Deliver(&providertypes.MsgDeclareMaintenance{
					Signer: b.name("acme"), Provider: b.name("acme"), From: window.From, Until: window.Until,
				}))
			}
			require.Equal(t, late, b.lateUntil(1))
			b.until(late)
			b.Run(3*second, second)
			require.Equal(t, types.TurnoutDone, b.epoch(1).Turnout.Phase)
			require.Equal(t, c.excused, len(b.faults("acme")) == 0)
			require.True(t, b.pot("acme", 1).Payable.IsZero(), "it costs the revenue all the same")
		})
	}
}

func TestWhoCommitsLateHasMissedNothing(t *testing.T) {
	b := startWith(t, alone())
	b.sells("acme", 1)
	b.rents("alice", "acme", 100_000)
	b.until(b.lateUntil(1) - 1)
	tree := b.tree("acme", 1, 100)
	b.commits("acme", 1, tree)
	b.beaconFor(1)
	b.opens("acme", 1, tree)
	b.until(max(b.Now(), b.lateUntil(1)))
	b.Run(3*second, second)
	require.Empty(t, b.faults("acme"))
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_PROVEN, b.state("acme", 1))
}

// beaconFor posts rounds until a commitment is audited.
func (b *bench) beaconFor(epoch uint64) {
	b.t.Helper()
	for b.state("acme", epoch) == types.CommitmentState_COMMITMENT_STATE_COMMITTED {
		b.beacon()
	}
}

func TestTheTurnoutDoesNotDependOnHowManyABlockLooksAt(t *testing.T) {
	judge := func(perBlock uint32) (types.Turnout, []string) {
		params := quick()
		params.DrawsPerBlock = perBlock
		b := startWith(t, params)
		for i := range 6 {
			name := fmt.Sprintf("p%d", i)
			b.sells(name, 1)
			b.rents("tenant of "+name, name, 100_000)
		}
		b.until(endOf(1))
		for i := range 5 {
			name := fmt.Sprintf("p%d", i)
			b.commits(name, 1, b.tree(name, 1, 0))
		}
		b.until(b.lateUntil(1))
		b.Run(time.Duration(30)*second, second)
		var faulty []string
		for i := range 6 {
			for _, f := range b.faults(fmt.Sprintf("p%d", i)) {
				faulty = append(faulty, fmt.Sprint(i, f.Kind, f.Epoch))
			}
		}
		return b.epoch(1).Turnout, faulty
	}
	turnout, faulty := judge(1)
	again, same := judge(200)
	require.Equal(t, again.String(), turnout.String())
	require.Equal(t, same, faulty)
	require.Equal(t, []string{fmt.Sprint(5, types.FaultKind_FAULT_KIND_MISSED, 1)}, faulty, "a sixth of the bond is no outage")
	require.Equal(t, uint64(6), turnout.Providers)
	require.Equal(t, uint64(1), turnout.Missing)
}

func TestWhoFailsLeasesIsJailed(t *testing.T) {
	params := quick()
	params.FailedLeases = 2
	b := startWith(t, params)
	b.sells("acme", 4)
	b.wins("alice", "acme", chain.Coin(100_000))
	b.wins("bob", "acme", chain.Coin(100_000))
	b.Run(30*second, second)
	faults := b.faults("acme")
	require.Len(t, faults, 2)
	require.Equal(t, types.FaultKind_FAULT_KIND_FAILED, faults[0].Kind)
	require.NotZero(t, faults[0].Lease)
	require.Len(t, b.standing("acme").Failed, 1)
	require.False(t, b.provider("acme").Jailed(), "both in one epoch")

	b.until(endOf(1))
	b.wins("carol", "acme", chain.Coin(100_000))
	b.Run(30*second, second)
	require.Len(t, b.faults("acme"), 3)
	require.True(t, b.provider("acme").Jailed())
	require.Empty(t, b.standing("acme").Failed)
}

func TestNobodysMissCountsInAnOutage(t *testing.T) {
	b := start(t)
	for i := range 4 {
		name := fmt.Sprintf("p%d", i)
		b.sells(name, 1)
		b.rents("tenant of "+name, name, 1_000_000)
	}
	b.until(endOf(1))
	for i := range 3 {
		name := fmt.Sprintf("p%d", i)
		b.commits(name, 1, b.tree(name, 1, 0))
	}
	b.until(b.lateUntil(1))
	b.Run(3*second, second)
	turnout := b.epoch(1).Turnout
	require.Equal(t, types.TurnoutDone, turnout.Phase)
	require.Equal(t, uint64(1), turnout.Missing)
	require.Equal(t, int64(bonded), turnout.MissingBond.Int64())
	require.Empty(t, b.faults("p3"), "a quarter of the bond is missing")
	require.Empty(t, b.standing("p3").Missed)
	require.True(t, b.pot("p3", 1).Credited, "but nothing is paid")
	require.True(t, b.pot("p3", 1).Payable.IsZero())
}

func TestTheTurnoutIsThatOfAModelWhateverABlockLooksAt(t *testing.T) {
	const providers, committed = 7, 5
	b := start(t)
	for i := range providers {
		name := fmt.Sprintf("p%d", i)
		b.sells(name, 1)
		b.rents("tenant of "+name, name, 1_000_000)
	}
	b.until(endOf(1))
	for i := range committed {
		name := fmt.Sprintf("p%d", i)
		b.commits(name, 1, b.tree(name, 1, 0))
	}
	b.until(b.lateUntil(1) - 1)
	rapid.Check(t, func(rt *rapid.T) {
		perBlock := rapid.Uint32Range(1, 2*providers+2).Draw(rt, "draws per block")
		outage := rapid.Uint32Range(0, types.WholePpm).Draw(rt, "outage ppm")
		again := b.editing(func(g *types.GenesisState) { g.Params.DrawsPerBlock, g.Params.OutagePpm = perBlock, outage })
		for again.epoch(1).Turnout.Phase != types.TurnoutDone {
			again.tick(second)
			require.Less(t, again.Now(), b.lateUntil(1)+2*providers+3, "no block does nothing")
		}
		turnout := again.epoch(1).Turnout
		require.Equal(t, uint64(providers), turnout.Providers)
		require.Equal(t, uint64(providers-committed), turnout.Missing)
		require.Equal(t, int64(providers*bonded), turnout.Bond.Int64())
		require.Equal(t, int64((providers-committed)*bonded), turnout.MissingBond.Int64())
		counts := (providers-committed)*types.WholePpm <= providers*int(outage)
		for i := range providers {
			name := fmt.Sprintf("p%d", i)
			require.Equal(t, i >= committed && counts, len(again.faults(name)) == 1, "%s, outage at %d", name, outage)
			if i >= committed {
				require.True(t, again.pot(name, 1).Credited)
				require.True(t, again.pot(name, 1).Payable.IsZero())
			}
		}
	})
}

func TestALeaseThatGivesNoSignOfLifeIsAFault(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	lease := b.rents("alice", "acme", 1_000_000)
	b.Fund(chain.Account("alice"), chain.Coin(1_000_000))
	response, err := chain.Send[markettypes.MsgChallengeLeaseResponse](b.Chain, &markettypes.MsgChallengeLease{
		Signer: b.name("alice"), Lease: lease.Id,
	})
	require.NoError(t, err)
	b.until(response.AnswerBy)
	fault := b.faults("acme")[0]
	require.Equal(t, types.FaultKind_FAULT_KIND_FAILED, fault.Kind)
	require.Equal(t, lease.Id, fault.Lease)
	require.Equal(t, response.AnswerBy, fault.At)
	require.Contains(t, fault.Reason, "lease 1 did not answer a challenge in time")
	require.Len(t, b.standing("acme").Failed, 1)
	require.False(t, b.provider("acme").Jailed(), "one is not many")
}

func TestADeclinedLeaseIsNoFault(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	id := b.wins("alice", "acme", chain.Coin(1_000_000))
	require.NoError(t, b.Deliver(&markettypes.MsgAckLeases{Signer: b.name("acme-agent"), Provider: b.name("acme"), Decline: []uint64{id}}))
	b.tick(second)
	require.Empty(t, b.faults("acme"))
	require.Empty(t, b.standing("acme").Failed)
}

func TestManyLeasesThatFailAtOnceJailOnceAlsoAcrossAnExport(t *testing.T) {
	params := quick()
	params.FailedLeases = 2
	b := startWith(t, params)
	b.sells("acme", 8)
	for i := range 3 {
		b.wins(fmt.Sprint("tenant ", i), "acme", chain.Coin(1_000_000))
	}
	b = b.editing(func(g *types.GenesisState) {
		g.Standings = append(g.Standings, types.Standing{Provider: b.name("acme"), Failed: []uint64{1, 2}})
	})
	b.tick(second)
	require.True(t, b.provider("acme").Jailed(), "who was to be jailed is jailed after an import")
	require.Empty(t, b.standing("acme").Failed)
	until := b.provider("acme").JailedUntil
	b.Run(40*second, second)
	b.check()
	require.Equal(t, until, b.provider("acme").JailedUntil)
}

func TestAnHonestProviderHasNoFault(t *testing.T) {
	b := startWith(t, alone())
	b.sells("acme", 2)
	b.rents("alice", "acme", 1_000_000)
	b.rents("bob", "acme", 1_000_000)
	for epoch := uint64(1); epoch <= 3; epoch++ {
		b.proves("acme", epoch, 97)
	}
	b.until(b.lateUntil(4) - 14) // it crashed, and comes back within the late window
	for epoch := uint64(4); epoch <= 5; epoch++ {
		tree := b.tree("acme", epoch, 80)
		b.commits("acme", epoch, tree)
		b.beaconFor(epoch)
		b.opens("acme", epoch, tree)
	}
	for epoch := uint64(6); epoch <= 8; epoch++ {
		b.proves("acme", epoch, 97)
	}
	b.until(b.lateUntil(8))
	b.Run(3*second, second)
	require.Empty(t, b.faults("acme"))
	require.Equal(t, int64(bonded), b.provider("acme").Bond.AmountOf(denom).Int64())
	require.Equal(t, uint64(8), b.standing("acme").ProvenEpochs)
	require.Equal(t, uint64(8), b.standing("acme").CleanEpochs)
}

func TestAFaultIsForgottenAYearAfterIt(t *testing.T) {
	escrow := quickEscrow()
	escrow.EpochSeconds = 24 * 3600
	b := startWith(t, quick(), chain.WithEscrowParams(escrow), chain.WithoutHistory())
	b.sells("acme", 4)
	b.wins("alice", "acme", chain.Coin(100_000))
	b.Run(30*second, second)
	faults := b.faults("acme")
	require.Len(t, faults, 1)
	end := faults[0].At + types.FaultSeconds
	for b.Now()+3600 < end {
		b.NextBlock(3600 * second)
	}
	b.tick(time.Duration(end-1-b.Now()) * second)
	b.tick(0)
	require.Len(t, b.faults("acme"), 1)
	b.tick(second)
	b.tick(0)
	require.Empty(t, b.faults("acme"))
	require.EqualValues(t, 1, b.standing("acme").Faults, "it counts all the same")
}
