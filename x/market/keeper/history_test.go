package keeper_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	providers = 3
	tenants   = 3
)

// history is a random history of a market, and what must be true of it whatever happens: every coin that came in is
// somewhere, nobody paid without a lease, and all invariants hold after each block.
type history struct {
	*bench
	rt     *rapid.T
	supply int64
	names  int
}

// TestNoHistoryBreaksTheMarket runs random messages of honest and clumsy people over random clocks.
func TestNoHistoryBreaksTheMarket(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{rt: rt}
		params := quickEscrow()
		params.MinRunwaySeconds = 20
		params.PauseRunwaySeconds = rapid.SampledFrom([]uint32{0, 5, 20}).Draw(rt, "pause runway")
		params.PauseBps = rapid.SampledFrom([]uint32{1, 1000, 10_000}).Draw(rt, "pause bps")
		params.MaxDeadlinesPerBlock = rapid.SampledFrom([]uint32{1, 3, 1000}).Draw(rt, "deadlines per block")
		genesis := types.DefaultGenesis()
		genesis.Params = quick()
		genesis.Params.BidsPerBlock = rapid.SampledFrom([]uint32{2, 2048}).Draw(rt, "bids per block")
		genesis.Params.AnswerWindowSeconds = rapid.SampledFrom([]uint32{1, 10}).Draw(rt, "answer window")
		genesis.Params.StandbyBps = rapid.SampledFrom([]uint32{1, 500, 10_000}).Draw(rt, "standby bps")
		genesis.Params.NoticeSeconds, genesis.Params.ReclaimNoticeSeconds = 30, 3
		genesis.Params.OffersPerBlock = rapid.SampledFrom([]uint32{1, 2, 4096}).Draw(rt, "offers per block")
		h.bench = startFrom(drawn{t, rt}, genesis, chain.WithEscrowParams(params))
		for i := range providers {
			name := fmt.Sprintf("p%d", i)
			h.joins(name, 2_000_000)
			h.sets(name, units(4))
			post := h.postOffer(name, hourly+uint64(i), region(name)...)
			if i == 0 {
				post.Terms.Class = types.LeaseClass_LEASE_CLASS_SPOT
			}
			require.NoError(h.t, h.Deliver(post))
		}
		h.supply = h.total()
		rt.Repeat(map[string]func(*rapid.T){
			"create":   h.create,
			"close":    h.close,
			"ack":      func(*rapid.T) { h.answer(true) },
			"decline":  func(*rapid.T) { h.answer(false) },
			"resign":   h.resign,
			"reclaim":  h.reclaim,
			"lease":    h.endOne,
			"update":   h.change,
			"failover": h.failover,
			"ask":      h.challenge,
			"alive":    h.alive,
			"jail":     h.jail,
			"unjail":   h.unjail,
			"leave":    h.deregister,
			"set pool": h.setPool,
			"offer":    h.changeOffer,
			"top up":   h.topUp,
			"withdraw": h.withdraw,
			"block":    h.block,
			"":         func(*rapid.T) {},
		})
		h.end()
	})
}

// drawn reports failures to rapid, which then looks for a shorter history that fails.
type drawn struct {
	testing.TB
	rt *rapid.T
}

func (d drawn) Errorf(format string, args ...any) { d.rt.Errorf(format, args...) }
func (d drawn) Fatal(args ...any)                 { d.rt.Fatal(args...) }
func (d drawn) FailNow()                          { d.rt.FailNow() }

// total is all that there is of the native denom.
func (h *history) total() int64 {
	return h.Bank.GetSupply(h.Ctx(), denom).Amount.Int64()
}

func (h *history) create(rt *rapid.T) {
	owner := fmt.Sprintf("t%d", rapid.IntRange(0, tenants-1).Draw(rt, "tenant"))
	deposit := rapid.Int64Range(100, 3000).Draw(rt, "deposit")
	bids := make([]types.BidSpec, rapid.IntRange(1, 3).Draw(rt, "bids"))
	for i := range bids {
		bids[i] = drawBid(rt, fmt.Sprintf("group-%d", i))
	}
	h.names++
	h.Funded(owner, chain.Coin(deposit))
	h.supply += deposit
	require.NoError(h.t, h.Deliver(h.bench.create(owner, fmt.Sprintf("d%d", h.names), deposit, bids...)))
}

// drawBid is a bid of any kind.
func drawBid(rt *rapid.T, name string) types.BidSpec {
	spec := want(name, rapid.Uint32Range(1, 5).Draw(rt, "replicas"), hourly+rapid.Uint64Range(0, 3).Draw(rt, "cap"))
	spec.MinReplicas = rapid.Uint32Range(0, spec.Replicas).Draw(rt, "min")
	if rapid.Bool().Draw(rt, "picky") {
		spec.Requirements = []types.LabelRequirement{{
			Key: "region", Operator: types.Operator_OPERATOR_NOT_IN, Values: []string{"p0"},
		}}
	}
	spec.Class = rapid.SampledFrom([]types.LeaseClass{
		types.LeaseClass_LEASE_CLASS_UNSPECIFIED, types.LeaseClass_LEASE_CLASS_SPOT,
	}).Draw(rt, "class")
	spec.LeaseSeconds = rapid.SampledFrom([]uint64{0, 0, 1, 40}).Draw(rt, "term")
	spec.Standbys = rapid.SampledFrom([]uint32{0, 0, 1, 2}).Draw(rt, "standbys")
	spec.NoReplace = rapid.Bool().Draw(rt, "no replace")
	spec.MaxPerProvider = rapid.SampledFrom([]uint32{0, 0, 1, 3}).Draw(rt, "spread")
	return spec
}

// genesis is the whole market, to choose from.
func (h *history) genesis() *types.GenesisState {
	g, err := h.Market.ExportGenesis(h.Ctx())
	require.NoError(h.t, err)
	return g
}

func (h *history) close(rt *rapid.T) {
	g := h.genesis()
	if len(g.Deployments) == 0 {
		rt.Skip()
	}
	d := rapid.SampledFrom(g.Deployments).Draw(rt, "deployment")
	owner, err := h.Addresses.StringToBytes(d.Owner)
	require.NoError(h.t, err)
	before := h.Balance(owner)
	response, err := chain.Send[types.MsgCloseDeploymentResponse](h.Chain,
		&types.MsgCloseDeployment{Owner: d.Owner, Deployment: d.Id})
	if d.State == types.DeploymentState_DEPLOYMENT_STATE_CLOSED {
		require.ErrorIs(h.t, err, types.ErrDeploymentState)
		return
	}
	if err != nil {
		require.ErrorIs(h.t, err, escrowtypes.ErrBehind)
		return
	}
	require.Equal(h.t, before+response.Refunded.Amount.Int64(), h.Balance(owner), "what is told is refunded")
}

// answer accepts or declines some leases, also such as are not the provider's or do not wait any more.
func (h *history) answer(accept bool) {
	g := h.genesis()
	if len(g.Leases) == 0 {
		h.rt.Skip()
	}
	some := rapid.SliceOfN(rapid.SampledFrom(g.Leases), 1, 4).Draw(h.rt, "leases")
	message := &types.MsgAckLeases{Signer: some[0].Provider, Provider: some[0].Provider}
	for _, lease := range some {
		if accept {
			message.Accept = append(message.Accept, lease.Id)
		} else {
			message.Decline = append(message.Decline, lease.Id)
		}
	}
	now := h.Now()
	errs := h.answers(message)
	for i, lease := range some {
		again := slices.IndexFunc(some, func(l types.Lease) bool { return l.Id == lease.Id }) < i
		may := lease.Provider == message.Provider && lease.State == types.LeaseState_LEASE_STATE_PENDING && now < lease.AckBy
		if !may || again {
			require.NotEmpty(h.t, errs[i])
		} else if errs[i] != "" {
			require.True(h.t, h.behind(), errs[i])
		}
	}
}

// one draws a lease of any state.
func (h *history) one(rt *rapid.T) types.Lease {
	g := h.genesis()
	if len(g.Leases) == 0 {
		rt.Skip()
	}
	return rapid.SampledFrom(g.Leases).Draw(rt, "lease")
}

// notified asserts what a provider was told that wanted to give notice of a lease.
func (h *history) notified(lease types.Lease, may bool, texts []string) {
	if texts[0] == "" {
		require.True(h.t, may, "%s lease", lease.State)
		after := h.leaseAt(lease.Id)
		require.Equal(h.t, leaving, after.State)
		require.Greater(h.t, after.LeavesAt, h.Now())
	}
}

func (h *history) leaseAt(id uint64) types.Lease {
	response, err := h.query().Lease(h.Ctx(), &types.QueryLeaseRequest{Id: id})
	require.NoError(h.t, err)
	return response.Lease
}

func (h *history) resign(rt *rapid.T) {
	lease := h.one(rt)
	response, err := chain.Send[types.MsgResignLeasesResponse](h.Chain, &types.MsgResignLeases{
		Signer: lease.Provider, Provider: lease.Provider, Leases: []uint64{lease.Id}, Reason: types.Reason_REASON_POLICY,
	})
	require.NoError(h.t, err)
	h.notified(lease, lease.State.Served(), texts(response.Results))
}

func (h *history) reclaim(rt *rapid.T) {
	lease := h.one(rt)
	response, err := chain.Send[types.MsgReclaimLeasesResponse](h.Chain, &types.MsgReclaimLeases{
		Signer: lease.Provider, Provider: lease.Provider, Leases: []uint64{lease.Id},
	})
	require.NoError(h.t, err)
	spot := lease.Class == types.LeaseClass_LEASE_CLASS_SPOT
	h.notified(lease, spot && lease.State.Served(), texts(response.Results))
}

// endOne closes one lease, and closing it again is refused.
func (h *history) endOne(rt *rapid.T) {
	lease := h.one(rt)
	message := &types.MsgCloseLease{
		Signer: h.deployment(lease.Deployment).Owner, Lease: lease.Id, Replace: rapid.Bool().Draw(rt, "replace"),
	}
	err := h.Deliver(message)
	if err == nil {
		require.True(h.t, lease.State.Live())
		require.Error(h.t, h.Deliver(message))
		return
	}
	h.expects(err, types.ErrLeaseState, types.ErrDeploymentState, types.ErrBehind, escrowtypes.ErrBehind)
	require.True(h.t, !lease.State.Live() || h.behind(), "%v", err)
}

// behind tells whether deadlines wait to be processed, or a jailing or leaving of this second.
func (h *history) behind() bool {
	clock, err := h.Escrow.Clock(h.Ctx())
	require.NoError(h.t, err)
	return clock.Frontier < clock.Now() || len(h.genesis().Sweeps) > 0
}

func (h *history) expects(err error, want ...error) {
	h.t.Helper()
	for _, w := range want {
		if errors.Is(err, w) {
			return
		}
	}
	require.NoError(h.t, err)
}

// change declares a deployment anew: other replicas, units, caps and groups.
func (h *history) change(rt *rapid.T) {
	g := h.genesis()
	if len(g.Deployments) == 0 {
		rt.Skip()
	}
	d := rapid.SampledFrom(g.Deployments).Draw(rt, "deployment")
	message := &types.MsgUpdateDeployment{Signer: d.Owner, Deployment: d.Id, ManifestHash: d.ManifestHash}
	for i := range rapid.IntRange(1, 3).Draw(rt, "bids") {
		spec := drawBid(rt, fmt.Sprintf("group-%d", rapid.IntRange(i, 3).Draw(rt, "group")))
		if slices.ContainsFunc(message.Bids, func(b types.BidSpec) bool { return b.Name == spec.Name }) {
			continue
		}
		if rapid.IntRange(0, 3).Draw(rt, "resize") == 0 {
			spec.Unit, spec.Cap = units(rapid.Uint64Range(1, 3).Draw(rt, "unit")), 5*hourly
		}
		message.Bids = append(message.Bids, spec)
	}
	if err := h.Deliver(message); err != nil {
		h.expects(err, types.ErrDeploymentState, types.ErrBehind, escrowtypes.ErrBehind, types.ErrLeaseState, types.ErrResize,
			types.ErrNoCapacity, types.ErrBondTooLow, escrowtypes.ErrInsufficientFunds)
		return
	}
	h.check()
	for _, bid := range h.bids(d.Id) {
		at := slices.IndexFunc(message.Bids, func(s types.BidSpec) bool { return s.Name == bid.Spec.Name })
		require.Equal(h.t, at < 0, bid.State == types.BidState_BID_STATE_CLOSED)
		require.LessOrEqual(h.t, bid.Placed, bid.Spec.Replicas)
		require.LessOrEqual(h.t, bid.StandingBy, bid.Spec.Standbys)
	}
}

func (h *history) someProvider(rt *rapid.T) string {
	return fmt.Sprintf("p%d", rapid.IntRange(0, providers-1).Draw(rt, "provider"))
}

func (h *history) jail(rt *rapid.T) {
	err := h.Deliver(&providertypes.MsgJail{
		Authority: h.Authority, Provider: h.name(h.someProvider(rt)), Seconds: rapid.Uint64Range(1, 30).Draw(rt, "seconds"),
		SlashBps: rapid.Uint32Range(0, 500).Draw(rt, "slash"), Reason: "drawn",
	})
	h.expects(err, providertypes.ErrLifecycle)
}

func (h *history) unjail(rt *rapid.T) {
	err := h.Deliver(&providertypes.MsgUnjail{Operator: h.name(h.someProvider(rt))})
	h.expects(err, providertypes.ErrJailed, providertypes.ErrNotJailed, providertypes.ErrBondRequired, providertypes.ErrLifecycle)
}

// deregister is rare: there is no way back.
func (h *history) deregister(rt *rapid.T) {
	if rapid.IntRange(0, 4).Draw(rt, "really") != 0 {
		return
	}
	h.expects(h.Deliver(&providertypes.MsgDeregister{Operator: h.name("p2")}), providertypes.ErrLifecycle)
}

func (h *history) withdraw(rt *rapid.T) {
	provider := h.name(h.someProvider(rt))
	_ = h.Deliver(&providertypes.MsgWithdraw{Signer: provider, Provider: provider, Denom: denom})
}

func (h *history) setPool(rt *rapid.T) {
	provider := fmt.Sprintf("p%d", rapid.IntRange(0, providers-1).Draw(rt, "provider"))
	err := h.Deliver(h.bench.setPool(provider, units(rapid.Uint64Range(0, 12).Draw(rt, "units"))))
	if err != nil {
		require.ErrorIs(h.t, err, types.ErrBondTooLow)
	}
}

func (h *history) changeOffer(rt *rapid.T) {
	offer := rapid.SampledFrom(h.genesis().Offers).Draw(rt, "offer")
	var message sdk.Msg = &types.MsgWithdrawOffer{Signer: offer.Provider, Offer: offer.Id}
	switch rapid.SampledFrom([]string{"update", "update", "post", "withdraw"}).Draw(rt, "what") {
	case "update":
		message = &types.MsgUpdateOffer{
			Signer: offer.Provider, Offer: offer.Id, Asks: asking(hourly + rapid.Uint64Range(0, 3).Draw(rt, "ask")), Labels: offer.Labels,
		}
	case "post":
		message = &types.MsgPostOffer{Signer: offer.Provider, Provider: offer.Provider, Asks: offer.Asks, Labels: offer.Labels}
	}
	if err := h.Deliver(message); err != nil {
		require.Truef(h.t, errors.Is(err, types.ErrBondTooLow) || errors.Is(err, types.ErrOfferState) ||
			errors.Is(err, types.ErrTooManyOffers) || errors.Is(err, types.ErrSuspended) || errors.Is(err, providertypes.ErrLifecycle), "%v", err)
	}
}

func (h *history) topUp(rt *rapid.T) {
	g := h.genesis()
	if len(g.Deployments) == 0 {
		rt.Skip()
	}
	d := rapid.SampledFrom(g.Deployments).Draw(rt, "deployment")
	gift := chain.Coin(rapid.Int64Range(1, 500).Draw(rt, "gift"))
	friend := h.Funded("friend", gift)
	h.supply += gift.Amount.Int64()
	require.NotPanics(h.t, func() {
		if err := h.Try(func(ctx sdk.Context) error {
			_, err := h.Escrow.Deposit(ctx, d.Id, friend, gift, nil)
			return err
		}); err != nil {
			require.True(h.t, errors.Is(err, escrowtypes.ErrAccountClosed) || errors.Is(err, escrowtypes.ErrBehind) || errors.Is(err, escrowtypes.ErrExhausted))
		}
	})
}

func (h *history) block(rt *rapid.T) {
	h.NextBlock(time.Duration(rapid.SampledFrom([]int64{0, 1, 1000, 1000, 5000, 14_000, 90_000, 1_100_000}).Draw(rt, "milliseconds")) * time.Millisecond)
	h.check()
	h.oneProviderASecond()
	require.LessOrEqual(h.t, h.total(), h.supply, "nothing is made of nothing; a part of what is slashed is burnt")
}

// failover gives up a lease: what takes over did stand by.
func (h *history) failover(rt *rapid.T) {
	lease := h.one(rt)
	before := map[uint64]types.Lease{}
	for _, l := range h.genesis().Leases {
		before[l.Id] = l
	}
	owner := h.deployment(lease.Deployment).Owner
	response, err := chain.Send[types.MsgFailoverResponse](h.Chain, &types.MsgFailover{Signer: owner, Lease: lease.Id})
	if err != nil {
		h.expects(err, types.ErrLeaseState, types.ErrDeploymentState, types.ErrBehind, escrowtypes.ErrBehind)
		require.True(h.t, !lease.State.Live() || h.behind(), "%v", err)
		return
	}
	require.True(h.t, lease.State.Live())
	require.LessOrEqual(h.t, len(response.Promoted), int(lease.Replicas))
	for _, id := range response.Promoted {
		heir := h.leaseAt(id)
		require.True(h.t, before[id].Standby && before[id].State.Paid())
		require.True(h.t, !heir.Standby && heir.State.Paid() && heir.Bid == lease.Bid && heir.Provider != lease.Provider)
	}
	h.check()
}

func (h *history) challenge(rt *rapid.T) {
	lease := h.one(rt)
	signer := h.deployment(lease.Deployment).Owner
	fee := h.genesis().Params.ChallengeFee
	if rapid.Bool().Draw(rt, "paid") {
		payer, err := h.Addresses.StringToBytes(signer)
		require.NoError(h.t, err)
		h.Fund(payer, fee)
		h.supply += fee.Amount.Int64()
	}
	err := h.Deliver(&types.MsgChallengeLease{Signer: signer, Lease: lease.Id})
	h.expects(err, types.ErrLeaseState, types.ErrDeploymentState, types.ErrChallenged, types.ErrBehind, sdkerrors.ErrInsufficientFunds)
	if err == nil {
		require.Greater(h.t, h.leaseAt(lease.Id).AnswerBy, h.Now())
	}
}

// alive answers for some leases, also such as are not challenged or not the provider's.
func (h *history) alive(rt *rapid.T) {
	g := h.genesis()
	challenged := slices.DeleteFunc(slices.Clone(g.Leases), func(l types.Lease) bool { return l.AnswerBy == 0 })
	if len(challenged) == 0 {
		rt.Skip()
	}
	lease := rapid.SampledFrom(challenged).Draw(rt, "lease")
	another := rapid.SampledFrom(g.Leases).Draw(rt, "another")
	response, err := chain.Send[types.MsgAnswerAliveResponse](h.Chain, &types.MsgAnswerAlive{
		Signer: lease.Provider, Provider: lease.Provider, Leases: []uint64{lease.Id, another.Id},
	})
	require.NoError(h.t, err)
	errs := texts(response.Results)
	if errs[0] == "" {
		require.Less(h.t, h.Now(), lease.AnswerBy)
		require.Zero(h.t, h.leaseAt(lease.Id).AnswerBy)
	} else {
		require.True(h.t, h.behind(), errs[0])
	}
	if another.Id == lease.Id || another.AnswerBy == 0 || another.Provider != lease.Provider {
		require.NotEmpty(h.t, errs[1])
	}
}

// oneProviderASecond asserts that nobody is paid twice for a lease at any second, and that no service of a standby began
// before what it stood for was lost.
func (h *history) oneProviderASecond() {
	g, err := h.Escrow.ExportGenesis(h.Ctx())
	require.NoError(h.t, err)
	last := map[uint64]escrowtypes.Stream{}
	streams := slices.Concat(g.OpenStreams, g.ClosedStreams)
	slices.SortFunc(streams, func(a, b escrowtypes.Stream) int { return cmp.Compare(a.Id, b.Id) })
	for _, s := range streams {
		if before, found := last[s.Ref]; found {
			require.NotZero(h.t, before.ClosedAt, "lease %d is paid by two streams", s.Ref)
			require.LessOrEqual(h.t, before.ClosedAt, s.OpenedAt, "lease %d", s.Ref)
		}
		last[s.Ref] = s
	}
}

// end closes everything: then nothing is held, nothing allocated, and the books are empty but for earnings and dust.
func (h *history) end() {
	for range 400 { // with few deadlines a block it takes a while
		h.NextBlock(second)
		g := h.genesis()
		open := slices.DeleteFunc(g.Deployments, func(d types.Deployment) bool {
			return d.State != types.DeploymentState_DEPLOYMENT_STATE_OPEN
		})
		if len(open) == 0 {
			for _, pool := range g.Pools {
				require.Equal(h.t, types.Resources{}, pool.Allocated)
			}
			h.check()
			return
		}
		for _, d := range open {
			if err := h.Deliver(&types.MsgCloseDeployment{Owner: d.Owner, Deployment: d.Id}); err != nil {
				require.ErrorIs(h.t, err, escrowtypes.ErrBehind)
			}
		}
	}
	h.t.Fatal("deployments stay open")
}
