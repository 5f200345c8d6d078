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
	// firstWithdrawal after the start, when the interval is longer: an agent that is restarted often withdraws all the same.
	firstWithdrawal = 10 * time.Minute
	withdrawTimeout = time.Minute
)

// keepWithdrawing pays matured earnings to the payout account now and then. It asks for what the provider's pot of a coin
// holds and never for a lease: one that has closed is withdrawn with all others, once.
func (a *Agent) keepWithdrawing(ctx context.Context) {
	every := a.cfg.Earnings.Every
	if every == 0 {
		return
	}
	timer := time.NewTimer(min(every, firstWithdrawal))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if err := a.withdrawAll(ctx); err != nil && ctx.Err() == nil {
			a.log.Warn("earnings could not be withdrawn, will be tried again", "error", err, "again_in", every)
		}
		timer.Reset(every)
	}
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
		if isWorthwhile(sdk.NewCoin(d.Denom, earned.Available), a.cfg.Earnings.Above) {
			errs = append(errs, a.withdraw(ctx, d.Denom))
		}
	}
	return errors.Join(errs...)
}

// isWorthwhile tells whether an amount is as much as the operator wants to see before it is withdrawn.
func isWorthwhile(available sdk.Coin, above sdk.Coins) bool {
	return available.IsPositive() && available.Amount.GTE(above.AmountOf(available.Denom))
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
