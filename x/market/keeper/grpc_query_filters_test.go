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

func TestTheBookIsFilteredByDenomAndLabelsAndShowsWhatAuditorsSay(t *testing.T) {
	b := start(t)
	b.puts(sale{
		provider: "p", units: 1, rate: hourly, labels: map[string]string{"region": "eu", "tier": "3"},
		attested: map[string]map[string]string{"iso": {"tier": "2"}},
	})
	b.sells("q", 1, hourly, region("us")...)
	b.Funded("q", other(1_000_000))
	require.NoError(t, b.Deliver(b.addBondCoin("q", other(1_000_000))))
	b.updates("q", 2, 0, func(m *types.MsgUpdateOffer) {
		m.Asks, m.Labels = []types.Ask{{Denom: "uother", Cpu: 7}, {Denom: denom, Cpu: 9}}, region("us")
	})
	for name, c := range map[string]struct {
		request types.QueryBookRequest
		want    []uint64
	}{
		"all":                {types.QueryBookRequest{}, []uint64{1, 2}},
		"in a denom":         {types.QueryBookRequest{Denom: "uother"}, []uint64{2}},
		"in no such denom":   {types.QueryBookRequest{Denom: "unone"}, nil},
		"with a label":       {types.QueryBookRequest{Requirements: []types.LabelRequirement{among("region", "eu").LabelRequirement}}, []uint64{1}},
		"with a number":      {types.QueryBookRequest{Requirements: []types.LabelRequirement{atLeast("tier", 3).LabelRequirement}}, []uint64{1}},
		"with both":          {types.QueryBookRequest{Denom: "uother", Requirements: []types.LabelRequirement{exists("tier").LabelRequirement}}, nil},
		"without a label":    {types.QueryBookRequest{Requirements: []types.LabelRequirement{except("region", "eu").LabelRequirement}}, []uint64{2}},
		"in pages of one":    {types.QueryBookRequest{Denom: "uother", Pagination: &query.PageRequest{Limit: 1}}, []uint64{2}},
		"newest offer first": {types.QueryBookRequest{Pagination: &query.PageRequest{Reverse: true}}, []uint64{2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			response, err := b.query().Book(b.Ctx(), &c.request)
			require.NoError(t, err)
			var got []uint64
			for _, e := range response.Entries {
				got = append(got, e.Offer.Id)
				if e.Offer.Id == 1 {
					require.Equal(t, []types.Attested{{Auditor: b.name("iso"), Labels: []types.Label{{Key: "tier", Value: "2"}}}}, e.Attested)
				}
			}
			require.Equal(t, c.want, got)
		})
	}
	for _, bad := range [][]types.LabelRequirement{
		make([]types.LabelRequirement, types.MaxRequirements+1), {{Key: "a", Operator: types.Operator_OPERATOR_AT_LEAST, Values: []string{"x"}}},
	} {
		_, err := b.query().Book(b.Ctx(), &types.QueryBookRequest{Requirements: bad})
		require.Equal(t, codes.InvalidArgument, status.Code(err))
	}
}

func TestBidsAndLeasesAreFoundByWhatTheyAre(t *testing.T) {
	b := start(t)
	b.sells("p", 10, hourly)
	filled := b.deploys("ann", "web", 10_000, want("web", 1, 5000))
	resting := b.deploys("ann", "api", 10_000, want("api", 1, 1))
	b.Funded("bob", other(10_000))
	inOther := b.create("bob", "web", 0, want("web", 1, 1))
	inOther.Deposit = other(10_000)
	require.NoError(t, b.Deliver(inOther))
	b.tick(second)

	open := func(denom string) []uint64 {
		t.Helper()
		response, err := b.query().OpenBids(b.Ctx(), &types.QueryOpenBidsRequest{Denom: denom})
		require.NoError(t, err)
		var ids []uint64
		for _, bid := range response.Bids {
			ids = append(ids, bid.Id)
		}
		return ids
	}
	require.Equal(t, []uint64{2, 3}, open(""))
	require.Equal(t, []uint64{2}, open(denom))
	require.Equal(t, []uint64{3}, open("uother"))
	bid, err := b.query().Bid(b.Ctx(), &types.QueryBidRequest{Id: 1})
	require.NoError(t, err)
	require.Equal(t, b.bids(filled)[0], bid.Bid)

	live := func() int {
		t.Helper()
		response, err := b.query().Leases(b.Ctx(), &types.QueryLeasesRequest{Deployment: filled, Live: true})
		require.NoError(t, err)
		return len(response.Leases)
	}
	require.Equal(t, 1, live())
	require.Equal(t, []string{""}, b.declines("p", b.lease(filled).Id))
	require.Zero(t, live())
	require.Len(t, b.leases(filled), 1)

	b.closes("ann", resting)
	states := func(state types.DeploymentState) []uint64 {
		t.Helper()
		response, err := b.query().Deployments(b.Ctx(), &types.QueryDeploymentsRequest{Owner: b.name("ann"), State: state})
		require.NoError(t, err)
		var ids []uint64
		for _, d := range response.Deployments {
			ids = append(ids, d.Id)
		}
		return ids
	}
	require.Equal(t, []uint64{filled, resting}, states(types.DeploymentState_DEPLOYMENT_STATE_UNSPECIFIED))
	require.Equal(t, []uint64{filled}, states(types.DeploymentState_DEPLOYMENT_STATE_OPEN))
	require.Equal(t, []uint64{resting}, states(types.DeploymentState_DEPLOYMENT_STATE_CLOSED))

	_, err = b.query().Bid(b.Ctx(), &types.QueryBidRequest{Id: 9})
	require.Equal(t, codes.NotFound, status.Code(err))
	_, err = b.query().Bid(b.Ctx(), nil)
	require.Equal(t, codes.InvalidArgument, status.Code(err))
	_, err = b.query().OpenBids(b.Ctx(), nil)
	require.Equal(t, codes.InvalidArgument, status.Code(err))
}

func TestAFilteredListReadsAtMostAThousandRecordsAtOnceAndGoesOn(t *testing.T) {
	b := start(t)
	for i := range 40 {
		group := manyBids(types.MaxBids)
		for j := range group {
			group[j].Cap = 1
		}
		b.deploys(fmt.Sprintf("t-%d", i), "web", 1000, group...)
	}
	b.Funded("bob", other(10_000))
	last := b.create("bob", "web", 0, want("web", 1, 1))
	last.Deposit = other(10_000)
	require.NoError(t, b.Deliver(last))

	response, err := b.query().OpenBids(b.Ctx(), &types.QueryOpenBidsRequest{Denom: "uother"})
	require.NoError(t, err)
	require.Empty(t, response.Bids)
	require.NotEmpty(t, response.Pagination.NextKey, "there is more to look at")
	response, err = b.query().OpenBids(b.Ctx(), &types.QueryOpenBidsRequest{
		Denom: "uother", Pagination: &query.PageRequest{Key: response.Pagination.NextKey},
	})
	require.NoError(t, err)
	require.Len(t, response.Bids, 1)
	require.Empty(t, response.Pagination.NextKey)

	var all int
	for page := (&query.PageRequest{Limit: 150}); page != nil; {
		response, err := b.query().OpenBids(b.Ctx(), &types.QueryOpenBidsRequest{Denom: denom, Pagination: page})
		require.NoError(t, err)
		require.LessOrEqual(t, len(response.Bids), 150)
		all += len(response.Bids)
		page = nil
		if key := response.Pagination.NextKey; len(key) > 0 {
			page = &query.PageRequest{Limit: 150, Key: key}
		}
	}
	require.Equal(t, 40*types.MaxBids, all)
}
