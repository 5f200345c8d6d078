package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cosmossdk.io/math"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/agent/prover"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/client"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

const (
	maxDues = 1000
	// leastCommitTime is what a transaction takes at least: a chain whose grace is shorter leaves no time to keep to it.
	leastCommitTime = 3 * time.Second
	// firmGraceSeconds is the shortest grace that is kept to whatever happens. One that is shorter, as of a devnet, gives way
	// when blocks come so slowly that a commitment was late for it more often than patientTries: else it would never come.
	firmGraceSeconds = 10
	patientTries     = 0
	maxDoublings     = 5
	// lastUsageTimeout bounds the last look at what leases used in an epoch; what it does not get to counts in the next one.
	lastUsageTimeout = 5 * time.Second
)

// commitTime is for how long after the block as of which receipts on the chain were read a commitment may come. A receipt that
// was not seen is in a later block, and binds from grace seconds after it on; seconds are those of blocks, rounded down.
func commitTime(graceSeconds uint32, lateTries int) time.Duration {
	firm := max(time.Duration(graceSeconds)*time.Second-time.Second, leastCommitTime)
	if graceSeconds >= firmGraceSeconds {
		return firm
	}
	return firm << min(max(lateTries-patientTries, 0), maxDoublings)
}

// commit writes the book of an epoch down and commits to it. What tenants have put on the chain is read anew each time that
// a commitment is made, and no transaction lives longer than that holds: neither a retry, nor what a killed process has
// left behind can commit to what a receipt forbids that came meanwhile.
func (p *proving) commit(ctx context.Context, v prover.View, number uint64) error {
	epoch := epochOf(v, number)
	p.sampleLast(ctx)
	status, err := p.chain.Status(ctx) // before the receipts: later ones do not bind for a while after it
	if err != nil {
		return fmt.Errorf("ask for the chain's time: %w", err)
	}
	if status.BlockTime.IsZero() {
		return fmt.Errorf("%s does not tell the time of its last block: it is not known until when receipts do not bind", p.cfg.Client.NodeRPC)
	}
	book, err := p.writeBook(ctx, epoch, status.Height)
	if err != nil {
		return err
	}
	if len(book.Trees) == 0 {
		p.mu.Lock()
		p.idle[number] = true
		p.mu.Unlock()
		return nil
	}
	built, err := p.edition(book)
	if err != nil {
		return err
	}
	p.mu.Lock()
	late := p.late[number]
	p.mu.Unlock()
	receipt, err := p.queue.Do(ctx, client.Request{
		Msgs: []sdk.Msg{&prooftypes.MsgCommitEpoch{
			Signer: p.queue.Address(), Provider: p.provider, Epoch: number, Roots: built.Roots(), Usage: built.Book().Usage,
		}},
		Note: fmt.Sprintf("commit epoch %d", number), Urgent: true,
		Before: status.BlockTime.Add(commitTime(v.Params.ReceiptGraceSeconds, late)),
	})
	if isRefusedAs(err, prooftypes.ErrCommitted) {
		return nil // an earlier try was through: the next look sees by whom
	}
	if errors.Is(err, client.ErrTooLate) {
		p.mu.Lock()
		p.late[number]++
		p.mu.Unlock()
	}
	if err != nil {
		return fmt.Errorf("commit to epoch %d: %w", number, err)
	}
	p.tellCommitted(built, receipt)
	return nil
}

func epochOf(v prover.View, number uint64) prooftypes.Epoch {
	for _, e := range v.Epochs {
		if e.Number == number {
			return e
		}
	}
	return prooftypes.Epoch{Number: number}
}

func (p *proving) tellCommitted(built *prover.Built, receipt client.Receipt) {
	up, due, err := built.Book().Seconds()
	if err == nil && due > 0 {
		p.metrics.share.Set(float64(up) / float64(due))
	}
	for _, root := range built.Roots() {
		p.log.Info("epoch committed", "epoch", built.Book().Epoch, "denom", root.Denom, "leases", root.Count, "grains", root.Sum.String(),
			"tx", receipt.Hash, "height", receipt.Height)
	}
}

// edition gives an earlier book that can still be committed to, since its commitment may be on its way, or journals this one.
func (p *proving) edition(book prover.Book) (*prover.Built, error) {
	earlier, err := p.editions(book.Epoch)
	if err != nil {
		return nil, err
	}
	for _, e := range earlier {
		if e.Book.Holds(book) {
			return p.bookOf(book.Epoch, e.Roots)
		}
	}
	built, err := book.Build()
	if err != nil {
		return nil, err
	}
	return built, p.addBook(built)
}

// writeBook makes the book of an epoch of what was due, what was metered and what tenants have signed, as of a height or later.
func (a *Agent) writeBook(ctx context.Context, epoch prooftypes.Epoch, height int64) (prover.Book, error) {
	of := prover.Epoch{Number: epoch.Number, Start: epoch.Start, End: epoch.End, MaturesAt: epoch.MaturesAt}
	leases, err := a.readDues(ctx, &of, height)
	if err != nil {
		return prover.Book{}, err
	}
	for i := range leases {
		l := &leases[i]
		l.UpSeconds, l.Usage = a.upSeconds(l.ID, epoch.Start, epoch.End), a.usageOf(l.ID, epoch.Number)
		if l.Receipt, err = a.receiptOf(epoch.Number, l.ID); err != nil {
			return prover.Book{}, err
		}
	}
	return prover.Write(of, leases)
}

// sampleLast looks at what leases used until the end of an epoch, unless that was done since. It is shown, and pays nothing: so
// nothing waits for it.
func (a *Agent) sampleLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastUsageTimeout)
	defer cancel()
	if err := a.sampleUsage(ctx); err != nil {
		a.log.Warn("what leases used at the end of the epoch is not known", "error", err)
	}
}

// receiptOf is the last receipt of a lease in an epoch; nil without one.
func (a *Agent) receiptOf(epoch, lease uint64) (*prooftypes.Receipt, error) {
	raw, err := a.store.Receipt(epoch, lease)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // no receipt is nothing special
	}
	if err != nil {
		return nil, err
	}
	receipt := new(prooftypes.Receipt)
	if err := receipt.Unmarshal(raw); err != nil { // as good as none
		a.log.Error("a receipt in the journal can not be read", "lease", lease, "epoch", epoch, "error", err)
		return nil, nil //nolint:nilnil // see above
	}
	return receipt, nil
}

// readDues asks the chain what was due for each lease, in every coin, with what tenants have put there of it, as of a height or
// later. It notes in which coins something was earned.
func (a *Agent) readDues(ctx context.Context, epoch *prover.Epoch, height int64) (leases []prover.Lease, err error) {
	params, err := a.chain.Escrow.Params(ctx, &escrowtypes.QueryParamsRequest{})
	if err != nil {
		return nil, fmt.Errorf("read which coins leases are paid in: %w", err)
	}
	for _, d := range params.Params.Denoms {
		some, earned, err := a.readDuesIn(ctx, epoch.Number, d.Denom, height)
		if err != nil {
			return nil, fmt.Errorf("read what was due in epoch %d in %s: %w", epoch.Number, d.Denom, err)
		}
		if earned {
			epoch.Earned = append(epoch.Earned, d.Denom)
		}
		leases = append(leases, some...)
	}
	return leases, nil
}

func (a *Agent) readDuesIn(ctx context.Context, epoch uint64, denom string, height int64) (leases []prover.Lease, earned bool, err error) {
	page, sum := &query.PageRequest{Limit: maxDues}, math.ZeroInt()
	for {
		res, err := a.duesPage(ctx, &prooftypes.QueryDuesRequest{Provider: a.provider, Epoch: epoch, Denom: denom, Pagination: page}, height)
		if err != nil {
			return nil, false, err
		}
		words := map[uint64][]prooftypes.Word{}
		for _, posted := range res.Posted {
			words[posted.Lease] = posted.Words
		}
		for _, due := range res.Dues {
			sum = sum.Add(due.Grains)
			leases = append(leases, prover.Lease{
				ID: due.Lease, Denom: denom, DueGrains: due.Grains.BigInt(), DueSeconds: due.Seconds, Words: words[due.Lease],
			})
		}
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			if sum.GT(res.Service) {
				return nil, false, fmt.Errorf("the node says that %s grains were due, and that %s were earned", sum, res.Service)
			}
			return leases, res.Service.IsPositive(), nil
		}
		page = &query.PageRequest{Limit: maxDues, Key: res.Pagination.NextKey}
	}
}

// duesPage reads a page. A node is not believed that has not got what was on the chain before a height.
func (a *Agent) duesPage(ctx context.Context, request *prooftypes.QueryDuesRequest, height int64) (*prooftypes.QueryDuesResponse, error) {
	var header metadata.MD
	res, err := a.chain.Proof.Dues(ctx, request, grpc.Header(&header))
	if err != nil {
		return nil, err
	}
	at, err := a.believed(header)
	if err != nil {
		return nil, err
	}
	if at < height-1 { // the block itself may be being carried out
		return nil, fmt.Errorf("%s answers as of height %d, %s knows block %d", a.cfg.Client.GRPC, at, a.cfg.Client.NodeRPC, height)
	}
	if res.Service.IsNil() {
		return nil, fmt.Errorf("%s does not say what was earned", a.cfg.Client.GRPC)
	}
	return res, nil
}
