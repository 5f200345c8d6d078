package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/client"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	// firstWithdrawal after the start, when the interval is longer and nothing was withdrawn within it.
	firstWithdrawal = time.Minute
	// withdrawGas is more than a withdrawal takes; worthwhileFees is how many of its fees an amount must be worth.
	withdrawGas     = 250_000
	worthwhileFees  = 10
	withdrawTimeout = time.Minute
)

// keepWithdrawing pays matured earnings to the payout account now and then. It asks for what the provider's pot of a coin
// holds and never for a lease: one that has closed is withdrawn with all others, once.
func (a *Agent) keepWithdrawing(ctx context.Context) {
	every := a.cfg.Earnings.Every
	if every == 0 {
		return
	}
	last, err := a.store.Withdrawn()
	if err != nil {
		a.log.Warn("it is not known when earnings were last withdrawn", "error", err)
	}
	timer := time.NewTimer(untilWithdrawal(time.Now(), last, every))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := a.withdrawAll(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("earnings could not be withdrawn, will be tried again", "error", err, "again_in", every)
		} else if err == nil {
			a.noteWithdrawal()
		}
		timer.Reset(every)
	}
}

// noteWithdrawal keeps the time for the next process.
func (a *Agent) noteWithdrawal() {
	if err := a.store.SetWithdrawn(time.Now()); err != nil {
		a.log.Error("the withdrawal could not be journalled", "error", err)
	}
}

// untilWithdrawal is how long after its start an agent withdraws, when it did so last at a time; zero for never.
func untilWithdrawal(now, last time.Time, every time.Duration) time.Duration {
	first := min(every, firstWithdrawal)
	if last.IsZero() || last.After(now) { // a clock that was wrong
		return first
	}
	return max(every-now.Sub(last), first)
}

// withdrawAll withdraws every coin of which enough has matured.
func (a *Agent) withdrawAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, withdrawTimeout)
	defer cancel()
	params, err := a.chain.Escrow.Params(ctx, &escrowtypes.QueryParamsRequest{})
	if err != nil {
		return fmt.Errorf("read which coins leases are paid in: %w", err)
	}
	var errs []error
	for _, d := range params.Params.Denoms {
		if d.Halted {
			continue
		}
		earned, err := a.chain.Escrow.Earnings(ctx, &escrowtypes.QueryEarningsRequest{Payee: a.provider, Denom: d.Denom})
		if err != nil {
			errs = append(errs, fmt.Errorf("read the earnings in %s: %w", d.Denom, err))
			continue
		}
		if isWorthwhile(sdk.NewCoin(d.Denom, earned.Available), a.cfg.Earnings.Above, a.chain.Config.GasPrices) {
			errs = append(errs, a.withdraw(ctx, d.Denom))
		}
	}
	return errors.Join(errs...)
}

// isWorthwhile tells whether an amount is as much as the operator wants to see before it is withdrawn. Of a coin of which the
// operator says nothing it is worth several times the fee, as far as that is paid in the same coin.
func isWorthwhile(available sdk.Coin, above sdk.Coins, prices sdk.DecCoins) bool {
	least := above.AmountOf(available.Denom)
	if !least.IsPositive() && len(prices) > 0 && prices[0].Denom == available.Denom { // as the queue pays
		least = prices[0].Amount.MulInt64(withdrawGas * worthwhileFees).Ceil().TruncateInt()
	}
	return available.IsPositive() && available.Amount.GTE(least)
}

func (a *Agent) withdraw(ctx context.Context, denom string) error {
	msg := &providertypes.MsgWithdraw{Signer: a.queue.Address(), Provider: a.provider, Denom: denom}
	receipt, err := a.queue.Do(ctx, client.Request{Msgs: []sdk.Msg{msg}, Note: "withdraw " + denom})
	if err != nil {
		a.money.withdrawals.WithLabelValues(denom, "failed").Inc()
		return fmt.Errorf("withdraw %s: %w", denom, err)
	}
	a.money.withdrawals.WithLabelValues(denom, "ok").Inc()
	var answer providertypes.MsgWithdrawResponse
	if err := receipt.Response(0, &answer); err != nil {
		return err
	}
	a.money.withdrawn.WithLabelValues(denom).Add(micro(answer.Amount.Amount))
	a.log.Info("earnings withdrawn", "amount", answer.Amount, "fee", answer.Fee, "tx", receipt.Hash)
	return nil
}
