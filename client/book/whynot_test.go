package book

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	markettypes "github.com/souk-network/souk/x/market/types"
)

func offer(id uint64, provider, region string, pool markettypes.Resources) markettypes.BookEntry {
	return markettypes.BookEntry{
		Offer: markettypes.Offer{
			Id: id, Provider: provider,
			Asks:   []markettypes.Ask{{Denom: "usouk", Cpu: 1000, Memory: 1000, Ephemeral: 1, Gpu: 5000, Egress: 1}},
			Labels: []markettypes.Label{{Key: "gpu.model", Value: "a100"}, {Key: "region", Value: region}},
		},
		Pool:       markettypes.CapacityPool{Provider: provider, Total: pool, LargestUnit: pool},
		Reputation: 900_000, RateRoom: []markettypes.RateRoom{{Denom: "usouk", Rate: 1_000_000}},
	}
}

func TestWhyNobodyServesABidIsSaidInWordsOfPeople(t *testing.T) {
	small := markettypes.Resources{CpuMillis: 4000, MemoryMib: 8192, EphemeralMib: 1000, EgressMbps: 100, GpuMillis: 1000}
	large := markettypes.Resources{CpuMillis: 8000, MemoryMib: 512, EphemeralMib: 1000, EgressMbps: 100}
	b := &Book{Entries: []markettypes.BookEntry{
		offer(1, "a", "eu-west", small), offer(2, "a", "eu-west", small), offer(3, "b", "us-east", large),
	}}
	in := func(key string, values ...string) markettypes.LabelRequirement {
		return markettypes.LabelRequirement{Key: key, Operator: markettypes.Operator_OPERATOR_IN, Values: values}
	}
	for name, c := range map[string]struct {
		change func(*markettypes.BidSpec)
		want   string
	}{
		"cpu": {
			func(s *markettypes.BidSpec) { s.Unit.CpuMillis = 10_500 },
			"2 providers match but none has 10.5 cpus free on one machine; the nearest has 8 cpus",
		},
		"memory, of those with the cpu": {
			func(s *markettypes.BidSpec) { s.Unit.CpuMillis, s.Unit.MemoryMib = 6000, 1024 },
			"1 provider matches but none has 1 GiB of memory free on one machine; the nearest has 512 MiB of memory",
		},
		"gpus of a model": {
			func(s *markettypes.BidSpec) {
				s.Unit.GpuMillis, s.Requirements = 2000, []markettypes.LabelRequirement{in("gpu.model", "a100")}
			},
			"2 providers match but none has 2 x a100 free on one machine; the nearest has 1 x GPU",
		},
		"egress": {
			func(s *markettypes.BidSpec) { s.Unit.EgressMbps = 200 },
			"2 providers match but none has 200 Mbit/s of egress free on one machine; the nearest has 100 Mbit/s of egress",
		},
		"a label that nobody has": {
			func(s *markettypes.BidSpec) {
				s.Requirements = []markettypes.LabelRequirement{in("region", "atlantis")}
			},
			"none of 2 providers has the label region = atlantis; there is eu-west, us-east",
		},
		"a label that nobody states": {
			func(s *markettypes.BidSpec) { s.Requirements = []markettypes.LabelRequirement{in("tier", "gold")} },
			"none of 2 providers has the label tier = gold; no offer says its tier",
		},
		"reputation": {
			func(s *markettypes.BidSpec) { s.MinReputation = 995_000 },
			"2 providers match but none has a reputation of 99.5%; the best has 90%",
		},
		"price": {
			func(s *markettypes.BidSpec) { s.Cap = 10 },
			"2 providers match but none asks 10u or less for a replica; the cheapest asks 500u",
		},
		"carbon": {
			func(s *markettypes.BidSpec) { s.MaxCarbon = 100 },
			"none of 2 providers has 100 gCO2/kWh or less; no offer says its carbon.g_per_kwh",
		},
	} {
		bid := markettypes.BidSpec{Name: "main", Unit: markettypes.Resources{CpuMillis: 500}, MinReplicas: 1, Replicas: 1, Cap: 1_000_000}
		c.change(&bid)
		tenant := markettypes.Tenant{Owner: "me", Denom: "usouk"}
		s := b.ScreenFor(bid, tenant)
		got := b.WhyNot(bid, tenant, s.Reason, func(rate uint64) string { return fmt.Sprintf("%du", rate) })
		require.Equal(t, c.want, got, name)
	}
	b.Halted = true
	require.Contains(t, b.WhyNot(markettypes.BidSpec{}, markettypes.Tenant{}, b.Screen(markettypes.BidSpec{}, "usouk").Reason, nil), "no new leases")
}

func TestOffersThatSellToOthersOnlyAreNotBlamedOnLabels(t *testing.T) {
	e := offer(1, "a", "eu-west", markettypes.Resources{CpuMillis: 4000})
	e.Offer.Terms.Allow = []string{"somebody"}
	b := &Book{Entries: []markettypes.BookEntry{e}}
	bid := markettypes.BidSpec{Unit: markettypes.Resources{CpuMillis: 500}, MinReplicas: 1, Replicas: 1, Cap: 1_000_000}
	tenant := markettypes.Tenant{Owner: "me", Denom: "usouk"}
	require.Contains(t, b.WhyNot(bid, tenant, b.ScreenFor(bid, tenant).Reason, nil), "sell to other tenants only")
}
