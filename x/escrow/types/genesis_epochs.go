package types

import "fmt"

// validateUntold checks that epochs of which the credit policy could not be told are closed, in order, and the same as are in
// quarantine: else nothing would tell of them, or there would be nothing to tell.
func (v *genesisValidator) validateUntold() error {
	quarantined := make(map[uint64]bool)
	for _, q := range v.genesis.Quarantine {
		if q.Source == EpochSource {
			quarantined[q.Id] = true
		}
	}
	last := uint64(0)
	for _, e := range v.genesis.UntoldEpochs {
		if e.Number <= last {
			return fmt.Errorf("epoch %d: numbers must rise from 1", e.Number)
		}
		last = e.Number
		if err := e.validateClosed(v.genesis.Clock); err != nil {
			return fmt.Errorf("epoch %d: %w", e.Number, err)
		}
		if !quarantined[e.Number] {
			return fmt.Errorf("epoch %d is not in quarantine", e.Number)
		}
	}
	if len(quarantined) != len(v.genesis.UntoldEpochs) {
		return fmt.Errorf("%d epochs are in quarantine, %d known", len(quarantined), len(v.genesis.UntoldEpochs))
	}
	return nil
}

func (e Epoch) validateClosed(clock Clock) error {
	switch {
	case e.Number >= clock.Epoch:
		return fmt.Errorf("is not closed")
	case e.Start == 0 || e.End <= e.Start || e.End > clock.EpochStart:
		return fmt.Errorf("runs from %d to %d", e.Start, e.End)
	case e.ClosedAt < e.End || e.ClosedAt > clock.Now():
		return fmt.Errorf("closed at %d", e.ClosedAt)
	case e.MaturesAt < e.End:
		return fmt.Errorf("matures at %d", e.MaturesAt)
	}
	return nil
}
