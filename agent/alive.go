package agent

import (
	"context"
	"fmt"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/events"
	"github.com/souk-network/souk/agent/reconcile"
	"github.com/souk-network/souk/client"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	// maxLiving leases in one message.
	maxLiving = 100
	// engineTimeout is how soon the engine must answer before this provider says that it lives.
	engineTimeout = 5 * time.Second
)

// engine is a runtime that can tell at once whether what runs containers works.
type engine interface {
	Alive(ctx context.Context) error
}

// engineAlive fails when the runtime's engine does not answer in time.
func (a *Agent) engineAlive(ctx context.Context) error {
	e, ok := a.runtime.(engine)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	if err := e.Alive(ctx); err != nil {
		return fmt.Errorf("the container engine does not work: %w", err)
	}
	return nil
}

func (a *Agent) livingNow() []uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	ids := make([]uint64, 0, len(a.living))
	for id := range a.living {
		ids = append(ids, id)
	}
	return ids
}

// answerChallenges answers in the background. It is called by a round that read the chain and the runtime: both work.
func (a *Agent) answerChallenges(ctx context.Context, ids []uint64) {
	ids = ids[:min(len(ids), maxLiving)]
	if len(ids) == 0 {
		return
	}
	a.setLiving(true, ids)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ackTimeout)
	go func() {
		defer cancel()
		err := a.engineAlive(ctx)
		if err == nil {
			err = a.sendAlive(ctx, ids)
		}
		result := "ok"
		if err != nil {
			result = "failed"
			a.log.Warn("challenges could not be answered, will be tried again", "leases", ids, "error", err)
		}
		a.metrics.transactions.WithLabelValues(result).Inc()
		a.countAnswers(reconcile.Live, len(ids), err)
		a.setLiving(false, ids)
	}()
}

func (a *Agent) sendAlive(ctx context.Context, ids []uint64) error {
	msg := &markettypes.MsgAnswerAlive{Signer: a.queue.Address(), Provider: a.provider, Leases: ids}
	receipt, err := a.queue.Do(ctx, client.Request{Msgs: []sdk.Msg{msg}, Note: "alive", Urgent: true})
	if err != nil {
		return err
	}
	var res markettypes.MsgAnswerAliveResponse
	if err := receipt.Response(0, &res); err != nil {
		return err
	}
	for _, r := range res.Results {
		if r.Error != "" {
			a.log.Warn("the chain did not take the answer to a challenge", "lease", r.Lease, "error", r.Error)
			continue
		}
		a.events.Add(r.Lease, events.Answered, fmt.Sprintf("the provider was challenged and answered at height %d", receipt.Height))
	}
	a.log.Info("challenges answered", "leases", ids, "tx", receipt.Hash, "height", receipt.Height)
	return nil
}

func (a *Agent) setLiving(on bool, ids []uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, id := range ids {
		if on {
			a.living[id] = true
		} else {
			delete(a.living, id)
		}
	}
}
