package tenant

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	"cosmossdk.io/math"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cosmos/cosmos-sdk/types/query"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/leaf"
	"github.com/souk-network/souk/cmd/souk/output"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// refund is what a lease gets back for a closed epoch.
type refund struct {
	lease markettypes.Lease
	epoch prooftypes.Epoch
	prooftypes.QueryRefundResponse
	shown  leaf.Shown
	leaf   *leaf.Leaf // that was committed to; nil if none is needed or could be had
	noLeaf error      // why it could not
	why    string     // nothing was proven
}

// claimable is what a claim brings now, in grains.
func (r refund) claimable() math.Int {
	switch {
	case r.State == prooftypes.RefundState_REFUND_STATE_WHOLE:
		return math.MaxInt(r.Due.Grains.Sub(r.Paid), math.ZeroInt())
	case r.State == prooftypes.RefundState_REFUND_STATE_LEAF && r.leaf != nil:
		return leaf.Claimable(*r.leaf, r.Due, r.Paid, r.Posted, r.epoch.End)
	default:
		return math.ZeroInt()
	}
}

// trouble tells why there is no leaf.
func (r refund) trouble() string {
	switch connect.CodeOf(r.noLeaf) {
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded:
		return "its provider's gateway does not answer"
	case connect.CodeNotFound:
		return "its provider says that it has none"
	}
	return output.Clean(r.noLeaf.Error())
}

// message claims it.
func (r refund) message(signer string) *prooftypes.MsgClaimRefund {
	msg := &prooftypes.MsgClaimRefund{Signer: signer, Lease: r.lease.Id, Epoch: r.epoch.Number}
	if r.State == prooftypes.RefundState_REFUND_STATE_LEAF {
		msg.Opening, msg.Absence = r.shown.Opening, r.shown.Absence
	}
	return msg
}

// leafSource opens the gateway that shows the leaves of a lease.
type leafSource func(ctx context.Context, l markettypes.Lease) (*gateway, error)

// refundOf asks the chain what a lease gets back for an epoch, and its provider for the leaf if that is needed.
func (t *tenant) refundOf(ctx context.Context, l markettypes.Lease, e prooftypes.Epoch, from leafSource) (refund, error) {
	r := refund{lease: l, epoch: e}
	res, err := t.Proof.Refund(ctx, &prooftypes.QueryRefundRequest{Lease: l.Id, Epoch: e.Number})
	if client.IsNotFound(err) {
		r.QueryRefundResponse = prooftypes.QueryRefundResponse{
			State: prooftypes.RefundState_REFUND_STATE_OVER, Due: prooftypes.Due{Lease: l.Id, Grains: math.ZeroInt()}, Paid: math.ZeroInt(),
		}
		return r, nil
	}
	if err != nil {
		return r, client.Explain(fmt.Sprintf("read the refund of lease %d for epoch %d", l.Id, e.Number), err)
	}
	r.QueryRefundResponse = *res
	for _, amount := range []*math.Int{&r.Due.Grains, &r.Paid} {
		if amount.IsNil() {
			*amount = math.ZeroInt()
		}
	}
	switch r.State {
	case prooftypes.RefundState_REFUND_STATE_LEAF:
		r.shown, r.leaf, r.noLeaf = t.leafOf(ctx, l, e, r.Due, from)
	case prooftypes.RefundState_REFUND_STATE_WHOLE:
		r.why, err = t.whyUnproven(ctx, l, e)
	}
	return r, err
}

// whyUnproven tells why all that was due for a lease in an epoch comes back.
func (t *tenant) whyUnproven(ctx context.Context, l markettypes.Lease, e prooftypes.Epoch) (string, error) {
	res, err := t.Proof.Commitment(ctx, &prooftypes.QueryCommitmentRequest{Provider: l.Provider, Epoch: e.Number})
	if client.IsNotFound(err) {
		return "its provider committed to nothing", nil
	}
	if err != nil {
		return "", client.Explain(fmt.Sprintf("read what %s committed to in epoch %d", l.Provider, e.Number), err)
	}
	c := res.Commitment
	switch c.State {
	case prooftypes.CommitmentState_COMMITMENT_STATE_FORGED:
		return "its provider did not show what it had committed to", nil
	case prooftypes.CommitmentState_COMMITMENT_STATE_DISOWNED:
		return "its provider took back what it had committed to", nil
	}
	if root, ok := c.RootOf(l.Denom); !ok || root.Count == 0 {
		return "its provider committed to nothing in " + l.Denom, nil
	}
	return "its provider withheld the leaf, or forfeited the epoch for another fault", nil
}

// leafOf gets the leaf of a lease in an epoch from its provider, else from the answer to one who asked for it on the chain, and checks it.
func (t *tenant) leafOf(ctx context.Context, l markettypes.Lease, e prooftypes.Epoch, due prooftypes.Due, from leafSource) (leaf.Shown, *leaf.Leaf, error) {
	res, err := t.Proof.Commitment(ctx, &prooftypes.QueryCommitmentRequest{Provider: l.Provider, Epoch: e.Number})
	if err != nil {
		return leaf.Shown{}, nil, client.Explain(fmt.Sprintf("read what %s committed to in epoch %d", l.Provider, e.Number), err)
	}
	root, ok := res.Commitment.RootOf(l.Denom)
	if !ok {
		return leaf.Shown{}, nil, fmt.Errorf("%w: it committed to nothing in %s", leaf.ErrFalse, l.Denom)
	}
	asked := leaf.Asked{Root: root, Lease: l.Id, Epoch: e.Number, ChainID: t.Config.ChainID, Start: e.Start, End: e.End, Due: due}
	shown, err := askLeaf(ctx, l, e.Number, from)
	if err == nil {
		var held leaf.Leaf
		asked.Receipts = true
		if held, err = leaf.Verify(shown, asked); err == nil {
			return shown, &held, nil
		}
	}
	forced, found := t.answered(ctx, l.Id, e.Number)
	if !found {
		return shown, nil, err
	}
	asked.Receipts = false // the chain has checked it
	held, answerErr := leaf.Verify(forced, asked)
	if answerErr != nil {
		return forced, nil, errors.Join(err, answerErr)
	}
	return forced, &held, nil
}

func askLeaf(ctx context.Context, l markettypes.Lease, epoch uint64, from leafSource) (leaf.Shown, error) {
	g, err := from(ctx, l)
	if err != nil {
		return leaf.Shown{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	res, err := g.Leaf(ctx, connect.NewRequest(&api.LeafRequest{Lease: l.Id, Epoch: epoch}))
	if err != nil {
		return leaf.Shown{}, err
	}
	return leaf.Shown{Opening: res.Msg.GetOpening(), Absence: res.Msg.GetAbsence(), Receipt: res.Msg.GetReceipt()}, nil
}

// answered looks for a leaf that its provider had to show on the chain.
func (t *tenant) answered(ctx context.Context, lease, epoch uint64) (leaf.Shown, bool) {
	const event = "souk.proof.v1.EventForcedAnswered"
	res, err := t.Tx.GetTxsEvent(ctx, &txtypes.GetTxsEventRequest{
		Query: fmt.Sprintf(`%[1]s.lease='"%[2]d"' AND %[1]s.epoch='"%[3]d"'`, event, lease, epoch), Page: 1, Limit: 1, OrderBy: txtypes.OrderBy_ORDER_BY_DESC,
	})
	if err != nil {
		return leaf.Shown{}, false
	}
	for _, tx := range res.TxResponses {
		for _, e := range tx.Events {
			if e.Type == event && attribute(e, "lease") == fmt.Sprint(lease) && attribute(e, "epoch") == fmt.Sprint(epoch) {
				return leaf.Shown{Opening: attributeBytes(e, "opening"), Absence: attributeBytes(e, "absence")}, true
			}
		}
	}
	return leaf.Shown{}, false
}

func attribute(e abci.Event, key string) string {
	for _, a := range e.Attributes {
		var text string
		if a.Key == key && json.Unmarshal([]byte(a.Value), &text) == nil {
			return text
		}
	}
	return ""
}

func attributeBytes(e abci.Event, key string) []byte {
	bz, err := base64.StdEncoding.DecodeString(attribute(e, key))
	if err != nil {
		return nil
	}
	return bz
}

// closedEpochs are those whose pots have not matured, at most the last n, the oldest first.
func (t *tenant) closedEpochs(ctx context.Context, now uint64, n int) ([]prooftypes.Epoch, error) {
	var out []prooftypes.Epoch
	page := &query.PageRequest{Limit: 100, Reverse: true}
	for {
		res, err := t.Proof.Epochs(ctx, &prooftypes.QueryEpochsRequest{Pagination: page})
		if err != nil {
			return nil, client.Explain("list the epochs that can be claimed for", err)
		}
		for _, e := range res.Epochs {
			if e.MaturesAt > now && len(out) < n {
				out = append(out, e)
			}
		}
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 || len(out) >= n {
			slices.SortFunc(out, func(a, b prooftypes.Epoch) int { return int(a.Number) - int(b.Number) })
			return out, nil
		}
		page = &query.PageRequest{Limit: 100, Reverse: true, Key: res.Pagination.NextKey}
	}
}

// servedIn tells whether a lease was live in an epoch.
func servedIn(l markettypes.Lease, e prooftypes.Epoch) bool {
	return l.AckedAt != 0 && l.AckedAt < e.End && (l.ClosedAt == 0 || l.ClosedAt > e.Start)
}

// refundsAtOnce are asked for at the same time.
const refundsAtOnce = 8

// refundsOf asks for all that leases get back for epochs, by lease and epoch. Gateways are opened once for each lease.
func (t *tenant) refundsOf(ctx context.Context, leases []markettypes.Lease, epochs []prooftypes.Epoch) ([]refund, error) {
	var out []refund
	for _, l := range leases {
		for _, e := range epochs {
			if servedIn(l, e) {
				out = append(out, refund{lease: l, epoch: e})
			}
		}
	}
	from, done := t.leafGateways()
	defer done()
	var asked errgroup.Group
	asked.SetLimit(refundsAtOnce)
	for i, r := range out {
		asked.Go(func() (err error) {
			out[i], err = t.refundOf(ctx, r.lease, r.epoch, from)
			return err
		})
	}
	return out, asked.Wait()
}

// paidBy is what claims brought, in grains.
func paidBy(receipts []client.Receipt) (math.Int, error) {
	sum := math.ZeroInt()
	for _, r := range receipts {
		for i := range r.Responses() {
			var answer prooftypes.MsgClaimRefundResponse
			if err := r.Response(i, &answer); err != nil {
				return sum, err
			}
			sum = sum.Add(answer.Paid)
		}
	}
	return sum, nil
}
