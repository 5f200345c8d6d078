package operator

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

func bondCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "bond AMOUNT",
		Short:   "Put more at stake, so that more can be offered",
		Example: "  souk provider bond 500SOUK",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			amount, err := output.ParseCoin(args[0])
			if err != nil {
				return session.Usage(err)
			}
			op, err := openOperator(cmd)
			if err != nil {
				return err
			}
			defer op.Close()
			if _, err := op.mustFind(cmd.Context(), op.address); err != nil {
				return err
			}
			if err := op.Confirm(cmd.Context(), yes, "Bond "+output.Money(amount.Amount, amount.Denom)+"?"); err != nil {
				return err
			}
			receipt, err := op.send(cmd.Context(), "bond", &providertypes.MsgBond{Operator: op.address, Amount: amount})
			if err != nil {
				return err
			}
			var answer providertypes.MsgBondResponse
			if err := receipt.Response(0, &answer); err != nil {
				return err
			}
			return op.Out.One(map[string]any{"bond": answer.Bond, "tx_hash": receipt.Hash}, "bond     "+coinsText(answer.Bond)+"\n")
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}

func withdrawCommand() *cobra.Command {
	var (
		yes      bool
		denom    string
		provider string
	)
	cmd := &cobra.Command{
		Use:   "withdraw",
		Short: "Pay matured earnings to the payout account",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			op, err := openOperator(cmd)
			if err != nil {
				return err
			}
			defer op.Close()
			if provider == "" {
				provider = op.address
			}
			p, err := op.mustFind(cmd.Context(), provider)
			if err != nil {
				return err
			}
			if err := op.Confirm(cmd.Context(), yes, "Withdraw to "+p.Provider.Payout+"?"); err != nil {
				return err
			}
			receipt, err := op.send(cmd.Context(), "withdraw", &providertypes.MsgWithdraw{Signer: op.address, Provider: provider, Denom: denom})
			if err != nil {
				return err
			}
			var answer providertypes.MsgWithdrawResponse
			if err := receipt.Response(0, &answer); err != nil {
				return err
			}
			return op.Out.One(map[string]any{"amount": answer.Amount, "fee": answer.Fee, "payout": p.Provider.Payout, "tx_hash": receipt.Hash},
				fmt.Sprintf("paid     %s to %s\nfee      %s to the community pool\n", output.Money(answer.Amount.Amount, answer.Amount.Denom),
					p.Provider.Payout, output.Money(answer.Fee.Amount, answer.Fee.Denom)))
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&denom, "denom", scope.Denom, "denom to withdraw")
	flags.StringVar(&provider, "provider", "", "provider by its operator, when the agent's key signs")
	flags.BoolVarP(&yes, "yes", "y", false, "do not ask before signing")
	return cmd
}
