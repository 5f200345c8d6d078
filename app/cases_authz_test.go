package app_test

import (
	"testing"
	"time"

	"github.com/cosmos/gogoproto/proto"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	sdk "github.com/cosmos/cosmos-sdk/types"
	txtypes "github.com/cosmos/cosmos-sdk/types/tx"
	"github.com/cosmos/cosmos-sdk/x/authz"

	"github.com/souk-network/souk/app/apptest"
	"github.com/souk-network/souk/app/scope"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

func (c *cast) grants(granter, grantee *apptest.Account, authorization authz.Authorization) {
	c.t.Helper()
	expires := c.Time.Add(time.Hour)
	msg, err := authz.NewMsgGrant(granter.Address, grantee.Address, authorization, &expires)
	require.NoError(c.t, err)
	c.Must(time.Second, granter, msg)
}

func exec(grantee *apptest.Account, msgs ...sdk.Msg) *authz.MsgExec {
	msg := authz.NewMsgExec(grantee.Address, msgs)
	return &msg
}

// TestNestedExecutionGivesNobodyMorePower wraps messages of the market in authorizations within authorizations.
func TestNestedExecutionGivesNobodyMorePower(t *testing.T) {
	c := newCast(t, 10)
	ids := c.deployAll(1, deposit, deposit, deposit)
	closing := func(i int) sdk.Msg { return apptest.Close(c.tenant, ids[i]).Msgs[0] }
	try := func(signer *apptest.Account, msg sdk.Msg) uint32 {
		return c.Deliver(time.Second, apptest.Tx{Signer: signer, Msgs: []sdk.Msg{msg}}).Txs[0].Code
	}

	require.NotZero(t, try(c.newcomer, exec(c.newcomer, closing(0))), "nothing was granted")
	require.NotZero(t, try(c.newcomer, exec(c.newcomer, exec(c.newcomer, closing(0)))), "nor is it by nesting")
	require.NotZero(t, try(c.newcomer, exec(c.newcomer, exec(c.tenant, closing(0)))), "nor by naming the tenant as grantee")
	for _, msg := range []sdk.Msg{
		&escrowtypes.MsgRetry{Authority: apptest.Authority(), Source: markettypes.AckSource, Id: 1},
		c.jails(c.shop, providertypes.WholeBps),
		&markettypes.MsgUpdateParams{Authority: apptest.Authority(), Params: markettypes.DefaultParams()},
	} {
		require.NotZero(t, try(c.newcomer, exec(c.newcomer, exec(c.newcomer, msg))), "%T is governance's alone", msg)
	}
	require.Equal(t, fundedState, c.account(ids[0]).State)

	c.grants(c.tenant, c.newcomer, authz.NewGenericAuthorization(sdk.MsgTypeURL(closing(0))))
	before := c.has(c.tenant)
	require.Zero(t, try(c.newcomer, exec(c.newcomer, exec(c.newcomer, exec(c.newcomer, closing(0))))))
	require.Equal(t, closedState, c.account(ids[0]).State)
	require.Greater(t, c.has(c.tenant), before, "the refund is the tenant's")

	require.NotZero(t, try(c.manager, exec(c.manager, exec(c.newcomer, closing(1)))), "a grant is not the manager's to use")
	c.grants(c.newcomer, c.manager, authz.NewGenericAuthorization(sdk.MsgTypeURL(&authz.MsgExec{})))
	require.Zero(t, try(c.manager, exec(c.manager, exec(c.newcomer, closing(1)))), "until the grantee lets it")
	c.sound()

	c.grants(c.tenant, c.newcomer, &escrowtypes.DepositAuthorization{SpendLimit: sdk.NewCoins(sdk.NewInt64Coin(scope.Denom, gift))})
	topping := func() sdk.Msg { return exec(c.newcomer, deposits(c.tenant, ids[2], gift).Msgs...) }
	before = c.has(c.tenant)
	require.NotZero(t, try(c.newcomer, topping()), "a grant of deposits is not for execution")
	require.NotZero(t, try(c.newcomer, exec(c.newcomer, topping())), "however deep")
	foreign := c.created(c.Deliver(time.Second, apptest.Create(c.stranger, "foreign", 1, deposit)))[0]
	stranger := deposits(c.newcomer, foreign, gift).Msgs[0].(*escrowtypes.MsgDeposit)
	stranger.Granter = c.tenant.String()
	require.NotZero(t, try(c.newcomer, stranger), "nor for an account of a third")
	require.Equal(t, before, c.has(c.tenant))
	c.grants(c.tenant, c.newcomer, authz.NewGenericAuthorization(escrowtypes.DepositURL()))
	before = c.has(c.tenant)
	require.Zero(t, try(c.newcomer, exec(c.newcomer, topping())), "unless the tenant lets it do anything")
	require.Equal(t, before-gift, c.has(c.tenant))
	c.sound()
}

// TestAMessageWithoutItsSignerIsRefused sends messages that their signer did not sign.
func TestAMessageWithoutItsSignerIsRefused(t *testing.T) {
	c := newCast(t, 10)
	id := c.deployAll(1, deposit)[0]
	foreign := c.Sign(apptest.Tx{Signer: c.stranger, Msgs: apptest.Close(c.tenant, id).Msgs})

	unsigned := func(msgs ...sdk.Msg) []byte {
		config := c.App.Encoding().TxConfig
		builder := config.NewTxBuilder()
		require.NoError(t, builder.SetMsgs(msgs...))
		builder.SetGasLimit(1_000_000)
		bz, err := config.TxEncoder()(builder.GetTx())
		require.NoError(t, err)
		return bz
	}
	nobody := &markettypes.MsgCloseDeployment{Deployment: id}
	for i, result := range c.DeliverBytes(
		time.Second, foreign[0], unsigned(apptest.Close(c.tenant, id).Msgs...), unsigned(nobody),
		unsigned(exec(c.stranger, nobody)), c.Sign(apptest.Tx{Signer: c.stranger, Msgs: []sdk.Msg{exec(c.stranger, nobody)}})[0],
	).Txs {
		require.NotZero(t, result.Code, "transaction %d", i)
	}
	// The owner signs, and names somebody else's deployment; somebody else signs as the owner's manager without being one.
	require.NotZero(t, c.Deliver(time.Second, apptest.Close(c.stranger, id)).Txs[0].Code)
	require.NotZero(t, c.Deliver(time.Second, c.update(c.stranger, id, 2, "two")).Txs[0].Code)
	require.Equal(t, fundedState, c.account(id).State)
	c.sound()
}

// nested is an Any that holds depth MsgExec within each other, and a message in the innermost, written from the outside in.
func nested(t *testing.T, grantee string, inner sdk.Msg, depth int) []byte {
	t.Helper()
	const anyURL, anyValue, execGrantee, execMsgs = 1, 2, 1, 2
	value, err := proto.Marshal(inner)
	require.NoError(t, err)
	innermost := field(anyURL, []byte(sdk.MsgTypeURL(inner)))
	innermost = append(innermost, field(anyValue, value)...)

	url := field(anyURL, []byte(sdk.MsgTypeURL(&authz.MsgExec{})))
	who := field(execGrantee, []byte(grantee))
	sizes := make([][2]int, depth) // of the value and of its last field, from the inside out
	size := len(innermost)
	for i := range sizes {
		body := len(who) + protowire.SizeTag(execMsgs) + protowire.SizeBytes(size)
		sizes[i] = [2]int{body, size}
		size = len(url) + protowire.SizeTag(anyValue) + protowire.SizeBytes(body)
	}
	var out []byte
	for i := depth - 1; i >= 0; i-- {
		out = append(out, url...)
		out = protowire.AppendTag(out, anyValue, protowire.BytesType)
		out = protowire.AppendVarint(out, uint64(sizes[i][0]))
		out = append(out, who...)
		out = protowire.AppendTag(out, execMsgs, protowire.BytesType)
		out = protowire.AppendVarint(out, uint64(sizes[i][1]))
	}
	return append(out, innermost...)
}

func field(number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
}

// TestATransactionOfTenThousandAnysIsRefused sends messages nested so deep that whoever unpacks them one by one runs out of
// stack, and a few that are still allowed.
func TestATransactionOfTenThousandAnysIsRefused(t *testing.T) {
	c := newCast(t, 10)
	id := c.deployAll(1, deposit)[0]
	signed := c.Sign(apptest.Close(c.tenant, id))[0]
	var raw txtypes.TxRaw
	require.NoError(t, proto.Unmarshal(signed, &raw))
	for _, test := range []struct {
		depth  int
		decode bool
	}{{1, true}, {3, true}, {100, false}, {10_000, false}} {
		const bodyMessages = 1
		raw.BodyBytes = field(bodyMessages, nested(t, c.tenant.String(), apptest.Close(c.tenant, id).Msgs[0], test.depth))
		bz, err := proto.Marshal(&raw)
		require.NoError(t, err)
		_, err = c.App.Encoding().TxConfig.TxDecoder()(bz)
		require.Equal(t, test.decode, err == nil, "depth %d: %v", test.depth, err)
		if !test.decode {
			require.False(t, c.Propose(time.Second, bz), "depth %d", test.depth)
		}
		result := c.DeliverBytes(time.Second, bz).Txs[0]
		require.NotZero(t, result.Code, "depth %d: the signature is another one's", test.depth)
	}
	require.Equal(t, fundedState, c.account(id).State)
	require.Zero(t, c.Deliver(time.Second, apptest.Close(c.tenant, id)).Txs[0].Code)
	c.sound()
}
