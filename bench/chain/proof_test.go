package chain_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdkmath "cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/sumtree"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

const (
	// provenEpoch is the length of an epoch in seconds: all leases are made in the first one.
	provenEpoch = 300
	// provenEpochs are how many are committed to and opened: the first whole ones.
	provenEpochs = 3
	// padded is the size of the largest tree that is opened.
	padded = 100_000
	// openWindow is how many seconds openings may take.
	openWindow = 100
)

// proving is a chain with one provider whose leases are proven, every epoch of which is audited.
type proving struct {
	*market
	leases int
	// commits, opens and words are what the transactions cost: one that commits to an epoch, one that answers its audit, and one with
	// the tenants' words on 50 leases, divided by 50.
	commits, opens, words samples
	// commitBytes, openBytes and wordBytes are their sizes.
	commitBytes, openBytes, wordBytes float64
}

// BenchmarkProof is what proving all leases of a provider for an epoch costs it, by how many it has, beside what one message a lease
// costs. All of it are signed transactions in blocks of the whole application.
func BenchmarkProof(b *testing.B) {
	var all []*proving
	for _, leases := range []int{10, 100, 1_000, 10_000} {
		p := newProving(b, leases)
		for epoch := uint64(2); epoch < 2+provenEpochs; epoch++ {
			p.proves(epoch, 0)
		}
		all = append(all, p)
	}
	largest := all[len(all)-1]
	largest.says(2 + provenEpochs)
	deepest := &proving{market: largest.market, leases: padded}
	deepest.proves(2+provenEpochs, padded-largest.leases)

	for _, p := range all {
		reportTx(b, fmt.Sprintf("Commitment/%d_leases", p.leases), p.commits, p.commitBytes)
	}
	few, many := all[len(all)-2], all[len(all)-1]
	b.Run("Commitment/growth", func(b *testing.B) {
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(100*math.Abs(many.commits.median(gas)/few.commits.median(gas)-1), "%-gas")
		b.ReportMetric(100*math.Abs(many.commitBytes/few.commitBytes-1), "%-bytes")
	})
	all = append(all, deepest)
	for _, p := range all {
		reportTx(b, fmt.Sprintf("Openings/%d_leaves", p.leases), p.opens, p.openBytes)
	}
	reportLogarithm(b, all[1:])
	reportTx(b, "OneMessageALease", largest.words, largest.wordBytes)
	b.Run("OneMessageALease/beside", func(b *testing.B) {
		b.ReportMetric(0, "ns/op")
		leases := float64(largest.leases)
		b.ReportMetric(leases*largest.words.median(gas)/(largest.commits.median(gas)+largest.opens.median(gas)), "times-gas")
		b.ReportMetric(leases*largest.wordBytes/(largest.commitBytes+largest.openBytes), "times-bytes")
	})
}

// reportTx tells the figures of a transaction.
func reportTx(b *testing.B, name string, s samples, bytes float64) {
	b.Run(name, func(b *testing.B) {
		s.report(b)
		b.ReportMetric(s.median(cpu), "cpu-ns/op")
		b.ReportMetric(s.median(gas), "gas")
		b.ReportMetric(s.median(handler), "handler-gas")
		b.ReportMetric(bytes, "tx-bytes")
	})
}

// reportLogarithm tells how answers to audits grow each time that the leaves double, and how far they are from a straight line over
// the logarithm of the leaves.
func reportLogarithm(b *testing.B, all []*proving) {
	b.Run("Openings/growth", func(b *testing.B) {
		b.ReportMetric(0, "ns/op")
		first, last := all[0], all[len(all)-1]
		doublings := math.Log2(float64(last.leases) / float64(first.leases))
		for _, of := range []struct {
			unit  string
			value func(*proving) float64
		}{
			{"gas", func(p *proving) float64 { return p.opens.median(gas) }},
			{"bytes", func(p *proving) float64 { return p.openBytes }},
		} {
			slope, off := (of.value(last)-of.value(first))/doublings, 0.0
			for _, p := range all {
				line := of.value(first) + slope*math.Log2(float64(p.leases)/float64(first.leases))
				off = max(off, 100*math.Abs(of.value(p)/line-1))
			}
			b.ReportMetric(slope, of.unit+"-a-doubling")
			b.ReportMetric(off, "%-"+of.unit+"-off-the-line")
		}
	})
}

// newProving makes leases in the first epoch. There is no beacon: block hashes draw, three seconds after the commit window.
func newProving(b *testing.B, leases int) *proving {
	b.Helper()
	m := newMarket(b, size{
		tenants: createsPerBlock, units: []uint64{uint64(2 * leases)},
		escrow: func(p *escrowtypes.Params) {
			p.EpochSeconds, p.HoldbackEpochs, p.MaxTickSeconds = provenEpoch, 30, provenEpoch
		},
		proof: func(p *prooftypes.Params) {
			p.CommitWindowSeconds, p.SeedDelaySeconds, p.BeaconTimeoutSeconds, p.OpenWindowSeconds = 10, 1, 2, openWindow
		},
	})
	m.fill(leases)
	require.Less(b, m.now(), uint64(provenEpoch), "all leases are made in epoch 1")
	return &proving{market: m, leases: leases}
}

// pass makes blocks up to a second.
func (p *proving) pass(until uint64) {
	p.b.Helper()
	for now := p.now(); now < until; now = p.now() {
		p.must(time.Duration(min(until-now, provenEpoch/2)) * second)
	}
}

// proves commits the provider to a whole epoch, with more leaves for show that are worth a grain each, and answers the audit.
func (p *proving) proves(epoch uint64, more int) {
	p.b.Helper()
	shop := p.shops[0]
	p.pass(1 + epoch*provenEpoch)
	tree := p.tree(epoch, more)
	commit := apptest.Tx{Signer: shop.Agent, Msgs: []sdk.Msg{&prooftypes.MsgCommitEpoch{
		Signer: shop.Agent.String(), Provider: shop.Operator.String(), Epoch: epoch,
		Roots: []prooftypes.Root{prooftypes.NewRoot(scope.Denom, tree.Root())},
	}}}
	p.commitBytes = float64(len(p.Sign(commit)[0]))
	_, s := p.measure(second, commit)
	p.commits = append(p.commits, s)

	var audit *prooftypes.QueryCommitmentResponse
	for range 30 {
		var err error
		audit, err = prooftypes.NewQueryClient(p.Conn()).Commitment(p.b.Context(), &prooftypes.QueryCommitmentRequest{
			Provider: shop.Operator.String(), Epoch: epoch,
		})
		require.NoError(p.b, err)
		if audit.Commitment.State == prooftypes.CommitmentState_COMMITMENT_STATE_AUDITED {
			break
		}
		p.must(second)
	}
	require.Len(p.b, audit.Drawn, 1, "epoch %d is %s", epoch, audit.Commitment.State)
	answer := &prooftypes.MsgOpenAudit{Signer: shop.Agent.String(), Provider: shop.Operator.String(), Epoch: epoch, Denom: scope.Denom}
	for _, position := range audit.Drawn[0].Positions {
		answer.Openings = append(answer.Openings, prooftypes.Shown{Opening: p.opening(tree, position)})
	}
	open := apptest.Tx{Signer: shop.Agent, Msgs: []sdk.Msg{answer}}
	p.openBytes = float64(len(p.Sign(open)[0]))
	_, s = p.measure(second, open)
	p.opens = append(p.opens, s)
	c, err := p.App.ProofKeeper.Commitment(p.Context(), shop.Operator.Address, epoch)
	require.NoError(p.b, err)
	require.Equal(p.b, prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN, c.State)
}

func (p *proving) opening(tree *sumtree.Tree, position sdkmath.Int) []byte {
	p.b.Helper()
	at, err := sumtree.FromBig(position.BigInt())
	require.NoError(p.b, err)
	opening, err := tree.OpenAt(at)
	require.NoError(p.b, err)
	encoded, err := opening.Marshal()
	require.NoError(p.b, err)
	return encoded
}

// dues are what was due in an epoch.
func (p *proving) dues(epoch uint64) (dues []prooftypes.Due) {
	p.b.Helper()
	page := &query.PageRequest{Limit: 1000}
	for {
		response, err := prooftypes.NewQueryClient(p.Conn()).Dues(p.b.Context(), &prooftypes.QueryDuesRequest{
			Provider: p.shops[0].Operator.String(), Epoch: epoch, Denom: scope.Denom, Pagination: page,
		})
		require.NoError(p.b, err)
		dues = append(dues, response.Dues...)
		if page = (&query.PageRequest{Limit: 1000, Key: response.Pagination.NextKey}); len(page.Key) == 0 {
			return dues
		}
	}
}

// tree credits all that was due, less a grain for each leaf that is there for show.
func (p *proving) tree(epoch uint64, more int) *sumtree.Tree {
	p.b.Helper()
	var leaves []sumtree.Leaf
	add := func(lease uint64, grains sdkmath.Int, seconds uint64) {
		payload, err := (&prooftypes.Leaf{Epoch: epoch, UpSeconds: seconds, DueSeconds: seconds}).Marshal()
		require.NoError(p.b, err)
		sum, err := sumtree.FromBig(grains.BigInt())
		require.NoError(p.b, err)
		leaves = append(leaves, sumtree.Leaf{ID: lease, Sum: sum, Payload: payload})
	}
	missing := int64(more)
	for _, due := range p.dues(epoch) {
		less := min(missing, due.Grains.Int64())
		missing -= less
		add(due.Lease, due.Grains.SubRaw(less), due.Seconds)
	}
	last := leaves[len(leaves)-1].ID
	for i := range more {
		add(last+uint64(i)+1, sdkmath.OneInt(), provenEpoch)
	}
	tree, err := sumtree.Build(leaves)
	require.NoError(p.b, err)
	return tree
}

// says puts the words of tenants on the chain that 100 leases were up in the epoch that runs, 50 in a transaction: the same facts, one
// message a lease.
func (p *proving) says(epoch uint64) {
	p.b.Helper()
	p.pass(1 + (epoch-1)*provenEpoch + provenEpoch/2)
	for first := uint64(1); first < 100; first += batch {
		var tx apptest.Tx
		for id := first; id < first+batch; id++ {
			lease, err := p.App.MarketKeeper.Lease(p.Context(), id)
			require.NoError(p.b, err)
			tx.Msgs = append(tx.Msgs, p.word(p.ownerOf(lease.Deployment), id, epoch))
		}
		tx.Signer, tx.Gas = p.shops[0].Agent, 20_000_000
		p.wordBytes = float64(len(p.Sign(tx)[0])) / batch
		_, s := p.measure(second, tx)
		s.gas, s.nanos, s.cpu, s.bytes, s.allocs = s.gas/batch, s.nanos/batch, s.cpu/batch, s.bytes/batch, s.allocs/batch
		p.words = append(p.words, s)
	}
}

func (p *proving) word(owner *apptest.Account, lease, epoch uint64) sdk.Msg {
	p.b.Helper()
	now := p.now()
	receipt := prooftypes.Receipt{
		ChainId: apptest.ChainID, Lease: lease, Epoch: epoch, Seq: 1, Until: now, UpSeconds: now - 1 - (epoch-1)*provenEpoch,
		PublicKey: owner.Key.PubKey().Bytes(),
	}
	bytes, err := receipt.SignBytes()
	require.NoError(p.b, err)
	receipt.Signature, err = owner.Key.Sign(bytes)
	require.NoError(p.b, err)
	return &prooftypes.MsgPostReceipt{Signer: p.shops[0].Agent.String(), Receipt: receipt}
}
