package agent

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"

	errorsmod "cosmossdk.io/errors"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/prover"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/internal/failpoint"
	"github.com/souk-network/souk/sumtree"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// claimsAtOnce are refunds in one transaction.
const claimsAtOnce = 8

// open shows what an audit drew in a denom, and notes whether that can be shown.
func (p *proving) open(ctx context.Context, v prover.View, epoch uint64, denom string) error {
	err := p.tryOpen(ctx, v, epoch, denom)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err == nil:
		delete(p.refused, epoch)
	case !isInterrupted(ctx, err):
		p.refused[epoch] = true
	}
	return err
}

// isInterrupted tells that an error says nothing about what was asked for: the node or this process was away.
func isInterrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil || client.IsUnreachable(err) || errors.Is(err, client.ErrQueueClosed) || errors.Is(err, client.ErrOutcomeUnknown)
}

func (p *proving) tryOpen(ctx context.Context, v prover.View, epoch uint64, denom string) error {
	res, err := p.chain.Proof.Commitment(ctx, &prooftypes.QueryCommitmentRequest{Provider: p.provider, Epoch: epoch})
	if err != nil {
		return fmt.Errorf("read what the audit of epoch %d drew: %w", epoch, err)
	}
	i := slices.IndexFunc(res.Drawn, func(d prooftypes.Drawn) bool { return d.Denom == denom })
	if i < 0 {
		return nil // opened meanwhile
	}
	positions := make([]*big.Int, 0, len(res.Drawn[i].Positions))
	for _, position := range res.Drawn[i].Positions {
		positions = append(positions, position.BigInt())
	}
	p.checkDrawn(v.Params, res.Commitment, denom, positions)
	book, err := p.bookOf(epoch, res.Commitment.Roots)
	if err != nil {
		return err
	}
	shown, err := book.At(denom, positions)
	if err != nil {
		return err
	}
	msg := &prooftypes.MsgOpenAudit{Signer: p.queue.Address(), Provider: p.provider, Epoch: epoch, Denom: denom}
	for _, s := range shown {
		one, err := shownOf(s)
		if err != nil {
			return err
		}
		msg.Openings = append(msg.Openings, one)
	}
	failpoint.Hit("agent/open")
	receipt, err := p.queue.Do(ctx, client.Request{Msgs: []sdk.Msg{msg}, Note: fmt.Sprintf("open epoch %d", epoch), Urgent: true})
	if isRefusedAs(err, prooftypes.ErrOpened) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open epoch %d in %s: %w", epoch, denom, err)
	}
	p.log.Info("audit answered", "epoch", epoch, "denom", denom, "openings", len(msg.Openings), "tx", receipt.Hash, "height", receipt.Height)
	return nil
}

func shownOf(s prover.Shown) (prooftypes.Shown, error) {
	out := prooftypes.Shown{Opening: s.Opening}
	if len(s.Receipt) == 0 {
		return out, nil
	}
	out.Receipt = new(prooftypes.Receipt)
	if err := out.Receipt.Unmarshal(s.Receipt); err != nil {
		return out, fmt.Errorf("decode the receipt of a leaf: %w", err)
	}
	return out, nil
}

// checkDrawn holds what the node says was drawn against what the seed draws. The chain decides by its own state: a node that
// lies makes openings that it refuses.
func (p *proving) checkDrawn(params prooftypes.Params, c prooftypes.Commitment, denom string, said []*big.Int) {
	positions, err := drawn(p.provider, params, c, denom)
	if err == nil && slices.EqualFunc(positions, said, func(a, b *big.Int) bool { return a.Cmp(b) == 0 }) {
		return
	}
	p.log.Warn("the node says that an audit drew other leaves than its seed does", "epoch", c.Epoch, "denom", denom, "seed", c.Seed,
		"says", said, "want", positions, "error", err)
}

// drawn are the positions that the seed of a commitment draws.
func drawn(provider string, params prooftypes.Params, c prooftypes.Commitment, denom string) ([]*big.Int, error) {
	operator, err := scope.AddressCodec().StringToBytes(provider)
	if err != nil {
		return nil, err
	}
	for _, root := range c.Roots {
		if root.Denom != denom {
			continue
		}
		sum, err := sumtree.FromBig(root.Sum.BigInt())
		if err != nil {
			return nil, err
		}
		positions, err := prooftypes.Positions(c.Seed, operator, denom, params.Openings, sum)
		if err != nil {
			return nil, err
		}
		out := make([]*big.Int, 0, len(positions))
		for _, position := range positions {
			out = append(out, position.Big())
		}
		return out, nil
	}
	return nil, prover.ErrNoTree
}

// disown takes back a commitment of which the leaves are lost.
func (p *proving) disown(ctx context.Context, epoch uint64) error {
	p.log.Error("leaves of an epoch that are asked for are lost, or not what the chain takes: its commitment is taken back, and what is held back is forfeited",
		"epoch", epoch)
	msg := &prooftypes.MsgDisown{Signer: p.queue.Address(), Provider: p.provider, Epoch: epoch}
	receipt, err := p.queue.Do(ctx, client.Request{Msgs: []sdk.Msg{msg}, Note: fmt.Sprintf("disown epoch %d", epoch), Urgent: true})
	if isRefusedAs(err, prooftypes.ErrDisowned) {
		p.mu.Lock()
		p.disowned = p.calendar().clock.Epoch
		p.mu.Unlock()
	}
	if err != nil {
		return fmt.Errorf("take back the commitment of epoch %d: %w", epoch, err)
	}
	p.log.Error("commitment taken back", "epoch", epoch, "tx", receipt.Hash, "height", receipt.Height)
	return nil
}

// answerForced shows leaves that were asked for.
func (p *proving) answerForced(ctx context.Context, v prover.View, forced []prooftypes.Forced) error {
	msg := &prooftypes.MsgAnswerForced{Signer: p.queue.Address(), Provider: p.provider}
	var errs []error
	for _, f := range forced {
		shown, err := p.leafOf(ctx, f.Lease, v.Commitments[f.Epoch])
		if err != nil {
			errs = append(errs, fmt.Errorf("show the leaf of lease %d in epoch %d: %w", f.Lease, f.Epoch, err))
			p.leave(f.Id)
			continue
		}
		msg.Answers = append(msg.Answers, prooftypes.Answer{Forced: f.Id, Opening: shown.Opening, Absence: shown.Absence})
	}
	if len(msg.Answers) == 0 {
		return errors.Join(errs...)
	}
	receipt, err := p.queue.Do(ctx, client.Request{Msgs: []sdk.Msg{msg}, Note: "answer forced openings", Urgent: true})
	if err != nil {
		return errors.Join(append(errs, fmt.Errorf("answer forced openings: %w", err))...)
	}
	var res prooftypes.MsgAnswerForcedResponse
	if err := receipt.Response(0, &res); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for i, result := range res.Results {
		if result != "" && i < len(msg.Answers) {
			errs = append(errs, fmt.Errorf("the chain did not take the answer to request %d: %s", msg.Answers[i].Forced, result))
			p.leave(msg.Answers[i].Forced)
		}
	}
	p.log.Info("leaves shown that were asked for", "answers", len(msg.Answers), "tx", receipt.Hash, "height", receipt.Height)
	return errors.Join(errs...)
}

// leave lets others be answered before a request.
func (p *proving) leave(forced uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unanswered[forced] = true
}

// leafOf shows the leaf of a lease in what was committed to, or that there is none. It looks in all trees: a lease pays in one coin.
func (a *Agent) leafOf(ctx context.Context, lease uint64, c prooftypes.Commitment) (prover.Shown, error) {
	book, err := a.bookOf(c.Epoch, c.Roots)
	if err != nil {
		return prover.Shown{}, err
	}
	if denom, ok := book.Book().DenomOf(lease); ok {
		return book.Of(denom, lease)
	}
	denom, err := a.denomOf(ctx, lease)
	if err != nil {
		return prover.Shown{}, err
	}
	return book.Of(denom, lease)
}

// claimRefunds claims for tenants what was not proven of their leases, unasked: it goes to the leases' accounts.
func (p *proving) claimRefunds(ctx context.Context, v prover.View, epoch uint64) error {
	book, err := p.bookOf(epoch, v.Commitments[epoch].Roots)
	if err != nil {
		return err
	}
	reduced, err := book.Book().Reduced()
	if err != nil {
		return fmt.Errorf("read the book of epoch %d: %w", epoch, err)
	}
	for denom, leases := range reduced {
		for some := range slices.Chunk(leases, claimsAtOnce) {
			if err := p.claimSome(ctx, book, denom, some); err != nil {
				return fmt.Errorf("claim refunds of epoch %d: %w", epoch, err)
			}
		}
	}
	return p.store.SetClaimed(epoch)
}

func (p *proving) claimSome(ctx context.Context, book *prover.Built, denom string, leases []uint64) error {
	epoch := book.Book().Epoch
	var msgs []sdk.Msg
	for _, lease := range leases {
		res, err := p.chain.Proof.Refund(ctx, &prooftypes.QueryRefundRequest{Lease: lease, Epoch: epoch})
		if err != nil {
			return fmt.Errorf("read the refund of lease %d: %w", lease, err)
		}
		due, credited := res.Due.Grains, book.Book().Credited(lease)
		if res.State != prooftypes.RefundState_REFUND_STATE_LEAF || res.Paid.GTE(due.Sub(credited)) {
			continue // claimed by its tenant, or nothing can be claimed
		}
		shown, err := book.Of(denom, lease)
		if err != nil {
			return err
		}
		msgs = append(msgs, &prooftypes.MsgClaimRefund{Signer: p.queue.Address(), Lease: lease, Epoch: epoch, Opening: shown.Opening, Absence: shown.Absence})
	}
	if len(msgs) == 0 {
		return nil
	}
	receipt, err := p.queue.Do(ctx, client.Request{Msgs: msgs, Note: fmt.Sprintf("claim refunds of epoch %d", epoch), Alone: true})
	if err != nil {
		return err
	}
	p.log.Info("refunds claimed for tenants", "epoch", epoch, "leases", len(msgs), "tx", receipt.Hash, "height", receipt.Height)
	return nil
}

// dropEpoch forgets an epoch of which nothing can be asked any more.
func (p *proving) dropEpoch(epoch uint64) error {
	p.mu.Lock()
	delete(p.idle, epoch)
	delete(p.late, epoch)
	delete(p.refused, epoch)
	p.mu.Unlock()
	return p.dropBooks(epoch)
}

// isRefusedAs tells that the chain refused a transaction with an error.
func isRefusedAs(err error, as *errorsmod.Error) bool {
	return err != nil && errors.Is(err, as)
}
