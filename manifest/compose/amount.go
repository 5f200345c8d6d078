package compose

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
)

// maxAmount bounds amounts and rates, as the chain does.
const maxAmount = 1<<63 - 1

var (
	decimal   = regexp.MustCompile(`^[0-9]{1,30}(\.[0-9]{1,30})?$`)
	amount    = regexp.MustCompile(`^([0-9]{1,30}(?:\.[0-9]{1,30})?) ?([a-zA-Z][a-zA-Z0-9/:._-]{1,127})?$`)
	validName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$`)
	bytesText = regexp.MustCompile(`^([0-9]{1,30}(?:\.[0-9]{1,30})?) ?([kKmMgGtTpP]?)(?:i?[bB])?$`)
)

// scaled returns text x multiplier / divisor exactly, rounded up when up says so; false when it is no such number, has
// a rest that may not be rounded, or is beyond 2^63 - 1.
func scaled(text string, multiplier, divisor int64, up bool) (uint64, bool) {
	if !decimal.MatchString(text) {
		return 0, false
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, false
	}
	value.Mul(value, big.NewRat(multiplier, divisor))
	whole, rest := new(big.Int).QuoRem(value.Num(), value.Denom(), new(big.Int))
	if rest.Sign() != 0 {
		if !up {
			return 0, false
		}
		whole.Add(whole, big.NewInt(1))
	}
	if !whole.IsInt64() {
		return 0, false
	}
	return whole.Uint64(), true
}

// parseAmount reads an amount of money exactly: "50000usouk" in micro-denom, or "0.05 souk" and "0.05" in the display
// unit of denom, which is the denom without its leading u and a million times as much.
func parseAmount(text, denom string) (uint64, error) {
	parts := amount.FindStringSubmatch(text)
	if parts == nil {
		return 0, fmt.Errorf("%q is not an amount", text)
	}
	number, unit := parts[1], parts[2]
	display, hasDisplay := strings.CutPrefix(denom, "u")
	multiplier := int64(1)
	switch {
	case unit == denom:
	case hasDisplay && (unit == "" || unit == display):
		multiplier = 1_000_000
	case unit == "":
		return 0, fmt.Errorf("%q has no unit, and %s has no display unit", text, denom)
	default:
		return 0, fmt.Errorf("%q is not in %s", text, denom)
	}
	micro, ok := scaled(number, multiplier, 1, false)
	if !ok || micro > maxAmount {
		return 0, fmt.Errorf("%q is not a whole amount of %s below 2^63", text, denom)
	}
	return micro, nil
}

// parseMiB reads a size as compose does ("512m", "1.5GiB", "1073741824"), powers of 1024, rounded up to MiB.
func parseMiB(text string) (uint64, bool) {
	parts := bytesText.FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	shift := 10 * strings.Index("bkmgtp", strings.ToLower(parts[2]))
	if parts[2] == "" {
		shift = 0
	}
	return scaled(parts[1], 1<<shift, 1<<20, true)
}

func trimPercent(text string) string { return strings.TrimSuffix(strings.TrimSuffix(text, "%"), " ") }
