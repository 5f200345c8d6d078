package meter

// Sample is what a lease has used: counters that only grow while the boot stays, and what it holds now.
type Sample struct {
	Boot        string
	CPUNanos    uint64
	EgressBytes uint64
	MemoryBytes uint64
}

// Used is what a lease used in an epoch.
type Used struct {
	CPUNanos      uint64 `json:"cpu_nanos,omitempty"`
	EgressBytes   uint64 `json:"egress_bytes,omitempty"`
	MemorySeconds uint64 `json:"memory_byte_seconds,omitempty"` // bytes x seconds
}

// Ledger adds up what a lease uses, by epoch. The zero value knows nothing: it counts from its first sample on.
type Ledger struct {
	At     uint64          `json:"at,omitempty"`    // second of the last sample
	Epoch  uint64          `json:"epoch,omitempty"` // that ran then
	Last   Sample          `json:"last"`
	Epochs map[uint64]Used `json:"epochs,omitempty"`
}

// Add notes a sample taken at a second of an epoch. What was used since the last sample counts in the epoch of that one: whoever samples does so
// when an epoch begins. A counter that is lower than it was began anew.
func (l *Ledger) Add(at, epoch uint64, s Sample) {
	if l.At != 0 && at >= l.At {
		used := l.Epochs[l.Epoch]
		used.CPUNanos += grown(l.Last.CPUNanos, s.CPUNanos, l.Last.Boot == s.Boot)
		used.EgressBytes += grown(l.Last.EgressBytes, s.EgressBytes, l.Last.Boot == s.Boot)
		used.MemorySeconds += l.Last.MemoryBytes * (at - l.At)
		if l.Epochs == nil {
			l.Epochs = map[uint64]Used{}
		}
		l.Epochs[l.Epoch] = used
	}
	l.At, l.Epoch, l.Last = max(l.At, at), epoch, s
}

// grown is by how much a counter grew.
func grown(before, now uint64, sameBoot bool) uint64 {
	if !sameBoot || now < before {
		return now
	}
	return now - before
}

// Forget drops epochs before one.
func (l *Ledger) Forget(before uint64) {
	for epoch := range l.Epochs {
		if epoch < before {
			delete(l.Epochs, epoch)
		}
	}
}
