package config

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/souk-network/souk/agent/offer/price"
)

// Quoting is how bids that collect quotes are answered.
type Quoting struct {
	On          bool
	DiscountBps uint64        // off the offer's ask
	Script      *price.Script // program that is asked instead; nil for none
	Valid       time.Duration // of a quote
}

// Names of the ways to quote.
const (
	quotesOff      = "off"
	quotesFixed    = "fixed"
	quotesDiscount = "discount"
	quotesScript   = "script"
)

// Bounds of the settings.
const (
	minQuoteValid = 30 * time.Second
	maxQuoteValid = 24 * time.Hour
	wholeBps      = 10_000
)

func addQuoteFlags(f *pflag.FlagSet) {
	f.String(Quotes, quotesOff, "answer bids that collect quotes: off; fixed at the offer's prices; discount below them; script asks a program")
	f.Uint64(QuoteDiscount, 500, "hundredths of a percent off the offer's prices, of discount")
	f.String(QuoteScript, "", "program that sets prices of quotes: it reads JSON and prints JSON; bounds and limits are those of prices")
	f.Duration(QuoteValid, 10*time.Minute, "how long a quote can be accepted; it is made anew before that")
}

// parseQuotes reads them, and says all that is wrong.
func (c *Config) parseQuotes(v *viper.Viper) (errs []error) {
	c.Quotes = Quoting{On: true, Valid: v.GetDuration(QuoteValid)}
	if c.Quotes.Valid < minQuoteValid || c.Quotes.Valid > maxQuoteValid {
		errs = append(errs, fmt.Errorf("%s: %q: want a duration from %s to %s", QuoteValid, v.GetString(QuoteValid), minQuoteValid, maxQuoteValid))
	}
	switch name := v.GetString(Quotes); name {
	case quotesOff:
		c.Quotes.On = false
	case quotesFixed:
	case quotesDiscount:
		if c.Quotes.DiscountBps = v.GetUint64(QuoteDiscount); c.Quotes.DiscountBps >= wholeBps {
			errs = append(errs, fmt.Errorf("%s: want less than %d", QuoteDiscount, wholeBps))
		}
	case quotesScript:
		script, err := c.scriptOf(v, QuoteScript)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", Quotes, err))
		}
		c.Quotes.Script = &script
	default:
		errs = append(errs, fmt.Errorf("%s: %q: want %s, %s, %s or %s", Quotes, name, quotesOff, quotesFixed, quotesDiscount, quotesScript))
	}
	return errs
}

// scriptOf is a program that sets prices within the list's bounds.
func (c *Config) scriptOf(v *viper.Viper, setting string) (price.Script, error) {
	bounds := price.Bounds{FloorPercent: v.GetUint64(PriceFloor), CeilingPercent: v.GetUint64(PriceCeiling)}
	script := price.Script{Bounds: bounds, Path: v.GetString(setting), Limits: price.Limits{
		Time: v.GetDuration(PriceTimeout), MemoryMiB: v.GetUint64(PriceMemoryMiB),
	}}
	switch {
	case !filepath.IsAbs(script.Path):
		return script, fmt.Errorf("%s: %q is not the absolute path of a program", setting, script.Path)
	case script.Limits.Time <= 0 || script.Limits.Time > time.Minute:
		return script, fmt.Errorf("%s: want more than nothing and at most a minute", PriceTimeout)
	case script.Limits.MemoryMiB < 16:
		return script, fmt.Errorf("%s: want at least 16", PriceMemoryMiB)
	case len(c.Offer.Asks) == 0:
		return script, fmt.Errorf("%s: a program needs a price list to stay within", setting)
	}
	return script, bounds.Check()
}
