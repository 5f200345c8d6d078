package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// closeTimeout is how long a closing transaction may take.
const closeTimeout = 2 * time.Minute

// closed is how a deployment ended, for programs.
type closed struct {
	Deployment string   `json:"deployment"`
	ID         uint64   `json:"id"`
	Denom      string   `json:"denom"`
	Deposited  math.Int `json:"deposited"`
	Spent      math.Int `json:"spent"`
	Refunded   math.Int `json:"refunded"`
	Fee        string   `json:"fee"` // of the closing transaction
	TxHash     string   `json:"tx_hash"`
}

func downCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "down NAME",
		Short: "Close a deployment: containers end, payment stops at the second, the rest is refunded",
		Args:  cobra.ExactArgs(1), ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			return t.down(cmd.Context(), args[0], yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

func (t *tenant) down(ctx context.Context, name string, yes bool) error {
	j, err := openJournal(t.Home, t.Client.Config.ChainID, t.owner, name)
	if err != nil {
		return err
	}
	if err := t.settle(ctx, j, "souk down "+name); err != nil {
		return err
	}
	d, err := t.mustFind(ctx, name)
	if err != nil {
		return err
	}
	if err := t.Confirm(ctx, yes, fmt.Sprintf("Close %s and end what it runs?", name)); err != nil {
		return err
	}
	end, err := t.closeDeployment(ctx, d, j)
	if err != nil {
		return err
	}
	return t.Out.One(end, fmt.Sprintf("%s: closed\ndeposited %s\nspent     %s\nrefunded  %s\n", name,
		output.Money(end.Deposited, end.Denom), output.Money(end.Spent, end.Denom), output.Money(end.Refunded, end.Denom)))
}

// closeDeployment closes a deployment and forgets what was kept of it.
func (t *tenant) closeDeployment(ctx context.Context, d *open, j *journal) (closed, error) {
	queue, err := t.queue(j)
	if err != nil {
		return closed{}, err
	}
	defer queue.Close()
	wait, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	receipt, err := queue.Do(wait, client.Request{
		Msgs: msgs(&markettypes.MsgCloseDeployment{Owner: t.owner, Deployment: d.Id}), Note: "close " + d.Name, Alone: true,
	})
	if errors.Is(err, client.ErrOutcomeUnknown) {
		return closed{}, session.NotConfirmed("", err, "souk down "+d.Name)
	}
	if err != nil {
		return closed{}, client.Explain("close deployment "+d.Name, err)
	}
	var answer markettypes.MsgCloseDeploymentResponse
	if err := receipt.Response(0, &answer); err != nil {
		return closed{}, err
	}
	end, err := t.accountAtEnd(ctx, d, answer.Refunded)
	if err != nil {
		return closed{}, err
	}
	end.Fee, end.TxHash = receipt.Fee.String(), receipt.Hash
	return end, j.forget()
}

func (t *tenant) accountAtEnd(ctx context.Context, d *open, refunded sdk.Coin) (closed, error) {
	account, err := t.Escrow.Account(ctx, &escrowtypes.QueryAccountRequest{Id: d.Account})
	if err != nil {
		return closed{}, client.Explain("read the account of "+d.Name, err)
	}
	return closed{
		Deployment: d.Name, ID: d.Id, Denom: d.Denom, Spent: account.Spent, Refunded: refunded.Amount,
		Deposited: refunded.Amount.Add(account.Spent),
	}, nil
}
