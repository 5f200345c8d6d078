package devnetcmd

import (
	"fmt"

	"github.com/spf13/cobra"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/devnet"
)

func faucetCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "faucet ADDRESS AMOUNT",
		Aliases: []string{"fund"},
		Short:   "Send coins of the devnet's faucet to an account",
		Example: "  souk devnet faucet $(souk keys show bob -a) 100SOUK\n  souk devnet faucet $(souk keys show bob -a) 100STABLE",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			amount, err := output.ParseCoin(args[1])
			if err != nil {
				return session.Usage(err)
			}
			if _, err := scope.AddressCodec().StringToBytes(args[0]); err != nil {
				return session.Usage(fault.New(args[0]+" is not an address", err, "souk keys list shows addresses"))
			}
			return withNetwork(cmd, func(s *session.Session, n *devnet.Network) error {
				return fund(cmd, s, n, args[0], amount)
			})
		},
	}
}

func fund(cmd *cobra.Command, s *session.Session, n *devnet.Network, to string, amount sdk.Coin) error {
	receipt, err := n.Fund(cmd.Context(), to, amount)
	if err != nil {
		return err
	}
	return s.Out.One(map[string]string{"to": to, "amount": amount.String(), "tx_hash": receipt.Hash},
		fmt.Sprintf("sent     %s to %s\n", output.Money(amount.Amount, amount.Denom), to))
}
