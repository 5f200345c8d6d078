package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/types/query"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	"github.com/souk-network/souk/x/proof/types"
)

// resizing changes the size of the only unit of a tenant.
func (b *bench) resizing(lease markettypes.Lease, cpus uint64) *markettypes.MsgUpdateDeployment {
	b.t.Helper()
	deployment, err := b.Market.Deployment(b.Ctx(), lease.Deployment)
	require.NoError(b.t, err)
	return &markettypes.MsgUpdateDeployment{
		Signer: deployment.Owner, Deployment: deployment.Id, ManifestHash: deployment.ManifestHash,
		Bids: []markettypes.BidSpec{{
			Name: "web", Unit: markettypes.Resources{CpuMillis: 1000 * cpus, MemoryMib: 1024}, MinReplicas: 1, Replicas: 1,
			Cap: 10 * hourly, Allow: []string{lease.Provider},
		}},
	}
}

// resizesOften tries to change the size of the only unit so often, and returns how often that was taken.
func (b *bench) resizesOften(lease markettypes.Lease, times int) (taken int) {
	b.t.Helper()
	for i := range times {
		if b.Deliver(b.resizing(lease, 1+uint64(i+1)%2)) == nil {
			taken++
		}
	}
	return taken
}

func TestATenantThatChangesItsLeaseEndlesslyDoesNotMakeItsProviderForge(t *testing.T) {
	b := start(t)
	b.sells("acme", 10)
	restless := b.rents("restless", "acme", 100_000_000)
	b.until(endOf(1) + 1)
	require.Positive(t, b.resizesOften(restless, escrowtypes.MaxDueStreams/2))
	b.until(endOf(2) + 1)
	tree := b.tree("acme", 2, 100)
	b.commits("acme", 2, tree)
	require.Positive(t, b.resizesOften(restless, escrowtypes.MaxDueStreams+1))
	b.until(b.epoch(2).CommitUntil)
	for b.state("acme", 2) == types.CommitmentState_COMMITMENT_STATE_COMMITTED {
		b.beacon()
	}
	require.True(t, b.opens("acme", 2, tree).Proven, "what was due when it committed can still be said")
}

func TestDuesArePagedByLeaseAndAddUpToWhatServiceEarned(t *testing.T) {
	b := start(t)
	b.sells("acme", 9)
	for _, tenant := range []string{"a", "b", "c", "d", "e"} {
		b.rents(tenant, "acme", 100_000)
	}
	b.until(endOf(1))
	page, sum, leases := &query.PageRequest{Limit: 2}, b.pot("acme", 1).Service, []uint64{}
	for {
		response, err := b.query().Dues(b.Ctx(), &types.QueryDuesRequest{
			Provider: b.name("acme"), Epoch: 1, Denom: denom, Pagination: page,
		})
		require.NoError(t, err)
		require.Equal(t, b.pot("acme", 1).Service.String(), response.Service.String())
		for _, due := range response.Dues {
			sum, leases = sum.Sub(due.Grains), append(leases, due.Lease)
			require.Positive(t, due.Seconds)
		}
		if len(response.Pagination.NextKey) == 0 {
			break
		}
		page = &query.PageRequest{Limit: 2, Key: response.Pagination.NextKey}
	}
	require.Equal(t, []uint64{1, 2, 3, 4, 5}, leases)
	require.True(t, sum.IsZero(), "%s grains are nobody's", sum)
	for _, bad := range []*types.QueryDuesRequest{
		nil,
		{Provider: "x", Epoch: 1, Denom: denom},
		{Provider: b.name("acme"), Epoch: 1, Denom: "!"},
		{Provider: b.name("acme"), Epoch: 9, Denom: denom},
		{Provider: b.name("acme"), Epoch: 1, Denom: denom, Pagination: &query.PageRequest{Offset: 1}},
	} {
		_, err := b.query().Dues(b.Ctx(), bad)
		require.Error(t, err)
	}
}

func TestDuesTellWhatTenantsHaveSaidOnTheChain(t *testing.T) {
	w := watch(t, markettypes.Scope_SCOPE_WATCH, 0)
	read := func(epoch uint64) []types.Posted {
		response, err := w.query().Dues(w.Ctx(), &types.QueryDuesRequest{Provider: w.name("acme"), Epoch: epoch, Denom: denom})
		require.NoError(t, err)
		return response.Posted
	}
	require.Empty(t, read(2))
	receipt := signed(t, w.key, w.receipt(w.due.Seconds/2))
	require.NoError(t, w.Deliver(&types.MsgPostReceipt{Signer: w.name("anybody"), Receipt: receipt}))
	posted := read(2)
	require.Len(t, posted, 1)
	require.Equal(t, w.lease.Id, posted[0].Lease)
	require.Equal(t, []types.Word{{Seq: 1, UpSeconds: receipt.UpSeconds, Until: receipt.Until, PostedAt: w.Now()}}, posted[0].Words)
	require.Empty(t, read(1))
}
