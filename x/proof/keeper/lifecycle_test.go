package keeper_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	marketkeeper "github.com/souk-network/souk/x/market/keeper"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof/types"
)

func TestWhatIsCommittedInTimeAndOpenedIsCreditedExactly(t *testing.T) {
	b := start(t)
	b.sells("acme", 4)
	b.rents("alice", "acme", 100_000)
	b.rents("bob", "acme", 100_000)
	b.proves("acme", 1, 100)
	b.until(endOf(2))
	service := math.NewInt(2 * 100 * 3600)
	require.Equal(t, service.String(), b.pot("acme", 2).Service.String())
	require.False(t, b.pot("acme", 2).Credited, "nothing is decided before the provider commits")

	tree := b.tree("acme", 2, 70)
	require.Equal(t, &types.MsgCommitEpochResponse{Commitment: 2}, b.commits("acme", 2, tree))
	b.until(endOf(2) + commitWindow)
	b.beacon()
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_AUDITED, b.state("acme", 2), "new providers are always audited")
	require.False(t, b.pot("acme", 2).Credited)
	reputation := b.provider("acme").Reputation
	require.Equal(t, uint32(1_000_000/64), reputation)
	require.Equal(t, &types.MsgOpenAuditResponse{Proven: true}, b.opens("acme", 2, tree))

	pot := b.pot("acme", 2)
	require.True(t, pot.Credited)
	require.Equal(t, service.MulRaw(70).QuoRaw(100).String(), pot.Payable.String())
	require.Equal(t, service.MulRaw(30).QuoRaw(100).String(), pot.Refundable.String())
	require.Equal(t, types.Standing{Provider: b.name("acme"), CleanEpochs: 2, ProvenEpochs: 2, Audits: 2}, b.standing("acme"))
	require.Equal(t, types.NextReputation(reputation, 700_000), b.provider("acme").Reputation)
	require.Empty(t, b.faults("acme"))
}

// seasoned are parameters under which nobody is on probation after two epochs, and audits then have a chance.
func seasoned(auditPpm uint32) types.Params {
	params := quick()
	params.ProbationEpochs, params.AuditPpm = 2, auditPpm
	return params
}

func TestWhoIsNotDrawnIsCreditedWithoutOpening(t *testing.T) {
	b := startWith(t, seasoned(0))
	b.sells("acme", 1)
	b.rents("alice", "acme", 100_000)
	b.proves("acme", 1, 100)
	b.proves("acme", 2, 100)
	require.Equal(t, uint64(2), b.standing("acme").Audits)

	b.until(endOf(3))
	b.commits("acme", 3, b.tree("acme", 3, 90))
	b.until(endOf(3) + commitWindow)
	b.beacon()
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_PROVEN, b.state("acme", 3))
	require.Equal(t, b.pot("acme", 3).Service.MulRaw(9).QuoRaw(10).String(), b.pot("acme", 3).Payable.String())
	require.Equal(t, types.Standing{Provider: b.name("acme"), CleanEpochs: 3, ProvenEpochs: 3, Audits: 2}, b.standing("acme"))
}

func TestACommitmentToNothingIsNotAuditedAndPaysNothing(t *testing.T) {
	b := start(t)
	b.sells("acme", 1)
	b.rents("alice", "acme", 100_000)
	b.until(endOf(1))
	b.commits("acme", 1, b.tree("acme", 1, 0))
	b.until(endOf(1) + commitWindow)
	b.beacon()
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_PROVEN, b.state("acme", 1))
	pot := b.pot("acme", 1)
	require.True(t, pot.Credited)
	require.True(t, pot.Payable.IsZero())
	require.Equal(t, pot.Service.String(), pot.Refundable.String())
	require.Zero(t, b.provider("acme").Reputation)
}

func TestHoldIsPaidWhateverIsProven(t *testing.T) {
	b := start(t)
	acme := b.sells("acme", 1)
	lease := b.rents("alice", "acme", 100_000)
	account := lease.Account
	require.NoError(t, b.Try(func(ctx sdk.Context) error {
		return b.Escrow.PayHold(ctx, account, lease.Id, acme, hourly, 10)
	}))
	b.until(endOf(1))
	require.Equal(t, int64(36_000), b.pot("acme", 1).Hold.Int64())
	b.commits("acme", 1, b.tree("acme", 1, 0))
	b.until(endOf(1) + commitWindow)
	b.beacon()
	require.Equal(t, int64(36_000), b.pot("acme", 1).Payable.Int64())
}

func TestADenomWithoutARootIsCreditedNothing(t *testing.T) {
	b := start(t)
	b.sells("acme", 2)
	b.rents("alice", "acme", 100_000)
	b.rentsFor("olga", "acme", sdk.NewInt64Coin("uother", 100_000))
	b.until(endOf(1))
	tree := b.tree("acme", 1, 100)
	b.commits("acme", 1, tree)
	b.until(endOf(1) + commitWindow)
	b.beacon()
	b.opens("acme", 1, tree)
	require.Equal(t, b.pot("acme", 1).Service.String(), b.pot("acme", 1).Payable.String())
	other := b.potIn("acme", 1, "uother")
	require.True(t, other.Credited)
	require.True(t, other.Payable.IsZero())
	require.Equal(t, uint32(500_000/64+1), b.provider("acme").Reputation, "half of two denoms")
}

func TestEveryDenomIsOpenedByItselfAndAllMustBe(t *testing.T) {
	b := start(t)
	b.sells("acme", 2)
	b.rents("alice", "acme", 100_000)
	b.rentsFor("olga", "acme", sdk.NewInt64Coin("uother", 100_000))
	b.until(endOf(1))
	native, other := b.tree("acme", 1, 100), b.treeIn("acme", 1, "uother", 50)
	message := b.commitment("acme", 1, native)
	message.Roots = append(message.Roots, types.NewRoot("uother", other.Root()))
	b.refuses(types.ErrInvalidRoots, message)
	slices.Reverse(message.Roots)
	require.NoError(t, b.Deliver(message))
	b.until(endOf(1) + commitWindow)
	b.beacon()
	require.False(t, b.opens("acme", 1, native).Proven)
	require.False(t, b.pot("acme", 1).Credited)
	b.refuses(types.ErrOpened, func() *types.MsgOpenAudit {
		again := b.openings("acme", 1, "uother", other)
		again.Denom = denom
		return again
	}())
	_, drawn := b.committed("acme", 1)
	require.Len(t, drawn, 1, "what is opened is not drawn any more")
	require.NoError(t, b.Deliver(b.openings("acme", 1, "uother", other)))
	require.Equal(t, types.CommitmentState_COMMITMENT_STATE_PROVEN, b.state("acme", 1))
	require.Equal(t, b.potIn("acme", 1, "uother").Service.QuoRaw(2).String(), b.potIn("acme", 1, "uother").Payable.String())
}

func TestABidThatAsksForAReputationIsServedOnceAProviderHasIt(t *testing.T) {
	b := start(t)
	b.sells("acme", 2)
	b.rents("alice", "acme", 1_000_000)
	b.Funded("picky", chain.Coin(1_000_000))
	created, err := chain.Send[markettypes.MsgCreateDeploymentResponse](b.Chain, &markettypes.MsgCreateDeployment{
		Owner: b.name("picky"), Name: "web", ManifestHash: bytes.Repeat([]byte{1}, 32), Deposit: chain.Coin(1_000_000),
		Bids: []markettypes.BidSpec{{Name: "web", Unit: units(1), MinReplicas: 1, Replicas: 1, Cap: hourly, MinReputation: 20_000}},
	})
	require.NoError(t, err)
	leases := func() int {
		response, err := marketkeeper.NewQueryServer(b.Market).Leases(b.Ctx(), &markettypes.QueryLeasesRequest{Deployment: created.Deployment})
		require.NoError(t, err)
		return len(response.Leases)
	}
	b.proves("acme", 1, 100)
	b.tick(second)
	require.Equal(t, uint32(15_625), b.provider("acme").Reputation)
	require.Zero(t, leases())
	b.proves("acme", 2, 100)
	b.tick(second)
	require.Greater(t, b.provider("acme").Reputation, uint32(20_000))
	require.Equal(t, 1, leases())
}
