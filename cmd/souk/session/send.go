package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/cosmos/gogoproto/proto"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/client"
)

// sendTimeout is how long a transaction may take.
const sendTimeout = 2 * time.Minute

// Send signs messages of an account with the session's key and waits until they took effect. What an earlier run of the
// same command left on its way is looked up first: if it took place nothing is sent again.
func (s *Session) Send(ctx context.Context, c *client.Client, account, what string, msgs ...sdk.Msg) (client.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	intents, err := s.Intents(c.Config.ChainID, account)
	if err != nil {
		return client.Receipt{}, err
	}
	note, err := noteOf(what, msgs)
	if err != nil {
		return client.Receipt{}, err
	}
	const again = "run the same command again"
	took, err := intents.Settle(ctx, c, again)
	if err != nil {
		return client.Receipt{}, err
	}
	if receipt, done := took[note]; done {
		s.Notef("the earlier run took effect in block %d, transaction %s; nothing was sent again", receipt.Height, receipt.Hash)
		return receipt, nil
	}
	ring, err := s.Keyring()
	if err != nil {
		return client.Receipt{}, err
	}
	queue, err := client.NewQueue(c, client.QueueConfig{Keyring: ring, Key: s.Context.From, Journal: intents})
	if err != nil {
		return client.Receipt{}, err
	}
	defer queue.Close()
	receipt, err := queue.Do(ctx, client.Request{Msgs: msgs, Note: note, Alone: true})
	if errors.Is(err, client.ErrOutcomeUnknown) {
		return client.Receipt{}, NotConfirmed("", err, again)
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
