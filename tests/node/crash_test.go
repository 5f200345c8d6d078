package node

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	cmttypes "github.com/cometbft/cometbft/types"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/client"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	killsUnlessTold = 10
	tenants         = 2 // one through each validator
	openAtMost      = 4 // deployments of a tenant
	// aMoment is the longest that a kill waits after what it waited for.
	aMoment = 40 * time.Millisecond
)

// momentsOfACommit are what a node logs on its way through a commit. A kill follows one of them, or any time at all.
var momentsOfACommit = []string{
	"finalizing commit of block", // the block is decided and goes into the block store
	"finalized block",            // the application has executed it
	"executed block",             // its results are saved next, then the application commits
	"committed state",            // the application has committed, the rest follows
}

// stepsOfACommit is how many points of a commit CometBFT can be told to die at, with FAIL_TEST_INDEX, and a few more that
// lie in the block after.
const stepsOfACommit = 10

func number(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	given := os.Getenv(name)
	if given == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(given, 10, 64)
	require.NoError(t, err, name)
	return n
}

// TestValidatorsKilledInTheMiddleOfACommitLoseNothing kills one validator or both, again and again, while tenants open and
// close deployments. What was reported as committed stays, on both, with one state.
func TestValidatorsKilledInTheMiddleOfACommitLoseNothing(t *testing.T) {
	t.Parallel()
	seed := number(t, "SEED", rand.Uint64())
	t.Logf("SEED=%d repeats these moments", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	m := openMarket(t, newNetwork(t, 2, nil))
	load := m.startLoad(t, seed)

	for kill := range number(t, "KILLS", killsUnlessTold) {
		victims := []*node{m.nodes[random.IntN(2)]}
		if random.IntN(4) == 0 {
			victims = slices.Clone(m.nodes)
		}
		moment, longest := aMomentOf(random)
		t.Logf("kill %d: %d victim(s), %q of %s", kill+1, len(victims), moment, victims[0].name)
		require.NoError(t, victims[0].awaitLine(moment))
		var killing errgroup.Group
		for _, victim := range victims {
			delay := time.Duration(random.Int64N(int64(longest)))
			killing.Go(func() error { return victim.killAfter(delay) })
		}
		require.NoError(t, killing.Wait())
		for _, victim := range victims {
			victim.start(t)
		}
		m.requireAgreement(t)
	}
	for step := range stepsOfACommit {
		victim := m.nodes[step%2]
		t.Logf("%s dies at step %d of its first commits", victim.name, step)
		victim.stop(t)
		victim.start(t, fmt.Sprintf("FAIL_TEST_INDEX=%d", step))
		select {
		case <-victim.running.ended:
		case <-time.After(aBlockOrMore):
			require.Fail(t, "it did not die")
		}
		victim.start(t)
		m.requireAgreement(t)
	}
	m.requireNothingLost(t, load.stop(t))
}

// aMomentOf chooses a line of the log, or none, and the longest time to let pass after it.
func aMomentOf(random *rand.Rand) (line string, longest time.Duration) {
	i := random.IntN(len(momentsOfACommit) + 1)
	if i == len(momentsOfACommit) {
		return "", time.Second
	}
	return momentsOfACommit[i], aMoment
}

// awaitLine waits until the node logs a line with this text; at once when there is none.
func (n *node) awaitLine(text string) error {
	if text == "" {
		return nil
	}
	logged := make(chan struct{})
	n.running.lines.listen(contains(text, logged))
	defer n.running.lines.listen(nil)
	select {
	case <-logged:
		return nil
	case <-n.running.ended:
		return fmt.Errorf("%s has ended by itself", n.name)
	case <-time.After(aBlockOrMore):
		return fmt.Errorf("%s did not log %q", n.name, text)
	}
}

// killAfter kills the node after a delay, whatever it is doing then.
func (n *node) killAfter(delay time.Duration) error {
	<-time.After(delay)
	return n.running.kill()
}

// requireAgreement waits until both validators have made two more blocks, and compares their states after every block
// since.
func (m *market) requireAgreement(t *testing.T) {
	t.Helper()
	for _, node := range m.nodes {
		node.awaitHeight(t, 1)
	}
	from := max(m.nodes[0].height(t), m.nodes[1].height(t))
	for height := from - 1; height <= from+1; height++ {
		require.Equal(t, m.nodes[0].appHash(t.Context(), t, height), m.nodes[1].appHash(t.Context(), t, height), "state after block %d", height)
	}
}

// load are tenants and an agent that trade while validators die.
type load struct {
	group  *errgroup.Group
	cancel context.CancelFunc

	mu       sync.Mutex
	receipts []client.Receipt // of all that was reported as committed
}

func (m *market) startLoad(t *testing.T, seed uint64) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{cancel: cancel}
	l.group, ctx = errgroup.WithContext(ctx)
	l.group.Go(func() error { return l.acknowledge(ctx, m) })
	for i := range tenants {
		key := fmt.Sprintf("tenant-%d", i)
		m.newKey(t, key)
		m.fund(t, key, 10_000*micro)
		tenant := m.queue(t, i, key)
		random := rand.New(rand.NewPCG(seed, uint64(i+1)))
		l.group.Go(func() error { return l.trade(ctx, tenant, key, random) })
	}
	return l
}

// stop ends the trade and returns what was reported as committed.
func (l *load) stop(t *testing.T) []client.Receipt {
	t.Helper()
	l.cancel()
	require.NoError(t, l.group.Wait())
	return l.receipts
}

// send sends until the transaction was reported as committed.
func (l *load) send(ctx context.Context, from *client.Queue, msg sdk.Msg) (client.Receipt, error) {
	receipt, err := from.Send(ctx, msg)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.receipts = append(l.receipts, receipt)
	}
	return receipt, err
}

// trade opens and closes deployments at random.
func (l *load) trade(ctx context.Context, tenant *client.Queue, name string, random *rand.Rand) error {
	var open []uint64
	for made := 0; ctx.Err() == nil; {
		var msg sdk.Msg
		closing := len(open) == openAtMost || len(open) > 0 && random.IntN(2) == 0
		if closing {
			i := random.IntN(len(open))
			msg = &markettypes.MsgCloseDeployment{Owner: tenant.Address(), Deployment: open[i]}
			open = slices.Delete(open, i, i+1)
		} else {
			made++
			msg = creation(tenant.Address(), fmt.Sprintf("%s-%d", name, made), 1+random.Uint32N(3), 2*(cpuAsk+memoryAsk))
		}
		receipt, err := l.send(ctx, tenant, msg)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err != nil || closing {
			continue
		}
		var created markettypes.MsgCreateDeploymentResponse
		if err := receipt.Response(0, &created); err != nil {
			return err
		}
		open = append(open, created.Deployment)
	}
	return nil
}

// acknowledge takes every lease that waits. One that is gone meanwhile is refused by itself, not with the others.
func (l *load) acknowledge(ctx context.Context, m *market) error {
	for ctx.Err() == nil {
		work, err := m.work(ctx)
		var pending []uint64
		for _, lease := range work {
			if lease.State == markettypes.LeaseState_LEASE_STATE_PENDING {
				pending = append(pending, lease.Id)
			}
		}
		if err != nil || len(pending) == 0 {
			select { // the node is away, or there is nothing to do
			case <-ctx.Done():
			case <-time.After(pollEvery):
			}
			continue
		}
		ack := &markettypes.MsgAckLeases{Signer: m.agent.Address(), Provider: m.operator.Address(), Accept: pending}
		if _, err := l.send(ctx, m.agent, ack); err != nil && ctx.Err() == nil && !strings.Contains(err.Error(), "lease") {
			return fmt.Errorf("acknowledge: %w", err)
		}
	}
	return nil
}

// requireNothingLost looks every committed transaction up on both validators and compares their books.
func (m *market) requireNothingLost(t *testing.T, receipts []client.Receipt) {
	t.Helper()
	t.Logf("%d transactions were reported as committed", len(receipts))
	require.NotEmpty(t, receipts)
	height := m.nodes[0].height(t)
	for _, node := range m.nodes {
		node.awaitHeight(t, height)
		for _, receipt := range receipts {
			block, err := node.client(t).Block(t.Context(), &receipt.Height)
			require.NoError(t, err)
			require.True(t, slices.ContainsFunc(block.Block.Txs, func(tx cmttypes.Tx) bool { return hashOf(tx) == receipt.Hash }),
				"block %d of %s holds %s", receipt.Height, node.name, receipt.Hash)
		}
	}
	one, other := m.booksAt(t, m.dialNode(t, m.nodes[0]), height), m.booksAt(t, m.dialNode(t, m.nodes[1]), height)
	require.Equal(t, one, other)
	m.requireConserved(t, one)
	quarantine, err := m.chain.Escrow.Quarantine(t.Context(), &escrowtypes.QueryQuarantineRequest{})
	require.NoError(t, err)
	require.Empty(t, quarantine.Items)
}
