package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/souk-network/souk/agent/config"
	"github.com/souk-network/souk/beacon"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

// ProofPath is where the agent tells, on its port for metrics, what it would commit to now.
const ProofPath = "/proof"

// ProofReport is what would be committed to if the running epoch closed now, and how the last ones stand.
type ProofReport struct {
	Epoch uint64 `json:"epoch"` // that runs; 0 when the chain has not said so
	// From and Until are the service seconds of it that were looked at.
	From   uint64          `json:"from"`
	Until  uint64          `json:"until"`
	Leases []MeteredLease  `json:"leases"`
	Epochs []EpochStanding `json:"epochs"` // that are closed and can be claimed of, in order
}

// MeteredLease is what the meter says of a lease in the running epoch.
type MeteredLease struct {
	Lease     uint64 `json:"lease"`
	UpSeconds uint64 `json:"up_seconds"`
	// Seconds since the lease or the epoch began, as far as it was looked at.
	Seconds uint64 `json:"seconds"`
}

// EpochStanding is what became of an epoch.
type EpochStanding struct {
	Epoch uint64 `json:"epoch"`
	State string `json:"state"` // "none", "committed", "audited", "proven", "forged" or "disowned"
	// Lost: the leaves are not in the journal.
	Lost bool `json:"lost,omitempty"`
}

var stateNames = map[prooftypes.CommitmentState]string{
	prooftypes.CommitmentState_COMMITMENT_STATE_UNSPECIFIED: "none",
	prooftypes.CommitmentState_COMMITMENT_STATE_COMMITTED:   "committed",
	prooftypes.CommitmentState_COMMITMENT_STATE_AUDITED:     "audited",
	prooftypes.CommitmentState_COMMITMENT_STATE_PROVEN:      "proven",
	prooftypes.CommitmentState_COMMITMENT_STATE_FORGED:      "forged",
	prooftypes.CommitmentState_COMMITMENT_STATE_DISOWNED:    "disowned",
}

// ProofReport tells it.
func (a *Agent) ProofReport() ProofReport {
	c := a.calendar()
	r := ProofReport{
		Epoch: c.clock.Epoch, From: c.clock.EpochStart, Until: max(c.clock.EpochStart, a.meteredUntil()), Leases: []MeteredLease{}, Epochs: []EpochStanding{},
	}
	a.mu.Lock()
	for _, l := range a.leases {
		if l.Active {
			r.Leases = append(r.Leases, MeteredLease{Lease: l.ID, Seconds: r.Until - min(r.Until, max(r.From, l.AckedAt))})
		}
	}
	a.mu.Unlock()
	slices.SortFunc(r.Leases, func(a, b MeteredLease) int { return cmp.Compare(a.Lease, b.Lease) })
	for i, l := range r.Leases {
		r.Leases[i].UpSeconds = min(l.Seconds, a.upSeconds(l.Lease, r.From, r.Until))
	}
	for _, e := range c.epochs {
		if c.now >= e.MaturesAt {
			continue
		}
		of, committed := c.commitments[e.Number]
		here, err := a.hasBook(e.Number, of.Roots)
		r.Epochs = append(r.Epochs, EpochStanding{
			Epoch: e.Number, State: stateNames[of.State], Lost: committed && !isForfeited(of.State) && (err != nil || !here),
		})
	}
	slices.SortFunc(r.Epochs, func(a, b EpochStanding) int { return cmp.Compare(a.Epoch, b.Epoch) })
	return r
}

// CheckBeacon fetches a round that is due from where the settings say, and verifies it as the chain does.
func CheckBeacon(ctx context.Context, settings config.Beacon, of prooftypes.Beacon) error {
	group := beaconGroup(of)
	source, err := openSource(settings, group)
	if err != nil {
		return err
	}
	const ago = 10 * time.Second
	round := group.RoundAt(uint64(max(0, time.Now().Add(-ago).Unix())))
	due, err := group.TimeOf(round)
	if err != nil {
		return err
	}
	if time.Now().Unix() < int64(due) { //nolint:gosec // in this century
		return fmt.Errorf("round %d is due at %s: %w", round, time.Unix(int64(due), 0), beacon.ErrNotYet) //nolint:gosec // see above
	}
	if _, err := source.Round(ctx, round); err != nil && !errors.Is(err, beacon.ErrNotYet) {
		return fmt.Errorf("fetch round %d: %w", round, err)
	}
	return nil
}
