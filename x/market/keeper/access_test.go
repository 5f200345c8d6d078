package keeper_test

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	"github.com/souk-network/souk/testutil/chain"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	"github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// keyed opens a deployment with a lease of two replicas that p serves, and access keys: manager may manage, reader may
// not. It returns the deployment and its lease.
func keyed(t *testing.T, b *bench) (uint64, types.Lease) {
	t.Helper()
	b.sells("p", 10, hourly)
	create := b.create("alice", "web", 10_000, want("web", 2, 5000))
	b.Funded("alice", chain.Coin(10_000))
	create.AccessKeys = []types.AccessKey{
		{Address: b.name("manager"), Scopes: []types.Scope{types.Scope_SCOPE_READ, types.Scope_SCOPE_MANAGE}},
		{Address: b.name("former"), Scopes: []types.Scope{types.Scope_SCOPE_MANAGE}, ExpiresAt: 1},
		{Address: b.name("reader"), Scopes: []types.Scope{types.Scope_SCOPE_READ, types.Scope_SCOPE_EXEC, types.Scope_SCOPE_WATCH}},
	}
	slices.SortFunc(create.AccessKeys, func(a, b types.AccessKey) int { return strings.Compare(a.Address, b.Address) })
	response, err := chain.Send[types.MsgCreateDeploymentResponse](b.Chain, create)
	require.NoError(t, err)
	b.tick(second)
	lease := b.lease(response.Deployment)
	require.Equal(t, []string{""}, b.acks("p", lease.Id))
	b.tick(second)
	return response.Deployment, b.lease(response.Deployment)
}

func TestWhoMayActForATenant(t *testing.T) {
	for name, test := range map[string]struct {
		signer         string
		manage, retire bool
	}{
		"the owner":                     {"alice", true, true},
		"a key that may manage":         {"manager", true, false},
		"a key that may not manage":     {"reader", false, false},
		"a key whose time is over":      {"former", false, false},
		"a stranger":                    {"stranger", false, false},
		"the provider":                  {"p", false, false},
		"the agent of the provider":     {"p-agent", false, false},
		"a key of another's deployment": {"bob", false, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := tuned(t)
			id, lease := keyed(t, b)
			update := b.update("alice", id, want("web", 1, 5000))
			update.Signer = b.name(test.signer)
			closing := b.closeLease(test.signer, lease.Id, false)
			ending := &types.MsgCloseDeployment{Owner: b.name(test.signer), Deployment: id}
			if !test.manage {
				b.refuses(types.ErrUnauthorized, update)
				b.refuses(types.ErrUnauthorized, closing)
			} else {
				require.NoError(t, b.Deliver(update))
				require.NoError(t, b.Deliver(closing))
			}
			if !test.retire {
				b.refuses(types.ErrUnauthorized, ending)
			} else {
				require.NoError(t, b.Deliver(ending))
			}
			b.check()
		})
	}
}

func TestAKeyMayNotChangeTheKeys(t *testing.T) {
	b := tuned(t)
	id, _ := keyed(t, b)
	update := b.update("manager", id, want("web", 2, 5000))
	update.AccessKeys = update.AccessKeys[:1]
	b.refuses(types.ErrUnauthorized, update)
	update.Signer = b.name("alice")
	require.NoError(t, b.Deliver(update))
	require.Len(t, b.deployment(id).AccessKeys, 1)
}

func TestWhoMayActForAProvider(t *testing.T) {
	for name, test := range map[string]struct {
		signer string
		may    bool
	}{
		"the operator": {"p", true}, "the agent": {"p-agent", true}, "the tenant": {"alice", false},
		"another provider": {"q", false}, "a key of the tenant": {"manager", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := tuned(t)
			b.joins("q", 1000)
			_, lease := keyed(t, b)
			for _, message := range []sdk.Msg{
				&types.MsgResignLeases{
					Signer: b.name(test.signer), Provider: b.name("p"), Leases: []uint64{lease.Id},
					Reason: types.Reason_REASON_POLICY,
				},
				&types.MsgReclaimLeases{Signer: b.name(test.signer), Provider: b.name("p"), Leases: []uint64{lease.Id}},
				&types.MsgAckLeases{Signer: b.name(test.signer), Provider: b.name("p"), Accept: []uint64{lease.Id}},
			} {
				if test.may {
					require.NoError(t, b.Deliver(message))
				} else {
					b.refuses(providertypes.ErrUnauthorized, message)
				}
			}
		})
	}
}

// grants lets a grantee send messages of a kind for a granter, without end.
func (b *bench) grants(granter, grantee string, message sdk.Msg) {
	b.t.Helper()
	grant, err := authz.NewMsgGrant(chain.Account(granter), chain.Account(grantee),
		authz.NewGenericAuthorization(sdk.MsgTypeURL(message)), nil)
	require.NoError(b.t, err)
	require.NoError(b.t, b.Deliver(grant))
}

func (b *bench) exec(grantee string, messages ...sdk.Msg) sdk.Msg {
	exec := authz.NewMsgExec(chain.Account(grantee), messages)
	return &exec
}

func TestEveryMessageOfALeasesLifeGoesThroughAuthz(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	b.Funded("alice", chain.Coin(20_000))
	create := b.create("alice", "web", 10_000, want("web", 2, 5000))
	require.Error(t, b.Deliver(b.exec("clerk", create)), "without a grant")
	send := func(granter string, message sdk.Msg) {
		t.Helper()
		b.grants(granter, "clerk", message)
		require.NoError(t, b.Deliver(b.exec("clerk", message)))
		b.check()
	}
	send("alice", create)
	b.tick(second)
	id := uint64(1)
	lease := b.lease(id)
	send("p-agent", &types.MsgAckLeases{Signer: b.name("p-agent"), Provider: b.name("p"), Accept: []uint64{lease.Id}})
	require.Equal(t, active, b.lease(id).State)
	send("alice", b.update("alice", id, want("web", 3, 5000)))
	b.tick(second)
	send("alice", b.closeLease("alice", b.leases(id)[1].Id, false))
	send("p", &types.MsgResignLeases{
		Signer: b.name("p"), Provider: b.name("p"), Leases: []uint64{lease.Id}, Reason: types.Reason_REASON_PROVIDER_LEFT,
	})
	require.Equal(t, leaving, b.leases(id)[0].State)
	send("p", &types.MsgReclaimLeases{Signer: b.name("p"), Provider: b.name("p"), Leases: []uint64{lease.Id}})
	send("alice", &types.MsgCloseDeployment{Owner: b.name("alice"), Deployment: id})
	require.Empty(t, b.live(id))
}

func TestADepositUnderAGrantOpensADeploymentAndReturnsToItsGranter(t *testing.T) {
	b := tuned(t)
	b.sells("p", 10, hourly)
	b.Funded("sponsor", chain.Coin(10_000))
	expires := b.Time().Add(1000 * time.Hour)
	grant, err := authz.NewMsgGrant(chain.Account("sponsor"), chain.Account("alice"),
		&escrowtypes.DepositAuthorization{SpendLimit: sdk.NewCoins(chain.Coin(6_000))}, &expires)
	require.NoError(t, err)
	require.NoError(t, b.Deliver(grant))

	create := b.create("alice", "web", 6_001, want("web", 1, 5000))
	create.Granter = b.name("sponsor")
	require.Error(t, b.Deliver(create), "beyond the limit")
	create.Deposit = chain.Coin(6_000)
	response, err := chain.Send[types.MsgCreateDeploymentResponse](b.Chain, create)
	require.NoError(t, err)
	require.Equal(t, int64(4_000), b.Balance(chain.Account("sponsor")))
	b.tick(second)
	b.acks("p", b.lease(response.Deployment).Id)
	b.tick(100 * second)
	require.Equal(t, int64(5_900), b.closes("alice", response.Deployment))
	require.Equal(t, int64(9_900), b.Balance(chain.Account("sponsor")))
	require.Zero(t, b.Balance(chain.Account("alice")))
	b.check()
}

// TestTwiceInOneBlock sends each message twice in one block: the second one changes nothing.
func TestTwiceInOneBlock(t *testing.T) {
	b := tuned(t)
	id, lease := keyed(t, b)
	hash := sha256.Sum256([]byte("twice"))
	update := b.update("alice", id, want("web", 2, 5000))
	update.ManifestHash = hash[:]
	update.Version = b.deployment(id).Version
	require.NoError(t, b.Deliver(update))
	after := b.Export()
	b.refuses(types.ErrVersion, update)
	require.Equal(t, after, b.Export(), "the same declaration again")

	require.Equal(t, []string{""}, b.resigns("p", types.Reason_REASON_POLICY, lease.Id))
	after = b.Export()
	require.NotEmpty(t, b.resigns("p", types.Reason_REASON_POLICY, lease.Id)[0])
	require.NotEmpty(t, b.reclaims("p", lease.Id)[0])
	require.NotEmpty(t, b.acks("p", lease.Id)[0])
	require.Equal(t, after, b.Export())

	require.Equal(t, 2, len(b.resigns("p", types.Reason_REASON_POLICY, lease.Id, lease.Id)))
	require.NoError(t, b.Deliver(b.closeLease("alice", lease.Id, true)))
	b.refuses(types.ErrLeaseState, b.closeLease("alice", lease.Id, true))
	b.closes("alice", id)
	b.refuses(types.ErrDeploymentState, &types.MsgCloseDeployment{Owner: b.name("alice"), Deployment: id})
	b.refuses(types.ErrDeploymentState, update)
	b.refuses(types.ErrDeploymentState, b.closeLease("alice", lease.Id, true))
}
