package tenant

import (
	"context"
	"errors"
	"strconv"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"

	"github.com/souk-network/souk/client"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// directory knows some providers.
type directory struct {
	providertypes.QueryClient
	gateways map[string]string
}

func (d directory) Provider(_ context.Context, r *providertypes.QueryProviderRequest, _ ...grpc.CallOption) (*providertypes.QueryProviderResponse, error) {
	uri, ok := d.gateways[r.Operator]
	if !ok {
		return nil, errors.New("no such provider")
	}
	return &providertypes.QueryProviderResponse{Provider: providertypes.Provider{Operator: r.Operator, GatewayUri: uri}}, nil
}

func TestProvidersAreAskedAboutTheLeasesThatTheyKnow(t *testing.T) {
	lease := func(id uint64, provider string, state markettypes.LeaseState, acked uint64) markettypes.Lease {
		return markettypes.Lease{Id: id, Provider: provider, State: state, AckedAt: acked}
	}
	active, paused := markettypes.LeaseState_LEASE_STATE_ACTIVE, markettypes.LeaseState_LEASE_STATE_PAUSED
	leases := []markettypes.Lease{
		lease(1, "gone", markettypes.LeaseState_LEASE_STATE_CLOSED, 5),
		lease(2, "gone", markettypes.LeaseState_LEASE_STATE_PENDING, 0),
		lease(3, "one", active, 5),
		lease(4, "two", paused, 6),
		lease(5, "one", active, 7),
	}
	x := &tenant{authority: &authority{}, Client: &client.Client{Provider: directory{gateways: map[string]string{"one": "https://one.example:8443", "two": "https://two.example"}}}}
	opened, err := x.opened(t.Context(), leases)
	require.NoError(t, err)
	var got []string
	for _, s := range opened {
		require.Equal(t, strconv.FormatUint(s.lease.Id, 10), s.gateway.folder)
		got = append(got, s.gateway.uri.Host)
	}
	require.Equal(t, []string{"one.example:8443", "two.example", "one.example:8443"}, got)

	_, err = x.opened(t.Context(), append(leases, lease(6, "gone", active, 8)))
	require.ErrorContains(t, err, "no such provider")
}

func TestACommandOnWhatIsNoTargetAsksNobody(t *testing.T) {
	run := onTarget(func(context.Context, *tenant, target, []string) error { panic("it was run") })
	require.ErrorContains(t, run(&cobra.Command{}, []string{"Shop//web"}), "names no deployment or service")
}
