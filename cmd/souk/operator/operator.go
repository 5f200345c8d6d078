// Package operator owns the commands of those who offer machines: souk provider. It registers, bonds, shows and withdraws;
// the daemon that serves leases is souk-agent.
package operator

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/cosmos/gogoproto/proto"
	"github.com/spf13/cobra"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/session"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// sendTimeout is how long a transaction may take.
const sendTimeout = 2 * time.Minute

// Command returns souk provider.
func Command() *cobra.Command {
	cmd := &cobra.Command{Use: "provider", Short: "Offer machines: register, bond, watch, withdraw", Args: cobra.NoArgs}
	cmd.AddCommand(initCommand(), bondCommand(), offerCommand(), statusCommand(), withdrawCommand())
	return cmd
}

// operator is a session in which somebody acts for a provider.
type operator struct {
	*session.Session
	*client.Client

	address string
}

func openOperator(cmd *cobra.Command) (*operator, error) {
	s, err := session.Open(cmd)
	if err != nil {
		return nil, err
	}
	_, address, err := s.Address()
	if err != nil {
		return nil, err
	}
	c, err := s.Dial(cmd.Context())
	if err != nil {
		return nil, err
	}
	return &operator{Session: s, Client: c, address: address}, nil
}

// send signs messages with the session's key and waits until they took effect. What an earlier run of the same command left
// on its way is looked up first: if it took place nothing is sent again.
func (op *operator) send(ctx context.Context, what string, msgs ...sdk.Msg) (client.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	intents, err := op.Intents(op.Client.Config.ChainID, op.address)
	if err != nil {
		return client.Receipt{}, err
	}
	note, err := noteOf(what, msgs)
	if err != nil {
		return client.Receipt{}, err
	}
	const again = "run the same command again"
	took, err := intents.Settle(ctx, op.Client, again)
	if err != nil {
		return client.Receipt{}, err
	}
	if receipt, done := took[note]; done {
		op.Notef("the earlier run took effect in block %d, transaction %s; nothing was sent again", receipt.Height, receipt.Hash)
		return receipt, nil
	}
	ring, err := op.Keyring()
	if err != nil {
		return client.Receipt{}, err
	}
	queue, err := client.NewQueue(op.Client, client.QueueConfig{Keyring: ring, Key: op.Context.From, Journal: intents})
	if err != nil {
		return client.Receipt{}, err
	}
	defer queue.Close()
	receipt, err := queue.Do(ctx, client.Request{Msgs: msgs, Note: note, Alone: true})
	if errors.Is(err, client.ErrOutcomeUnknown) {
		return client.Receipt{}, session.NotConfirmed("", err, again)
	}
	return receipt, client.Explain(what, err)
}

// noteOf names a command with all that it asks for: the same command with another amount is another one.
func noteOf(what string, msgs []sdk.Msg) (string, error) {
	sum := sha256.New()
	for _, msg := range msgs {
		bz, err := proto.Marshal(msg)
		if err != nil {
			return "", fmt.Errorf("encode what to send: %w", err)
		}
		sum.Write(bz)
	}
	return fmt.Sprintf("%s %x", what, sum.Sum(nil)[:8]), nil
}

// find returns a provider and the bond it needs; nil if the address is none.
func (op *operator) find(ctx context.Context, address string) (*providertypes.QueryProviderResponse, error) {
	res, err := op.Provider.Provider(ctx, &providertypes.QueryProviderRequest{Operator: address})
	if status.Code(err) == codes.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, client.Explain("look for provider "+address, err)
	}
	return res, nil
}

func (op *operator) mustFind(ctx context.Context, address string) (*providertypes.QueryProviderResponse, error) {
	p, err := op.find(ctx, address)
	if err == nil && p == nil {
		return nil, fault.New(address+" is not a registered provider", nil, "souk provider init --help   says how to register")
	}
	return p, err
}
