package keeper_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/x/market/types"
)

func TestTheBookShowsWhatClearingLooksAt(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly, region("eu")...)
	id := b.deploys("alice", "web", 1000, want("web", 2, 5000))
	b.tick(second)
	response, err := b.query().Book(b.Ctx(), &types.QueryBookRequest{})
	require.NoError(t, err)
	require.Len(t, response.Entries, 1)
	entry := response.Entries[0]
	require.Equal(t, uint64(1), entry.Offer.Id)
	require.Equal(t, region("eu"), entry.Offer.Labels)
	require.Equal(t, b.name("p"), entry.Pool.Provider)
	require.Equal(t, units(2), entry.Pool.Allocated)
	require.Equal(t, asking(hourly), entry.Pool.HighestAsks)
	require.Equal(t, []types.RateRoom{{Denom: denom, Rate: 1_000_000_000/30 - 2*hourly}}, entry.RateRoom)
	require.Equal(t, "p", entry.ProviderName)
	require.Equal(t, "https://p.example:8443", entry.GatewayUri)
	require.NotZero(t, id)
}

func TestWorkTellsAnAgentAllItNeedsOfItsLiveLeasesAndNothingOfOthers(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	b.sells("q", 10, hourly+1)
	id := b.deploys("alice", "web", 1000, want("front", 2, 5000))
	gone := b.deploys("bob", "web", 1000, want("front", 2, 5000))
	b.tick(second)
	b.closes("bob", gone)
	response, err := b.query().Work(b.Ctx(), &types.QueryWorkRequest{Provider: b.name("p")})
	require.NoError(t, err)
	require.Equal(t, []types.Work{{
		Lease: b.lease(id), Owner: b.name("alice"), Name: "web", Group: "front",
		ManifestHash: b.deployment(id).ManifestHash, Version: 1,
	}}, response.Work)
	response, err = b.query().Work(b.Ctx(), &types.QueryWorkRequest{Provider: b.name("q")})
	require.NoError(t, err)
	require.Empty(t, response.Work)
}

func TestDeploymentsAreFoundByIdNameAndOwner(t *testing.T) {
	b := start(t)
	first := b.deploys("alice", "web", 1000, want("web", 1, 5000))
	b.closes("alice", first)
	second := b.deploys("alice", "web", 1000, want("web", 1, 5000))
	b.deploys("bob", "web", 1000, want("web", 1, 5000))

	byName, err := b.query().DeploymentByName(b.Ctx(), &types.QueryDeploymentByNameRequest{Owner: b.name("alice"), Name: "web"})
	require.NoError(t, err)
	require.Equal(t, second, byName.Deployment.Id)
	require.Len(t, byName.Bids, 1)
	list, err := b.query().Deployments(b.Ctx(), &types.QueryDeploymentsRequest{Owner: b.name("alice")})
	require.NoError(t, err)
	require.Equal(t, []types.Deployment{b.deployment(first), b.deployment(second)}, list.Deployments)
}

func TestProviderOffersListsPoolsOffersAndExposure(t *testing.T) {
	b := start(t)
	offer := b.sells("p", 10, hourly)
	gone := b.posts("p", hourly)
	require.NoError(t, b.Deliver(&types.MsgWithdrawOffer{Signer: b.name("p"), Offer: gone}))
	b.deploys("alice", "web", 1000, want("web", 2, 5000))
	b.tick(second)
	response, err := b.query().ProviderOffers(b.Ctx(), &types.QueryProviderOffersRequest{Provider: b.name("p")})
	require.NoError(t, err)
	require.Len(t, response.Pools, 1)
	require.Equal(t, units(2), response.Pools[0].Allocated)
	require.Len(t, response.Offers, 1)
	require.Equal(t, offer, response.Offers[0].Id)
	require.Equal(t, []types.Exposure{{Provider: b.name("p"), Denom: denom, Rate: 2 * hourly}}, response.Exposures)
	require.Equal(t, types.OfferState_OFFER_STATE_WITHDRAWN, b.offer(gone).Offer.State)
}

func TestListsAreReadInPagesOfAtMost200(t *testing.T) {
	b := start(t)
	for i := range 250 {
		b.deploys("alice", fmt.Sprintf("web-%d", i), 100, want("web", 1, 5000))
	}
	owner := b.name("alice")
	first, err := b.query().Deployments(b.Ctx(), &types.QueryDeploymentsRequest{
		Owner: owner, Pagination: &query.PageRequest{Limit: 1 << 62},
	})
	require.NoError(t, err)
	require.Len(t, first.Deployments, 200)
	rest, err := b.query().Deployments(b.Ctx(), &types.QueryDeploymentsRequest{
		Owner: owner, Pagination: &query.PageRequest{Key: first.Pagination.NextKey},
	})
	require.NoError(t, err)
	require.Len(t, rest.Deployments, 50)
	require.Empty(t, rest.Pagination.NextKey)
	for _, bad := range []*query.PageRequest{{CountTotal: true}, {Offset: 1}} {
		_, err = b.query().Deployments(b.Ctx(), &types.QueryDeploymentsRequest{Owner: owner, Pagination: bad})
		require.Equal(t, codes.InvalidArgument, status.Code(err))
		_, err = b.query().Book(b.Ctx(), &types.QueryBookRequest{Pagination: bad})
		require.Equal(t, codes.InvalidArgument, status.Code(err))
		_, err = b.query().Work(b.Ctx(), &types.QueryWorkRequest{Provider: owner, Pagination: bad})
		require.Equal(t, codes.InvalidArgument, status.Code(err))
		_, err = b.query().Leases(b.Ctx(), &types.QueryLeasesRequest{Deployment: 1, Pagination: bad})
		require.Equal(t, codes.InvalidArgument, status.Code(err))
	}
}

func TestQueriesRefuseWhatIsNotThere(t *testing.T) {
	b := start(t)
	for want, ask := range map[codes.Code][]func() error{
		codes.NotFound: {
			func() error { _, err := b.query().Offer(b.Ctx(), &types.QueryOfferRequest{Id: 1}); return err },
			func() error {
				_, err := b.query().Deployment(b.Ctx(), &types.QueryDeploymentRequest{Id: 1})
				return err
			},
			func() error { _, err := b.query().Lease(b.Ctx(), &types.QueryLeaseRequest{Id: 1}); return err },
			func() error {
				_, err := b.query().DeploymentByName(b.Ctx(), &types.QueryDeploymentByNameRequest{Owner: b.name("x"), Name: "y"})
				return err
			},
		},
		codes.InvalidArgument: {
			func() error { _, err := b.query().Offer(b.Ctx(), nil); return err },
			func() error { _, err := b.query().Lease(b.Ctx(), nil); return err },
			func() error { _, err := b.query().Leases(b.Ctx(), nil); return err },
			func() error { _, err := b.query().Book(b.Ctx(), nil); return err },
			func() error { _, err := b.query().Work(b.Ctx(), nil); return err },
			func() error { _, err := b.query().Work(b.Ctx(), &types.QueryWorkRequest{Provider: "x"}); return err },
			func() error { _, err := b.query().Deployment(b.Ctx(), nil); return err },
			func() error { _, err := b.query().Deployments(b.Ctx(), nil); return err },
			func() error { _, err := b.query().Deployments(b.Ctx(), &types.QueryDeploymentsRequest{}); return err },
			func() error { _, err := b.query().DeploymentByName(b.Ctx(), nil); return err },
			func() error { _, err := b.query().ProviderOffers(b.Ctx(), nil); return err },
		},
	} {
		for i, query := range ask {
			require.Equal(t, want, status.Code(query()), "%d", i)
		}
	}
	response, err := b.query().Params(b.Ctx(), nil)
	require.NoError(t, err)
	require.Equal(t, quick(), response.Params)
}
