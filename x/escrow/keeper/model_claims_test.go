package keeper_test

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/x/escrow/types"
)

// OnEpochClosed notes when an epoch ran.
func (m *model) OnEpochClosed(_ context.Context, epoch types.Epoch) error {
	m.epochs[epoch.Number] = epoch
	return nil
}

// CheckParams takes all parameters.
func (m *model) CheckParams(context.Context, types.Params) error { return nil }

// OnEpochPot finds half of the service proven, all, or nothing, by the number of the epoch.
func (m *model) OnEpochPot(_ context.Context, pot types.EpochPot) (math.Int, bool, error) {
	return pot.Service.MulRaw(int64(pot.Epoch % 3)).QuoRaw(2), true, nil
}

// serve lets who stood by take over; paused, if the account is low and stays so.
func (m *model) serve(stream *modelStream, rate int64) {
	stream.rate, stream.full = 0, 0
	m.resume(stream.account, rate)
	stream.service, stream.rate, stream.opened = true, rate, m.now
	if m.accounts[stream.account].low {
		stream.service, stream.full, stream.rate = false, rate, m.share(rate)
	}
}

// dueOf is what a stream paid for service from one second until another, and in how many seconds.
func (s *modelStream) dueOf(from, until uint64) (grains int64, seconds uint64) {
	for second, rate := range s.served {
		if second >= from && second < until {
			grains += rate
			seconds++
		}
	}
	return grains, seconds
}

// serviceOf is what a payee earned by service in an epoch.
func (m *model) serviceOf(payee int, epoch uint64) int64 {
	sum := int64(0)
	for _, s := range m.streams {
		if s.payee == payee {
			grains, _ := s.dueOf(m.epochs[epoch].Start, m.epochs[epoch].End)
			sum += grains
		}
	}
	return sum
}

// refund gives back what service earned, while there is some, to an account that drew so much in epochs that are over.
func (m *model) refund(account int, s step) {
	payee, epoch := s.Other%3, m.player.epochOf(s)
	key := fmt.Sprint(payee, epoch)
	drawn := m.accounts[account].spent
	for _, s := range m.open(account) {
		drawn -= s.rate * int64(m.now-max(s.opened, m.player.clock().EpochStart))
	}
	paid := max(0, min(int64(s.Rate*s.Seconds), m.serviceOf(payee, epoch)-m.refunded[key], drawn))
	require.Equal(m.player.rt, paid, m.player.refunded.Int64(), "refund of %d for %d in epoch %d", s.Rate*s.Seconds, payee, epoch)
	if paid == 0 {
		return
	}
	m.refunded[key] += paid
	m.paid[payee] -= paid
	m.accounts[account].spent -= paid
	if m.accounts[account].closed {
		m.payBack(m.accounts[account])
	} else {
		m.resume(account, 0)
	}
}

// compareDue compares what is due for service over the last closed epoch, over everything, and over some span.
func (m *model) compareDue(t *rapid.T, s step) {
	p, start := m.player, m.player.clock().EpochStart
	spans := [][2]uint64{{1, m.now}, {m.epochs[p.clock().Epoch-1].Start, start}, {s.Seconds * 7 % m.now, s.Rate % m.now}}
	for i, stream := range m.streams {
		last, err := p.book.latest(p.Ctx(), p.streams[i])
		require.NoError(t, err)
		for _, span := range spans {
			got, err := p.Escrow.Due(p.Ctx(), last, span[0], span[1])
			require.NoError(t, err)
			grains, seconds := stream.dueOf(span[0], span[1])
			require.Equal(t, grains, got.Grains.Int64(), "stream %d over %v", last, span)
			require.Equal(t, seconds, got.Seconds, "stream %d over %v", last, span)
		}
	}
	for payee := range 3 {
		for epoch := range m.epochs {
			pot, err := p.Escrow.EpochPot(p.Ctx(), p.payee(payee), "usouk", epoch)
			if types.ErrEpochPot.Is(err) {
				require.Zero(t, m.serviceOf(payee, epoch))
				continue
			}
			require.NoError(t, err)
			require.Equal(t, m.serviceOf(payee, epoch), pot.Service.Int64())
			require.Equal(t, m.refunded[fmt.Sprint(payee, epoch)], pot.Refunded.Int64())
			require.Equal(t, m.epochs[epoch].MaturesAt, pot.MaturesAt)
		}
	}
}
