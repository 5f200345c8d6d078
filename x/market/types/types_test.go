package types_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cosmos/cosmos-sdk/codec"

	"github.com/souk-network/souk/match"
	"github.com/souk-network/souk/x/market/types"
)

func TestNamesAreLabelsOfDNSInLowerCase(t *testing.T) {
	for _, good := range []string{"a", "0", "web", "my-web-2", strings.Repeat("a", 63)} {
		require.NoError(t, types.ValidateName(good), good)
	}
	for _, bad := range []string{"", "-a", "a-", "-", "A", "a_b", "a.b", "a b", "ä", "a\n", strings.Repeat("a", 64)} {
		require.ErrorIs(t, types.ValidateName(bad), types.ErrInvalidName, bad)
	}
}

func TestResourcesAndVectorsAreInverse(t *testing.T) {
	v := match.Vector{1, 2, 3, 4, 5, 6, 7, 8}
	require.Equal(t, v, types.ResourcesOf(v).Vector())
	require.Equal(t, match.Vector{3, 6, 9, 12, 15, 18, 21, 24}, types.ResourcesOf(v).Times(3))
}

func TestFreeIsNeverNegative(t *testing.T) {
	pool := types.CapacityPool{
		Total:     types.Resources{CpuMillis: 5, MemoryMib: 7, GpuMillis: 1},
		Allocated: types.Resources{CpuMillis: 6, MemoryMib: 2, GpuMillis: 1},
	}
	require.Equal(t, match.Vector{0, 5}, pool.Free())
}

func TestHighestAsksAreTheHighestOfEachResourceInEachDenom(t *testing.T) {
	offers := []types.Offer{
		{Asks: []types.Ask{{Denom: "ub", Cpu: 5, Memory: 1}}},
		{Asks: []types.Ask{{Denom: "ua", Cpu: 1}, {Denom: "ub", Cpu: 3, Memory: 9, Gpu: 2}}},
	}
	want := []types.Ask{{Denom: "ua", Cpu: 1}, {Denom: "ub", Cpu: 5, Memory: 9, Gpu: 2}}
	require.Equal(t, want, types.HighestAsks(offers))
	require.Empty(t, types.HighestAsks(nil))
}

func TestABidAsksForWhatItMisses(t *testing.T) {
	bid := types.Bid{Id: 7, Spec: types.BidSpec{Replicas: 5, MinReplicas: 3, Cap: 9}, Placed: 1}
	demand := bid.Demand()
	require.Equal(t, uint32(4), demand.Wanted)
	require.Equal(t, uint32(2), demand.Min)
	bid.Placed = 4
	require.Equal(t, uint32(0), bid.Demand().Min)
	bid.Placed = 5
	require.Equal(t, uint32(0), bid.Missing())
}

func TestTheDefaultsAreValid(t *testing.T) {
	require.NoError(t, types.DefaultParams().Validate())
	require.NoError(t, types.DefaultGenesis().Validate(nil))
}

func TestLedgerDevicesSignEveryMessageUnderANameOfAtMost39Characters(t *testing.T) {
	amino := codec.NewLegacyAmino()
	types.RegisterLegacyAminoCodec(amino)
	for name, message := range map[string]any{
		"souk/market/MsgSetPool":          &types.MsgSetPool{},
		"souk/market/MsgPostOffer":        &types.MsgPostOffer{},
		"souk/market/MsgUpdateOffer":      &types.MsgUpdateOffer{},
		"souk/market/MsgWithdrawOffer":    &types.MsgWithdrawOffer{},
		"souk/market/MsgCreateDeployment": &types.MsgCreateDeployment{},
		"souk/market/MsgCloseDeployment":  &types.MsgCloseDeployment{},
		"souk/market/MsgAckLeases":        &types.MsgAckLeases{},
		"souk/market/MsgUpdateParams":     &types.MsgUpdateParams{},
	} {
		require.LessOrEqual(t, len(name), 39)
		encoded, err := amino.MarshalJSON(message)
		require.NoError(t, err, name)
		require.Contains(t, string(encoded), `"type":"`+name+`"`)
	}
}

// FuzzGenesis: no genesis makes the validation panic.
func FuzzGenesis(f *testing.F) {
	empty, err := types.DefaultGenesis().Marshal()
	require.NoError(f, err)
	f.Add(empty)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var g types.GenesisState
		if g.Unmarshal(data) == nil {
			_ = g.Validate(anyAddress{})
		}
	})
}

// FuzzMessages: no message makes the validation panic.
func FuzzMessages(f *testing.F) {
	good, err := (&types.MsgCreateDeployment{Owner: "a", Name: "web", Bids: []types.BidSpec{{Name: "web"}}}).Marshal()
	require.NoError(f, err)
	f.Add(good)
	f.Fuzz(func(t *testing.T, data []byte) {
		var create types.MsgCreateDeployment
		if create.Unmarshal(data) == nil {
			_ = create.Validate(anyAddress{})
		}
		var post types.MsgPostOffer
		if post.Unmarshal(data) == nil {
			_ = post.Validate(anyAddress{})
		}
		var set types.MsgSetPool
		if set.Unmarshal(data) == nil {
			_ = set.Validate(anyAddress{})
		}
	})
}

// anyAddress takes every text that is not empty.
type anyAddress struct{}

func (anyAddress) StringToBytes(text string) ([]byte, error) {
	if text == "" {
		return nil, types.ErrInvalidAddress
	}
	return []byte(text), nil
}

func (anyAddress) BytesToString(bz []byte) (string, error) { return string(bz), nil }
