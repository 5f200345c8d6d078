package tenant

import (
	"context"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/receipt"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// receiver is a gateway that takes receipts.
type receiver struct {
	keeper

	got    []prooftypes.Receipt
	refuse error
}

func (r *receiver) SendReceipt(_ context.Context, req *connect.Request[api.SendReceiptRequest]) (*connect.Response[api.SendReceiptResponse], error) {
	if r.refuse != nil {
		return nil, r.refuse
	}
	var got prooftypes.Receipt
	if err := got.Unmarshal(req.Msg.GetReceipt()); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, got)
	return connect.NewResponse(&api.SendReceiptResponse{UpSeconds: got.UpSeconds}), got.Validate()
}

// clockAt is a chain whose service clock a test sets.
type clockAt struct {
	escrowtypes.QueryClient
	now, epoch, start, end uint64
}

func (c *clockAt) Clock(context.Context, *escrowtypes.QueryClockRequest, ...grpc.CallOption) (*escrowtypes.QueryClockResponse, error) {
	return &escrowtypes.QueryClockResponse{Now: c.now, Clock: escrowtypes.Clock{Epoch: c.epoch, EpochStart: c.start, EpochEnd: c.end}}, nil
}

// oneLease is a chain with one lease.
type oneLease struct {
	markettypes.QueryClient
	of markettypes.Lease
}

func (l *oneLease) Lease(context.Context, *markettypes.QueryLeaseRequest, ...grpc.CallOption) (*markettypes.QueryLeaseResponse, error) {
	return &markettypes.QueryLeaseResponse{Lease: l.of}, nil
}

// onlooking is an onlooker of a lease that was accepted at second 90, in an epoch from 100 to 160.
func onlooking(t *testing.T) (*onlooker, *receiver, *clockAt, *oneLease) {
	t.Helper()
	k := &receiver{}
	u := keepingOf(t, &k.keeper, k)
	k.stage = api.LeaseStage_LEASE_STAGE_RUNNING
	clock, chain := &clockAt{now: 101, epoch: 7, start: 100, end: 160}, &oneLease{of: markettypes.Lease{
		Id: 9, Provider: k.operator, Deployment: 3, State: markettypes.LeaseState_LEASE_STATE_ACTIVE, AckedAt: 90,
	}}
	u.Escrow, u.Market = clock, chain
	encoding, err := client.NewEncoding()
	require.NoError(t, err)
	ring := keyring.NewInMemory(encoding.Codec)
	_, _, err = ring.NewMnemonic("me", keyring.English, "m/44'/118'/0'/0/0", "", hd.Secp256k1)
	require.NoError(t, err)
	key, err := receipt.Named(ring, "me")
	require.NoError(t, err)
	g, err := u.gatewayOf(t.Context(), chain.of)
	require.NoError(t, err)
	o := &onlooker{tenant: u.tenant, judge: judge{private: true}, leases: []*onlooked{{served: served{chain.of, g}, key: key}}}
	t.Cleanup(o.close)
	return o, k, clock, chain
}

func TestAnOnlookerSaysWhatItSawAndNothingOfWhatItDidNot(t *testing.T) {
	o, k, clock, chain := onlooking(t)
	at := func(second uint64, stage api.LeaseStage) {
		clock.now, k.stage, k.replicas = second, stage, nil
		if stage == api.LeaseStage_LEASE_STAGE_DEGRADED {
			k.replicas = []*api.ReplicaStatus{{Phase: api.ReplicaPhase_REPLICA_PHASE_FAILED, Fault: api.FaultClass_FAULT_CLASS_PROVIDER}}
		}
		o.round(t.Context())
	}
	last := func() prooftypes.Receipt { t.Helper(); require.NotEmpty(t, k.got); return k.got[len(k.got)-1] }
	const up, down, starting = api.LeaseStage_LEASE_STAGE_RUNNING, api.LeaseStage_LEASE_STAGE_DEGRADED, api.LeaseStage_LEASE_STAGE_STARTING
	at(101, up)
	require.Empty(t, k.got, "not every second")
	at(111, up)
	require.Equal(t, prooftypes.Receipt{ChainId: "chain", Lease: 9, Epoch: 7, Seq: 111, UpSeconds: 11, Until: 111, PublicKey: last().PublicKey, Signature: last().Signature}, last())
	at(115, down)
	at(125, down)
	require.EqualValues(t, []uint64{15, 125}, []uint64{last().UpSeconds, last().Until}, "down between two looks that saw it")
	at(130, starting)
	at(145, down)
	require.EqualValues(t, []uint64{35, 145}, []uint64{last().UpSeconds, last().Until}, "what nobody saw is in its favour")
	k.refuse = connect.NewError(connect.CodeUnavailable, context.DeadlineExceeded)
	at(155, down)
	require.EqualValues(t, 145, last().Until)
	k.refuse = nil
	clock.epoch, clock.start, clock.end = 8, 160, 220
	at(161, down)
	require.EqualValues(t, []uint64{7, 35, 160}, []uint64{last().Epoch, last().UpSeconds, last().Until}, "the last word on an epoch comes when it is over")
	chain.of.Paused = true
	at(172, up)
	at(183, up)
	require.EqualValues(t, []uint64{8, 11}, []uint64{last().Epoch, last().UpSeconds}, "down for its first second, and paused between two looks")
	k.refuse = connect.NewError(connect.CodeInvalidArgument, context.DeadlineExceeded)
	at(195, up)
	k.refuse = nil
	count := len(k.got)
	at(219, up)
	require.Len(t, k.got, count, "a key that may not is not tried again")
}

func TestAnOnlookerEndsWhenItIsToldToAndSignsWithTheKeyOfASessionThatMay(t *testing.T) {
	o, k, clock, chain := onlooking(t)
	clock.now = 159
	d := &open{Deployment: markettypes.Deployment{Id: 3, Name: "shop"}}
	for _, c := range []struct {
		scopes []string
		may    bool
	}{{[]string{"read", "exec"}, false}, {[]string{"read", "watch"}, true}} {
		item, err := newLogin("chain", o.owner, "me", d, c.scopes, time.Now().Add(time.Hour))
		require.NoError(t, err)
		require.NoError(t, o.authority.logins.keep(item))
		key, may := o.receiptKey(chain.of)
		require.Equal(t, c.may, may, c.scopes)
		if may {
			signed, err := key.Sign(prooftypes.Receipt{ChainId: "chain", Lease: 9, Epoch: 7, Seq: 1})
			require.NoError(t, err)
			require.NotEmpty(t, signed.Signature)
		}
	}
	stop := o.onlook(t.Context(), []served{o.leases[0].served, o.leases[0].served})
	require.Eventually(t, func() bool { k.mu.Lock(); defer k.mu.Unlock(); return len(k.got) > 0 }, 10*time.Second, 10*time.Millisecond)
	stop()
	require.NoError(t, o.authority.logins.forget(3))
}
