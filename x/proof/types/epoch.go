package types

import (
	"cosmossdk.io/math"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
)

// Phases of a turnout.
const (
	// TurnoutWaits: commitments are still taken.
	TurnoutWaits uint32 = iota
	// TurnoutCounts: the bonds of those who should have committed are summed up.
	TurnoutCounts
	// TurnoutJudges: those who have not committed are judged.
	TurnoutJudges
	// TurnoutDone: all are judged.
	TurnoutDone
)

// NewEpoch is an epoch that closed, with its windows counted from a second.
func NewEpoch(closed escrowtypes.Epoch, from uint64, params Params, escrow escrowtypes.Params) Epoch {
	commitUntil := from + uint64(params.CommitWindowSeconds)
	return Epoch{
		Number: closed.Number, Start: closed.Start, End: closed.End, ClosedAt: from, MaturesAt: closed.MaturesAt,
		CommitUntil: commitUntil,
		LateUntil:   max(commitUntil, from+uint64(params.LateEpochs)*uint64(escrow.EpochSeconds)),
		Turnout:     Turnout{Bond: math.ZeroInt(), MissingBond: math.ZeroInt()},
	}
}

// Seeded tells that the draw of the epoch's audits is known.
func (e Epoch) Seeded() bool { return len(e.Seed) > 0 }

// PruneAt is the second from which nothing needs the epoch: as long after its pots mature as it was.
func (e Epoch) PruneAt() uint64 { return e.MaturesAt + (e.End - e.Start) }
