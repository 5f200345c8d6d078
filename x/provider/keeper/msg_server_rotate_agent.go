package keeper

import (
	"context"

	"github.com/souk-network/souk/x/provider/types"
)

// RotateAgent names the agent that takes over at the end of an epoch to come. It replaces a rotation under way; naming
// the present agent cancels that.
func (m msgServer) RotateAgent(ctx context.Context, msg *types.MsgRotateAgent) (*types.MsgRotateAgentResponse, error) {
	operator, err := m.address(msg.Operator)
	if err != nil {
		return nil, err
	}
	agent, err := m.address(msg.Agent)
	if err != nil {
		return nil, err
	}
	provider, err := m.change(ctx, operator)
	if err != nil {
		return nil, err
	}
	if msg.Agent == provider.Agent && provider.NextAgent == "" {
		return nil, types.ErrInvalidRotation.Wrapf("%s is the agent, and none is to take over", msg.Agent)
	}
	if provider, err = m.cancelRotation(ctx, provider); err != nil {
		return nil, err
	}
	if msg.Agent != provider.Agent {
		if err := m.checkAgent(ctx, agent); err != nil {
			return nil, err
		}
		provider.NextAgent = msg.Agent
		if provider.RotatesAt, err = m.rotatesAt(ctx); err != nil {
			return nil, err
		}
		if err := m.fileRotation(ctx, operator, provider); err != nil {
			return nil, err
		}
	}
	if err := m.writeProvider(ctx, operator, provider); err != nil {
		return nil, err
	}
	return &types.MsgRotateAgentResponse{RotatesAt: provider.RotatesAt}, nil
}
