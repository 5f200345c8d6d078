package history

import (
	"time"

	"github.com/stretchr/testify/require"

	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// finish ends a history: everything closes, every epoch matures, everybody takes what is theirs. Then nothing is left but what
// is less than a micro-denom.
func (p *player) finish() {
	p.ease()
	p.block(time.Second, false)
	p.closeAll()
	for range 4 {
		p.block(time.Hour, false)
	}
	p.withdrawAll()
	p.leaveAll()
	for range 3 {
		p.block(time.Hour, false)
	}
	p.compareAll()
	p.checkEmpty()
	p.checkSame()
}

// ease lets governance take back what would keep anybody from ending, and halts the market.
func (p *player) ease() {
	s := settings{p.w.escrow, p.w.market, p.w.provider}
	s.escrow.Denoms = escrowParams().Denoms
	s.escrow.MaxTickSeconds, s.escrow.EpochSeconds, s.escrow.MaxDeadlinesPerBlock = 3600, 50, plenty
	s.market.Halted, s.market.NoticeSeconds, s.provider.UnbondingSeconds = true, 1, 1
	p.govern(s)
}

// closeAll closes every deployment that is open. Closing it again is refused, and changes nothing.
func (p *player) closeAll() {
	for _, a := range p.w.accounts {
		m := &markettypes.MsgCloseDeployment{Owner: a.owner, Deployment: a.id}
		open := !a.closed
		if err := p.send(m); !p.w.wild {
			require.Equal(p.t, open, err == nil, "close deployment %d: %v", a.id, err)
		}
		require.Error(p.t, p.send(m), "deployment %d closes twice", a.id)
	}
}

// withdrawAll lets providers take all that they have earned, to the last whole micro-denom.
func (p *player) withdrawAll() {
	for _, s := range p.w.providers {
		for _, denom := range denoms {
			m := &providertypes.MsgWithdraw{Signer: s.operator, Provider: s.operator, Denom: denom}
			if p.send(m) == nil {
				require.Error(p.t, p.send(m), "%s withdraws %s twice", s.operator, denom)
			}
			if left := s.earned[denom] - s.withdrawn[denom]*grains; !p.w.wild {
				require.True(p.t, 0 <= left && left < grains, "%s left %d grains of %s of %d", s.operator, left, denom, s.earned[denom])
			}
		}
	}
}

// leaveAll lets all providers leave with their bonds.
func (p *player) leaveAll() {
	for _, s := range p.w.providers {
		err := p.send(&providertypes.MsgDeregister{Operator: s.operator})
		require.True(p.t, err == nil || providertypes.ErrLifecycle.Is(err), "%v", err)
	}
	p.block(time.Hour, false) // which is enough for what is unbonding to return
	for _, s := range p.w.providers {
		bond, err := p.prompt.Provider.BondOf(p.prompt.Ctx(), address(s.operator))
		require.NoError(p.t, err)
		for _, c := range bond {
			p.must(&providertypes.MsgUnbond{Operator: s.operator, Amount: c})
		}
	}
}

// checkEmpty checks that nothing is left, and that every coin is somebody's.
func (p *player) checkEmpty() {
	n, left := p.prompt, p.prompt.export(p.t)
	require.Empty(p.t, left.market.Deployments)
	require.Empty(p.t, left.market.Bids)
	require.Empty(p.t, left.market.Leases)
	require.Empty(p.t, left.market.Sweeps)
	require.Empty(p.t, left.market.Retained)
	require.Empty(p.t, left.escrow.Accounts)
	require.Empty(p.t, left.escrow.OpenStreams)
	require.Empty(p.t, left.escrow.ClosedStreams)
	require.Empty(p.t, left.escrow.Quarantine)
	require.Empty(p.t, left.provider.Unbondings)
	for payee, kept := range poor(left) {
		require.Less(p.t, kept, int64(grains), "%s of %s", payee.denom, payee.owner)
	}
	for _, pool := range left.market.Pools {
		require.Equal(p.t, markettypes.Resources{}, pool.Allocated)
	}
	for _, s := range left.provider.Providers {
		require.Equal(p.t, providertypes.Lifecycle_LIFECYCLE_GONE, s.Lifecycle, s.Operator)
	}
	for _, denom := range denoms {
		require.Zero(p.t, n.moduleHas("provider", denom))
		sum := n.community(denom) + n.moduleHas("escrow", denom)
		for _, name := range people {
			sum += n.has(name, denom)
		}
		require.Equal(p.t, n.Bank.GetSupply(n.Ctx(), denom).Amount.Int64(), sum, "%s of nobody", denom)
		entries := int64(len(p.w.providers)) // each pot keeps less than a micro-denom, and so does each deposit
		for _, a := range p.w.accounts {
			if a.denom == denom {
				entries += 2 + int64(len(a.entries))
			}
		}
		require.LessOrEqual(p.t, n.moduleHas("escrow", denom), entries, "escrow keeps %s", denom)
	}
}

// poor are the grains that were earned and are too few to be paid, by payee.
func poor(s state) map[purse]int64 {
	kept := map[purse]int64{}
	for _, pot := range s.escrow.EpochPots {
		kept[purse{pot.Payee, pot.Denom}] += pot.Payable.Int64()
	}
	for _, pot := range s.escrow.Pots {
		kept[purse{pot.Payee, pot.Denom}] += pot.Available.Int64()
	}
	return kept
}

// checkSame checks that everybody has the same on the slow chain.
func (p *player) checkSame() {
	if p.slow == nil {
		return
	}
	p.catchUp()
	for _, denom := range denoms {
		for _, name := range people {
			require.Equal(p.t, p.prompt.has(name, denom), p.slow.has(name, denom), "%s has of %s", name, denom)
		}
		require.Equal(p.t, p.prompt.community(denom), p.slow.community(denom))
		require.Equal(p.t, p.prompt.moduleHas("escrow", denom), p.slow.moduleHas("escrow", denom))
	}
	prompt, slow := p.prompt.export(p.t), p.slow.export(p.t)
	require.Equal(p.t, prompt.provider.Providers, slow.provider.Providers)
	require.Equal(p.t, prompt.provider.Records, slow.provider.Records)
	require.Equal(p.t, prompt.market.Offers, slow.market.Offers)
	require.Equal(p.t, prompt.escrow.Dust, slow.escrow.Dust)
	require.Equal(p.t, poor(prompt), poor(slow))
}
