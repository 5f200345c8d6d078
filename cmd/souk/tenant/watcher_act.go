package tenant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/watch"
	"github.com/souk-network/souk/manifest"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// actTimeout bounds one action.
const actTimeout = 2 * time.Minute

// act does one thing, and tells what came of it in a few words.
func (w *watcher) act(ctx context.Context, queue *client.Queue, o watch.Observed, a watch.Action) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, actTimeout)
	defer cancel()
	switch a.Kind {
	case watch.Send:
		return "", w.send(ctx, a)
	case watch.Fetch:
		return "", w.fetch(ctx, a)
	case watch.Challenge:
		receipt, err := w.transact(ctx, queue, a, &markettypes.MsgChallengeLease{Signer: w.order.Address, Lease: a.Lease})
		if err != nil {
			return "", err
		}
		var answer markettypes.MsgChallengeLeaseResponse
		if err := receipt.Response(0, &answer); err != nil {
			return "", err
		}
		return fmt.Sprintf("block %d, to be answered by second %d", receipt.Height, answer.AnswerBy), nil
	case watch.Failover:
		receipt, err := w.transact(ctx, queue, a, &markettypes.MsgFailover{Signer: w.order.Address, Lease: a.Lease})
		if errors.Is(err, markettypes.ErrTooSoon) {
			return "not yet: " + err.Error(), nil // another lease of the group was, and what took over may need time
		}
		if err != nil {
			return "", err
		}
		var answer markettypes.MsgFailoverResponse
		if err := receipt.Response(0, &answer); err != nil {
			return "", err
		}
		if len(answer.Promoted) == 0 {
			return fmt.Sprintf("block %d, another provider is looked for", receipt.Height), nil
		}
		return fmt.Sprintf("block %d, lease %s took over", receipt.Height, numbersText(answer.Promoted)), nil
	case watch.TopUp:
		receipt, err := w.transact(ctx, queue, a, &escrowtypes.MsgDeposit{
			Signer: w.order.Address, Account: accountOf(o, a.Deployment), Amount: a.Amount, Granter: w.owner,
		})
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("block %d", receipt.Height), nil
	}
	return w.prove(ctx, queue, o, a)
}

// prove says what was seen, or asks for what was not proven.
func (w *watcher) prove(ctx context.Context, queue *client.Queue, o watch.Observed, a watch.Action) (string, error) {
	switch a.Kind {
	case watch.Receipt:
		return w.deliver(ctx, a)
	case watch.Post:
		return w.post(ctx, queue, a)
	case watch.Refunds:
		return w.claim(ctx, queue, denomOf(o), a)
	case watch.Force:
		return w.force(ctx, queue, a)
	}
	return "", fmt.Errorf("%q is nothing that a watcher does", a.Kind)
}

// denomOf is what is paid in: a watcher watches over one denom.
func denomOf(o watch.Observed) string {
	for _, d := range o.Deployments {
		if d.Denom != "" {
			return d.Denom
		}
	}
	return ""
}

func accountOf(o watch.Observed, deployment uint64) uint64 {
	for _, d := range o.Deployments {
		if d.ID == deployment {
			return d.Account
		}
	}
	return 0
}

func (w *watcher) transact(ctx context.Context, queue *client.Queue, a watch.Action, msgs ...sdk.Msg) (client.Receipt, error) {
	return queue.Do(ctx, client.Request{Msgs: msgs, Note: fmt.Sprintf("%s %d/%d", a.Kind, a.Deployment, a.Lease), Alone: true})
}

// known returns the gateway of a lease and the revision that its deployment wants, as they were seen last.
func (w *watcher) known(a watch.Action) (*gateway, []byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	g, ok := w.gateways[a.Lease]
	if !ok {
		return nil, nil, errors.New("the lease is gone")
	}
	return g.gateway, w.hashes[a.Deployment], nil
}

// send hands the kept group to a provider. The gateway checks it against the chain.
func (w *watcher) send(ctx context.Context, a watch.Action) error {
	g, hash, err := w.known(a)
	if err != nil {
		return err
	}
	envelope, err := w.state.kept(a.Deployment, a.Group, hash)
	if err == nil && envelope == nil {
		err = errors.New("the copy is of another revision")
	}
	if err != nil {
		return err
	}
	_, err = g.SendManifest(ctx, connect.NewRequest(&api.SendManifestRequest{Lease: a.Lease, Envelope: envelope}))
	return err
}

// fetch asks a provider for its group, checks it against the chain, and keeps it.
func (w *watcher) fetch(ctx context.Context, a watch.Action) error {
	g, hash, err := w.known(a)
	if err != nil {
		return err
	}
	res, err := g.GetManifest(ctx, connect.NewRequest(&api.GetManifestRequest{Lease: a.Lease}))
	if err != nil {
		return err
	}
	verified, err := manifest.Verify(res.Msg.GetEnvelope(), hash)
	if err != nil {
		return err
	}
	if name := verified.Group.GetName(); name != a.Group {
		return fmt.Errorf("it gives group %q", name)
	}
	return w.state.keep(a.Deployment, a.Group, res.Msg.GetEnvelope())
}
