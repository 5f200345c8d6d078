package simulation

import (
	"context"
	"fmt"

	"cosmossdk.io/math"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providersim "github.com/souk-network/souk/x/provider/simulation"
)

// createDeployment opens a deployment whose money lasts for some blocks or for many, now and then paid by a granter.
func (m Module) createDeployment() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgCreateDeployment, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		owner := testData.AnyAccount(reporter)
		msg := &types.MsgCreateDeployment{
			Owner: owner.AddressBech32, Name: fmt.Sprintf("web-%d", r.Intn(1_000_000)), ManifestHash: hash(r),
			Bids: m.bids(ctx, testData, reporter), AccessKeys: accessKeys(testData, reporter),
			Custodians: m.custodians(ctx, testData, reporter),
		}
		denom := simsx.OneOf(r, denoms)
		deposit, ok := escrowsim.Spend(owner, denom, m.deposit(ctx, r, reporter, denom, msg.Bids))
		if !ok || reporter.IsSkipped() {
			reporter.Skip("nothing to deposit")
			return nil, nil, nil
		}
		msg.Deposit = deposit
		mayFail := []error{escrowtypes.ErrHalted, types.ErrNameTaken}
		if escrowsim.OneIn(r, 20) {
			msg.Bids[0].Replicas = 0
			return escrowsim.Sign(owner), msg, escrowsim.Refused(types.ErrInvalidBid)
		}
		grants := escrowsim.GrantsOf(ctx, m.grants)
		if len(grants) == 0 || !escrowsim.OneIn(r, 5) {
			return escrowsim.Sign(owner), msg, escrowsim.May(mayFail...)
		}
		grant := simsx.OneOf(r, grants)
		granter, grantee := testData.GetAccountbyAccAddr(reporter, grant.Granter), testData.GetAccountbyAccAddr(reporter, grant.Grantee)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		msg.Owner, msg.Granter = grantee.AddressBech32, granter.AddressBech32
		if limit := grant.Limit.AmountOf(denom); limit.IsPositive() && !escrowsim.OneIn(r, 5) {
			msg.Deposit.Amount = math.MinInt(deposit.Amount, limit)
		}
		if granter.LiquidBalance().AmountOf(denom).LT(deposit.Amount) {
			reporter.Skip("granter has nothing")
			return nil, nil, nil
		}
		return escrowsim.Sign(grantee), msg, escrowsim.May(append(mayFail, escrowtypes.ErrGrant, escrowtypes.ErrInvalidAmount)...)
	})
}

// deposit draws what lasts for a time if the bids are served at no more than a middling price.
func (m Module) deposit(
	ctx context.Context, r *simsx.XRand, reporter simsx.SimulationReporter, denom string, bids []types.BidSpec,
) uint64 {
	params, err := m.escrow.Params(ctx, &escrowtypes.QueryParamsRequest{})
	if err != nil {
		reporter.Fail(err, "read parameters")
		return 0
	}
	rate := uint64(0)
	for _, bid := range bids {
		rate += min(bid.Cap, 50_000) * uint64(bid.Replicas)
	}
	seconds := uint64(params.Params.MinRunwaySeconds) + escrowsim.UpTo(r, simsx.OneOf(r, []uint64{1, 4, 30})*uint64(params.Params.MaxTickSeconds))
	settled, ok := params.Params.Denom(denom)
	if !ok {
		return 0
	}
	return settled.MinDeposit.Uint64() + rate*seconds/3600
}

// updateDeployment declares anew what a deployment should be: other bids, other sizes, another manifest.
func (m Module) updateDeployment() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgUpdateDeployment, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		signer, deployment := m.deployment(ctx, testData, reporter, owned)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		bids, err := m.queries.Deployment(ctx, &types.QueryDeploymentRequest{Id: deployment.Id})
		if err != nil {
			reporter.Fail(err, "read deployment")
			return nil, nil, nil
		}
		msg := &types.MsgUpdateDeployment{
			Signer: signer.AddressBech32, Deployment: deployment.Id, ManifestHash: deployment.ManifestHash,
			AccessKeys: deployment.AccessKeys, Custodians: deployment.Custodians,
			Bids: m.change(ctx, testData, reporter, bids.Bids),
		}
		if escrowsim.OneIn(r, 2) {
			msg.ManifestHash = hash(r)
		}
		if escrowsim.OneIn(r, 4) {
			msg.AccessKeys = accessKeys(testData, reporter)
		}
		if escrowsim.OneIn(r, 20) {
			msg.Version = deployment.Version + 1
			return escrowsim.Sign(signer), msg, escrowsim.Refused(types.ErrVersion, types.ErrBehind, escrowtypes.ErrBehind)
		}
		manager := manages(deployment)
		if manager != "" && testData.HasAccount(manager) && escrowsim.OneIn(r, 3) {
			signer = testData.GetAccount(reporter, manager)
			msg.Signer, msg.AccessKeys = manager, deployment.AccessKeys
		}
		return escrowsim.Sign(signer), msg, escrowsim.May(updateErrors...)
	})
}

// updateErrors are why an update that is well formed may be refused: what a resize needs is not there.
var updateErrors = []error{
	types.ErrLeaseState, types.ErrResize, types.ErrTooManyBids, types.ErrBehind, types.ErrNoCapacity, types.ErrBondTooLow, types.ErrTooManyLeases, types.ErrInvalidBid, types.ErrDeploymentState,
	escrowtypes.ErrInsufficientFunds, escrowtypes.ErrHalted, escrowtypes.ErrBehind, escrowtypes.ErrExhausted, escrowtypes.ErrLow,
	escrowtypes.ErrTooManyStreams,
}

// change edits the bids of a deployment: one may go, one may come, any may want more, less, or something else.
func (m Module) change(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter, bids []types.Bid,
) []types.BidSpec {
	r := testData.Rand()
	var specs []types.BidSpec
	for _, bid := range bids {
		if bid.State == types.BidState_BID_STATE_CLOSED || len(bids) > 1 && escrowsim.OneIn(r, 10) {
			continue
		}
		spec := bid.Spec
		switch r.Intn(7) {
		case 0, 1:
			spec.Replicas = uint32(escrowsim.UpTo(r, 8))
			spec.MinReplicas = min(spec.MinReplicas, spec.Replicas)
		case 2:
			spec.Unit = unit(r)
		case 3:
			spec.Unit.CpuMillis = max(1, spec.Unit.CpuMillis/2)
		case 4:
			spec.Cap = escrowsim.UpTo(r, 1_000_000)
			spec.Requirements = requirements(r)
		case 5:
			if !spec.Quoted() {
				spec.Standbys = uint32(r.Intn(4))
			}
		}
		if spec.Quoted() {
			spec.Standbys = 0
		}
		specs = append(specs, spec)
	}
	if len(specs) == 0 || len(specs) < 5 && escrowsim.OneIn(r, 8) {
		specs = append(specs, m.bid(ctx, testData, reporter, fmt.Sprintf("more-%d", r.Intn(1_000_000))))
	}
	return specs
}

// closeDeployment ends a deployment, or fails to end that of somebody else.
func (m Module) closeDeployment() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgCloseDeployment, simsx.SimDeliveryResultHandler) {
		owner, deployment := m.deployment(ctx, testData, reporter, owned)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		msg := &types.MsgCloseDeployment{Owner: owner.AddressBech32, Deployment: deployment.Id}
		if escrowsim.OneIn(testData.Rand(), 10) {
			stranger := testData.AnyAccount(reporter, simsx.ExcludeAccounts(owner))
			if reporter.IsSkipped() {
				return nil, nil, nil
			}
			msg.Owner = stranger.AddressBech32
			return escrowsim.Sign(stranger), msg, escrowsim.Refused(types.ErrUnauthorized, types.ErrBehind)
		}
		return escrowsim.Sign(owner), msg, escrowsim.May(types.ErrBehind, escrowtypes.ErrBehind)
	})
}

// owned accepts every deployment.
func owned(types.Deployment) bool { return true }

// deployment returns an open deployment that will do, and its owner.
func (m Module) deployment(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter, do func(types.Deployment) bool,
) (simsx.SimAccount, types.Deployment) {
	return escrowsim.FirstFrom(testData, reporter, "open deployment", func(owner simsx.SimAccount) (types.Deployment, bool) {
		all, err := m.queries.Deployments(ctx, &types.QueryDeploymentsRequest{
			Owner: owner.AddressBech32, Pagination: escrowsim.Page(), State: types.DeploymentState_DEPLOYMENT_STATE_OPEN,
		})
		if err != nil {
			reporter.Fail(err, "list deployments")
			return types.Deployment{}, false
		}
		var open []types.Deployment
		for _, d := range all.Deployments {
			if d.State == types.DeploymentState_DEPLOYMENT_STATE_OPEN && do(d) {
				open = append(open, d)
			}
		}
		if len(open) == 0 {
			return types.Deployment{}, false
		}
		return simsx.OneOf(testData.Rand(), open), true
	})
}

// manages returns a key that may update the deployment, none if there is no such.
func manages(d types.Deployment) string {
	for _, key := range d.AccessKeys {
		for _, scope := range key.Scopes {
			if scope == types.Scope_SCOPE_MANAGE {
				return key.Address
			}
		}
	}
	return ""
}

func hash(r *simsx.XRand) []byte {
	bz := make([]byte, types.HashBytes)
	r.Read(bz)
	return bz
}

// accessKeys draws up to three keys, each of one scope or of all.
func accessKeys(testData *simsx.ChainDataSource, reporter simsx.SimulationReporter) []types.AccessKey {
	r := testData.Rand()
	var keys []types.AccessKey
	for _, address := range providersim.Accounts(testData, reporter, r.Intn(4)) {
		key := types.AccessKey{Address: address, Scopes: []types.Scope{types.Scope(1 + r.Intn(4))}}
		if escrowsim.OneIn(r, 3) {
			key.Scopes = []types.Scope{
				types.Scope_SCOPE_READ, types.Scope_SCOPE_EXEC, types.Scope_SCOPE_MANAGE, types.Scope_SCOPE_WATCH,
			}
		}
		keys = append(keys, key)
	}
	return keys
}

// custodians draws up to two providers.
func (m Module) custodians(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
) []string {
	r := testData.Rand()
	providers := providersim.Providers(ctx, m.providers, reporter, providersim.Active)
	r.Shuffle(len(providers), func(i, j int) { providers[i], providers[j] = providers[j], providers[i] })
	var drawn []string
	for _, p := range providers[:min(len(providers), r.Intn(3))] {
		drawn = append(drawn, p.Operator)
	}
	return drawn
}
