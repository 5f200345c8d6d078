package keeper_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"

	"github.com/souk-network/souk/testutil/chain"
	escrowkeeper "github.com/souk-network/souk/x/escrow/keeper"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/keeper"
	"github.com/souk-network/souk/x/market/types"
	providerkeeper "github.com/souk-network/souk/x/provider/keeper"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// act is something that somebody does in a block.
type act struct {
	name string
	do   func(ctx context.Context) error
}

// mayFail are the ways in which a message may be refused for what came before it.
var mayFail = []error{
	types.ErrLeaseState, types.ErrDeploymentState, types.ErrBehind, types.ErrAckLate,
	escrowtypes.ErrBehind, escrowtypes.ErrAccountClosed, escrowtypes.ErrExhausted, escrowtypes.ErrNothingToWithdraw,
	providertypes.ErrLifecycle, providertypes.ErrJailed,
}

// acts are messages about one deployment with a lease that p serves, and one that waits for p. Batches tell their failures
// in results.
func (b *bench) acts(id uint64) []act {
	b.t.Helper()
	leases := b.leases(id)
	served, waiting := leases[0].Id, leases[1].Id
	market := keeper.NewMsgServer(b.Market)
	escrow := escrowkeeper.NewMsgServer(b.Escrow)
	provider := providerkeeper.NewMsgServer(b.Provider)
	p, alice := b.name("p"), b.name("alice")
	b.Funded("alice", chain.Coin(5_000))
	update := b.update("alice", id, want("served", 1, 5000), want("more", 1, 5000))
	return []act{
		{"ack", func(ctx context.Context) error {
			_, err := market.AckLeases(ctx, &types.MsgAckLeases{Signer: p, Provider: p, Accept: []uint64{waiting}})
			return err
		}},
		{"withdraw", func(ctx context.Context) error {
			_, err := provider.Withdraw(ctx, &providertypes.MsgWithdraw{Signer: p, Provider: p, Denom: denom})
			return err
		}},
		{"deposit", func(ctx context.Context) error {
			_, err := escrow.Deposit(ctx, &escrowtypes.MsgDeposit{Signer: alice, Account: id, Amount: chain.Coin(500)})
			return err
		}},
		{"close", func(ctx context.Context) error {
			_, err := market.CloseDeployment(ctx, &types.MsgCloseDeployment{Owner: alice, Deployment: id})
			return err
		}},
		{"update", func(ctx context.Context) error {
			_, err := market.UpdateDeployment(ctx, update)
			return err
		}},
		{"resign", func(ctx context.Context) error {
			_, err := market.ResignLeases(ctx, &types.MsgResignLeases{
				Signer: p, Provider: p, Leases: []uint64{served, waiting}, Reason: types.Reason_REASON_POLICY,
			})
			return err
		}},
		{"close lease", func(ctx context.Context) error {
			_, err := market.CloseLease(ctx, &types.MsgCloseLease{Signer: alice, Lease: served, Replace: true})
			return err
		}},
		{"jail", func(ctx context.Context) error {
			_, err := provider.Jail(ctx, &providertypes.MsgJail{Authority: b.Authority, Provider: p, Seconds: 10, Reason: "order"})
			return err
		}},
	}
}

// orders calls f with every order of n things, which f must not keep.
func orders(n int, f func([]int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var permute func(k int)
	permute = func(k int) {
		if k == n {
			f(order)
			return
		}
		for i := k; i < n; i++ {
			order[k], order[i] = order[i], order[k]
			permute(k + 1)
			order[k], order[i] = order[i], order[k]
		}
	}
	permute(0)
}

var errUndo = errors.New("undone")

// inEveryOrder does the acts in one block, in every order, each as a transaction of its own; afterwards all books of all
// modules must be right to the coin.
func (b *bench) inEveryOrder(acts []act) {
	b.t.Helper()
	orders(len(acts), func(order []int) {
		err := b.Try(func(ctx sdk.Context) error {
			for _, i := range order {
				cache, write := ctx.CacheContext()
				if err := acts[i].do(cache); err != nil {
					require.True(b.t, refused(err), "%s in %v: %v", acts[i].name, order, err)
					continue
				}
				write()
			}
			require.NoError(b.t, b.Market.CheckInvariants(ctx), "%v", order)
			require.NoError(b.t, b.Escrow.AssertInvariants(ctx), "%v", order)
			require.NoError(b.t, b.Provider.AssertInvariants(ctx), "%v", order)
			return errUndo
		})
		require.ErrorIs(b.t, err, errUndo)
	})
}

func refused(err error) bool {
	for _, may := range mayFail {
		if errors.Is(err, may) {
			return true
		}
	}
	return false
}

// between is a deployment with a lease that is served and one that waits.
func between(t *testing.T, deposit int64, change ...func(*escrowtypes.Params, *types.Params)) (*bench, uint64) {
	t.Helper()
	b := tuned(t, change...)
	b.sells("p", 10, hourly)
	id := b.deploys("alice", "web", deposit, want("served", 1, 5000), want("waiting", 1, 5000))
	b.tick(second)
	require.Equal(t, []string{""}, b.acks("p", b.leases(id)[0].Id))
	return b, id
}

func TestABlockEndsWithRightBooksInEveryOrderOfItsMessages(t *testing.T) {
	b, id := between(t, 10_000)
	b.tick(5 * second)
	acts := b.acts(id)
	b.inEveryOrder(append(acts[:5:5], acts[6]))
	b.inEveryOrder([]act{acts[0], acts[3], acts[5], acts[6], acts[7]})
}

func TestTheBlockInWhichMoneyEndsHasRightBooksInEveryOrder(t *testing.T) {
	b, id := between(t, 200, longEpochs)
	acts := b.acts(id)
	b.tick(13 * second) // the one that waits does not count as late
	b.tick(3000 * second)
	require.Equal(t, types.DeploymentState_DEPLOYMENT_STATE_CLOSED, b.deployment(id).State)
	b.inEveryOrder(append(acts[:4:4], acts[6], acts[7]))
}

func TestTheBlockBeforeAnEndIsProcessedHasRightBooksInEveryOrder(t *testing.T) {
	b, id := between(t, 200, oneAtATime, longEpochs)
	acts := b.acts(id)
	b.tick(3000 * second)
	require.Equal(t, types.DeploymentState_DEPLOYMENT_STATE_OPEN, b.deployment(id).State, "its end is due, not processed")
	b.inEveryOrder(append(acts[:4:4], acts[4], acts[6]))
	b.settledAt()
	b.check()
}

func TestADeploymentOpensAndClosesInOneBlock(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	id := b.deploys("alice", "web", 10_000, want("web", 1, 5000))
	require.Equal(t, int64(10_000), b.closes("alice", id))
	b.tick(second)
	require.Empty(t, b.leases(id))

	id = b.deploys("alice", "web", 10_000, want("web", 1, 5000))
	b.tick(second)
	require.Equal(t, []string{""}, b.acks("p", b.lease(id).Id))
	require.Equal(t, int64(10_000), b.closes("alice", id), "no second has passed")
	b.tick(second)
}
