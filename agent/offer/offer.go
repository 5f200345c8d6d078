// Package offer keeps what a provider offers on the chain in step with what its machines have. It is a pure function: the
// inventory, the operator's price list and the chain's present state in, the messages that are missing out; none when all is
// as it should be, so nothing is ever said twice.
//
// It owns one pool and the first offer that sells it; other pools and offers are the operator's own and are not touched. It must not know transactions or containers.
package offer

import (
	"slices"
	"strings"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/offer/price"
	"github.com/souk-network/souk/agent/runtime"
	markettypes "github.com/souk-network/souk/x/market/types"
)

const (
	// Amounts are rounded down to these, so that a few bytes more or less are not worth a transaction.
	memoryStepMiB = 64
	diskStepMiB   = 256
	// The free disk moves with every log line and image; it is told again once it moved by a part of what was told.
	diskTolerance = 32
)

// Config is what the operator wants to sell.
type Config struct {
	Pool       uint32
	Asks       []markettypes.Ask
	Labels     map[string]string
	Reserve    runtime.Capacity // kept for the host itself
	EgressMbps uint64           // of the machine's uplink, to be shared by all leases
	// Shared are the classes of volumes that lie on the file system of the leases' own disks: all of them get equal parts.
	Shared []string
	// NoStandbys keeps standbys away, which bind capacity for a share of the rate.
	NoStandbys bool
}

// Input is the whole world of a decision.
type Input struct {
	Signer   string
	Provider string
	Config   Config
	Nodes    []runtime.Node
	Pools    []markettypes.CapacityPool // of the provider
	Offers   []markettypes.Offer        // of the provider, not the withdrawn
}

// Plan gives the messages that bring the chain up to date, in order.
func Plan(in Input) []sdk.Msg {
	total, largest := Capacity(in.Config, in.Nodes)
	var msgs []sdk.Msg
	if pool := findPool(in); pool == nil || !near(pool.Total, total) || !near(pool.LargestUnit, largest) {
		if pool == nil && total == (markettypes.Resources{}) {
			return nil // nothing to sell yet
		}
		msgs = append(msgs, &markettypes.MsgSetPool{
			Signer: in.Signer, Provider: in.Provider, Id: in.Config.Pool, Total: total, LargestUnit: largest,
		})
	}
	return append(msgs, offers(in)...)
}

// near compares what the chain was told with what is: all exactly but disks.
func near(told, is markettypes.Resources) bool {
	for _, d := range []struct{ told, is *uint64 }{
		{&told.EphemeralMib, &is.EphemeralMib},
		{&told.HddMib, &is.HddMib},
		{&told.SsdMib, &is.SsdMib},
		{&told.NvmeMib, &is.NvmeMib},
	} {
		apart := max(*d.told, *d.is) - min(*d.told, *d.is)
		if *d.told > 0 && *d.is > 0 && apart <= *d.told/diskTolerance {
			*d.is = *d.told
		}
	}
	return told == is
}

// offers brings the pool's first offer up to date. Further offers of the pool are the operator's own, as is the first when the
// agent has no price list.
func offers(in Input) []sdk.Msg {
	if len(in.Config.Asks) == 0 {
		return nil
	}
	asks, labels := price.Sorted(in.Config.Asks), sortedLabels(in.Config.Labels)
	first := firstOffer(in)
	if first == nil {
		return []sdk.Msg{&markettypes.MsgPostOffer{
			Signer: in.Signer, Provider: in.Provider, Pool: in.Config.Pool, Asks: asks, Labels: labels,
			Terms: markettypes.OfferTerms{NoStandbys: in.Config.NoStandbys},
		}}
	}
	terms := first.Terms // the others are the operator's
	terms.NoStandbys = in.Config.NoStandbys
	active := first.State == markettypes.OfferState_OFFER_STATE_ACTIVE
	if active && slices.Equal(first.Asks, asks) && slices.Equal(first.Labels, labels) && terms.NoStandbys == first.Terms.NoStandbys {
		return nil
	}
	return []sdk.Msg{&markettypes.MsgUpdateOffer{Signer: in.Signer, Offer: first.Id, Asks: asks, Labels: labels, Terms: terms}}
}

// View is what a strategy of prices looks at.
func (in Input) View() price.View {
	v := price.View{Base: price.Sorted(in.Config.Asks)}
	if pool := findPool(in); pool != nil {
		v.Total, v.Allocated = pool.Total.Vector(), pool.Allocated.Vector()
	}
	if first := firstOffer(in); first != nil {
		v.Present = first.Asks
	}
	return v
}

func firstOffer(in Input) *markettypes.Offer {
	var first *markettypes.Offer
	for i, o := range in.Offers {
		if o.Pool == in.Config.Pool && (first == nil || o.Id < first.Id) {
			first = &in.Offers[i]
		}
	}
	return first
}

// Capacity is what the machines have to sell: all together, and the largest single replica.
func Capacity(cfg Config, nodes []runtime.Node) (total, largest markettypes.Resources) {
	var sum, most [8]uint64
	for _, v := range NodeVectors(cfg, nodes) {
		for i, amount := range v {
			sum[i] += amount
			most[i] = max(most[i], amount)
		}
	}
	sum[egress] = most[egress] // one uplink
	return resources(sum), resources(most)
}

func resources(v [8]uint64) markettypes.Resources {
	return markettypes.Resources{
		CpuMillis: v[cpu], MemoryMib: v[memory], EphemeralMib: v[disk], HddMib: v[hdd], SsdMib: v[ssd], NvmeMib: v[nvme],
		EgressMbps: v[egress],
	}
}

// Places in a vector of the market's dimensions.
const (
	cpu    = 0
	memory = 1
	disk   = 2
	hdd    = 3
	ssd    = 4
	nvme   = 5
	egress = 7
)

// classes of volumes, by the names that leases use.
var classes = map[string]int{"hdd": hdd, "ssd": ssd, "nvme": nvme}

// NodeVectors is what each machine has to sell, in the market's dimensions. The operator's reserve is taken from the first
// machine, on which the agent runs; the uplink stands with each, since it is shared.
func NodeVectors(cfg Config, nodes []runtime.Node) [][8]uint64 {
	vectors := make([][8]uint64, len(nodes))
	for i, n := range nodes {
		reserve := runtime.Capacity{}
		if i == 0 {
			reserve = cfg.Reserve
		}
		parts := uint64(1 + len(cfg.Shared))
		vectors[i] = [8]uint64{
			cpu:    less(n.Total.CPUMillis, reserve.CPUMillis, 1),
			memory: less(n.Total.MemoryMiB, reserve.MemoryMiB, memoryStepMiB),
			disk:   part(n.Total.DiskMiB, reserve.DiskMiB, parts),
			hdd:    part(n.Total.HDDMiB, 0, 1),
			ssd:    part(n.Total.SSDMiB, 0, 1),
			nvme:   part(n.Total.NVMeMiB, 0, 1),
			egress: cfg.EgressMbps,
		}
		totals := map[int]uint64{hdd: n.Total.HDDMiB, ssd: n.Total.SSDMiB, nvme: n.Total.NVMeMiB}
		for _, class := range cfg.Shared {
			at := classes[class]
			vectors[i][at] = part(totals[at], reserve.DiskMiB, parts)
		}
	}
	return vectors
}

// part is an equal part of a disk less what is kept of it.
func part(total, reserve, parts uint64) uint64 {
	left := (total - min(total, reserve)) / parts
	return left - left%diskStepMiB
}

// less is a - b, not below zero, rounded down to a step.
func less(a, b, step uint64) uint64 {
	left := a - min(a, b)
	return left - left%step
}

func findPool(in Input) *markettypes.CapacityPool {
	for i := range in.Pools {
		if in.Pools[i].Id == in.Config.Pool {
			return &in.Pools[i]
		}
	}
	return nil
}

func sortedLabels(labels map[string]string) []markettypes.Label {
	out := make([]markettypes.Label, 0, len(labels))
	for key, value := range labels {
		out = append(out, markettypes.Label{Key: key, Value: value})
	}
	slices.SortFunc(out, func(a, b markettypes.Label) int { return strings.Compare(a.Key, b.Key) })
	return out
}
