package agent

import (
	"context"
	"errors"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/offer"
	"github.com/souk-network/souk/client"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	// offerTimeout bounds one update of pool and offer.
	offerTimeout = time.Minute
	// offerPause follows an update that was refused, for example because the bond does not cover it.
	offerPause = 15 * time.Second
)

// refreshOffers brings pool and offer on the chain up to date, in the background, one update at a time.
func (a *Agent) refreshOffers(ctx context.Context) {
	a.mu.Lock()
	wait := time.Now().Before(a.offerFrom)
	a.mu.Unlock()
	if wait || !a.offering.CompareAndSwap(false, true) {
		return
	}
	msgs, err := a.planOffers(ctx)
	if err != nil || len(msgs) == 0 {
		if err != nil {
			a.log.Warn("offers could not be read", "error", err)
		}
		a.offering.Store(false)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), offerTimeout)
	go func() {
		defer cancel()
		defer a.offering.Store(false)
		receipt, err := a.queue.Do(ctx, client.Request{Msgs: msgs, Note: "offer", Alone: true})
		if err == nil {
			a.metrics.transactions.WithLabelValues("ok").Inc()
			a.log.Info("offer is up to date", "messages", len(msgs), "tx", receipt.Hash, "height", receipt.Height)
			return
		}
		a.metrics.transactions.WithLabelValues("failed").Inc()
		a.pauseOffers()
		try := ""
		if errors.Is(err, markettypes.ErrBondTooLow) {
			try = "souk provider bond AMOUNT, or offer less: raise the reserves or lower the prices in agent.yaml"
		}
		a.log.Error("offer could not be brought up to date", "error", err, "try", try, "again_in", offerPause)
	}()
}

func (a *Agent) pauseOffers() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.offerFrom = time.Now().Add(offerPause)
}

func (a *Agent) planOffers(ctx context.Context) ([]sdk.Msg, error) {
	inventory, err := a.runtime.Inventory(ctx)
	if err != nil {
		return nil, err
	}
	res, err := a.chain.Market.ProviderOffers(ctx, &markettypes.QueryProviderOffersRequest{Provider: a.provider})
	if err != nil {
		return nil, err
	}
	in := offer.Input{
		Signer: a.queue.Address(), Provider: a.provider, Config: a.cfg.Offer,
		Nodes: inventory.Nodes, Pools: res.Pools, Offers: res.Offers,
	}
	in.Config.Asks = a.ask(ctx, in.View())
	return offer.Plan(in), nil
}
