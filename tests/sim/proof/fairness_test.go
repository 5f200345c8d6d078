package proof

import (
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/x/proof/types"
)

// epochsVariable asks for another number of provider-epochs.
const epochsVariable = "PROVIDER_EPOCHS"

// slots are the seconds after the end of an epoch at which there is a block in which agents act, besides that at which its commit window
// ends: closer when most is to be done.
func slots() []uint64 {
	all := []uint64{20, 60, 120, 180, 230, 306, 307, 308, 309, 310, 320}
	for at := uint64(400); at < 3480; at += 80 {
		all = append(all, at)
	}
	return all
}

func TestNobodyHonestIsSlashedOrJailed(t *testing.T) {
	wanted := 20_000
	if text := os.Getenv(epochsVariable); text != "" {
		var err error
		wanted, err = strconv.Atoi(text)
		require.NoError(t, err, epochsVariable)
	}
	providers := min(1000, max(200, wanted/1000))
	h := newHonest(t, 7, providers)
	for epoch := range uint64(wanted / providers) {
		h.play(2 + epoch)
	}
	h.settle()
	total := h.requireNoHarm()
	t.Logf("%d provider-epochs: %d committed late, %d missed, %d audits answered, %d disks lost, %d epochs disowned, %d times "+
		"maintained, %d receipts against providers", total.epochs, total.late, total.missed, total.audits, total.restored, total.disowned,
		total.maintained, total.receipts)
	require.GreaterOrEqual(t, total.epochs, wanted)
	for what, count := range map[string]int{
		"late commitments": total.late, "missed epochs": total.missed, "audits": total.audits, "lost disks": total.restored,
		"maintenance": total.maintained, "receipts": total.receipts,
	} {
		require.Positive(t, count, "no %s: the run shows nothing", what)
	}
}

// honest is a world of honest providers. Some of them are new.
type honest struct {
	*world
	agents []*agent
}

func newHonest(t testing.TB, seed uint64, providers int) *honest {
	t.Helper()
	h := &honest{}
	var all []*party
	var good []string
	for i := range providers {
		a := &agent{
			party: &party{name: fmt.Sprintf("honest-%d", i), sizes: []uint64{1}}, random: mathrand.New(mathrand.NewPCG(seed, uint64(i))),
			down: []span{{0, 1}}, work: make(map[uint64]*work), watched: i%2 == 0,
		}
		h.agents, all = append(h.agents, a), append(all, a.party)
		if i%10 != 0 {
			good = append(good, a.name)
		}
	}
	h.world = newWorld(t, seed, good...)
	h.opens(all...)
	for _, a := range h.agents {
		a.down[0] = span{h.Now() - 1, h.Now()}
	}
	return h
}

// play is one epoch: what happened in the epochs before is committed to and opened while it runs.
func (h *honest) play(epoch uint64) {
	h.t.Helper()
	began := h.endOf(epoch - 1)
	h.until(began)
	if epoch%networkOutageEvery == 0 {
		h.network(span{began + quiet, began + quiet + networkOutage})
	}
	for _, a := range h.agents {
		h.begins(a, epoch)
	}
	h.passes(began)
	h.until(h.endOf(epoch) - beforeEnd)
	for _, a := range h.agents {
		h.watches(a, epoch)
	}
	h.until(h.endOf(epoch))
}

const (
	// networkOutageEvery is after how many epochs the network of a part of all providers fails, for networkOutage seconds: for longer
	// than anybody may be missing alone.
	networkOutageEvery = 50
	networkOutage      = 15 * 3600
	// networkShare is that part, as one of so many.
	networkShare = 3
)

// network cuts a part of all providers off.
func (h *honest) network(s span) {
	for i, a := range h.agents {
		if i%networkShare == 0 {
			a.plans(s.until)
			a.off(s)
		}
	}
}

// passes makes the blocks of an epoch, in which agents act and anybody posts rounds.
func (h *honest) passes(began uint64) {
	h.t.Helper()
	for _, offset := range slots() {
		h.until(began + offset)
		h.posts()
		for _, a := range h.agents {
			h.acts(a, began+offset)
		}
		if offset == 230 {
			h.until(began + uint64(h.params.CommitWindowSeconds))
		}
	}
}

// posts brings the rounds that can be known by now.
func (h *honest) posts() {
	h.t.Helper()
	for _, number := range h.awaited() {
		at, err := h.keys.Group.TimeOf(number)
		require.NoError(h.t, err)
		if at <= uint64(h.Time().Unix()) {
			require.NoError(h.t, h.Deliver(h.round(number)))
		}
	}
}

// settle lets all that is open be decided.
func (h *honest) settle() {
	h.t.Helper()
	for range h.params.LateEpochs + 2 {
		began := h.Now()
		h.passes(began)
		h.until(began + uint64(h.escrow.EpochSeconds))
	}
	h.check()
}

// requireNoHarm asserts that nobody has lost any bond, was jailed, or has a fault other than epochs that it missed or took back.
func (h *honest) requireNoHarm() (total tally) {
	h.t.Helper()
	for _, a := range h.agents {
		total.add(a.seen)
	}
	for _, a := range h.agents {
		for _, fault := range h.faults(a.party) {
			require.Equal(h.t, types.FaultKind_FAULT_KIND_MISSED, fault.Kind, "%s: %s", a.name, fault.Reason)
			require.Empty(h.t, fault.Slashed, "%s: %s", a.name, fault.Reason)
			require.Zero(h.t, fault.JailedUntil, "%s: %s", a.name, fault.Reason)
		}
		provider, err := h.Provider.GetProvider(h.Ctx(), a.address)
		require.NoError(h.t, err)
		require.Zero(h.t, provider.JailedUntil, "%s was jailed", a.name)
		bond, err := h.Provider.BondOf(h.Ctx(), a.address)
		require.NoError(h.t, err)
		require.EqualValues(h.t, bonded, bond.AmountOf(denom).Int64(), "bond of %s", a.name)
	}
	return total
}
