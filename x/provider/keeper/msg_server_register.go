package keeper

import (
	"context"
	"fmt"

	"github.com/souk-network/souk/x/provider/types"
)

// Register makes the signer a provider: 1. neither operator nor agent may be one already; 2. what it says of itself must
// be well-formed; 3. its bond moves; 4. it is written, with the index of its agent.
func (m msgServer) Register(ctx context.Context, msg *types.MsgRegister) (*types.MsgRegisterResponse, error) {
	operator, err := m.receiver(msg.Operator)
	if err != nil {
		return nil, err
	}
	agent, err := m.address(msg.Agent)
	if err != nil {
		return nil, err
	}
	if err := m.checkNew(ctx, operator, agent); err != nil {
		return nil, err
	}
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}

	provider := types.Provider{
		Operator: msg.Operator, Agent: msg.Agent, Lifecycle: types.Lifecycle_LIFECYCLE_ACTIVE, RegisteredAt: now,
	}
	provider, err = m.describe(provider, msg.Payout, msg.GatewayUri, msg.TlsKeys, msg.Info)
	if err != nil {
		return nil, err
	}
	provider, err = m.addBond(ctx, operator, provider, msg.Bond)
	if err != nil {
		return nil, err
	}
	if err := m.writeProvider(ctx, operator, provider); err != nil {
		return nil, err
	}
	if err := m.agents.Set(ctx, agent, operator); err != nil {
		return nil, fmt.Errorf("index agent %s: %w", msg.Agent, err)
	}
	if err := emit(ctx, types.NewEventRegistered(provider)); err != nil {
		return nil, err
	}
	return &types.MsgRegisterResponse{}, nil
}

// checkNew refuses an operator that is registered and an agent that works for somebody.
func (m msgServer) checkNew(ctx context.Context, operator, agent []byte) error {
	registered, err := m.providers.Has(ctx, operator)
	if err != nil {
		return fmt.Errorf("read provider %s: %w", m.show(operator), err)
	}
	if registered {
		return types.ErrExists.Wrap(m.show(operator))
	}
	taken, err := m.agents.Has(ctx, agent)
	if err != nil {
		return fmt.Errorf("read agent %s: %w", m.show(agent), err)
	}
	if taken {
		return types.ErrAgentTaken.Wrap(m.show(agent))
	}
	return nil
}

// describe replaces what a provider says of itself. An empty payout means the operator.
func (m msgServer) describe(
	provider types.Provider, payout, gateway string, tlsKeys [][]byte, info types.Info,
) (types.Provider, error) {
	if payout == "" {
		payout = provider.Operator
	}
	if _, err := m.receiver(payout); err != nil {
		return types.Provider{}, err
	}
	if err := types.ValidateGateway(gateway); err != nil {
		return types.Provider{}, err
	}
	if err := types.ValidateTLSKeys(tlsKeys); err != nil {
		return types.Provider{}, err
	}
	if err := info.Validate(); err != nil {
		return types.Provider{}, err
	}
	provider.Payout, provider.GatewayUri, provider.TlsKeys, provider.Info = payout, gateway, tlsKeys, info
	return provider, nil
}
