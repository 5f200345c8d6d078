package devnet

import (
	"context"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
)

// Fund sends coins of the faucet to an account and returns the transaction. It signs for no network but a devnet, whose
// coins are worth nothing, whatever stands in the folder and whatever the node says.
func (n *Network) Fund(ctx context.Context, to string, amount sdk.Coin) (client.Receipt, error) {
	if err := n.hasFaucet(); err != nil {
		return client.Receipt{}, err
	}
	c, err := n.Dial()
	if err != nil {
		return client.Receipt{}, err
	}
	defer c.Close()
	if err := c.Check(ctx); err != nil { // the node serves this very chain
		return client.Receipt{}, err
	}
	ring, err := n.Keyring()
	if err != nil {
		return client.Receipt{}, err
	}
	queue, err := client.NewQueue(c, client.QueueConfig{Keyring: ring, Key: KeyFaucet})
	if err != nil {
		return client.Receipt{}, err
	}
	defer queue.Close()
	receipt, err := queue.Send(ctx, &banktypes.MsgSend{FromAddress: queue.Address(), ToAddress: to, Amount: sdk.NewCoins(amount)})
	return receipt, client.Explain("fund "+to, err)
}

func (n *Network) hasFaucet() error {
	if IsDevnet(n.ChainID) {
		return nil
	}
	return fault.New("fund an account", fmt.Errorf("%s is not a devnet: its coins are worth something, and its faucet gives none", n.ChainID),
		"souk devnet status   shows what runs here")
}
