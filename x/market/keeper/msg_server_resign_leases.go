package keeper

import (
	"context"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
)

// ResignLeases gives notice of leases that the provider serves: they close when it is over. Each has a result of its own: a
// batch never fails as one.
func (m msgServer) ResignLeases(
	ctx context.Context, msg *types.MsgResignLeases,
) (*types.MsgResignLeasesResponse, error) {
	// 1. The message is well-formed.
	if err := msg.Validate(m.addresses); err != nil {
		return nil, err
	}
	// 2. The signer acts for the provider.
	operator, err := m.authorize(ctx, msg.Signer, msg.Provider)
	if err != nil {
		return nil, err
	}
	// 3. Each lease gets notice, or is left as it was.
	params, err := m.Params(ctx)
	if err != nil {
		return nil, err
	}
	results, err := m.notify(ctx, operator, msg.Leases, func(ctx sdk.Context, lease types.Lease, now uint64) error {
		return m.giveNotice(ctx, lease, msg.Reason, now, now+uint64(params.NoticeSeconds))
	})
	return &types.MsgResignLeasesResponse{Results: results}, err
}

// notify does something to each of the leases that a provider serves without notice.
func (m msgServer) notify(
	ctx context.Context, operator sdk.AccAddress, leases []uint64, do func(sdk.Context, types.Lease, uint64) error,
) ([]types.AckResult, error) {
	now, err := m.escrow.Now(ctx)
	if err != nil {
		return nil, err
	}
	results := make([]types.AckResult, len(leases))
	for i, id := range leases {
		err := escrowtypes.Attempt(sdk.UnwrapSDKContext(ctx), func(ctx sdk.Context) error {
			lease, err := m.servedLease(ctx, operator, id, now)
			if err != nil {
				return err
			}
			return do(ctx, lease, now)
		})
		results[i] = types.AckResult{Lease: id, Error: types.ErrorText(err)}
	}
	return results, nil
}
