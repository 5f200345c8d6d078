package simulation

import (
	"context"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	"github.com/souk-network/souk/x/proof/types"
)

// postRound brings a round that is awaited and has come; now and then one that is not awaited, or one that nobody signed.
func (m Module) postRound() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgPostRound, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		beacon, err := m.queries.Beacon(ctx, &types.QueryBeaconRequest{})
		if err != nil {
			reporter.Fail(err, "read the beacon")
			return nil, nil, nil
		}
		keys, err := group()
		if err != nil {
			reporter.Fail(err, "make the beacon")
			return nil, nil, nil
		}
		past := keys.Group.RoundAt(uint64(sdk.UnwrapSDKContext(ctx).BlockTime().Unix()))
		var come []uint64
		for _, round := range beacon.Awaited {
			if round <= past {
				come = append(come, round)
			}
		}
		if len(come) == 0 {
			reporter.Skip("no round that is awaited has come")
			return nil, nil, nil
		}
		signer := testData.AnyAccount(reporter)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		round := simsx.OneOf(r, come)
		signature, err := keys.Signature(round)
		if err != nil {
			reporter.Fail(err, "sign a round")
			return nil, nil, nil
		}
		msg := &types.MsgPostRound{Signer: signer.AddressBech32, Round: round, Signature: signature}
		switch r.Intn(20) {
		case 0:
			msg.Round += 1 << 40
			return escrowsim.Sign(signer), msg, escrowsim.Refused(types.ErrNotAwaited)
		case 1:
			msg.Signature = make([]byte, len(signature))
			return escrowsim.Sign(signer), msg, escrowsim.Refused(types.ErrInvalidSignature, types.ErrKnown, types.ErrNotAwaited)
		}
		return escrowsim.Sign(signer), msg, escrowsim.May(types.ErrKnown, types.ErrNotAwaited)
	})
}
