package tenant

import (
	"context"
	"errors"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	errorsmod "cosmossdk.io/errors"
	"cosmossdk.io/math"

	abci "github.com/cometbft/cometbft/abci/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/api/apiconnect"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/leaf"
	"github.com/souk-network/souk/client/watch"
	"github.com/souk-network/souk/sumtree"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// provenChain is a chain with one epoch that one provider has committed to.
type provenChain struct {
	prooftypes.QueryClient
	root prooftypes.Root
}

func (c provenChain) Refund(_ context.Context, r *prooftypes.QueryRefundRequest, _ ...grpc.CallOption) (*prooftypes.QueryRefundResponse, error) {
	return &prooftypes.QueryRefundResponse{
		State: prooftypes.RefundState_REFUND_STATE_LEAF, Due: prooftypes.Due{Lease: r.Lease, Grains: math.NewInt(7200), Seconds: 100}, Until: 2000,
	}, nil
}

func (c provenChain) Commitment(context.Context, *prooftypes.QueryCommitmentRequest, ...grpc.CallOption) (*prooftypes.QueryCommitmentResponse, error) {
	return &prooftypes.QueryCommitmentResponse{Commitment: prooftypes.Commitment{Roots: []prooftypes.Root{c.root}}}, nil
}

// answers is what the chain knows of leaves that were asked for on it.
type answers struct {
	txtypes.ServiceClient
	events []sdk.Event
}

func (a answers) GetTxsEvent(context.Context, *txtypes.GetTxsEventRequest, ...grpc.CallOption) (*txtypes.GetTxsEventResponse, error) {
	res := &sdk.TxResponse{}
	for _, e := range a.events {
		res.Events = append(res.Events, abci.Event(e))
	}
	return &txtypes.GetTxsEventResponse{TxResponses: []*sdk.TxResponse{res}}, nil
}

// shows is a gateway that shows one leaf, or fails.
type shows struct {
	apiconnect.GatewayServiceClient
	leaf *api.LeafResponse
}

func (s shows) Leaf(context.Context, *connect.Request[api.LeafRequest]) (*connect.Response[api.LeafResponse], error) {
	if s.leaf == nil {
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("away"))
	}
	return connect.NewResponse(s.leaf), nil
}

func TestALeafComesFromTheProviderElseFromTheChainAndIsChecked(t *testing.T) {
	said := prooftypes.Leaf{Epoch: 5, UpSeconds: 75, DueSeconds: 100}
	payload, err := said.Marshal()
	require.NoError(t, err)
	tree, err := sumtree.Build([]sumtree.Leaf{{ID: 7, Sum: sumtree.FromUint64(5400), Payload: payload}})
	require.NoError(t, err)
	open, err := tree.OpenID(7)
	require.NoError(t, err)
	opening, err := open.Marshal()
	require.NoError(t, err)
	event, err := sdk.TypedEventToEvent(&prooftypes.EventForcedAnswered{Forced: 1, Lease: 7, Epoch: 5, Opening: opening})
	require.NoError(t, err)
	other, err := sdk.TypedEventToEvent(&prooftypes.EventForcedAnswered{Forced: 2, Lease: 8, Epoch: 5, Opening: []byte{1}})
	require.NoError(t, err)

	lease, epoch := markettypes.Lease{Id: 7, Denom: "usouk", AckedAt: 10}, prooftypes.Epoch{Number: 5, Start: 1000, End: 1100}
	ask := func(shown *api.LeafResponse, events ...sdk.Event) refund {
		c := &tenant{Client: &client.Client{Proof: provenChain{root: prooftypes.NewRoot("usouk", tree.Root())}, Tx: answers{events: events}}}
		r, err := c.refundOf(t.Context(), lease, epoch, func(context.Context, markettypes.Lease) (*gateway, error) {
			return &gateway{GatewayServiceClient: shows{leaf: shown}}, nil
		})
		require.NoError(t, err)
		return r
	}
	for name, r := range map[string]refund{
		"from the provider":        ask(&api.LeafResponse{Opening: opening}),
		"from the chain":           ask(nil, other, event),
		"the provider shows a lie": ask(&api.LeafResponse{Opening: []byte("lie")}, event),
	} {
		require.NoError(t, r.noLeaf, name)
		require.EqualValues(t, 1800, r.claimable().Int64(), name)
		require.Equal(t, opening, r.message("souk1me").Opening, name)
		seen := seenRefund(r)
		require.Equal(t, watch.ByLeaf, seen.State)
		require.EqualValues(t, 75, seen.Leaf.Up)
	}
	withheld := ask(nil, other)
	require.ErrorContains(t, withheld.noLeaf, "away")
	require.Equal(t, "its provider's gateway does not answer", withheld.trouble())
	require.True(t, withheld.claimable().IsZero())
	require.Nil(t, seenRefund(withheld).Leaf)
	require.NotEmpty(t, seenRefund(withheld).Why)
	require.ErrorIs(t, ask(&api.LeafResponse{Opening: []byte("lie")}).noLeaf, leaf.ErrFalse)
}

func TestAClaimThatOthersMadeMeanwhileKeepsNoneOfTheRestFromComingBack(t *testing.T) {
	var claims []*prooftypes.MsgClaimRefund
	for epoch := range uint64(claimsAtOnce + 2) {
		claims = append(claims, &prooftypes.MsgClaimRefund{Lease: 7, Epoch: epoch})
	}
	refusal := func(of *errorsmod.Error) error {
		return &client.ChainError{Codespace: of.Codespace(), Code: of.ABCICode(), Log: "refused"}
	}
	sent := 0
	send := func(part []sdk.Msg) (client.Receipt, error) {
		for _, msg := range part {
			switch msg.(*prooftypes.MsgClaimRefund).Epoch {
			case 3:
				return client.Receipt{}, refusal(prooftypes.ErrNothing)
			case 4:
				return client.Receipt{}, refusal(prooftypes.ErrTooLate)
			}
		}
		sent += len(part)
		return client.Receipt{Hash: "A"}, nil
	}
	receipts, refused, err := claimEach(claims, send)
	require.NoError(t, err)
	require.Equal(t, claimsAtOnce, sent)
	require.Len(t, receipts, claimsAtOnce-2+1, "each by itself, and the second part")
	require.Len(t, refused, 1)
	require.ErrorContains(t, refused[0], "lease 7 in epoch 4")

	away := errors.New("the node is away")
	_, _, err = claimEach(claims, func([]sdk.Msg) (client.Receipt, error) { return client.Receipt{}, away })
	require.ErrorIs(t, err, away)
	result := refundResult{}
	require.NoError(t, result.book(nil, refused))
	require.Equal(t, "0", result.Paid.String())
	require.Len(t, result.Refused, 1)
}

func TestATenantIsToldWhyAllComesBack(t *testing.T) {
	lease, epoch := markettypes.Lease{Id: 7, Denom: "usouk"}, prooftypes.Epoch{Number: 5}
	root := []prooftypes.Root{{Denom: "usouk", Count: 3}}
	for want, c := range map[string]*prooftypes.Commitment{
		"its provider committed to nothing":                                        nil,
		"its provider did not show what it had committed to":                       {State: prooftypes.CommitmentState_COMMITMENT_STATE_FORGED, Roots: root},
		"its provider took back what it had committed to":                          {State: prooftypes.CommitmentState_COMMITMENT_STATE_DISOWNED, Roots: root},
		"its provider committed to nothing in usouk":                               {State: prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN},
		"its provider withheld the leaf, or forfeited the epoch for another fault": {State: prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN, Roots: root},
	} {
		x := &tenant{Client: &client.Client{Proof: unprovenChain{c: c}}}
		r, err := x.refundOf(t.Context(), lease, epoch, nil)
		require.NoError(t, err)
		require.Equal(t, want, r.line(serviceClock{}).Why)
		require.Equal(t, want, r.view().Why)
		require.Equal(t, "2", r.view().Pending.String())
	}
}

// unprovenChain gives all back, whatever was committed to.
type unprovenChain struct {
	prooftypes.QueryClient
	c *prooftypes.Commitment
}

func (unprovenChain) Refund(_ context.Context, r *prooftypes.QueryRefundRequest, _ ...grpc.CallOption) (*prooftypes.QueryRefundResponse, error) {
	return &prooftypes.QueryRefundResponse{
		State: prooftypes.RefundState_REFUND_STATE_WHOLE, Due: prooftypes.Due{Lease: r.Lease, Grains: math.NewInt(7200), Seconds: 100}, Until: 2000,
	}, nil
}

func (c unprovenChain) Commitment(context.Context, *prooftypes.QueryCommitmentRequest, ...grpc.CallOption) (*prooftypes.QueryCommitmentResponse, error) {
	if c.c == nil {
		return nil, status.Error(codes.NotFound, "no commitment")
	}
	return &prooftypes.QueryCommitmentResponse{Commitment: *c.c}, nil
}

// closedMarket has closed deployments, and an open one of another name.
type closedMarket struct{ markettypes.QueryClient }

func (closedMarket) DeploymentByName(context.Context, *markettypes.QueryDeploymentByNameRequest, ...grpc.CallOption) (*markettypes.QueryDeploymentByNameResponse, error) {
	return nil, status.Error(codes.NotFound, "none")
}

func (closedMarket) Deployments(context.Context, *markettypes.QueryDeploymentsRequest, ...grpc.CallOption) (*markettypes.QueryDeploymentsResponse, error) {
	return &markettypes.QueryDeploymentsResponse{Deployments: []markettypes.Deployment{{Id: 3, Name: "shop"}, {Id: 5, Name: "shop"}, {Id: 7, Name: "blog"}}}, nil
}

func TestMoneyCanBeAskedForAfterTheEnd(t *testing.T) {
	x := &tenant{Client: &client.Client{Market: closedMarket{}}, owner: "souk1me"}
	d, err := x.mustFindEver(t.Context(), "shop")
	require.NoError(t, err)
	require.EqualValues(t, 5, d.Id, "the last of that name")
	_, err = x.mustFindEver(t.Context(), "other")
	require.ErrorContains(t, err, "nor had one lately")
}

func TestALeaseIsRefundedForTheEpochsInWhichItWasServed(t *testing.T) {
	epoch := prooftypes.Epoch{Start: 100, End: 200}
	for name, c := range map[string]struct {
		acked, closed uint64
		want          bool
	}{
		"all along": {50, 0, true}, "from within": {150, 0, true}, "until within": {50, 150, true}, "never accepted": {0, 150, false},
		"before": {50, 100, false}, "after": {200, 0, false},
	} {
		require.Equal(t, c.want, servedIn(markettypes.Lease{AckedAt: c.acked, ClosedAt: c.closed}, epoch), name)
	}
}
