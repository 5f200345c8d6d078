package tenant

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/client/leaf"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// owed is a lease in an epoch of 100 s, in micro-denom.
func owed(lease, epoch uint64, state prooftypes.RefundState, due, paid int64, credited ...int64) refund {
	r := refund{
		lease: markettypes.Lease{Id: lease, Provider: "souk1p"}, epoch: prooftypes.Epoch{Number: epoch, End: 100},
		QueryRefundResponse: prooftypes.QueryRefundResponse{
			State: state, Due: prooftypes.Due{Lease: lease, Grains: math.NewInt(due * grainsPerMicro), Seconds: 100}, Paid: math.NewInt(paid * grainsPerMicro),
			Until: 5000,
		},
	}
	for _, c := range credited {
		r.leaf = &leaf.Leaf{Credited: math.NewInt(c * grainsPerMicro), Said: prooftypes.Leaf{UpSeconds: 100 * uint64(c) / uint64(due), DueSeconds: 100}}
	}
	return r
}

func TestWhatWasProvenAndComesBackAddsUp(t *testing.T) {
	const (
		waits, byLeaf = prooftypes.RefundState_REFUND_STATE_WAITS, prooftypes.RefundState_REFUND_STATE_LEAF
		whole, over   = prooftypes.RefundState_REFUND_STATE_WHOLE, prooftypes.RefundState_REFUND_STATE_OVER
	)
	c := cost{Deployment: "shop", Denom: "usouk", Leases: []leaseCost{{Lease: 7}, {Lease: 8}, {Lease: 9}}}
	c.addRefunds([]refund{
		owed(7, 1, byLeaf, 1000, 0, 1000),
		owed(7, 2, byLeaf, 1000, 100, 500),
		owed(7, 3, waits, 1000, 0),
		owed(8, 1, whole, 1000, 600),
		owed(8, 2, byLeaf, 1000, 0),
		owed(8, 3, over, 0, 0),
	}, 2, serviceClock{now: 4100, wall: time.Unix(10_000, 0)})
	require.Equal(t, 5, c.Proof.Epochs)
	require.Equal(t, 1, c.Proof.Undecided)
	require.Equal(t, 1, c.Proof.Hidden)
	for name, amounts := range map[string][2]math.Int{
		"due": {c.Proof.Due, math.NewInt(3000)}, "proven": {c.Proof.Proven, math.NewInt(1500)}, "refunded": {c.Proof.Refunded, math.NewInt(700)},
		"pending": {c.Proof.Pending, math.NewInt(800)}, "waiting": {c.Proof.Waiting, math.NewInt(2000)},
	} {
		require.Equal(t, amounts[1].String(), amounts[0].String(), name)
	}
	require.EqualValues(t, 500_000, c.Proof.ProvenPpm)
	require.EqualValues(t, 750_000, c.Leases[0].Proof.ProvenPpm)
	require.Nil(t, c.Leases[2].Proof, "nothing was due for it")
	require.Len(t, c.Leases[0].Epochs, 2, "the last two")
	require.Equal(t, []string{"proven", "waits"}, []string{c.Leases[0].Epochs[0].State, c.Leases[0].Epochs[1].State})
	require.EqualValues(t, 5900, c.Leases[0].Epochs[0].Start.Unix())
	require.EqualValues(t, 50, *c.Leases[0].Epochs[0].Up)
	require.Equal(t, "provider's word", c.Leases[0].Epochs[0].Evidence)
	require.Equal(t, []string{"unproven", "hidden"}, []string{c.Leases[1].Epochs[0].State, c.Leases[1].Epochs[1].State})

	require.EqualValues(t, 5000, c.Proof.ClaimUntil)
	text := c.Proof.text("shop", "usouk", 4100)
	for _, part := range []string{"proven   50 % of 0.003 SOUK due", "waiting  0.002 SOUK", "refunded 0.0007 SOUK", "pending  0.0008 SOUK; souk refund shop claims it, within 15 min 0 s", "hidden   in 1 epochs of leases"} {
		require.Contains(t, text, part)
	}
	require.Contains(t, c.epochRows(), "50 of 100 s")
	require.Contains(t, proofCost{Refunded: math.ZeroInt()}.text("shop", "usouk", 0), "nothing to tell yet")
	require.Empty(t, cost{}.epochRows())
}

func TestAShareIsNeverShownAsMoreThanItIs(t *testing.T) {
	for ppm, want := range map[uint64]string{0: "0 %", 1: "0 %", 999_999: "99.99 %", 1_000_000: "100 %", 500_000: "50 %", 987_600: "98.76 %", 5_000: "0.5 %"} {
		require.Equal(t, want, ppmText(ppm))
	}
}

func TestAClaimBringsTheLeafOnlyWhereOneIsNeeded(t *testing.T) {
	r := owed(7, 2, prooftypes.RefundState_REFUND_STATE_LEAF, 1000, 0, 500)
	r.shown = leaf.Shown{Opening: []byte{1}}
	require.Equal(t, &prooftypes.MsgClaimRefund{Signer: "souk1me", Lease: 7, Epoch: 2, Opening: []byte{1}}, r.message("souk1me"))
	r.State = prooftypes.RefundState_REFUND_STATE_WHOLE
	require.Equal(t, &prooftypes.MsgClaimRefund{Signer: "souk1me", Lease: 7, Epoch: 2}, r.message("souk1me"))
	require.Equal(t, "1000", micro(r.claimable()).String())
	r.State = prooftypes.RefundState_REFUND_STATE_WAITS
	require.True(t, r.claimable().IsZero())
}
