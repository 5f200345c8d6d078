package gateway_test

import (
	"bytes"
	"errors"
	"testing"

	"connectrpc.com/connect"
	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/agent/prover"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/agent/workload"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// receipt signs one for lease 7; change makes it another before that.
func (x tenant) receipt(t testing.TB, change func(*prooftypes.Receipt)) []byte {
	t.Helper()
	r := prooftypes.Receipt{ChainId: chainID, Lease: 7, Epoch: 3, Seq: 1, UpSeconds: 10, Until: 20, PublicKey: x.signer.Public.Key}
	if change != nil {
		change(&r)
	}
	signed, err := r.SignBytes()
	require.NoError(t, err)
	r.Signature, err = x.signer.Sign(signed)
	require.NoError(t, err)
	raw, err := r.Marshal()
	require.NoError(t, err)
	return raw
}

func TestReceiptsAreTakenOfThoseWhoMayWatchTheLease(t *testing.T) {
	w := start(t, nil)
	w.agent.now = 1000
	alice, watcher, reader, gone, mallory := newTenant(t), newTenant(t), newTenant(t), newTenant(t), newTenant(t)
	l, _ := deploy(t, alice, 7, nil)
	l.AccessKeys = []markettypes.AccessKey{
		{Address: watcher.address, Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_WATCH}},
		{Address: reader.address, Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_READ}},
		{Address: gone.address, Scopes: []markettypes.Scope{markettypes.Scope_SCOPE_WATCH}, ExpiresAt: 1000},
	}
	w.agent.put(l)
	forAlice := func(g *token.Grant) { g.Owner = alice.address }
	for name, c := range map[string]struct {
		bearer  string
		receipt []byte
		failure error
		want    connect.Code // 0 when it is taken
	}{
		"the owner's":                    {alice.token(t, 7, nil), alice.receipt(t, nil), nil, 0},
		"a watcher's":                    {watcher.token(t, 7, forAlice), watcher.receipt(t, nil), nil, 0},
		"a watcher's, brought by owner":  {alice.token(t, 7, nil), watcher.receipt(t, nil), nil, 0},
		"a reader's":                     {reader.token(t, 7, forAlice), reader.receipt(t, nil), nil, connect.CodeInvalidArgument},
		"one of a key that has expired":  {alice.token(t, 7, nil), gone.receipt(t, nil), nil, connect.CodeInvalidArgument},
		"a stranger's":                   {alice.token(t, 7, nil), mallory.receipt(t, nil), nil, connect.CodeInvalidArgument},
		"brought by a stranger":          {mallory.token(t, 7, nil), alice.receipt(t, nil), nil, connect.CodePermissionDenied},
		"of another lease":               {alice.token(t, 7, nil), alice.receipt(t, func(r *prooftypes.Receipt) { r.Lease = 8 }), nil, connect.CodeInvalidArgument},
		"of another chain":               {alice.token(t, 7, nil), alice.receipt(t, func(r *prooftypes.Receipt) { r.ChainId = "souk-1" }), nil, connect.CodeInvalidArgument},
		"changed after it was signed":    {alice.token(t, 7, nil), bytes.Replace(alice.receipt(t, nil), []byte{0x28, 10}, []byte{0x28, 11}, 1), nil, connect.CodeInvalidArgument},
		"garbage":                        {alice.token(t, 7, nil), []byte("garbage"), nil, connect.CodeInvalidArgument},
		"oversized":                      {alice.token(t, 7, nil), make([]byte, prooftypes.MaxReceiptBytes+1), nil, connect.CodeInvalidArgument},
		"of an epoch that was committed": {alice.token(t, 7, nil), alice.receipt(t, nil), gateway.ErrEpoch, connect.CodeFailedPrecondition},
		"older than the last":            {alice.token(t, 7, nil), alice.receipt(t, nil), gateway.ErrReceipt, connect.CodeFailedPrecondition},
		"that can not be kept":           {alice.token(t, 7, nil), alice.receipt(t, nil), errors.New("disk full"), connect.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			w.agent.taken, w.agent.failure = nil, c.failure
			res, err := w.client(c.bearer).SendReceipt(t.Context(), connect.NewRequest(&api.SendReceiptRequest{Lease: 7, Receipt: c.receipt}))
			if c.want != 0 {
				require.Equal(t, c.want, connect.CodeOf(err), "%v", err)
				require.True(t, c.failure != nil || len(w.agent.taken) == 0)
				return
			}
			require.NoError(t, err)
			require.EqualValues(t, 12, res.Msg.GetUpSeconds())
			require.Len(t, w.agent.taken, 1)
		})
	}
}

func TestTheLeafOfALeaseThatHasEndedIsShownToWhoeverHadIt(t *testing.T) {
	w := start(t, nil)
	alice, mallory := newTenant(t), newTenant(t)
	w.agent.ended = map[uint64]workload.Lease{7: {ID: 7, Deployment: 107, Owner: alice.address}}
	w.agent.shown = prover.Shown{Opening: []byte{1}, Receipt: []byte{2}}
	ask := func(bearer string, lease uint64) (*connect.Response[api.LeafResponse], error) {
		return w.client(bearer).Leaf(t.Context(), connect.NewRequest(&api.LeafRequest{Lease: lease, Epoch: 3}))
	}
	res, err := ask(alice.token(t, 7, nil), 7)
	require.NoError(t, err)
	require.Equal(t, []byte{1}, res.Msg.GetOpening())
	require.Equal(t, []byte{2}, res.Msg.GetReceipt())
	_, err = ask(alice.token(t, 0, func(g *token.Grant) { g.Deployment = 107 }), 7)
	require.NoError(t, err)
	_, err = ask(mallory.token(t, 7, nil), 7)
	require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err))
	_, err = ask(alice.token(t, 9, nil), 9)
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	_, err = w.client(alice.token(t, 7, nil)).Status(t.Context(), connect.NewRequest(&api.StatusRequest{Lease: 7}))
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err), "nothing else is told of it")

	w.agent.failure = gateway.ErrEpoch
	_, err = ask(alice.token(t, 7, nil), 7)
	require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
	w.agent.failure = errors.New("node.internal:9090 is down")
	_, err = ask(alice.token(t, 7, nil), 7)
	require.Equal(t, connect.CodeUnavailable, connect.CodeOf(err))
	require.NotContains(t, err.Error(), "node.internal")
}
