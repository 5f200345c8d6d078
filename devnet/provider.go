package devnet

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/book"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// bondPerProvider is what each provider stakes of each settlement coin, in its micro-denom.
const bondPerProvider = 10_000 * micro

// startProvider registers a provider if it is not, and starts its agent.
func (n *Network) startProvider(ctx context.Context, c *client.Client, i int) error {
	operator, err := n.address(KeyOperator(i))
	if err != nil {
		return err
	}
	identity, err := n.configureAgent(ctx, i, operator)
	if err != nil {
		return err
	}
	if err := n.register(ctx, c, i, operator, identity); err != nil {
		return err
	}
	return n.super.Start(Process{
		Name: agentName(i), Path: n.programs.Agent, Args: []string{"start", "--home", n.agentHome(i)},
	})
}

func (n *Network) address(key string) (string, error) {
	ring, err := n.Keyring()
	if err != nil {
		return "", err
	}
	raw, err := client.KeyAddress(ring, key)
	if err != nil {
		return "", err
	}
	return scope.AddressCodec().BytesToString(raw)
}

// register makes the operator a provider on the chain, once.
func (n *Network) register(ctx context.Context, c *client.Client, i int, operator string, id agentIdentity) error {
	_, err := c.Provider.Provider(ctx, &providertypes.QueryProviderRequest{Operator: operator})
	if err == nil {
		return nil
	}
	if status.Code(err) != codes.NotFound {
		return client.Explain("look for provider "+operator, err)
	}
	key, err := hex.DecodeString(id.TLSKey)
	if err != nil {
		return fmt.Errorf("TLS key of %s: %w", agentName(i), err)
	}
	ring, err := n.Keyring()
	if err != nil {
		return err
	}
	queue, err := client.NewQueue(c, client.QueueConfig{Keyring: ring, Key: KeyOperator(i)})
	if err != nil {
		return err
	}
	defer queue.Close()
	_, err = queue.Send(ctx, &providertypes.MsgRegister{
		Operator: operator, Agent: id.Agent, Payout: operator,
		GatewayUri: fmt.Sprintf("https://127.0.0.1:%d", n.Providers[i].Gateway), TlsKeys: [][]byte{key},
		Info: providertypes.Info{Name: agentName(i)},
		Bond: sdk.NewCoins(sdk.NewInt64Coin(scope.Denom, bondPerProvider), sdk.NewInt64Coin(Stable, bondPerProvider)),
	})
	return client.Explain("register "+agentName(i), err)
}

// awaitOffers waits until every provider offers capacity.
func (n *Network) awaitOffers(ctx context.Context, c *client.Client, progress func(string)) error {
	for i := range n.Providers {
		operator, err := n.address(KeyOperator(i))
		if err != nil {
			return err
		}
		err = n.await(ctx, agentName(i), "offers nothing", func() (bool, error) {
			orders, err := book.Load(ctx, c)
			if err != nil {
				return false, err
			}
			for _, e := range orders.Entries {
				if e.Offer.Provider == operator {
					return true, nil
				}
			}
			return false, nil
		})
		if err != nil {
			return err
		}
		progress(fmt.Sprintf("provider %d offers capacity", i))
	}
	return nil
}

// lastLines is the end of a process's log.
func (n *Network) lastLines(name string) string {
	bz, err := os.ReadFile(n.super.Log(name))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(bz)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
