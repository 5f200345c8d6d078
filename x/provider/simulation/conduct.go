package simulation

import (
	"context"
	"slices"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	"github.com/souk-network/souk/x/provider/types"
)

// declareMaintenance announces a window, at times too late or too long, or cancels one.
func (m Module) declareMaintenance() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgDeclareMaintenance, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		_, provider := Any(ctx, m.queries, testData, reporter, "provider", There)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		params, err := m.queries.Params(ctx, &types.QueryParamsRequest{})
		if err != nil {
			reporter.Fail(err, "read parameters")
			return nil, nil, nil
		}
		now := Now(ctx, m.escrow, reporter)
		signer := Agent(testData, reporter, provider, now)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		msg := &types.MsgDeclareMaintenance{Signer: signer.AddressBech32, Provider: provider.Operator}
		msg.From = now + uint64(params.Params.MaintenanceNoticeSeconds) + escrowsim.UpTo(r, 2000)
		msg.Until = msg.From + escrowsim.UpTo(r, 3000)
		ahead := slices.IndexFunc(provider.Maintenance, func(w types.Maintenance) bool { return w.From > now })
		switch {
		case escrowsim.OneIn(r, 10):
			msg.From = now
			return escrowsim.Sign(signer), msg, escrowsim.Refused(types.ErrInvalidMaintenance)
		case ahead >= 0 && escrowsim.OneIn(r, 2):
			msg.From = provider.Maintenance[ahead].From
			msg.Until = msg.From
			return escrowsim.Sign(signer), msg, nil
		}
		return escrowsim.Sign(signer), msg, escrowsim.May(types.ErrInvalidMaintenance)
	})
}

// attest vouches for random labels of a provider that named the auditor.
func (m Module) attest() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgAttest, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		_, provider := Any(ctx, m.queries, testData, reporter, "provider with auditors",
			func(p types.Provider) bool { return There(p) && len(p.Auditors) > 0 })
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		auditor := testData.GetAccount(reporter, simsx.OneOf(r, provider.Auditors))
		msg := &types.MsgAttest{
			Auditor: auditor.AddressBech32, Provider: provider.Operator, Labels: attested(r),
			ExpiresAt: Now(ctx, m.escrow, reporter) + escrowsim.UpTo(r, 100_000),
		}
		if stranger := testData.AnyAccount(reporter); escrowsim.OneIn(r, 10) && !slices.Contains(provider.Auditors, stranger.AddressBech32) {
			msg.Auditor = stranger.AddressBech32
			return escrowsim.Sign(stranger), msg, escrowsim.Refused(types.ErrUnauthorized, types.ErrNotAuditor)
		}
		return escrowsim.Sign(auditor), msg, nil
	})
}

// revokeAttestation takes back what an auditor said.
func (m Module) revokeAttestation() simsx.SimMsgFactoryX {
	return simsx.SimMsgFactoryFn[*types.MsgRevokeAttestation](func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgRevokeAttestation) {
		r := testData.Rand()
		auditor, provider := escrowsim.FirstFrom(testData, reporter, "attestation", func(account simsx.SimAccount) (string, bool) {
			said, err := m.queries.AttestationsBy(ctx, &types.QueryAttestationsByRequest{
				Auditor: account.AddressBech32, Pagination: escrowsim.Page(),
			})
			if err != nil || len(said.Attestations) == 0 {
				return "", false
			}
			return simsx.OneOf(r, said.Attestations).Provider, true
		})
		if reporter.IsSkipped() {
			return nil, nil
		}
		return escrowsim.Sign(auditor), &types.MsgRevokeAttestation{Auditor: auditor.AddressBech32, Provider: provider}
	})
}

// attested draws labels that offers of the market have too, sorted by key.
func attested(r *simsx.XRand) []types.AttestedLabel {
	var labels []types.AttestedLabel
	for _, label := range Labels {
		if escrowsim.OneIn(r, 2) {
			labels = append(labels, types.AttestedLabel{Key: label.Key, Value: simsx.OneOf(r, label.Values)})
		}
	}
	return labels
}

// Labels are the keys of simulated labels, sorted, each with the values that it takes.
var Labels = []struct {
	Key    string
	Values []string
}{
	{"carbon.g_per_kwh", []string{"10", "250", "600"}},
	{"latency.class", []string{"0", "3", "31"}},
	{"region", []string{"ap", "eu", "us"}},
	{"tier", []string{"1", "2", "3"}},
	{"zone", []string{"a", "b", "c"}},
}
