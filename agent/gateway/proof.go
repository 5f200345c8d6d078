package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"connectrpc.com/connect"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/agent/token"
	"github.com/souk-network/souk/agent/workload"
	"github.com/souk-network/souk/app/scope"
	markettypes "github.com/souk-network/souk/x/market/types"
	prooftypes "github.com/souk-network/souk/x/proof/types"
)

var (
	// ErrEpoch says that nothing can be said or asked of an epoch now.
	ErrEpoch = errors.New("not of that epoch")
	// ErrReceipt says that a receipt is not one that counts.
	ErrReceipt = errors.New("receipt refused")
)

// SendReceipt keeps a tenant's word on how long its lease was up.
func (s *service) SendReceipt(ctx context.Context, req *connect.Request[api.SendReceiptRequest]) (*connect.Response[api.SendReceiptResponse], error) {
	l, err := s.everLease(ctx, req.Msg.GetLease())
	if err != nil {
		return nil, err
	}
	receipt, err := s.receipt(l, req.Msg.GetReceipt())
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	up, err := s.agent.TakeReceipt(receipt)
	switch {
	case errors.Is(err, ErrEpoch), errors.Is(err, ErrReceipt):
		return nil, connect.NewError(connect.CodeFailedPrecondition, err)
	case err != nil:
		s.log.Error("receipt could not be stored", "lease", l.ID, "error", err)
		return nil, connect.NewError(connect.CodeInternal, errors.New("the provider could not store the receipt: try again, or tell its operator"))
	}
	return connect.NewResponse(&api.SendReceiptResponse{UpSeconds: up}), nil
}

// receipt decodes one and holds it against the lease: whose it is, and who has signed it.
func (s *service) receipt(l workload.Lease, raw []byte) (receipt prooftypes.Receipt, err error) {
	if len(raw) > prooftypes.MaxReceiptBytes {
		return receipt, fmt.Errorf("%w: it has %d bytes, at most %d are taken", ErrReceipt, len(raw), prooftypes.MaxReceiptBytes)
	}
	if err := receipt.Unmarshal(raw); err != nil {
		return receipt, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	if err := receipt.Validate(); err != nil {
		return receipt, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	if receipt.ChainId != s.cfg.ChainID || receipt.Lease != l.ID {
		return receipt, fmt.Errorf("%w: it is about lease %d of %s", ErrReceipt, receipt.Lease, receipt.ChainId)
	}
	signer, err := scope.AddressCodec().BytesToString(receipt.Signer())
	if err != nil {
		return receipt, fmt.Errorf("%w: %w", ErrReceipt, err)
	}
	if signer != l.Owner && !watches(l.AccessKeys, signer, s.agent.Now()) {
		return receipt, fmt.Errorf("%w: %s is neither owner of the lease nor an access key with MANAGE or WATCH", ErrReceipt, signer)
	}
	return receipt, nil
}

// watches tells that an access key may say how a deployment is served.
func watches(keys []markettypes.AccessKey, address string, now uint64) bool {
	return slices.ContainsFunc(keys, func(key markettypes.AccessKey) bool {
		return key.Address == address && key.GoodAt(now) &&
			(slices.Contains(key.Scopes, markettypes.Scope_SCOPE_MANAGE) || slices.Contains(key.Scopes, markettypes.Scope_SCOPE_WATCH))
	})
}

// Leaf shows what was committed to for a lease in an epoch.
func (s *service) Leaf(ctx context.Context, req *connect.Request[api.LeafRequest]) (*connect.Response[api.LeafResponse], error) {
	l, err := s.everLease(ctx, req.Msg.GetLease())
	if err != nil {
		return nil, err
	}
	shown, err := s.agent.Leaf(ctx, l.ID, req.Msg.GetEpoch())
	switch {
	case errors.Is(err, ErrEpoch):
		return nil, connect.NewError(connect.CodeNotFound, err)
	case err != nil:
		s.log.Error("leaf could not be shown", "lease", l.ID, "epoch", req.Msg.GetEpoch(), "error", err)
		return nil, connect.NewError(connect.CodeUnavailable, errNode)
	}
	return connect.NewResponse(&api.LeafResponse{Opening: shown.Opening, Absence: shown.Absence, Receipt: shown.Receipt}), nil
}

// everLease finds the lease of a call that may have ended; its errors are Connect's.
func (s *service) everLease(ctx context.Context, id uint64) (workload.Lease, error) {
	grant, ok := ctx.Value(grantKey{}).(token.Grant)
	if !ok {
		return workload.Lease{}, connect.NewError(connect.CodeUnauthenticated, token.ErrInvalid)
	}
	l, err := s.entitled(ctx, grant, token.ScopeStatus, id, s.agent.EverLease)
	if err != nil {
		return workload.Lease{}, refused(err)
	}
	return l, nil
}
