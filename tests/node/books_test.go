package node

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"cosmossdk.io/math"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/metadata"

	sdkgrpc "github.com/cosmos/cosmos-sdk/types/grpc"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// books are all that the escrow owes after a block, by its queries.
type books struct {
	height int64
	now    uint64 // service second
	clock  escrowtypes.Clock
	sums   escrowtypes.QueryConservationResponse

	balances map[uint64]math.Int // of accounts, by id
	spent    map[uint64]math.Int
	earned   escrowtypes.QueryEarningsResponse
}

// booksAt reads the books after a block from a node.
func (m *market) booksAt(t *testing.T, chain *client.Client, height int64) books {
	t.Helper()
	var b books
	await(t, aBlockOrMore, fmt.Sprintf("the books after block %d can be read", height), func() (err error) {
		b, err = m.readBooks(t.Context(), chain, height)
		return err
	})
	return b
}

func (m *market) readBooks(ctx context.Context, chain *client.Client, height int64) (books, error) {
	ctx = metadata.AppendToOutgoingContext(ctx, sdkgrpc.GRPCBlockHeightHeader, strconv.FormatInt(height, 10))
	b := books{height: height, balances: map[uint64]math.Int{}, spent: map[uint64]math.Int{}}
	clock, err := chain.Escrow.Clock(ctx, &escrowtypes.QueryClockRequest{})
	if err != nil {
		return b, fmt.Errorf("ask for the clock: %w", err)
	}
	b.clock, b.now = clock.Clock, clock.Now
	sums, err := chain.Escrow.Conservation(ctx, &escrowtypes.QueryConservationRequest{Denom: scope.Denom})
	if err != nil {
		return b, fmt.Errorf("ask for the sums: %w", err)
	}
	b.sums = *sums
	earned, err := chain.Escrow.Earnings(ctx, &escrowtypes.QueryEarningsRequest{Payee: m.operator.Address(), Denom: scope.Denom})
	if err != nil {
		return b, fmt.Errorf("ask for the earnings: %w", err)
	}
	b.earned = *earned
	for id := range m.running {
		account, err := chain.Escrow.Account(ctx, &escrowtypes.QueryAccountRequest{Id: id})
		if err != nil {
			return b, fmt.Errorf("ask for account %d: %w", id, err)
		}
		b.balances[id], b.spent[id] = account.Balance, account.Spent
	}
	return b, nil
}

// income is all that the provider has earned. It proves nothing of it, so that it waits for its tenants' claims.
func (b books) income() math.Int {
	return b.earned.Accruing.Add(b.earned.HeldBack).Add(b.earned.Available).Add(b.earned.Refundable)
}

// requireExact checks books in which nothing was withdrawn so far against what every running lease has to cost: its
// rate for every second since it was acknowledged.
func (m *market) requireExact(t *testing.T, b books) {
	t.Helper()
	m.requireConserved(t, b)
	total := math.ZeroInt()
	for id, replicas := range m.running {
		due := m.due(t, id, replicas, b.now)
		require.Equal(t, due.String(), b.spent[id].String(), "spent of account %d at second %d", id, b.now)
		require.Equal(t, math.NewInt(deposit).Sub(due).String(), b.balances[id].String(), "balance of account %d", id)
		total = total.Add(due)
	}
	require.Equal(t, total.String(), b.income().String(), "what the provider earned at second %d", b.now)
}

func (m *market) requireConserved(t *testing.T, b books) {
	t.Helper()
	require.True(t, b.sums.Conserved, "%+v", b.sums)
	tracked := b.sums.Accounts.Add(b.sums.Pots).Add(b.sums.Dust)
	require.LessOrEqual(t, b.sums.Bank.Sub(tracked).Int64(), int64(1), "nothing is held that nobody is owed: %+v", b.sums)
}

// due is what the lease of a deployment has cost by a second.
func (m *market) due(t *testing.T, deployment uint64, replicas uint32, now uint64) math.Int {
	t.Helper()
	res, err := m.chain.Market.Leases(t.Context(), &markettypes.QueryLeasesRequest{Deployment: deployment})
	require.NoError(t, err)
	require.Len(t, res.Leases, 1)
	lease := res.Leases[0]
	require.Equal(t, markettypes.LeaseState_LEASE_STATE_ACTIVE, lease.State)
	return math.NewIntFromUint64(uint64(replicas) * microPerSecond * (now - lease.AckedAt))
}
