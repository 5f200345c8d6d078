package match_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/match"
)

// FuzzClear holds markets of any numbers against the reference and the limits;
// nothing may panic.
func FuzzClear(f *testing.F) {
	f.Add([]byte{})
	for seed := range byte(16) {
		data := make([]byte, 400)
		if _, err := rand.NewChaCha8([32]byte{seed}).Read(data); err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := (&source{data: data}).input()
		out := match.Clear(in)
		want, rest := refClear(in)
		require.Equal(t, want, out.Assignments)
		require.Equal(t, rest.short, out.Short)
		requireLimits(t, in, out)
		c := match.Certify(in, out)
		better, _ := match.Improve(in, out, c)
		requireLimits(t, in, better)
		require.True(t, refWelfare(in, better.Assignments).Cmp(big128(c.Bound)) <= 0)
		for _, b := range in.Bids {
			alone := match.Clear(match.Input{Bids: []match.Bid{b}, Book: in.Book})
			reason := match.Explain(b, in.Book)
			require.Equal(t, len(alone.Assignments) > 0, reason.Block == match.Clears)
			require.NotEmpty(t, reason.String())
			match.Candidates(b, in.Book)
		}
	})
}

// source reads a market from bytes, one a number, so that a small change of the
// bytes is a small change of the market. After the end it reads zeros.
type source struct{ data []byte }

func (s *source) next() byte {
	if len(s.data) == 0 {
		return 0
	}
	b := s.data[0]
	s.data = s.data[1:]
	return b
}

func (s *source) count(most int) int { return int(s.next()) % (most + 1) }

// number is up to 239 steps, or one of the numbers at which arithmetic breaks.
func (s *source) number(step uint64) uint64 {
	edges := []uint64{
		999, 1000, 128_000, math.MaxUint32, match.MaxQuantity - 1, match.MaxQuantity, match.MaxQuantity + 1, 1 << 62,
		match.MaxRate - 1, match.MaxRate, match.MaxRate + 1, math.MaxUint64 / 128_000, math.MaxUint64 - 1, math.MaxUint64,
	}
	b := s.next()
	if i := int(b) - 240; i >= 0 && i < len(edges) {
		return edges[i]
	}
	return uint64(b) * step
}

func (s *source) vector(step uint64) match.Vector {
	var v match.Vector
	for set := s.next(); set != 0; set &= set - 1 { // one bit a resource
		for r := range match.Dims {
			if set&-set == 1<<r {
				v[r] = s.number(step)
			}
		}
	}
	return v
}

func (s *source) index() uint32 {
	if b := s.next(); b < 255 {
		return uint32(b % 8)
	}
	return math.MaxUint32
}

func (s *source) input() match.Input {
	in := match.Input{Seed: []byte{s.next()}}
	for range s.count(6) {
		in.Book.Providers = append(in.Book.Providers, match.Provider{RateRoom: s.number(4)})
	}
	for range s.count(8) {
		in.Book.Pools = append(in.Book.Pools, match.Pool{Provider: s.index(), Free: s.vector(100), LargestUnit: s.vector(50)})
	}
	for i := range s.count(12) {
		in.Book.Offers = append(in.Book.Offers, match.Offer{
			ID: uint64(i), Pool: s.index(), Class: s.index(), Reputation: uint32(s.next()),
			Zone: s.index(), Ask: s.vector(1),
		})
	}
	for i := range s.count(8) {
		in.Bids = append(in.Bids, s.bid(uint64(i)))
	}
	for range s.count(4) {
		in.Accounts = append(in.Accounts, match.Account{RateRoom: s.number(4)})
	}
	for i := range in.Bids {
		in.Bids[i].Account = s.index()
	}
	for r := range in.Weights {
		in.Weights[r] = uint32(s.number(1 << 11))
	}
	return in
}

func (s *source) bid(id uint64) match.Bid {
	b := match.Bid{
		ID: id, Unit: s.vector(10), Min: uint32(s.count(4)), Wanted: uint32(s.count(16)), CapPerHour: s.number(2),
		Classes: match.ClassSet{^uint64(s.next())}, MaxPerProvider: uint32(s.count(4)),
	}
	for range s.count(2) {
		b.Excluded = append(b.Excluded, s.index())
	}
	for range s.count(1) {
		b.Placed = append(b.Placed, match.Placement{Provider: s.index(), Zone: s.index(), Replicas: uint32(s.next())})
	}
	for range s.count(2) {
		b.Allowed = append(b.Allowed, s.index())
	}
	b.MaxPerZone, b.MinReputation = uint32(s.count(2)), uint32(s.next())/2
	return b
}
