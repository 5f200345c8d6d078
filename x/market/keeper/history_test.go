package keeper_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
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
		params.MaxDeadlinesPerBlock = rapid.SampledFrom([]uint32{1, 3, 1000}).Draw(rt, "deadlines per block")
		genesis := types.DefaultGenesis()
		genesis.Params = quick()
		genesis.Params.BidsPerBlock = rapid.SampledFrom([]uint32{2, 2048}).Draw(rt, "bids per block")
		genesis.Params.OffersPerBlock = rapid.SampledFrom([]uint32{1, 2, 4096}).Draw(rt, "offers per block")
		h.bench = startFrom(drawn{t, rt}, genesis, chain.WithEscrowParams(params))
		for i := range providers {
			name := fmt.Sprintf("p%d", i)
			h.joins(name, 2_000_000)
			h.sets(name, units(4))
			h.posts(name, hourly+uint64(i), region(name)...)
		}
		h.supply = h.total()
		rt.Repeat(map[string]func(*rapid.T){
			"create":   h.create,
			"close":    h.close,
			"ack":      func(*rapid.T) { h.answer(true) },
			"decline":  func(*rapid.T) { h.answer(false) },
			"set pool": h.setPool,
			"offer":    h.changeOffer,
			"top up":   h.topUp,
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
		spec := want(fmt.Sprintf("group-%d", i), rapid.Uint32Range(1, 5).Draw(rt, "replicas"), hourly+rapid.Uint64Range(0, 3).Draw(rt, "cap"))
		spec.MinReplicas = rapid.Uint32Range(0, spec.Replicas).Draw(rt, "min")
		if rapid.Bool().Draw(rt, "picky") {
			spec.Requirements = []types.LabelRequirement{{
				Key: "region", Operator: types.Operator_OPERATOR_NOT_IN, Values: []string{"p0"},
			}}
		}
		bids[i] = spec
	}
	h.names++
	h.Funded(owner, chain.Coin(deposit))
	h.supply += deposit
	require.NoError(h.t, h.Deliver(h.bench.create(owner, fmt.Sprintf("d%d", h.names), deposit, bids...)))
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
			require.Contains(h.t, errs[i], escrowtypes.ErrBehind.Error())
		}
	}
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
		require.Truef(h.t, types.ErrBondTooLow.Is(err) || types.ErrOfferState.Is(err) ||
			types.ErrTooManyOffers.Is(err) || types.ErrSuspended.Is(err), "%v", err)
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
			require.True(h.t, escrowtypes.ErrAccountClosed.Is(err) || escrowtypes.ErrBehind.Is(err) || escrowtypes.ErrExhausted.Is(err))
		}
	})
}

func (h *history) block(rt *rapid.T) {
	h.NextBlock(time.Duration(rapid.SampledFrom([]int64{0, 1, 1000, 1000, 5000, 14_000, 90_000, 1_100_000}).Draw(rt, "milliseconds")) * time.Millisecond)
	h.check()
	require.LessOrEqual(h.t, h.total(), h.supply, "nothing is made of nothing; a part of what is slashed is burnt")
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
