package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/x/market/types"
)

// ReclaimLeases takes spot leases back at short notice. Each has a result of its own: a batch never fails as one.
func (m msgServer) ReclaimLeases(
	ctx context.Context, msg *types.MsgReclaimLeases,
) (*types.MsgReclaimLeasesResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. The signer acts for the provider.
	operator, err := m.authorize(ctx, msg.Signer, msg.Provider)
	if err != nil {
		return nil, err
	}
	// 3. Each lease, if it is a spot one, gets notice, or is left as it was.
	params, err := m.Params(ctx)
	if err != nil {
		return nil, err
	}
	results, err := m.notify(ctx, operator, msg.Leases, func(ctx sdk.Context, lease types.Lease, now uint64) error {
		if lease.Class != types.LeaseClass_LEASE_CLASS_SPOT {
			return types.ErrLeaseState.Wrapf("lease %d is not a spot lease", lease.Id)
		}
		return m.giveNotice(ctx, lease, types.Reason_REASON_RECLAIMED, now, now+uint64(params.ReclaimNoticeSeconds))
	})
	return &types.MsgReclaimLeasesResponse{Results: results}, err
}
