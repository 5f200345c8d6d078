package agent

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/souk-network/souk/agent/offer/price"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// prices is what the operator's program asks, and what it is asked with. It runs beside the loop, which never waits for it.
type prices struct {
	mu   sync.Mutex
	view *price.View       // nil until the chain was looked at
	asks []markettypes.Ask // the last good answer
}

// ask gives the prices of the present moment. A program that has not answered yet, or fails, leaves them as they are.
func (a *Agent) ask(ctx context.Context, v price.View) []markettypes.Ask {
	if len(v.Base) == 0 {
		return nil // the operator posts offers by hand
	}
	if _, slow := a.cfg.Pricing.(price.Script); !slow {
		asks, err := a.cfg.Pricing.Asks(ctx, v)
		if err == nil {
			return asks
		}
		a.log.Error("prices stay as they are", "error", err)
		return orElse(v.Present, v.Base)
	}
	a.prices.mu.Lock()
	defer a.prices.mu.Unlock()
	a.prices.view = &v
	return orElse(a.prices.asks, orElse(v.Present, v.Base))
}

func orElse(asks, otherwise []markettypes.Ask) []markettypes.Ask {
	if len(asks) > 0 {
		return asks
	}
	return otherwise
}

// keepPrices asks the operator's program again and again.
func (a *Agent) keepPrices(ctx context.Context) {
	script, is := a.cfg.Pricing.(price.Script)
	if !is {
		return
	}
	said := ""
	ticker := time.NewTicker(a.cfg.Every)
	defer ticker.Stop()
	for {
		if err := a.askScript(ctx, script); ctx.Err() == nil {
			said = a.notePrices(err, said)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (a *Agent) askScript(ctx context.Context, script price.Script) error {
	a.prices.mu.Lock()
	view := a.prices.view
	a.prices.mu.Unlock()
	if view == nil {
		return nil
	}
	asks, err := script.Asks(ctx, *view)
	if err != nil {
		return err
	}
	a.prices.mu.Lock()
	changed := !slices.Equal(a.prices.asks, asks)
	a.prices.asks = asks
	a.prices.mu.Unlock()
	if changed {
		a.Wake()
	}
	return nil
}

// notePrices logs how a question went when that changed, and returns what was said.
func (a *Agent) notePrices(err error, said string) string {
	if err == nil {
		a.money.pricesOK.Set(1)
		if said != "" {
			a.log.Info("prices are set again")
		}
		return ""
	}
	a.money.pricesOK.Set(0)
	a.money.priceErrors.Inc()
	if text := err.Error(); text != said {
		a.log.Error("the last prices stay", "error", err)
		return text
	}
	return said
}
