package compose

import (
	"regexp"
	"strconv"
)

var duration = regexp.MustCompile(`^(?:([0-9]{1,9})d)?(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,10})s)?$`)

// parseDuration reads "36h", "7d" or "1d12h30m15s" as seconds, above zero and within what the chain takes.
func parseDuration(text string) (seconds uint64, ok bool) {
	parts := duration.FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	for i, unit := range []uint64{24 * 3600, 3600, 60, 1} {
		if parts[i+1] == "" {
			continue
		}
		count, err := strconv.ParseUint(parts[i+1], 10, 64)
		if err != nil {
			return 0, false
		}
		seconds += count * unit
	}
	return seconds, seconds > 0 && seconds <= maxLeaseSeconds
}
