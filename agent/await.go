package agent

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	askEvery = time.Second
	// sayEvery is how often the log repeats what is waited for.
	sayEvery = time.Minute
)

// Identity is who the agent is to the chain.
type Identity struct {
	Agent    string // address of its key
	Operator string // the provider it must belong to; "" for any
	KeyHash  []byte // of its gateway's TLS key
	Gateway  string // URI, for the advice only; may be ""
}

// AwaitProvider waits until the node answers and the agent's provider is registered on the chain, and gives it.
func AwaitProvider(ctx context.Context, c *client.Client, id Identity, health *Health, log *slog.Logger) (providertypes.Provider, error) {
	said, saidAt := "", time.Time{}
	for {
		p, err := findProvider(ctx, c, id)
		if err == nil {
			return p, checkProvider(p, id, log)
		}
		var waits waitError
		if !errors.As(err, &waits) {
			return providertypes.Provider{}, err
		}
		health.SetWaiting(waits.Error())
		if text := waits.Error(); text != said || time.Since(saidAt) > sayEvery {
			said, saidAt = text, time.Now()
			log.Warn("waiting", "for", waits.what, "cause", waits.cause, "try", waits.try)
		}
		select {
		case <-ctx.Done():
			return providertypes.Provider{}, ctx.Err()
		case <-time.After(askEvery):
		}
	}
}

// waitError is something that somebody else has to bring about.
type waitError struct {
	what  string
	cause error
	try   string
}

func (e waitError) Error() string { return "waiting for " + e.what }
func (e waitError) Unwrap() error { return e.cause }

// findProvider looks once. Errors of type waitError may pass.
func findProvider(ctx context.Context, c *client.Client, id Identity) (providertypes.Provider, error) {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	status, err := c.Status(ctx)
	if err != nil {
		return providertypes.Provider{}, waitError{"the node at " + c.Config.NodeRPC, err, "start soukd there, or set node and grpc in agent.yaml"}
	}
	if status.ChainID != c.Config.ChainID {
		return providertypes.Provider{}, c.Check(ctx)
	}
	p, err := askProvider(ctx, c, id)
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, client.ErrOtherNetwork):
		return providertypes.Provider{}, err
	case client.IsNotFound(err):
		return providertypes.Provider{}, waitError{"the provider to be registered", nil, registerCommand(id)}
	default:
		return providertypes.Provider{}, waitError{"the node's gRPC at " + c.Config.GRPC, err, "check grpc in agent.yaml"}
	}
}

func askProvider(ctx context.Context, c *client.Client, id Identity) (providertypes.Provider, error) {
	if err := c.CheckGRPC(ctx); err != nil {
		return providertypes.Provider{}, err
	}
	if id.Operator != "" {
		res, err := c.Provider.Provider(ctx, &providertypes.QueryProviderRequest{Operator: id.Operator})
		if err != nil {
			return providertypes.Provider{}, err
		}
		return res.Provider, nil
	}
	res, err := c.Provider.ByAgent(ctx, &providertypes.QueryByAgentRequest{Agent: id.Agent})
	if err != nil {
		return providertypes.Provider{}, err
	}
	return res.Provider, nil
}

// checkProvider holds what is registered against what this agent is.
func checkProvider(p providertypes.Provider, id Identity, log *slog.Logger) error {
	if p.Agent != id.Agent {
		return fault.Newf("this agent does not belong to the provider", "use the key of "+p.Agent+", or register this agent",
			"provider %s has the agent %s, this is %s", p.Operator, p.Agent, id.Agent)
	}
	for _, hash := range p.TlsKeys {
		if bytes.Equal(hash, id.KeyHash) {
			return nil
		}
	}
	log.Error("tenants will refuse this gateway: its TLS key is not the one pinned on the chain",
		"key", hex.EncodeToString(id.KeyHash), "try", registerCommand(id))
	return nil
}

// registerCommand is what the operator runs.
func registerCommand(id Identity) string {
	gateway := id.Gateway
	if gateway == "" {
		gateway = "https://HOST:PORT"
	}
	return fmt.Sprintf("souk provider init --agent %s --gateway %s --tls-key %s", id.Agent, gateway, hex.EncodeToString(id.KeyHash))
}

// RegisterCommand is what the operator runs to register this agent.
func (id Identity) RegisterCommand() string { return registerCommand(id) }
