package types

import (
	"math"
	"slices"
)

// reputationEpochs is the part of the way to an epoch's share by which that moves a reputation.
const reputationEpochs = 64

// NextReputation moves a reputation a 64th of the way to the share of an epoch's service that was proven, both in parts per
// million; a step is rounded up, so that the whole is reached.
func NextReputation(reputation uint32, share uint64) uint32 {
	to := uint32(min(share, WholePpm))
	if to >= reputation {
		return reputation + (to-reputation+reputationEpochs-1)/reputationEpochs
	}
	return reputation - (reputation-to+reputationEpochs-1)/reputationEpochs
}

// Proved is the standing after one more epoch was proven, by an audit or without. One in which nothing was claimed is not audited, and
// says nothing of its provider: else probation could be sat out with no service at all.
func (s Standing) Proved(empty, audited bool) Standing {
	s.ProvenEpochs = oneMore(s.ProvenEpochs)
	if !empty {
		s.CleanEpochs = oneMore(s.CleanEpochs)
	}
	if audited {
		s.Audits = oneMore(s.Audits)
	}
	return s
}

func oneMore(counter uint64) uint64 { return counter + min(1, math.MaxUint64-counter) }

// Miss is the standing after an epoch was missed; misses that are probationEpochs old are forgotten.
func (s Standing) Miss(epoch uint64, params Params) Standing {
	s.Missed = note(s.Missed, epoch, uint64(params.ProbationEpochs))
	return s
}

// Fail is the standing after a lease failed in an epoch; what is probationEpochs old is forgotten. An epoch counts once however many
// leases failed in it: else a provider that is away for a minute could be jailed by five cheap leases that somebody opens then.
func (s Standing) Fail(epoch uint64, params Params) Standing {
	s.Failed = note(s.Failed, epoch, uint64(params.ProbationEpochs))
	return s
}

// note adds an epoch to a sorted list, unless it is there, and drops those that lie as far behind the last as the window is long.
func note(epochs []uint64, epoch, window uint64) []uint64 {
	noted := slices.Clone(epochs)
	if i, found := slices.BinarySearch(epochs, epoch); !found {
		noted = slices.Insert(noted, i, epoch)
	}
	last := noted[len(noted)-1]
	return slices.DeleteFunc(noted, func(e uint64) bool { return e+window <= last })
}

// MayDisown tells whether a provider may take back an epoch: once in probationEpochs.
func (s Standing) MayDisown(epoch uint64, params Params) bool {
	return s.Disowned == 0 || epoch >= s.Disowned+uint64(params.ProbationEpochs)
}
