package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cosmos/cosmos-sdk/types/query"
	"github.com/stretchr/testify/require"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/agent/prover"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/devnet"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// provenIn is how long it may take until an epoch of a devnet is proven: the windows of its parameters, an epoch, and as much again.
const provenIn = 90 * time.Second

// Two providers lose a workload for a part of an epoch, while the tenant's watcher looks. The honest one is paid for the rest, also
// by a tenant to whom it shows its leaf on the chain only; the other one says that nothing happened.
func TestOnlyWhatWasProvenIsPaid(t *testing.T) {
	needsMachine(t)
	bin, err := programs()
	require.NoError(t, err)
	// Also who has been good for long is audited, and there is time to ask for a leaf on the chain.
	m, err := newMarket(t.Context(), bin, 2, "proof.audit_ppm=1000000", "escrow.holdback_epochs=12",
		"proof.force_window_seconds=15")
	t.Cleanup(func() { require.NoError(t, m.close(t.Failed())) })
	require.NoError(t, err)
	x := m.newTenant(t)
	honest, cheated := x.up(t, x.file(t, service{name: "honest", on: 1})), x.upAnywhere(t, service{name: "cheated"}, "")
	cheat, paid := x.serving(t, cheated), x.serving(t, honest)
	require.NotEqual(t, cheat.Provider, paid.Provider, "the cheapest is another one")
	unseen := m.hides(t)
	x.must(t, "watch", "init", "-y")
	x.watches(t, "--every", "1s", "--misses", "1000")

	whole := m.clock(t).Clock.Epoch + 1 // the first that both serve from its first second to its last
	for _, lease := range []markettypes.Lease{paid, cheat} {
		c := m.awaitDecided(t, lease.Provider, whole)
		require.Equal(t, prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN, c.State)
		due := m.due(t, lease, whole)
		require.EqualValues(t, 10, due.Seconds)
		require.Equal(t, due.Grains.String(), c.Roots[0].Sum.String(), "all of it was proven")
	}

	// Half of an epoch nobody serves.
	half := m.epochBegins(t)
	looked := unseen.looks(t)
	x.loses(t, "honest", agentName(1))
	unseen.kills(t, "hidden")
	await(t, 20*time.Second, "half of the epoch has passed so", func() error {
		if c := m.clock(t); c.Clock.Epoch == half && c.Now < c.Clock.EpochStart+7 { // it takes two seconds to lose all
			return fmt.Errorf("second %d", c.Now)
		}
		return nil
	})
	require.NoError(t, m.mend(t.Context()))
	answer(t, honest)
	answer(t, unseen.deployed)
	looked()
	c := m.awaitDecided(t, paid.Provider, half)
	require.Equal(t, prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN, c.State)
	due, proven := m.due(t, paid, half), c.Roots[0].Sum
	t.Logf("of %s grains in %d seconds %s were proven", due.Grains, due.Seconds, proven)
	require.True(t, proven.IsPositive() && proven.LT(due.Grains), "some of it was proven")
	upSeconds := proven.MulRaw(int64(due.Seconds)).Quo(due.Grains)
	require.True(t, upSeconds.LTE(math.NewInt(7)), "%s seconds", upSeconds)
	x.awaitRefund(t, paid, half, due.Grains.Sub(proven))
	pot := m.pot(t, paid, half)
	require.Equal(t, proven.String(), pot.Payable.String())
	require.Equal(t, due.Grains.Sub(proven).String(), pot.Refunded.String())
	require.True(t, x.conservation(t).Conserved)

	unseen.getsItsLeaf(t, half)
	x.catchesTheCheat(t, cheated, cheat)

	await(t, time.Minute, "the proven half is withdrawn once it has matured", func() error {
		if _, err := m.potOrNot(t, paid, half); err == nil {
			m.withdraw(t, paid.Provider)
			return fmt.Errorf("epoch %d is held back", half)
		}
		return nil
	})
	require.True(t, x.conservation(t).Conserved)
}

// catchesTheCheat lets a provider whose workload is gone say that it was there.
func (x *tenant) catchesTheCheat(t *testing.T, d deployed, lease markettypes.Lease) {
	t.Helper()
	number := x.epochBegins(t)
	x.loses(t, d.Deployment, agentName(0))
	var posted prooftypes.Posted
	await(t, 30*time.Second, "the watcher has said on the chain that it was down", func() error {
		res, err := x.chain.Proof.Refund(t.Context(), &prooftypes.QueryRefundRequest{Lease: lease.Id, Epoch: number})
		if err != nil {
			return err
		}
		if res.Posted == nil {
			return errors.New("no receipt")
		}
		posted = *res.Posted
		return nil
	})
	require.Less(t, posted.Words[0].UpSeconds, uint64(10))
	params, err := x.chain.Proof.Params(t.Context(), &prooftypes.QueryParamsRequest{})
	require.NoError(t, err)
	await(t, 30*time.Second, "the receipt binds", func() error {
		c := x.clock(t)
		if binds := posted.Words[0].PostedAt + uint64(params.Params.ReceiptGraceSeconds); c.Now < binds || c.Clock.Epoch == number {
			return fmt.Errorf("it is second %d, of epoch %d; it binds from %d on", c.Now, c.Clock.Epoch, binds)
		}
		return nil
	})
	bond := x.bond(t, lease.Provider)
	book := x.forges(t, lease, number)

	c := x.awaitDecided(t, lease.Provider, number)
	require.Equal(t, prooftypes.CommitmentState_COMMITMENT_STATE_FORGED, c.State, "%d leaves could not be opened", len(book.Trees[0].Entries))
	x.requireSlashed(t, lease.Provider, number, bond)
	x.awaitRefund(t, lease, number, x.due(t, lease, number).Grains)
	ended := x.awaitEnd(t, lease.Id)
	require.Equal(t, markettypes.Reason_REASON_JAILED, ended.Reason)
	await(t, time.Minute, "another provider has the lease", func() error {
		for _, l := range x.live(t, d) {
			if l.Provider != lease.Provider {
				return nil
			}
		}
		return fmt.Errorf("%v", x.live(t, d))
	})
}

// requireSlashed looks for the fault of an epoch, and for 5 % less bond. The agent that was killed may have left an audit of the epoch
// before unanswered, which costs as much once more.
func (x *tenant) requireSlashed(t *testing.T, provider string, number uint64, bond math.Int) {
	t.Helper()
	faults, err := x.chain.Proof.Faults(t.Context(), &prooftypes.QueryFaultsRequest{Provider: provider})
	require.NoError(t, err)
	var forged []prooftypes.Fault
	for _, fault := range faults.Faults {
		if fault.Kind == prooftypes.FaultKind_FAULT_KIND_FORGED {
			forged = append(forged, fault)
			bond = bond.Sub(bond.QuoRaw(20))
		}
	}
	require.Equal(t, bond.String(), x.bond(t, provider).String(), "5 %% of the bond")
	at := slices.IndexFunc(forged, func(f prooftypes.Fault) bool { return f.Epoch == number })
	require.GreaterOrEqual(t, at, 0, "%v", faults.Faults)
	require.False(t, forged[0].Forfeited.Empty(), "what was held back")
}

// forges commits the provider of a lease to all that was due in an epoch, and answers the audit with it.
func (x *tenant) forges(t *testing.T, lease markettypes.Lease, number uint64) prover.Book {
	t.Helper()
	due, epoch := x.due(t, lease, number), x.epoch(t, number)
	book, err := prover.Write(prover.Epoch{Number: number, Start: epoch.Start, End: epoch.End, MaturesAt: epoch.MaturesAt}, []prover.Lease{{
		ID: lease.Id, Denom: lease.Denom, DueGrains: due.Grains.BigInt(), DueSeconds: due.Seconds, UpSeconds: due.Seconds,
	}})
	require.NoError(t, err)
	built, err := book.Build()
	require.NoError(t, err)
	agent := x.queueOf(t, devnet.KeyAgent(0))
	signer := x.addressOf(t, devnet.KeyAgent(0))
	_, err = agent.Send(t.Context(), &prooftypes.MsgCommitEpoch{Signer: signer, Provider: lease.Provider, Epoch: number, Roots: built.Roots()})
	require.NoError(t, err)
	var drawn []prooftypes.Drawn
	await(t, time.Minute, "it is audited", func() error {
		res, err := x.chain.Proof.Commitment(t.Context(), &prooftypes.QueryCommitmentRequest{Provider: lease.Provider, Epoch: number})
		if err != nil {
			return err
		}
		if drawn = res.Drawn; len(drawn) == 0 {
			return errors.New(res.Commitment.State.String())
		}
		return nil
	})
	message := &prooftypes.MsgOpenAudit{Signer: signer, Provider: lease.Provider, Epoch: number, Denom: lease.Denom}
	for range drawn[0].Positions {
		shown, err := built.Of(lease.Denom, lease.Id)
		require.NoError(t, err)
		message.Openings = append(message.Openings, prooftypes.Shown{Opening: shown.Opening})
	}
	_, err = agent.Send(t.Context(), message)
	require.ErrorContains(t, err, prooftypes.ErrInvalidOpening.Error())
	return book
}

// loses kills an agent and all processes of a deployment.
func (x *tenant) loses(t *testing.T, deployment, agent string) {
	t.Helper()
	require.NoError(t, x.Kill(t.Context(), agent))
	x.kills(t, deployment)
}

// kills ends all processes of a deployment, which its agent would start again.
func (x *tenant) kills(t *testing.T, deployment string) {
	t.Helper()
	running := processesWith(t, x.mark(deployment))
	require.NotEmpty(t, running)
	for _, pid := range running {
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	}
}

// watches runs souk watch until it is ended, at the latest with the test.
func (x *tenant) watches(t *testing.T, flags ...string) (end func()) {
	t.Helper()
	return x.runs(t, append([]string{"watch", "run"}, flags...)...)
}

// runs starts a command of souk, which goes on until it is ended, at the latest with the test.
func (x *tenant) runs(t *testing.T, args ...string) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, x.souk(), args...)
	var out lockedBuffer
	cmd.Env, cmd.Dir = x.environment(x.key), x.home
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	require.NoError(t, cmd.Start())
	end = sync.OnceFunc(func() {
		cancel()
		err := cmd.Wait()
		if t.Failed() {
			t.Logf("souk %s ended with %v and said:\n%s", args[0], err, out.String())
		}
	})
	t.Cleanup(end)
	return end
}

// lockedBuffer is written by a process while it is read.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (m *market) clock(t *testing.T) *escrowtypes.QueryClockResponse {
	t.Helper()
	res, err := m.chain.Escrow.Clock(t.Context(), &escrowtypes.QueryClockRequest{})
	require.NoError(t, err)
	return res
}

// epochBegins waits for the first seconds of an epoch, and returns its number.
func (m *market) epochBegins(t *testing.T) uint64 {
	t.Helper()
	before := m.clock(t).Clock.Epoch
	var number uint64
	await(t, 30*time.Second, "the next epoch begins", func() error {
		if number = m.clock(t).Clock.Epoch; number == before {
			return errors.New("it is the same")
		}
		return nil
	})
	return number
}

func (m *market) epoch(t *testing.T, number uint64) prooftypes.Epoch {
	t.Helper()
	res, err := m.chain.Proof.Epoch(t.Context(), &prooftypes.QueryEpochRequest{Epoch: number})
	require.NoError(t, err)
	return res.Epoch
}

// awaitDecided waits until it is decided what a provider has proven of an epoch.
func (m *market) awaitDecided(t *testing.T, provider string, number uint64) (c prooftypes.Commitment) {
	t.Helper()
	await(t, provenIn, fmt.Sprintf("epoch %d is decided", number), func() error {
		res, err := m.chain.Proof.Commitment(t.Context(), &prooftypes.QueryCommitmentRequest{Provider: provider, Epoch: number})
		if err != nil {
			return err
		}
		if c = res.Commitment; !c.State.Decided() {
			return errors.New(c.State.String())
		}
		return nil
	})
	return c
}

// due is what was due for a lease in an epoch.
func (m *market) due(t *testing.T, lease markettypes.Lease, number uint64) prooftypes.Due {
	t.Helper()
	res, err := m.chain.Proof.Dues(t.Context(), &prooftypes.QueryDuesRequest{Provider: lease.Provider, Epoch: number, Denom: lease.Denom})
	require.NoError(t, err)
	for _, due := range res.Dues {
		if due.Lease == lease.Id {
			return due
		}
	}
	require.Fail(t, "nothing was due", "%v", res.Dues)
	return prooftypes.Due{}
}

func (m *market) pot(t *testing.T, lease markettypes.Lease, number uint64) escrowtypes.EpochPot {
	t.Helper()
	pot, err := m.potOrNot(t, lease, number)
	require.NoError(t, err)
	return pot
}

// potOrNot is what a provider earned in an epoch, until that is withdrawn.
func (m *market) potOrNot(t *testing.T, lease markettypes.Lease, number uint64) (escrowtypes.EpochPot, error) {
	t.Helper()
	res, err := m.chain.Escrow.EpochPots(t.Context(), &escrowtypes.QueryEpochPotsRequest{
		Payee: lease.Provider, Denom: lease.Denom, Pagination: &query.PageRequest{Limit: 100},
	})
	require.NoError(t, err)
	for _, pot := range res.EpochPots {
		if pot.Epoch == number {
			return pot, nil
		}
	}
	return escrowtypes.EpochPot{}, fmt.Errorf("no pot of epoch %d", number)
}

// awaitRefund waits until exactly so many grains were paid back for a lease and an epoch.
func (x *tenant) awaitRefund(t *testing.T, lease markettypes.Lease, number uint64, grains math.Int) {
	t.Helper()
	await(t, 30*time.Second, "the refund is claimed", func() error {
		res, err := x.chain.Proof.Refund(t.Context(), &prooftypes.QueryRefundRequest{Lease: lease.Id, Epoch: number})
		if err != nil {
			return err
		}
		if !res.Paid.Equal(grains) {
			return fmt.Errorf("%s of %s grains", res.Paid, grains)
		}
		return nil
	})
}

func (m *market) bond(t *testing.T, provider string) math.Int {
	t.Helper()
	res, err := m.chain.Provider.Provider(t.Context(), &providertypes.QueryProviderRequest{Operator: provider})
	require.NoError(t, err)
	return res.Provider.Bond.AmountOf(scope.Denom)
}

// withdraw lets a provider take what has matured, if there is anything.
func (m *market) withdraw(t *testing.T, provider string) {
	t.Helper()
	for i := range m.Providers {
		if m.addressOf(t, devnet.KeyOperator(i)) == provider {
			_, _ = m.queueOf(t, devnet.KeyOperator(i)).Send(t.Context(), &providertypes.MsgWithdraw{Signer: provider, Provider: provider, Denom: scope.Denom})
		}
	}
}

// queueOf signs with a key of the network until the test ends.
func (m *market) queueOf(t *testing.T, key string) *client.Queue {
	t.Helper()
	ring, err := m.Keyring()
	require.NoError(t, err)
	queue, err := client.NewQueue(m.chain, client.QueueConfig{Keyring: ring, Key: key})
	require.NoError(t, err)
	t.Cleanup(queue.Close)
	return queue
}

func (m *market) addressOf(t *testing.T, key string) string {
	t.Helper()
	ring, err := m.Keyring()
	require.NoError(t, err)
	raw, err := client.KeyAddress(ring, key)
	require.NoError(t, err)
	text, err := scope.AddressCodec().BytesToString(raw)
	require.NoError(t, err)
	return text
}
