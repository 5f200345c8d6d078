package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/crypto/hd"
	"github.com/cosmos/cosmos-sdk/crypto/keyring"
	"github.com/cosmos/cosmos-sdk/crypto/keys/secp256k1"
	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/gateway"
	"github.com/souk-network/souk/agent/prover"
	"github.com/souk-network/souk/agent/runtime"
	"github.com/souk-network/souk/agent/store"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/beacon/local"
	"github.com/souk-network/souk/client"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// provingAgent is an agent with a journal on disk and an account, on a chain that proves service. A test makes its rounds.
type provingAgent struct {
	*proving

	m    *metering
	net  *proofChain
	stop func()
}

// provingOn starts an agent on what is in a folder.
func provingOn(t *testing.T, c *proofChain, dir string) *provingAgent {
	t.Helper()
	rpc, address := c.node(t)
	a := newAgentOf(t, rpc, address)
	journal, err := store.Open(dir)
	require.NoError(t, err)
	ring := keyring.NewInMemory(a.chain.Encoding.Codec)
	_, err = ring.NewAccount("agent", provingWords, "", "", hd.Secp256k1)
	require.NoError(t, err)
	queue, err := client.NewQueue(a.chain, client.QueueConfig{Keyring: ring, Key: "agent", Journal: journal})
	require.NoError(t, err)
	m := &metering{Agent: a, t: t, dir: dir, machine: &machine{status: map[uint64]runtime.WorkloadStatus{}, usage: map[uint64]runtime.UsageSample{}}}
	a.store, a.queue, a.runtime, a.provider = journal, queue, m.machine, provenBy
	a.cfg.Proof.ClaimRefunds = true
	p := &provingAgent{proving: newProving(a), m: m, net: c}
	stopped := false
	p.stop = func() {
		if stopped {
			return
		}
		stopped = true
		a.background.Wait()
		queue.Close()
		require.NoError(t, journal.Close())
	}
	t.Cleanup(p.stop)
	return p
}

var provingWords = strings.Repeat("abandon ", 11) + "about"

// step makes one round and waits for what it began.
func (p *provingAgent) step() {
	p.m.t.Helper()
	require.NoError(p.m.t, p.round(p.m.t.Context()))
	p.background.Wait()
}

// eventually makes rounds until something holds.
func (p *provingAgent) eventually(what string, holds func() bool) {
	p.m.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		require.Less(p.m.t, time.Now(), deadline, what)
		p.step()
		p.mu.Lock()
		clear(p.pauses) // a test does not wait
		p.mu.Unlock()
	}
}

func (p *provingAgent) state(epoch uint64) prooftypes.CommitmentState {
	c, _ := p.net.commitment(epoch)
	return c.State
}

const (
	audited  = prooftypes.CommitmentState_COMMITMENT_STATE_AUDITED
	proven   = prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN
	disowned = prooftypes.CommitmentState_COMMITMENT_STATE_DISOWNED
)

// serveEpoch3 has four leases in two coins run through epoch 3: one all the time, one for half of it, one never.
func (p *provingAgent) serveEpoch3() {
	p.m.t.Helper()
	for id := uint64(1); id <= 4; id++ {
		p.m.lease(id, 300)
	}
	p.m.machine.runs(1, 1)
	p.m.machine.runs(2, 1)
	p.m.machine.runs(4, 1)
	p.m.at(300, 303)
	for now := uint64(306); now < 350; now += 3 {
		p.m.at(now)
	}
	p.m.at(350)
	delete(p.m.machine.status, 2)
	p.m.at(350)
	for now := uint64(353); now <= 403; now += 3 {
		p.m.at(now)
	}
	p.net.owe(3, 1, "usouk", 1000, 100)
	p.net.owe(3, 2, "usouk", 1001, 100)
	p.net.owe(3, 3, "usouk", 600, 60)
	p.net.owe(3, 4, "uatom", 50, 100)
}

func (c *proofChain) sums(epoch uint64) map[string]string {
	of, _ := c.commitment(epoch)
	sums := map[string]string{}
	for _, root := range of.Roots {
		sums[root.Denom] = root.Sum.String()
	}
	return sums
}

func TestAnEpochIsCommittedToOpenedAndClaimedFor(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	p.serveEpoch3()
	c.close(3)
	p.step()
	_, committed := c.commitment(3)
	require.False(t, committed, "receipts may come still")
	c.at(410)
	p.step()
	require.Equal(t, map[string]string{"usouk": "1500", "uatom": "50"}, c.sums(3), "1000, half of 1001, nothing of 600")
	p.step()
	c.audit(3)
	p.eventually("the audit is answered", func() bool { return p.state(3) == proven })
	p.eventually("refunds are claimed", func() bool { return !c.paidNow(2).IsZero() })
	require.Equal(t, "501", c.paidNow(2).String())
	require.Equal(t, "600", c.paidNow(3).String())
	require.True(t, c.paidNow(1).IsZero())
	n := len(c.messages())
	p.step()
	p.step()
	require.Len(t, c.messages(), n, "nothing is sent twice")

	c.close(30)
	p.net.at(2801) // matured
	p.step()
	kept, err := p.store.ProofEpochs()
	require.NoError(t, err)
	require.Empty(t, kept)
	p.step()
	require.Empty(t, p.said, "nobody asks for its leaves any more")
	report := p.ProofReport()
	require.Equal(t, []EpochStanding{{Epoch: 30, State: "none"}}, report.Epochs)
}

func TestTheRunningEpochIsToldOf(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	p.serveEpoch3()
	c.close(3)
	c.at(410)
	p.step()
	p.m.at(410)
	p.step()
	p.remember(p.m.leases, 1)
	report := p.ProofReport()
	require.EqualValues(t, 4, report.Epoch)
	require.Equal(t, []MeteredLease{{1, 10, 10}, {2, 0, 10}, {3, 0, 10}, {4, 10, 10}}, report.Leases)
	require.Equal(t, []EpochStanding{{Epoch: 3, State: "committed"}}, report.Epochs)
	c.mu.Lock()
	c.commitments[3].Roots = c.commitments[3].Roots[:1]
	c.mu.Unlock()
	p.step()
	require.Equal(t, []EpochStanding{{Epoch: 3, State: "committed", Lost: true}}, p.ProofReport().Epochs)
}

// metric is the value of a counter or gauge.
func (p *provingAgent) metric(name string) float64 {
	p.m.t.Helper()
	families, err := p.metrics.registry.Gather()
	require.NoError(p.m.t, err)
	for _, f := range families {
		if f.GetName() == "souk_agent_"+name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	require.Fail(p.m.t, "no metric "+name)
	return 0
}

func TestEpochsAreCountedByWhatBecameOfThem(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	p.step()
	p.serveEpoch3()
	c.close(2)
	c.owe(5, 1, "usouk", 10, 100)
	c.close(3)
	c.at(410)
	p.step()
	p.step()
	c.audit(3)
	p.step()
	p.eventually("it is proven", func() bool { return p.state(3) == proven })
	p.step()
	c.close(5)
	c.at(605)
	p.step()
	c.at(800)
	p.step()
	p.step()
	for name, want := range map[string]float64{
		"epochs_committed_total": 1, "epochs_audited_total": 1, "epochs_proven_total": 1, "epochs_missed_total": 1, "epochs_forfeited_total": 0,
		"epoch_up_share": 250.0 / 360,
	} {
		require.InDelta(t, want, p.metric(name), 1e-9, name)
	}

	next := provingOn(t, c, t.TempDir())
	next.step()
	next.step()
	require.Zero(t, next.metric("epochs_missed_total"), "what was missed before it began is not its news")
}

func (c *proofChain) paidNow(lease uint64) math.Int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paidTo(lease)
}

func TestAnEpochInWhichNothingWasEarnedIsLeftAlone(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	c.close(3)
	c.at(440)
	for range 3 {
		p.step()
	}
	require.Empty(t, c.messages())
	require.True(t, p.idle[3])
}

func TestACommitmentThatComesLateIsMadeAllTheSame(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	p.serveEpoch3()
	c.close(3)
	c.at(599)
	p.step()
	of, _ := c.commitment(3)
	require.True(t, of.Late)

	c.owe(5, 1, "usouk", 10, 100)
	c.close(5)
	c.at(800)
	p.step()
	_, committed := c.commitment(5)
	require.False(t, committed, "now it is too late")
}

// A kill between the journal and the broadcast, after it, or with a lost reply leads to the same roots, which are opened.
func TestAKillAtAnyPointCommitsToTheSame(t *testing.T) {
	for name, crash := range map[string]struct {
		lost  bool // the transaction takes place, its reply does not come
		never bool // nothing of it leaves the machine
	}{
		"before the transaction is sent":      {never: true},
		"after it was, before the reply":      {lost: true},
		"while nothing is known of it at all": {},
	} {
		t.Run(name, func(t *testing.T) {
			c := newProofChain(t)
			first := provingOn(t, c, t.TempDir())
			first.serveEpoch3()
			c.close(3)
			c.at(410)
			left := ""
			var roots []prooftypes.Root
			ctx, kill := context.WithCancel(t.Context())
			c.onBroadcast = func(msgs []sdk.Msg) error {
				m, ok := msgs[0].(*prooftypes.MsgCommitEpoch)
				if !ok || left != "" {
					return nil
				}
				roots, left = m.Roots, copyOf(t, first.m.dir)
				kill()
				c.loseReply = crash.lost
				if crash.never {
					return errors.New("the power is out")
				}
				return nil
			}
			require.NoError(t, first.round(ctx))
			require.Eventually(t, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return left != "" }, 10*time.Second, time.Millisecond)
			if crash.never { // the first process is dead: it sends nothing more
				c.mu.Lock()
				c.onBroadcast = func([]sdk.Msg) error { return errors.New("dead") }
				c.mu.Unlock()
			}
			first.stop()
			c.mu.Lock()
			c.onBroadcast = nil
			c.mu.Unlock()

			second := provingOn(t, c, left)
			second.eventually("it is committed", func() bool { _, ok := c.commitment(3); return ok })
			of, _ := c.commitment(3)
			require.Equal(t, fmt.Sprint(roots), fmt.Sprint(of.Roots))
			second.step()
			c.audit(3)
			second.eventually("the audit is answered", func() bool { return second.state(3) == proven })
		})
	}
}

func TestWhatIsRestoredFromKeysAloneCommitsAndOwnsUp(t *testing.T) {
	c := newProofChain(t)
	first := provingOn(t, c, t.TempDir())
	first.serveEpoch3()
	c.close(3)
	c.at(410)
	first.step()
	first.stop() // and its disk is lost

	second := provingOn(t, c, t.TempDir())
	c.owe(4, 1, "usouk", 1000, 100)
	c.close(4)
	second.m.at(510)
	c.at(515)
	second.step()
	require.Equal(t, map[string]string{"usouk": "0"}, c.sums(4), "what nobody has seen is not vouched for")

	c.audit(3) // opened by 615
	for _, now := range []uint64{516, 550, 573} {
		c.at(now)
		second.step()
		require.Equal(t, audited, second.state(3), "the leaves may be found still")
	}
	c.at(574) // a quarter of what is left from the end of the window
	second.step()
	require.Equal(t, disowned, second.state(3))
	require.Equal(t, map[string]string{"usouk": "1500", "uatom": "50"}, c.sums(3), "what was committed to stays")
}

func TestACommitmentOfAnotherAgentIsNeverOverwrittenNorAnswered(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	p.serveEpoch3()
	c.close(3)
	c.commitments[3] = &prooftypes.Commitment{
		Id: 3, Provider: provenBy, Epoch: 3, State: prooftypes.CommitmentState_COMMITMENT_STATE_COMMITTED,
		Roots: []prooftypes.Root{{Denom: "usouk", Hash: slices.Repeat([]byte{1}, 32), Sum: math.NewInt(7), Count: 1}},
	}
	c.at(420)
	p.step()
	require.Empty(t, c.messages())
	c.audit(3)
	p.step()
	require.Empty(t, c.messages())
}

func TestWhatWasUsedUntilTheEndOfAnEpochIsCommittedTo(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	p.m.lease(1, 300)
	p.m.machine.runs(1, 1)
	sent := func(bytes uint64) {
		p.m.machine.usage[1] = runtime.UsageSample{BootID: "a", Total: runtime.Usage{EgressBytes: bytes, MemoryBytes: 2 << 20}}
	}
	p.m.at(300)
	sent(10)
	require.NoError(t, p.sampleUsage(t.Context()))
	sent(25)
	p.m.at(303, 403) // nobody has looked at what is used since
	p.net.owe(3, 1, "usouk", 1000, 100)
	c.close(3)
	c.at(410)
	p.step()
	used := prooftypes.Usage{EgressBytes: 25, MemoryMibSeconds: 206}
	made, ok := c.messages()[0].(*prooftypes.MsgCommitEpoch)
	require.True(t, ok)
	require.Equal(t, used, made.Usage)
}

// Receipts on the chain that came while a commitment was on its way make another book, beside the first: whichever is on the
// chain then is opened.
func TestAWordThatComesMeanwhileMakesAnotherEdition(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	p.serveEpoch3()
	c.close(3)
	c.at(410)
	v, err := p.read(t.Context())
	require.NoError(t, err)
	epoch := epochOf(v, 3)
	book, err := p.writeBook(t.Context(), epoch, 0)
	require.NoError(t, err)
	first, err := p.edition(book)
	require.NoError(t, err)
	same, err := p.edition(book)
	require.NoError(t, err)
	require.Equal(t, first.Roots(), same.Roots())

	c.words[1] = []prooftypes.Word{{Seq: 1, UpSeconds: 30, Until: 400, PostedAt: 410}}
	p.step()
	require.Equal(t, map[string]string{"usouk": "800", "uatom": "50"}, c.sums(3))
	editions, err := p.editions(3)
	require.NoError(t, err)
	require.Len(t, editions, 2)
	c.mu.Lock()
	c.commitments[3].Roots = first.Roots() // the first one's transaction was quicker
	c.mu.Unlock()
	c.audit(3)
	p.eventually("the first is opened", func() bool { return p.state(3) == proven })
}

// meanwhile lets a commitment that is sent first go nowhere, for a minute in which a tenant says on the chain that its lease was
// down. Whatever was signed before that would be bound by the receipt.
func (c *proofChain) meanwhile(then func()) (sent func() bool) {
	left := false
	c.onBroadcast = func(msgs []sdk.Msg) error {
		if _, ok := msgs[0].(*prooftypes.MsgCommitEpoch); !ok || left {
			return nil
		}
		left = true
		c.words[1] = []prooftypes.Word{{Seq: 1, UpSeconds: 30, Until: 400, PostedAt: c.now}}
		c.now, c.ahead = c.now+60, c.ahead+time.Minute
		then()
		return errors.New("no block has room")
	}
	return func() bool { c.mu.Lock(); defer c.mu.Unlock(); return left }
}

func TestAWordThatComesBeforeACommitmentIsSentAgainIsKeptTo(t *testing.T) {
	for name, grace := range map[string]uint32{"with the grace of a devnet": 4, "with that of a network": 30} {
		t.Run(name, func(t *testing.T) {
			c := newProofChain(t)
			c.params.ReceiptGraceSeconds = grace
			p := provingOn(t, c, t.TempDir())
			p.serveEpoch3()
			c.close(3)
			c.at(410)
			sent := c.meanwhile(func() {})
			p.eventually("it is committed", func() bool { _, ok := c.commitment(3); return ok })
			require.True(t, sent())
			require.Equal(t, map[string]string{"usouk": "800", "uatom": "50"}, c.sums(3), "as the tenant says")
			editions, err := p.editions(3)
			require.NoError(t, err)
			require.Len(t, editions, 2)
			c.audit(3)
			p.eventually("the audit is answered", func() bool { return p.state(3) == proven })
			require.Zero(t, c.refused)
		})
	}
}

func TestAWordThatComesWhileTheAgentIsDeadIsKeptTo(t *testing.T) {
	c := newProofChain(t)
	c.params.ReceiptGraceSeconds = 4
	first := provingOn(t, c, t.TempDir())
	first.serveEpoch3()
	first.flushMeters() // seconds later it would have
	c.close(3)
	c.at(410)
	ctx, kill := context.WithCancel(t.Context())
	left := ""
	sent := c.meanwhile(func() {
		left = copyOf(t, first.m.dir) // the signed transaction is in the journal
		kill()
	})
	require.NoError(t, first.round(ctx))
	require.Eventually(t, sent, 10*time.Second, time.Millisecond)
	c.mu.Lock()
	c.onBroadcast = func([]sdk.Msg) error { return errors.New("dead") }
	c.mu.Unlock()
	first.stop()
	c.mu.Lock()
	c.onBroadcast = nil
	c.mu.Unlock()

	second := provingOn(t, c, left)
	second.eventually("it is committed", func() bool { _, ok := c.commitment(3); return ok })
	require.Equal(t, map[string]string{"usouk": "800", "uatom": "50"}, c.sums(3), "as the tenant says")
	c.audit(3)
	second.eventually("the audit is answered", func() bool { return second.state(3) == proven })
	require.Zero(t, c.refused)
}

func TestACommitmentLivesNoLongerThanReceiptsDoNotBind(t *testing.T) {
	for name, tt := range map[string]struct {
		grace uint32
		tries int
		want  time.Duration
	}{
		"less than the grace by the second that may be cut off": {60, 0, 59 * time.Second},
		"however often it was late":                             {60, 9, 59 * time.Second},
		"of a devnet":                                           {4, 0, 3 * time.Second},
		"as long as a transaction takes":                        {0, 0, 3 * time.Second},
		"patiently at first":                                    {4, patientTries, 3 * time.Second},
		"longer when blocks are slow":                           {4, patientTries + 1, 6 * time.Second},
		"and not for ever":                                      {4, 1000, 96 * time.Second},
	} {
		require.Equal(t, tt.want, commitTime(tt.grace, tt.tries), name)
	}
}

// A commitment may be bound by a receipt all the same: by one that came in the second that governance has just made shorter. It
// cannot be opened, and is taken back rather than forged.
func TestWhatTheChainDoesNotTakeAsAnOpeningIsTakenBackAtLast(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	p.serveEpoch3()
	c.close(3)
	c.at(410)
	p.step()
	c.words[1] = []prooftypes.Word{{Seq: 1, UpSeconds: 0, Until: 400, PostedAt: 405}}
	c.audit(3) // by 510
	for _, now := range []uint64{411, 450, 479} {
		c.at(now)
		p.step()
		p.mu.Lock()
		clear(p.pauses)
		p.mu.Unlock()
		require.Equal(t, audited, p.state(3), "it may be taken still")
	}
	c.at(480)
	p.step()
	require.Equal(t, disowned, p.state(3))

	t.Run("and shown again when that is refused", func(t *testing.T) {
		c.close(4)
		c.owe(4, 1, "usouk", 1000, 100)
		c.at(530)
		p.eventually("it is committed", func() bool { _, ok := c.commitment(4); return ok })
		c.words[1] = nil
		c.audit(4)
		p.mu.Lock()
		p.refused[4] = true
		p.mu.Unlock()
		c.at(600)
		p.eventually("it is opened", func() bool { return p.state(4) == proven })
	})
}

func TestALostLeafThatIsAskedForIsOwnedUpToBeforeItCountsAsWithheld(t *testing.T) {
	c := newProofChain(t)
	c.params.ForceWindowSeconds = 200
	first := provingOn(t, c, t.TempDir())
	first.serveEpoch3()
	c.close(3)
	c.at(410)
	first.step()
	c.commitments[3].State = proven
	first.stop() // and its disk is lost
	c.leases[1] = markettypes.Lease{Id: 1, Denom: "usouk"}
	c.forced = []prooftypes.Forced{{Id: 1, Lease: 1, Epoch: 3, AnswerBy: 700}}
	second := provingOn(t, c, t.TempDir())
	c.at(649)
	second.step()
	require.Equal(t, proven, second.state(3), "the leaves may be found still")
	c.at(650)
	second.step()
	require.Equal(t, disowned, second.state(3))
}

// More requests than one message takes, of which the first cannot be answered, do not keep the others from being.
func TestAFloodOfForcedLeavesIsAnsweredThoughSomeCanNotBe(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	p.serveEpoch3()
	c.close(3)
	c.at(410)
	p.step()
	c.mu.Lock()
	c.commitments[3].State = proven
	for id := uint64(1); id <= prooftypes.MaxAnswers; id++ {
		lease := 100 + id // the chain knows nothing of it, and there is no leaf
		if id > prover.MaxAnswers {
			lease = 1
		}
		c.forced = append(c.forced, prooftypes.Forced{Id: id, Lease: lease, Epoch: 3, AnswerBy: 600})
	}
	c.leases[1] = markettypes.Lease{Id: 1, Denom: "usouk"}
	c.mu.Unlock()
	p.step() // no more than one: the requests that fail are paused
	c.mu.Lock()
	require.Len(t, c.forced, prover.MaxAnswers)
	require.EqualValues(t, prover.MaxAnswers, c.forced[len(c.forced)-1].Id)
	c.forced = append(c.forced, prooftypes.Forced{Id: 99, Lease: 1, Epoch: 3, AnswerBy: 700})
	c.mu.Unlock()
	p.step()
	require.Len(t, c.forced, prover.MaxAnswers, "those that come later are answered, too")
}

func TestWhereNoLeaseCanBeSaidAnythingOfTheEpochIsCommittedToAllTheSame(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	c.close(3)
	c.earned = map[string]math.Int{"usouk": math.NewInt(100)}
	c.at(440)
	p.step()
	require.Equal(t, map[string]string{"usouk": "0"}, c.sums(3))
}

func TestAnEpochThatANodeDoesNotKnowYetIsNotTakenForIdle(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	p.serveEpoch3()
	c.close(3)
	c.at(410)
	c.knows = 2
	p.step()
	require.Empty(t, p.idle)
	c.mu.Lock()
	c.knows = 0
	c.mu.Unlock()
	p.eventually("it is committed", func() bool { _, ok := c.commitment(3); return ok })
}

func TestABookThatCanNotBeReadKeepsNoOtherEpochFromBeingProven(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	require.NoError(t, p.store.AddBook(2, "of another make"))
	require.NoError(t, p.store.PutReceipt(3, 1, []byte("torn")))
	p.serveEpoch3()
	c.close(2)
	c.commitments[2] = &prooftypes.Commitment{Id: 2, Provider: provenBy, Epoch: 2, State: proven}
	c.close(3)
	c.at(410)
	p.step()
	require.Equal(t, map[string]string{"usouk": "1500", "uatom": "50"}, c.sums(3))
}

func TestForcedLeavesAreShownAlsoThatThereIsNone(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	p.serveEpoch3()
	c.close(3)
	c.at(410)
	p.step()
	c.mu.Lock()
	c.commitments[3].State = proven
	for _, lease := range []uint64{1, 4, 9} {
		c.leases[lease] = markettypes.Lease{Id: lease, Denom: "usouk"}
		c.forced = append(c.forced, prooftypes.Forced{Id: lease, Lease: lease, Epoch: 3, AnswerBy: 500})
	}
	c.leases[4] = markettypes.Lease{Id: 4, Denom: "uatom"}
	c.mu.Unlock()
	p.eventually("all are answered", func() bool { c.mu.Lock(); defer c.mu.Unlock(); return len(c.forced) == 0 })
}

func TestATenantsReceiptIsKeptNamedAndShown(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	p.serveEpoch3()
	c.at(350)
	p.step() // epoch 3 runs
	p.setClock(350)
	key := secp256k1.GenPrivKey()
	receipt := func(seq, up, until uint64) prooftypes.Receipt {
		r := prooftypes.Receipt{ChainId: "souk-test", Lease: 1, Epoch: 3, Seq: seq, UpSeconds: up, Until: until, PublicKey: key.PubKey().Bytes()}
		signed, err := r.SignBytes()
		require.NoError(t, err)
		r.Signature, err = key.Sign(signed)
		require.NoError(t, err)
		return r
	}
	up, err := p.TakeReceipt(receipt(1, 20, 340))
	require.NoError(t, err)
	require.EqualValues(t, 100, up)
	_, err = p.TakeReceipt(receipt(3, 25, 350))
	require.NoError(t, err)
	_, err = p.TakeReceipt(receipt(3, 25, 350))
	require.NoError(t, err, "sent again")
	_, err = p.TakeReceipt(receipt(2, 50, 350))
	require.ErrorIs(t, err, gateway.ErrReceipt, "reordered")
	_, err = p.TakeReceipt(receipt(4, 50, 350))
	require.ErrorIs(t, err, gateway.ErrReceipt, "of somebody who has seen less")
	_, err = p.TakeReceipt(receipt(2, 14, 340))
	require.NoError(t, err, "of somebody who has seen more")
	_, err = p.TakeReceipt(receipt(4, 50, 399))
	require.ErrorIs(t, err, gateway.ErrReceipt, "of the future")
	_, err = p.TakeReceipt(receipt(4, 60, 350))
	require.ErrorIs(t, err, gateway.ErrReceipt, "up for longer than it judges")
	early := receipt(1, 1, 420)
	early.Epoch = 4
	_, err = p.TakeReceipt(early)
	require.ErrorIs(t, err, gateway.ErrEpoch)

	c.close(3)
	c.at(404)
	p.step()
	p.setClock(404)
	_, err = p.TakeReceipt(receipt(5, 70, 400))
	require.NoError(t, err, "it is not committed yet")
	c.at(410)
	p.step()
	require.Equal(t, map[string]string{"usouk": "1200", "uatom": "50"}, c.sums(3))
	_, err = p.Leaf(t.Context(), 1, 3)
	require.ErrorIs(t, err, gateway.ErrEpoch, "not seen on the chain yet")
	p.step()
	shown, err := p.Leaf(t.Context(), 1, 3)
	require.NoError(t, err)
	require.NotEmpty(t, shown.Opening)
	last := receipt(5, 70, 400)
	var named prooftypes.Receipt
	require.NoError(t, named.Unmarshal(shown.Receipt))
	require.Equal(t, last.Seq, named.Seq)
	_, err = p.TakeReceipt(receipt(6, 71, 400))
	require.ErrorIs(t, err, gateway.ErrEpoch)
	c.audit(3)
	p.eventually("the receipt stands up", func() bool { return p.state(3) == proven })
	c.leases[9] = markettypes.Lease{Id: 9, Denom: "usouk"}
	absent, err := p.Leaf(t.Context(), 9, 3)
	require.NoError(t, err)
	require.NotEmpty(t, absent.Absence)
}

func TestALeaseThatHasEndedIsKnownToItsOwner(t *testing.T) {
	c := newProofChain(t)
	p := provingOn(t, c, t.TempDir())
	c.leases[5] = markettypes.Lease{Id: 5, Deployment: 50, Provider: provenBy, State: markettypes.LeaseState_LEASE_STATE_CLOSED}
	c.leases[6] = markettypes.Lease{Id: 6, Deployment: 50, Provider: "souk1other", State: markettypes.LeaseState_LEASE_STATE_CLOSED}
	c.deployments[50] = markettypes.Deployment{Id: 50, Owner: "souk1owner", AccessKeys: []markettypes.AccessKey{{Address: "souk1key"}}}
	_, err := p.Lease(t.Context(), 5)
	require.ErrorIs(t, err, gateway.ErrNoLease)
	l, err := p.EverLease(t.Context(), 5)
	require.NoError(t, err)
	require.Equal(t, workload.Lease{ID: 5, Deployment: 50, Owner: "souk1owner", AccessKeys: c.deployments[50].AccessKeys}, l)
	for _, other := range []uint64{6, 7} {
		_, err = p.EverLease(t.Context(), other)
		require.ErrorIs(t, err, gateway.ErrNoLease)
	}
}

func TestAwaitedRoundsArePostedOnceByWhoseTurnItIs(t *testing.T) {
	c := newProofChain(t)
	keys, err := local.Generate(rand.NewChaCha8([32]byte{1}), local.Spec{Members: 3, Threshold: 2, GenesisTime: uint64(time.Now().Unix()) - 100, PeriodSeconds: 1})
	require.NoError(t, err)
	text, err := json.Marshal(keys)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "beacon.json")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	c.params.Beacon = prooftypes.Beacon{PublicKey: keys.Group.PublicKey, Genesis: keys.Group.GenesisTime, Period: keys.Group.PeriodSeconds}
	future := keys.Group.RoundAt(uint64(time.Now().Unix()) + 3600)
	c.awaited = []uint64{5, 6, future}
	p := provingOn(t, c, t.TempDir())
	p.cfg.Proof.Beacon.Key = path
	b := &beaconing{Agent: p.Agent, first: map[uint64]time.Time{}}
	require.NoError(t, b.round(t.Context()))
	require.Equal(t, map[uint64]bool{5: true, 6: true}, c.rounds)
	require.Equal(t, []uint64{future}, c.awaited)
	require.Len(t, c.messages(), 2)
	require.EqualValues(t, 2, reading(t, p.metrics.awaited), "the future one is not due")
	require.EqualValues(t, 2, reading(t, p.metrics.posted))

	c.awaited = []uint64{7, future}
	c.rounds[7] = true // somebody else was quicker, and the node does not know yet
	require.NoError(t, b.round(t.Context()))
	require.Len(t, c.messages(), 2)

	c.awaited, b.source, b.othersAt = []uint64{8}, nil, time.Time{}
	c.operators = []string{provenBy}
	for i := range 40 {
		c.operators = append(c.operators, fmt.Sprint("souk1other", i))
	}
	var later uint64
	for round := uint64(8); later == 0; round++ {
		if turnOf(provenBy, c.operators, round) > 0 {
			later = round
		}
	}
	c.awaited = []uint64{later}
	require.NoError(t, b.round(t.Context()))
	require.False(t, c.rounds[later], "it is another one's turn")
	b.first[later] = time.Now().Add(-maxTurns * postSpacing)
	require.NoError(t, b.round(t.Context()))
	require.True(t, c.rounds[later])

	require.NoError(t, CheckBeacon(t.Context(), p.cfg.Proof.Beacon, c.params.Beacon))
	late := c.params.Beacon
	late.Genesis += 3600
	require.Error(t, CheckBeacon(t.Context(), p.cfg.Proof.Beacon, late), "it is another one")

	c.params.Beacon.Period = 2
	c.awaited = []uint64{9}
	require.ErrorContains(t, b.round(t.Context()), "another beacon")
}

func TestTurnsAreAnotherOneForEachRound(t *testing.T) {
	operators := []string{"a", "b", "c", "d"}
	first := map[string]int{}
	for round := range uint64(400) {
		turns := map[int]bool{}
		for _, o := range operators {
			turn := turnOf(o, operators, round)
			turns[turn] = true
			if turn == 0 {
				first[o]++
			}
		}
		require.Len(t, turns, len(operators), "nobody shares a turn")
	}
	for _, o := range operators {
		require.InDelta(t, 100, first[o], 40)
	}
}
