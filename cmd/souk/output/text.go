package output

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/jedib0t/go-pretty/v6/text"

	"cosmossdk.io/math"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/scope"
)

const alignRight = text.AlignRight

// hoursPerMonth is the mean month: 365.25 days / 12.
const hoursPerMonth = 730

// Money writes an amount of a micro-denom in its display denom, exactly: 1500000 usouk is "1.5 SOUK".
func Money(amount math.Int, denom string) string {
	display, known := displayOf(denom)
	if !known {
		return amount.String() + " " + Clean(denom)
	}
	sign := ""
	if amount.IsNegative() {
		sign, amount = "-", amount.Neg()
	}
	unit := math.NewInt(1_000_000)
	whole, micro := amount.Quo(unit), amount.Mod(unit)
	fraction := strings.TrimRight(fmt.Sprintf("%06d", micro.Int64()), "0")
	if fraction != "" {
		fraction = "." + fraction
	}
	return fmt.Sprintf("%s%s%s %s", sign, whole, fraction, display)
}

// displayOf names what people call a micro-denom: usouk is SOUK.
func displayOf(denom string) (string, bool) {
	if denom == scope.Denom {
		return scope.DisplayDenom, true
	}
	return "", false
}

// PerHour writes a rate in micro-denom per hour.
func PerHour(rate uint64, denom string) string {
	return Money(math.NewIntFromUint64(rate), denom) + "/h"
}

// PerMonth writes what a rate in micro-denom per hour comes to in a mean month.
func PerMonth(rate uint64, denom string) string {
	return Money(math.NewIntFromUint64(rate).MulRaw(hoursPerMonth), denom) + "/month"
}

// Runway writes how long money lasts, in the two largest units: "12 days 3 h".
func Runway(seconds uint64) string {
	const day = 24 * 3600
	switch {
	case seconds >= 100*365*day:
		return "over 100 years"
	case seconds >= day:
		return fmt.Sprintf("%d days %d h", seconds/day, seconds%day/3600)
	case seconds >= 3600:
		return fmt.Sprintf("%d h %d min", seconds/3600, seconds%3600/60)
	case seconds >= 60:
		return fmt.Sprintf("%d min %d s", seconds/60, seconds%60)
	default:
		return fmt.Sprintf("%d s", seconds)
	}
}

// Age writes how long ago something happened, in its largest unit.
func Age(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	case d >= time.Minute:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	default:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	}
}

// Clean takes control characters out of text that others wrote, so that it cannot command the terminal.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
}

// ParseCoin reads an amount as people write it, exactly: "1.5SOUK", "1.5 SOUK" or "1500000usouk".
func ParseCoin(s string) (sdk.Coin, error) {
	number, denom := splitCoin(s)
	if denom == "" {
		return sdk.Coin{}, fmt.Errorf("amount %q has no denom; write it as 1.5%s or 1500000%s", s, scope.DisplayDenom, scope.Denom)
	}
	if !strings.EqualFold(denom, scope.DisplayDenom) || denom == scope.Denom {
		return sdk.ParseCoinNormalized(number + denom)
	}
	amount, err := math.LegacyNewDecFromStr(number)
	if err != nil {
		return sdk.Coin{}, fmt.Errorf("amount %q: %w", s, err)
	}
	micro := amount.MulInt64(1_000_000)
	if !micro.IsInteger() || micro.IsNegative() {
		return sdk.Coin{}, fmt.Errorf("amount %q: want at most 6 decimals and no sign", s)
	}
	return sdk.NewCoin(scope.Denom, micro.TruncateInt()), nil
}

// splitCoin cuts a coin where its number ends.
func splitCoin(s string) (number, denom string) {
	s = strings.TrimSpace(s)
	end := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsDigit(r) && r != '.' && r != '-' && r != '+' })
	if end < 0 {
		return s, ""
	}
	return s[:end], strings.TrimSpace(s[end:])
}
