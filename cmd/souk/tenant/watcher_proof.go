package tenant

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/receipt"
	"github.com/souk-network/souk/client/watch"
	"github.com/souk-network/souk/cmd/souk/output"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// epochsWatched are looked at, at most: as many as are held back on any network that there is, and more.
const epochsWatched = 400

// watchedEpochs are the epochs as of one look.
type watchedEpochs struct {
	now    uint64 // service second
	proof  watch.Proof
	closed []prooftypes.Epoch
}

// epochs reads where the proof of service stands.
func (w *watcher) epochs(ctx context.Context, clock *escrowtypes.QueryClockResponse) (watchedEpochs, error) {
	out := watchedEpochs{now: clock.Now}
	res, err := w.Proof.Params(ctx, &prooftypes.QueryParamsRequest{})
	if err != nil {
		return out, client.Explain("read the parameters of the proof of service", err)
	}
	params := res.Params
	if out.closed, err = w.closedEpochs(ctx, clock.Now, epochsWatched); err != nil {
		return out, err
	}
	out.proof = watch.Proof{
		Running: watch.Epoch{Number: clock.Clock.Epoch, Start: clock.Clock.EpochStart, End: clock.Clock.EpochEnd},
		Tick:    uint64(params.TickSeconds), ForceBond: params.ForceBond, ForceWindow: uint64(params.ForceWindowSeconds),
	}
	for _, e := range out.closed {
		out.proof.Closed = append(out.proof.Closed, watch.Epoch{
			Number: e.Number, Start: e.Start, End: e.End, PostUntil: e.CommitUntil + uint64(params.OpenWindowSeconds), MaturesAt: e.MaturesAt,
		})
	}
	return out, nil
}

// endedSince are the leases that ended and were served in an epoch that is still open to claims, or in the running one.
func endedSince(leases []markettypes.Lease, epochs watchedEpochs) (out []watch.Ended) {
	oldest := epochs.proof.Running.Start
	if len(epochs.closed) > 0 {
		oldest = epochs.closed[0].Start
	}
	for _, l := range leases {
		if !live(l) && l.AckedAt != 0 && l.ClosedAt > oldest {
			out = append(out, watch.Ended{ID: l.Id, AckedAt: l.AckedAt, ClosedAt: l.ClosedAt})
		}
	}
	return out
}

// refunds asks chain and providers about what is not settled. What can not be asked now is asked in the next look.
func (w *watcher) refunds(ctx context.Context, leases []markettypes.Lease, epochs watchedEpochs) []watch.Refund {
	if w.asks == nil {
		return nil
	}
	var (
		out   []watch.Refund
		mu    sync.Mutex
		asked errgroup.Group
	)
	asked.SetLimit(refundsAtOnce)
	for _, l := range leases {
		for i, e := range epochs.closed {
			if !servedIn(l, e) || !w.asks(l.Id, epochs.proof.Closed[i]) {
				continue
			}
			asked.Go(func() error {
				r, err := w.refundOf(ctx, l, e, w.leafGateway)
				if err != nil {
					return nil // the node does not say: next time
				}
				mu.Lock()
				defer mu.Unlock()
				out = append(out, seenRefund(r))
				return nil
			})
		}
	}
	_ = asked.Wait() // none fails
	return out
}

// leafGateway is the gateway of a lease, which may have ended; it is forgotten with the lease.
func (w *watcher) leafGateway(ctx context.Context, l markettypes.Lease) (*gateway, error) {
	p, err := w.provider(ctx, l.Provider)
	if err != nil {
		return nil, err
	}
	return w.gatewayFor(p, l)
}

var refundStates = map[prooftypes.RefundState]watch.RefundState{
	prooftypes.RefundState_REFUND_STATE_WAITS: watch.Waits, prooftypes.RefundState_REFUND_STATE_WHOLE: watch.Whole,
	prooftypes.RefundState_REFUND_STATE_LEAF: watch.ByLeaf, prooftypes.RefundState_REFUND_STATE_OVER: watch.Over,
}

func seenRefund(r refund) watch.Refund {
	out := watch.Refund{
		Lease: r.lease.Id, Epoch: r.epoch.Number, State: refundStates[r.State], Due: r.Due.Grains, DueSeconds: r.Due.Seconds, Claimable: r.claimable(), Until: r.Until,
	}
	if r.Posted != nil {
		if word, ok := r.Posted.Last(); ok {
			out.Posted = &watch.Word{Up: word.UpSeconds, Until: word.Until}
		}
	}
	if r.leaf != nil {
		out.Leaf = &watch.Leaf{Up: r.leaf.Said.UpSeconds, Opening: r.shown.Opening, Absence: r.shown.Absence}
	}
	if r.noLeaf != nil {
		out.Why = r.trouble()
	}
	return out
}

// sign makes a receipt with the watch key.
func (w *watcher) sign(said watch.Said) (prooftypes.Receipt, error) {
	ring, err := w.state.keyring()
	if err != nil {
		return prooftypes.Receipt{}, err
	}
	key, err := receipt.Named(ring, watchKey)
	if err != nil {
		return prooftypes.Receipt{}, err
	}
	return key.Sign(receiptOf(w.order.ChainID, said))
}

// receiptOf counts by the second up to which it judges: that rises from one to the next, also between two watchers.
func receiptOf(chainID string, said watch.Said) prooftypes.Receipt {
	return prooftypes.Receipt{
		ChainId: chainID, Lease: said.Lease, Epoch: said.Epoch, Seq: said.Until, UpSeconds: said.Up, Until: said.Until,
	}
}

// deliver gives a provider a receipt, and tells what it says itself.
func (w *watcher) deliver(ctx context.Context, a watch.Action) (string, error) {
	g, _, err := w.known(a)
	if err != nil {
		return "", err
	}
	up := uint64(0)
	for _, said := range a.Said {
		signed, err := w.sign(said)
		if err != nil {
			return "", err
		}
		says, err := g.sendReceipt(ctx, signed)
		if connect.CodeOf(err) == connect.CodeFailedPrecondition {
			return "not needed: " + output.Clean(err.Error()), nil // it has committed already, or has a later one
		}
		if err != nil {
			return "", err
		}
		up = says
	}
	return fmt.Sprintf("its provider says %d s", up), nil
}

// sendReceipt gives a provider a receipt, and returns for how many seconds the lease was up by its own meter.
func (g *gateway) sendReceipt(ctx context.Context, signed prooftypes.Receipt) (uint64, error) {
	encoded, err := signed.Marshal()
	if err != nil {
		return 0, fmt.Errorf("encode a receipt: %w", err)
	}
	res, err := g.SendReceipt(ctx, connect.NewRequest(&api.SendReceiptRequest{Lease: signed.Lease, Receipt: encoded}))
	if err != nil {
		return 0, err
	}
	return res.Msg.GetUpSeconds(), nil
}

// post puts receipts on the chain.
func (w *watcher) post(ctx context.Context, queue *client.Queue, a watch.Action) (string, error) {
	var msgs []sdk.Msg
	for _, said := range a.Said {
		signed, err := w.sign(said)
		if err != nil {
			return "", err
		}
		msgs = append(msgs, &prooftypes.MsgPostReceipt{Signer: w.order.Address, Receipt: signed})
	}
	height, _, err := w.each(ctx, queue, a, msgs)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("block %d", height), nil
}

// claim asks for refunds.
func (w *watcher) claim(ctx context.Context, queue *client.Queue, denom string, a watch.Action) (string, error) {
	var msgs []sdk.Msg
	for _, c := range a.Claims {
		msgs = append(msgs, &prooftypes.MsgClaimRefund{Signer: w.order.Address, Lease: c.Lease, Epoch: c.Epoch, Opening: c.Opening, Absence: c.Absence})
	}
	height, receipts, err := w.each(ctx, queue, a, msgs)
	if err != nil {
		return "", err
	}
	paid, err := paidBy(receipts)
	if err != nil {
		return "", err
	}
	back, _ := new(big.Float).SetInt(micro(paid).BigInt()).Float64()
	w.meters.refunded.WithLabelValues(denom).Add(back)
	return fmt.Sprintf("block %d, %s came back", height, output.Money(micro(paid), denom)), nil
}

// force asks for a leaf on the chain.
func (w *watcher) force(ctx context.Context, queue *client.Queue, a watch.Action) (string, error) {
	done, err := w.transact(ctx, queue, a, &prooftypes.MsgForceOpen{Signer: w.order.Address, Lease: a.Lease, Epoch: a.Epoch})
	if err != nil {
		return "", err
	}
	var answer prooftypes.MsgForceOpenResponse
	if err := done.Response(0, &answer); err != nil {
		return "", err
	}
	return fmt.Sprintf("block %d, to be answered by second %d", done.Height, answer.AnswerBy), nil
}

// each sends messages in one transaction, or, when one of them is refused, each in one of its own. It fails if any was refused.
func (w *watcher) each(ctx context.Context, queue *client.Queue, a watch.Action, msgs []sdk.Msg) (int64, []client.Receipt, error) {
	all, err := w.transact(ctx, queue, a, msgs...)
	var refused *client.ChainError
	if err == nil || len(msgs) == 1 || !errors.As(err, &refused) {
		return all.Height, []client.Receipt{all}, err
	}
	var (
		height   int64
		receipts []client.Receipt
		errs     []error
	)
	for _, msg := range msgs {
		one, err := w.transact(ctx, queue, a, msg)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		height, receipts = one.Height, append(receipts, one)
	}
	return height, receipts, errors.Join(errs...)
}
