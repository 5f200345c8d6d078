package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/agent/prover"
	"github.com/souk-network/souk/agent/workload"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// calendar is what the last look of proving saw of epochs, for tenants' questions.
type calendar struct {
	now         uint64            // service second
	clock       escrowtypes.Clock // of the running epoch
	epochs      []prooftypes.Epoch
	commitments map[uint64]prooftypes.Commitment
}

// calendars hold the latest.
type calendars struct {
	mu     sync.Mutex
	latest calendar
	sends  sync.Mutex // of receipts, one at a time
}

func (a *Agent) setCalendar(c calendar) {
	a.calendars.mu.Lock()
	defer a.calendars.mu.Unlock()
	a.calendars.latest = c
}

func (a *Agent) calendar() calendar {
	a.calendars.mu.Lock()
	defer a.calendars.mu.Unlock()
	return a.calendars.latest
}

// open is the span of an epoch for which receipts are taken: it runs, or can be committed to in time.
func (c calendar) open(epoch, now uint64) (start, end uint64, err error) {
	if _, committed := c.commitments[epoch]; committed {
		return 0, 0, fmt.Errorf("%w: epoch %d is committed", gateway.ErrEpoch, epoch)
	}
	if epoch != 0 && epoch == c.clock.Epoch {
		return c.clock.EpochStart, c.clock.EpochEnd, nil
	}
	for _, e := range c.epochs {
		if e.Number == epoch && now < e.CommitUntil {
			return e.Start, e.End, nil
		}
	}
	return 0, 0, fmt.Errorf("%w: epoch %d neither runs nor waits for its commitment", gateway.ErrEpoch, epoch)
}

// TakeReceipt implements gateway.Agent: it keeps a tenant's receipt, which the gateway has found to be signed by somebody who may,
// and tells for how long the lease was up by this agent's meter.
func (a *Agent) TakeReceipt(receipt prooftypes.Receipt) (upSeconds uint64, err error) {
	// The chain's second is the last block's: a tenant may know a later one.
	const ahead = 5
	now := a.Now()
	start, end, err := a.calendar().open(receipt.Epoch, now)
	if err != nil {
		return 0, err
	}
	if err := receipt.CheckSpan(start, min(end, now+ahead)); err != nil {
		return 0, fmt.Errorf("%w: %w", gateway.ErrReceipt, err)
	}
	a.calendars.sends.Lock()
	defer a.calendars.sends.Unlock()
	before, err := a.receiptOf(receipt.Epoch, receipt.Lease)
	if err != nil {
		return 0, err
	}
	if before != nil && !holdsAfter(*before, receipt, end) {
		return 0, fmt.Errorf("%w: the one of seq %d that is here allows %d s, this of seq %d %d s", gateway.ErrReceipt, before.Seq, before.Allows(end),
			receipt.Seq, receipt.Allows(end))
	}
	if before == nil || receipt.Seq != before.Seq || receipt.UpSeconds != before.UpSeconds {
		raw, err := receipt.Marshal()
		if err != nil {
			return 0, fmt.Errorf("encode the receipt of lease %d: %w", receipt.Lease, err)
		}
		if err := a.store.PutReceipt(receipt.Epoch, receipt.Lease, raw); err != nil {
			return 0, err
		}
	}
	return a.upSeconds(receipt.Lease, start, end), nil
}

// holdsAfter tells that a receipt takes the place of one that is here: it allows less of the epoch, or, as one does that comes again
// or that has judged more and found it served, the same. A tenant may have several that look: one that has just begun knows nothing of what
// another one saw.
func holdsAfter(before, next prooftypes.Receipt, end uint64) bool {
	allows, allowed := next.Allows(end), before.Allows(end)
	return allows < allowed || allows == allowed && next.Seq >= before.Seq
}

// Leaf implements gateway.Agent.
func (a *Agent) Leaf(ctx context.Context, lease, epoch uint64) (prover.Shown, error) {
	c, committed := a.calendar().commitments[epoch]
	if !committed {
		return prover.Shown{}, fmt.Errorf("%w: epoch %d is not committed, or nothing can be claimed of it any more", gateway.ErrEpoch, epoch)
	}
	shown, err := a.leafOf(ctx, lease, c)
	if errors.Is(err, prover.ErrNoTree) || errors.Is(err, errNoBook) {
		return prover.Shown{}, fmt.Errorf("%w: %w", gateway.ErrEpoch, err)
	}
	return shown, err
}

// EverLease implements gateway.Agent: a live lease, or one that has ended as long as the chain remembers it.
func (a *Agent) EverLease(ctx context.Context, id uint64) (workload.Lease, error) {
	l, err := a.Lease(ctx, id)
	if !errors.Is(err, gateway.ErrNoLease) {
		return l, err
	}
	return a.past.of(ctx, id, a.Height(), a.lookUpEnded)
}

// lookUpEnded asks the chain about a lease that has ended: whose it was.
func (a *Agent) lookUpEnded(ctx context.Context, id uint64) (workload.Lease, error) {
	lease, err := a.chain.Market.Lease(ctx, &markettypes.QueryLeaseRequest{Id: id})
	if isNotFound(err) {
		return workload.Lease{}, gateway.ErrNoLease
	}
	if err != nil {
		return workload.Lease{}, err
	}
	if lease.Lease.Provider != a.provider {
		return workload.Lease{}, gateway.ErrNoLease
	}
	res, err := a.chain.Market.Deployment(ctx, &markettypes.QueryDeploymentRequest{Id: lease.Lease.Deployment})
	if isNotFound(err) {
		return workload.Lease{}, gateway.ErrNoLease
	}
	if err != nil {
		return workload.Lease{}, err
	}
	d := res.Deployment
	return workload.Lease{
		ID: id, Deployment: d.Id, Bid: lease.Lease.Bid, Owner: d.Owner, AccessKeys: slices.Clone(d.AccessKeys),
	}, nil
}

// denomOf is what a lease pays in.
func (a *Agent) denomOf(ctx context.Context, lease uint64) (string, error) {
	res, err := a.chain.Market.Lease(ctx, &markettypes.QueryLeaseRequest{Id: lease})
	if err != nil {
		return "", fmt.Errorf("read lease %d: %w", lease, err)
	}
	return res.Lease.Denom, nil
}
