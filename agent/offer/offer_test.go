package offer

import (
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/agent/runtime"
	markettypes "github.com/souk-network/souk/x/market/types"
)

var (
	machine = runtime.Node{Name: "a", Total: runtime.Capacity{CPUMillis: 4000, MemoryMiB: 8200, DiskMiB: 100_100}}
	cheap   = markettypes.Ask{Denom: "usouk", Cpu: 1000, Memory: 500}
	other   = markettypes.Ask{Denom: "uatom", Cpu: 10}
)

func world() Input {
	return Input{
		Signer: "souk1agent", Provider: "souk1operator", Nodes: []runtime.Node{machine},
		Config: Config{
			Asks: []markettypes.Ask{cheap, other}, Labels: map[string]string{"region": "eu", "arch": "amd64"},
			Reserve: runtime.Capacity{CPUMillis: 500, MemoryMiB: 1024, DiskMiB: 4096}, EgressMbps: 1000,
		},
	}
}

// settle does what a plan says, as the chain would.
func settle(in Input) Input {
	for _, msg := range Plan(in) {
		switch m := msg.(type) {
		case *markettypes.MsgSetPool:
			in.Pools = []markettypes.CapacityPool{{Provider: m.Provider, Id: m.Id, Total: m.Total, LargestUnit: m.LargestUnit}}
		case *markettypes.MsgPostOffer:
			in.Offers = append(in.Offers, markettypes.Offer{
				Id: 9, Pool: m.Pool, Asks: m.Asks, Labels: m.Labels, State: markettypes.OfferState_OFFER_STATE_ACTIVE,
			})
		case *markettypes.MsgUpdateOffer:
			in.Offers[0].Asks, in.Offers[0].Labels = m.Asks, m.Labels
			in.Offers[0].State = markettypes.OfferState_OFFER_STATE_ACTIVE
		}
	}
	return in
}

func kinds(msgs []sdk.Msg) (names []string) {
	for _, m := range msgs {
		names = append(names, sdk.MsgTypeURL(m))
	}
	return names
}

func TestANewProviderDeclaresItsPoolAndPostsOneOffer(t *testing.T) {
	msgs := Plan(world())
	require.Equal(t, []string{"/souk.market.v1.MsgSetPool", "/souk.market.v1.MsgPostOffer"}, kinds(msgs))
	pool, ok := msgs[0].(*markettypes.MsgSetPool)
	require.True(t, ok)
	require.Equal(t, markettypes.Resources{CpuMillis: 3500, MemoryMib: 7168, EphemeralMib: 96_000, EgressMbps: 1000}, pool.Total,
		"total less reserve, rounded down")
	require.Equal(t, pool.Total, pool.LargestUnit)
	require.NoError(t, pool.Total.Validate())
	post, ok := msgs[1].(*markettypes.MsgPostOffer)
	require.True(t, ok)
	require.NoError(t, markettypes.ValidateAsks(post.Asks), "sorted by denom")
	require.NoError(t, markettypes.ValidateLabels(post.Labels), "sorted by key")
}

func TestNothingIsSaidWhenNothingChanged(t *testing.T) {
	in := settle(world())
	require.Empty(t, Plan(in))
	in.Nodes = []runtime.Node{machine}
	in.Nodes[0].Total.MemoryMiB += 3 // within a step
	in.Nodes[0].Free = runtime.Capacity{CPUMillis: 1}
	require.Empty(t, Plan(in))
}

func TestWhatChanges(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Input)
		want   []string
	}{
		{"the machine lost memory", func(in *Input) { in.Nodes = []runtime.Node{{Total: runtime.Capacity{CPUMillis: 4000}}} }, []string{"/souk.market.v1.MsgSetPool"}},
		{"the runtime is gone", func(in *Input) { in.Nodes = nil }, []string{"/souk.market.v1.MsgSetPool"}},
		{"the disk filled by a tenth", func(in *Input) {
			less := machine
			less.Total.DiskMiB -= less.Total.DiskMiB / 10
			in.Nodes = []runtime.Node{less}
		}, []string{"/souk.market.v1.MsgSetPool"}},
		{"an image was pulled", func(in *Input) {
			less := machine
			less.Total.DiskMiB -= 900
			in.Nodes = []runtime.Node{less}
		}, nil},
		{"prices", func(in *Input) { in.Config.Asks = []markettypes.Ask{cheap} }, []string{"/souk.market.v1.MsgUpdateOffer"}},
		{"standbys are not wanted any more", func(in *Input) { in.Config.NoStandbys = true }, []string{"/souk.market.v1.MsgUpdateOffer"}},
		{"labels", func(in *Input) { in.Config.Labels = nil }, []string{"/souk.market.v1.MsgUpdateOffer"}},
		{"the offer was suspended", func(in *Input) { in.Offers[0].State = markettypes.OfferState_OFFER_STATE_SUSPENDED }, []string{"/souk.market.v1.MsgUpdateOffer"}},
		{"a second offer of the pool, the operator's own", func(in *Input) {
			in.Offers = append(in.Offers, markettypes.Offer{Id: 10, State: markettypes.OfferState_OFFER_STATE_ACTIVE})
		}, nil},
		{"the price list was taken away: the offer is the operator's", func(in *Input) { in.Config.Asks = nil }, nil},
		{"an offer of another pool", func(in *Input) {
			in.Offers = append(in.Offers, markettypes.Offer{Id: 3, Pool: 1, State: markettypes.OfferState_OFFER_STATE_ACTIVE})
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := settle(world())
			tt.change(&in)
			require.Equal(t, tt.want, kinds(Plan(in)))
		})
	}
}

func TestAnOfferThatChangesKeepsTheTermsThatTheOperatorGaveIt(t *testing.T) {
	in := settle(world())
	in.Offers[0].Terms = markettypes.OfferTerms{Class: markettypes.LeaseClass_LEASE_CLASS_SPOT, MaxLeaseSeconds: 60}
	require.Empty(t, Plan(in))
	in.Config.Asks, in.Config.NoStandbys = []markettypes.Ask{cheap}, true
	update, ok := Plan(in)[0].(*markettypes.MsgUpdateOffer)
	require.True(t, ok)
	require.Equal(t, markettypes.OfferTerms{
		Class: markettypes.LeaseClass_LEASE_CLASS_SPOT, MaxLeaseSeconds: 60, NoStandbys: true,
	}, update.Terms)
}

func TestAProviderWithoutMachinesSaysNothing(t *testing.T) {
	in := world()
	in.Nodes = nil
	require.Empty(t, Plan(in))
}

func TestSeveralMachinesShareTheUplinkAndAReplicaFitsOne(t *testing.T) {
	in := world()
	big := runtime.Node{Total: runtime.Capacity{CPUMillis: 16_000, MemoryMiB: 1024, DiskMiB: 256}}
	in.Nodes = append(in.Nodes, big)
	total, largest := Capacity(in.Config, in.Nodes)
	require.EqualValues(t, 19_500, total.CpuMillis)
	require.EqualValues(t, 16_000, largest.CpuMillis)
	require.EqualValues(t, 7168, largest.MemoryMib)
	require.EqualValues(t, 1000, total.EgressMbps)
}

func TestVolumesAreOfferedByClassAndADiskThatIsSharedIsSoldOnce(t *testing.T) {
	in := world()
	in.Nodes[0].Total.SSDMiB, in.Nodes[0].Total.NVMeMiB = 100_100, 50_001
	total, largest := Capacity(in.Config, in.Nodes)
	require.EqualValues(t, 100_096, total.SsdMib, "rounded down")
	require.EqualValues(t, 49_920, largest.NvmeMib)
	require.Zero(t, total.HddMib)

	in.Config.Shared = []string{"ssd"}
	total, _ = Capacity(in.Config, in.Nodes)
	require.EqualValues(t, 47_872, total.EphemeralMib)
	require.EqualValues(t, 47_872, total.SsdMib)
	require.LessOrEqual(t, total.EphemeralMib+total.SsdMib, machine.Total.DiskMiB-in.Config.Reserve.DiskMiB)
	require.EqualValues(t, 49_920, total.NvmeMib, "on a disk of its own")
}

func TestAnOfferSaysTheStrongestIsolationThatThereIs(t *testing.T) {
	tests := []struct {
		name    string
		says    string
		offered []string
		want    string
	}{
		{"both classes", "", []string{"runc", "gvisor"}, "gvisor"},
		{"runc only", "", []string{"runc"}, "runc"},
		{"the operator says the weaker", "runc", []string{"runc", "gvisor"}, "runc"},
		{"the operator says what there is not", "gvisor", []string{"runc"}, "runc"},
		{"nothing is known", "gvisor", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			labels := map[string]string{"region": "eu"}
			if tt.says != "" {
				labels["isolation"] = tt.says
			}
			got := WithIsolation(labels, tt.offered)
			require.Equal(t, tt.want, got["isolation"])
			require.Equal(t, "eu", got["region"])
			require.Equal(t, tt.says, labels["isolation"], "the operator's settings stay as they are")
		})
	}
}
