package types

import (
	"cmp"
	"slices"
)

const (
	// MaxMaintenance is the most windows that a provider has declared, past ones included while they count.
	MaxMaintenance = 8

	// maxAheadSeconds is how long before its start a maintenance may be declared at most: a year.
	maxAheadSeconds = 365 * 24 * 3600
)

// DeclareMaintenance returns the windows with one more, without those that count no more, in the order of time. A window
// that ends where it starts cancels the declared one of that start, unless that has begun.
func DeclareMaintenance(declared []Maintenance, window Maintenance, now uint64, params Params) ([]Maintenance, error) {
	windows := counting(declared, now, uint64(params.MaintenancePeriodSeconds))
	if window.From == window.Until {
		return cancelMaintenance(windows, window.From, now)
	}
	earliest, latest := now+uint64(params.MaintenanceNoticeSeconds), now+maxAheadSeconds
	switch {
	case window.Until < window.From:
		return nil, ErrInvalidMaintenance.Wrapf("ends at %d, before its start at %d", window.Until, window.From)
	case window.From < earliest || window.From > latest:
		return nil, ErrInvalidMaintenance.Wrapf("starts at %d: want %d to %d", window.From, earliest, latest)
	case MaintenanceWithin(Provider{Maintenance: windows}, window.From, window.Until):
		return nil, ErrInvalidMaintenance.Wrap("another one is declared for a part of that time")
	case len(windows) >= MaxMaintenance:
		return nil, ErrInvalidMaintenance.Wrapf("%d are declared: want at most %d", len(windows), MaxMaintenance)
	}
	windows = append(windows, window)
	slices.SortFunc(windows, func(a, b Maintenance) int { return cmp.Compare(a.From, b.From) })
	quota, period := uint64(params.MaintenanceQuotaSeconds), uint64(params.MaintenancePeriodSeconds)
	if used := mostWithin(windows, period); used > quota {
		return nil, ErrInvalidMaintenance.Wrapf("makes %d seconds within %d: want at most %d", used, period, quota)
	}
	return windows, nil
}

// counting returns the windows that have a part in the period that ends now, or later.
func counting(windows []Maintenance, now, period uint64) []Maintenance {
	var kept []Maintenance
	for _, w := range windows {
		if w.Until+period > now {
			kept = append(kept, w)
		}
	}
	return kept
}

func cancelMaintenance(windows []Maintenance, from, now uint64) ([]Maintenance, error) {
	i := slices.IndexFunc(windows, func(w Maintenance) bool { return w.From == from })
	if i < 0 || from <= now {
		return nil, ErrInvalidMaintenance.Wrapf("none is declared that is to start at %d", from)
	}
	return slices.Delete(windows, i, i+1), nil
}

// mostWithin returns the most seconds of maintenance in any time of the length of a period. The most is reached by a time
// that starts with a window, or by one that ends with a window.
func mostWithin(windows []Maintenance, period uint64) uint64 {
	most := uint64(0)
	for _, w := range windows {
		most = max(most, secondsWithin(windows, w.From, w.From+period))
		most = max(most, secondsWithin(windows, w.Until-min(w.Until, period), w.Until))
	}
	return most
}

func secondsWithin(windows []Maintenance, from, until uint64) uint64 {
	sum := uint64(0)
	for _, w := range windows {
		if start, end := max(w.From, from), min(w.Until, until); start < end {
			sum += end - start
		}
	}
	return sum
}

// validateMaintenance checks stored windows.
func validateMaintenance(windows []Maintenance) error {
	if len(windows) > MaxMaintenance {
		return ErrInvalidMaintenance.Wrapf("%d windows: want at most %d", len(windows), MaxMaintenance)
	}
	last := uint64(0)
	for _, w := range windows {
		if w.From < last || w.Until <= w.From || w.Until > maxSecond {
			return ErrInvalidMaintenance.Wrapf("window from %d until %d", w.From, w.Until)
		}
		last = w.Until
	}
	return nil
}

// maxSecond is the highest service second that a record may hold: sums of seconds stay far below 2^64.
const maxSecond = uint64(1) << 62
