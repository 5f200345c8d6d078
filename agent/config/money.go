package config

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/offer/price"
)

// Earnings says when earnings are withdrawn, and what the agent may spend on all that it sends.
type Earnings struct {
	Every     time.Duration // between looks at what can be withdrawn; 0 leaves it to the operator
	Above     sdk.Coins     // least amount of a coin that is worth a withdrawal; of others, any
	FeeBudget sdk.Coins     // fees of a day; without coins there is no bound
}

// Names of the strategies.
const (
	pricingFixed  = "fixed"
	pricingScaled = "scaled"
	pricingScript = "script"
)

// addMoneyFlags declares how prices are set and earnings come in.
func addMoneyFlags(f *pflag.FlagSet) {
	f.String(Pricing, pricingFixed, "fixed asks the price list; scaled asks more the more is taken; script asks a program")
	f.Uint64(PriceFloor, 50, "least price in percent of the list, of scaled and script")
	f.Uint64(PriceCeiling, 200, "highest price in percent of the list, of scaled and script")
	f.String(PriceScript, "", "program that sets prices: it reads JSON and prints JSON")
	f.Duration(PriceTimeout, 5*time.Second, "how long it may take")
	f.Uint64(PriceMemoryMiB, 256, "MiB of memory that it may use")
	f.Duration(PriceEvery, 10*time.Second, "how often it is asked")
	addQuoteFlags(f)
	f.Duration(WithdrawEvery, 6*time.Hour, "how often matured earnings are withdrawn to the payout account; 0 for never")
	f.String(WithdrawAbove, "", "least amounts that are worth a withdrawal, such as 1000000usouk,500000ustable")
	f.String(FeeBudget, "", "most that the agent may pay in fees in 24 hours, such as 5000000usouk; no bound when empty")
}

// parseMoney reads them, and says all that is wrong.
func (c *Config) parseMoney(v *viper.Viper) (errs []error) {
	check := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	var err error
	c.Pricing, err = c.parsePricing(v)
	check(Pricing, err)
	if c.Every = v.GetDuration(PriceEvery); c.Every < time.Second {
		check(PriceEvery, errors.New("want a second or more"))
	}
	errs = append(errs, c.parseQuotes(v)...)
	if c.Earnings.Every = v.GetDuration(WithdrawEvery); c.Earnings.Every != 0 && c.Earnings.Every < time.Second {
		check(WithdrawEvery, fmt.Errorf("%q: want a duration such as 6h, or 0", v.GetString(WithdrawEvery)))
	}
	c.Earnings.Above, err = sdk.ParseCoinsNormalized(v.GetString(WithdrawAbove))
	check(WithdrawAbove, err)
	c.Earnings.FeeBudget, err = sdk.ParseCoinsNormalized(v.GetString(FeeBudget))
	check(FeeBudget, err)
	return errs
}

func (c *Config) parsePricing(v *viper.Viper) (price.Strategy, error) {
	bounds := price.Bounds{FloorPercent: v.GetUint64(PriceFloor), CeilingPercent: v.GetUint64(PriceCeiling)}
	switch name := v.GetString(Pricing); name {
	case pricingFixed:
		return price.Fixed{}, nil
	case pricingScaled:
		return price.Scaled{Bounds: bounds}, bounds.Check()
	case pricingScript:
		script, err := c.scriptOf(v, PriceScript)
		if err != nil {
			return nil, err
		}
		return script, nil
	default:
		return nil, fmt.Errorf("%q: want %s, %s or %s", name, pricingFixed, pricingScaled, pricingScript)
	}
}
