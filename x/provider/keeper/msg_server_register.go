package keeper

import (
	"context"
	"errors"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/provider/types"
)

// Register makes the signer a provider: 1. it may not be one, unless it is gone; 2. its agent may work for nobody; 3. what
// it says of itself must be well-formed; 4. its bond moves; 5. it is written, with its indexes.
func (m msgServer) Register(ctx context.Context, msg *types.MsgRegister) (*types.MsgRegisterResponse, error) {
	operator, err := m.receiver(msg.Operator)
	if err != nil {
		return nil, err
	}
	agent, err := m.address(msg.Agent)
	if err != nil {
		return nil, err
	}
	provider, err := m.begin(ctx, operator, msg.Operator)
	if err != nil {
		return nil, err
	}
	if err := m.checkAgent(ctx, agent); err != nil {
		return nil, err
	}
	provider.Agent = msg.Agent
	provider, err = m.describe(provider, msg.Payout, msg.GatewayUri, msg.TlsKeys, msg.Info, msg.Auditors)
	if err != nil {
		return nil, err
	}
	provider, err = m.addBond(ctx, operator, provider, msg.Bond)
	if err != nil {
		return nil, err
	}
	if err := m.writeNew(ctx, operator, agent, provider); err != nil {
		return nil, err
	}
	if err := emit(ctx, types.NewEventRegistered(provider)); err != nil {
		return nil, err
	}
	return &types.MsgRegisterResponse{}, nil
}

// begin returns the provider that an operator becomes now. One that was gone keeps its number, its record, its
// maintenance and its jail: leaving does not wash them off.
func (m msgServer) begin(ctx context.Context, operator sdk.AccAddress, text string) (types.Provider, error) {
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return types.Provider{}, err
	}
	before, err := m.readProvider(ctx, operator)
	if errors.Is(err, types.ErrNotFound) {
		before = types.Provider{Operator: text}
		before.Number, err = m.nextNumber.Next(ctx)
	}
	if err != nil {
		return types.Provider{}, fmt.Errorf("begin provider %s: %w", text, err)
	}
	switch before.Lifecycle {
	case types.Lifecycle_LIFECYCLE_ACTIVE:
		return types.Provider{}, types.ErrExists.Wrap(text)
	case types.Lifecycle_LIFECYCLE_LEAVING:
		return types.Provider{}, m.whyStillThere(ctx, operator, now)
	}
	before.Lifecycle, before.RegisteredAt, before.LeavingSince = types.Lifecycle_LIFECYCLE_ACTIVE, now, 0
	return before, nil
}

// whyStillThere says what keeps a provider that leaves from being gone.
func (m msgServer) whyStillThere(ctx context.Context, operator sdk.AccAddress, now uint64) error {
	keys, err := m.unbondingsFrom(ctx, operator, 0, 1)
	if err != nil {
		return err
	}
	if len(keys) > 0 && keys[0].K2() <= now {
		return types.ErrBehind.Wrap("bond that is due has not returned yet")
	}
	return types.ErrLifecycle.Wrap("still leaving: unbond, and wait until leases have ended and the bond has returned")
}

// writeNew writes a provider with the indexes of its agent and its number. What auditors said whom it does not name any
// more is dropped.
func (m msgServer) writeNew(ctx context.Context, operator, agent sdk.AccAddress, provider types.Provider) error {
	if err := m.writeProvider(ctx, operator, provider); err != nil {
		return err
	}
	if err := m.index(ctx, operator, agent, provider.Number); err != nil {
		return fmt.Errorf("index provider %s: %w", provider.Operator, err)
	}
	return m.dropAttestations(ctx, operator, provider.Auditors)
}

func (k *Keeper) index(ctx context.Context, operator, agent sdk.AccAddress, number uint64) error {
	if err := k.agents.Set(ctx, agent, operator); err != nil {
		return err
	}
	return k.numbers.Set(ctx, number, operator)
}

// describe replaces what a provider says of itself. An empty payout means the operator.
func (m msgServer) describe(
	provider types.Provider, payout, gateway string, tlsKeys [][]byte, info types.Info, auditors []string,
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
	if err := types.ValidateAuditors(m.addresses, auditors); err != nil {
		return types.Provider{}, err
	}
	provider.Payout, provider.GatewayUri, provider.TlsKeys, provider.Info = payout, gateway, tlsKeys, info
	provider.Auditors = auditors
	return provider, nil
}
