package devnetcmd

import (
	"fmt"

	"github.com/spf13/cobra"

	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/devnet"
)

func fundCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "fund ADDRESS AMOUNT",
		Short:   "Send coins of the devnet's faucet to an account",
		Example: "  souk devnet fund $(souk keys show bob -a) 100SOUK",
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
	// The faucet's key must never sign for a network whose coins are worth something.
	if !devnet.IsDevnet(n.ChainID) {
		return fmt.Errorf("%s is not a devnet: its faucet gives nothing", n.ChainID)
	}
	c, err := n.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.Check(cmd.Context()); err != nil {
		return err
	}
	ring, err := n.Keyring()
	if err != nil {
		return err
	}
	queue, err := client.NewQueue(c, client.QueueConfig{Keyring: ring, Key: devnet.KeyFaucet})
	if err != nil {
		return err
	}
	defer queue.Close()
	receipt, err := queue.Send(cmd.Context(), &banktypes.MsgSend{FromAddress: queue.Address(), ToAddress: to, Amount: sdk.NewCoins(amount)})
	if err != nil {
		return client.Explain("fund "+to, err)
	}
	return s.Out.One(map[string]string{"to": to, "amount": amount.String(), "tx_hash": receipt.Hash},
		fmt.Sprintf("sent     %s to %s\n", output.Money(amount.Amount, amount.Denom), to))
}
