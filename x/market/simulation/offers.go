package simulation

import (
	"context"
	"slices"

	"github.com/cosmos/cosmos-sdk/testutil/simsx"
	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowsim "github.com/souk-network/souk/x/escrow/simulation"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providersim "github.com/souk-network/souk/x/provider/simulation"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// shop is a provider with what it sells, and the account that acts for it now.
type shop struct {
	provider providertypes.Provider
	signer   simsx.SimAccount
	pools    []types.CapacityPool
	offers   []types.Offer
}

// shop returns a random provider among those that do; it skips the operation if there is none.
func (m Module) shop(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter, what string,
	do func(providertypes.Provider, *types.QueryProviderOffersResponse) bool,
) shop {
	sells := map[string]*types.QueryProviderOffersResponse{}
	_, provider := providersim.Any(ctx, m.providers, testData, reporter, what, func(p providertypes.Provider) bool {
		offers, err := m.queries.ProviderOffers(ctx, &types.QueryProviderOffersRequest{Provider: p.Operator})
		if err != nil {
			reporter.Fail(err, "list offers")
			return false
		}
		sells[p.Operator] = offers
		return providersim.There(p) && do(p, offers)
	})
	if reporter.IsSkipped() {
		return shop{}
	}
	signer := providersim.Agent(testData, reporter, provider, providersim.Now(ctx, m.escrow, reporter))
	return shop{provider, signer, sells[provider.Operator].Pools, sells[provider.Operator].Offers}
}

// offerErrors are why an offer that is well formed may be refused.
var offerErrors = []error{types.ErrBondTooLow, types.ErrTooManyOffers, providertypes.ErrLifecycle, types.ErrNoCapacity, types.ErrSuspended}

// setPool declares capacity, at times less than is let.
func (m Module) setPool() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgSetPool, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		s := m.shop(ctx, testData, reporter, "provider",
			func(p providertypes.Provider, _ *types.QueryProviderOffersResponse) bool {
				return providersim.Active(p)
			})
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		msg := &types.MsgSetPool{
			Signer: s.signer.AddressBech32, Provider: s.provider.Operator, Id: uint32(r.Intn(3)),
			LargestUnit: types.Resources{CpuMillis: 16_000, MemoryMib: 65_536, NvmeMib: 100_000, GpuMillis: 4000},
		}
		n := escrowsim.UpTo(r, simsx.OneOf(r, []uint64{4, 100}))
		msg.Total = types.Resources{CpuMillis: 2000 * n, MemoryMib: 2048 * n, NvmeMib: 10_000 * n, GpuMillis: 500 * n}
		if stranger := testData.AnyAccount(reporter); escrowsim.OneIn(r, 20) && !actsFor(stranger, s.provider) {
			msg.Signer = stranger.AddressBech32
			return escrowsim.Sign(stranger), msg, escrowsim.Refused(providertypes.ErrUnauthorized)
		}
		return escrowsim.Sign(s.signer), msg, escrowsim.May(offerErrors...)
	})
}

// actsFor tells that an account may be the operator or an agent of the provider, present or next.
func actsFor(account simsx.SimAccount, p providertypes.Provider) bool {
	return slices.Contains([]string{p.Operator, p.Agent, p.NextAgent}, account.AddressBech32)
}

// postOffer offers a pool.
func (m Module) postOffer() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgPostOffer, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		s := m.shop(ctx, testData, reporter, "provider with a pool",
			func(p providertypes.Provider, sells *types.QueryProviderOffersResponse) bool {
				return providersim.Active(p) && len(sells.Pools) > 0 && len(sells.Offers) < 8
			})
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		return escrowsim.Sign(s.signer), &types.MsgPostOffer{
			Signer: s.signer.AddressBech32, Provider: s.provider.Operator, Pool: simsx.OneOf(r, s.pools).Id,
			Asks: asks(r), Labels: labels(r), Terms: m.terms(ctx, testData, reporter),
		}, escrowsim.May(offerErrors...)
	})
}

// updateOffer changes an offer, and returns a suspended one to the book.
func (m Module) updateOffer() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgUpdateOffer, simsx.SimDeliveryResultHandler) {
		r := testData.Rand()
		s := m.shop(ctx, testData, reporter, "provider with an offer", sells)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		offer := simsx.OneOf(r, s.offers)
		msg := &types.MsgUpdateOffer{
			Signer: s.signer.AddressBech32, Offer: offer.Id, Asks: offer.Asks, Labels: offer.Labels, Terms: offer.Terms,
		}
		if escrowsim.OneIn(r, 2) {
			msg.Asks = asks(r)
		}
		if escrowsim.OneIn(r, 2) {
			msg.Labels = labels(r)
		}
		if escrowsim.OneIn(r, 2) {
			msg.Terms = m.terms(ctx, testData, reporter)
		}
		return escrowsim.Sign(s.signer), msg, escrowsim.May(append([]error{types.ErrOfferState, types.ErrInvalidTerms}, offerErrors...)...)
	})
}

// withdrawOffer ends an offer; one whose time is up may have ended already.
func (m Module) withdrawOffer() simsx.SimMsgFactoryX {
	return simsx.NewSimMsgFactoryWithDeliveryResultHandler(func(
		ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
	) ([]simsx.SimAccount, *types.MsgWithdrawOffer, simsx.SimDeliveryResultHandler) {
		s := m.shop(ctx, testData, reporter, "provider with an offer", sells)
		if reporter.IsSkipped() {
			return nil, nil, nil
		}
		msg := &types.MsgWithdrawOffer{Signer: s.signer.AddressBech32, Offer: simsx.OneOf(testData.Rand(), s.offers).Id}
		return escrowsim.Sign(s.signer), msg, escrowsim.May(types.ErrOfferState, types.ErrSuspended)
	})
}

func sells(_ providertypes.Provider, s *types.QueryProviderOffersResponse) bool {
	return len(s.Offers) > 0
}

// asks draws prices in one denom or both.
func asks(r *simsx.XRand) []types.Ask {
	var drawn []types.Ask
	most := simsx.OneOf(r, []uint64{100, 20_000})
	for _, denom := range []string{escrowtypes.DefaultDenom, escrowsim.Stable} {
		if len(drawn) == 0 && denom == escrowsim.Stable || escrowsim.OneIn(r, 2) {
			drawn = append(drawn, types.Ask{
				Denom: denom, Cpu: escrowsim.UpTo(r, most), Memory: escrowsim.UpTo(r, most/4), Nvme: escrowsim.UpTo(r, most/100),
				Gpu: escrowsim.UpTo(r, most*10),
			})
		}
	}
	return drawn
}

// labels draws labels, sorted by key. Most offers say where they are, so that bids that ask for it find some.
func labels(r *simsx.XRand) []types.Label {
	var drawn []types.Label
	for _, label := range providersim.Labels {
		if !escrowsim.OneIn(r, 4) {
			drawn = append(drawn, types.Label{Key: label.Key, Value: simsx.OneOf(r, label.Values)})
		}
	}
	return drawn
}

// terms draws to whom and for how long an offer sells; most sell to everybody for ever.
func (m Module) terms(
	ctx context.Context, testData *simsx.ChainDataSource, reporter simsx.SimulationReporter,
) types.OfferTerms {
	r := testData.Rand()
	terms := types.OfferTerms{Class: simsx.OneOf(r, classes)}
	if escrowsim.OneIn(r, 12) {
		terms.Allow = providersim.Accounts(testData, reporter, 8)
	}
	if escrowsim.OneIn(r, 6) {
		terms.Deny = providersim.Accounts(testData, reporter, 2)
	}
	if escrowsim.OneIn(r, 6) {
		terms.MinDeposit = sdk.NewCoins(sdk.NewInt64Coin(simsx.OneOf(r, denoms), int64(escrowsim.UpTo(r, 100_000))))
	}
	if escrowsim.OneIn(r, 10) {
		terms.MinLeaseSeconds = escrowsim.UpTo(r, 1000)
		if escrowsim.OneIn(r, 2) {
			terms.MaxLeaseSeconds = terms.MinLeaseSeconds + escrowsim.UpTo(r, 100_000)
		}
	}
	terms.QuotesOnly = escrowsim.OneIn(r, 8)
	terms.NoStandbys = escrowsim.OneIn(r, 8)
	if escrowsim.OneIn(r, 8) {
		terms.ExpiresAt = providersim.Now(ctx, m.escrow, reporter) + escrowsim.UpTo(r, 20_000)
	}
	return terms
}

// classes are drawn as often as they stand here: most offers sell on demand, most bids take what there is.
var (
	classes     = []types.LeaseClass{0, types.LeaseClass_LEASE_CLASS_ON_DEMAND, types.LeaseClass_LEASE_CLASS_SPOT}
	takenOffers = []types.LeaseClass{0, types.LeaseClass_LEASE_CLASS_SPOT, types.LeaseClass_LEASE_CLASS_SPOT}
)

// denoms are those that simulated chains settle in.
var denoms = []string{escrowtypes.DefaultDenom, escrowsim.Stable}
