package keeper_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	sdkerrors "github.com/cosmos/cosmos-sdk/types/errors"
	authtypes "github.com/cosmos/cosmos-sdk/x/auth/types"
	"github.com/cosmos/cosmos-sdk/x/authz"
	govtypes "github.com/cosmos/cosmos-sdk/x/gov/types"

	"github.com/souk-network/souk/testutil/chain"
	"github.com/souk-network/souk/x/provider/types"
)

// signed is a message with the name of who signs it, and what it answers when it comes twice in one block.
type signed struct {
	by    string
	msg   func(b *bench) sdk.Msg
	again error
}

// everyMessage is every message of the module as it is accepted by a chain on which acme and gone live, see inhabited.
func everyMessage() map[string]signed {
	return map[string]signed{
		"Register":       {"new", func(b *bench) sdk.Msg { return b.registration("new", chain.Coin(5)) }, types.ErrExists},
		"Register again": {"gone", func(b *bench) sdk.Msg { return b.registration("gone") }, types.ErrExists},
		"Update":         {"acme", func(b *bench) sdk.Msg { return update(b, "acme", "auditor") }, nil},
		"Bond":           {"acme", func(b *bench) sdk.Msg { return &types.MsgBond{Operator: b.name("acme"), Amount: chain.Coin(5)} }, nil},
		"Unbond":         {"acme", func(b *bench) sdk.Msg { return &types.MsgUnbond{Operator: b.name("acme"), Amount: chain.Coin(5)} }, nil},
		"Rotate":         {"acme", func(b *bench) sdk.Msg { return rotate(b, "acme", "next") }, nil},
		"Cancel":         {"acme", func(b *bench) sdk.Msg { return rotate(b, "acme", "acme's agent") }, types.ErrInvalidRotation},
		"Maintain":       {"acme's agent", func(b *bench) sdk.Msg { return maintain(b, "acme", 100, 110) }, types.ErrInvalidMaintenance},
		"Unjail":         {"jailed", func(b *bench) sdk.Msg { return &types.MsgUnjail{Operator: b.name("jailed")} }, types.ErrNotJailed},
		"Deregister":     {"acme", func(b *bench) sdk.Msg { return b.leave("acme") }, types.ErrLifecycle},
		"Attest":         {"auditor", func(b *bench) sdk.Msg { return attest(b, "auditor", "acme", 100) }, nil},
		"Revoke":         {"auditor", func(b *bench) sdk.Msg { return revoke(b, "auditor", "acme") }, types.ErrNoAttestation},
	}
}

// inhabited has providers in every part of their lives.
func inhabited(t *testing.T) *bench {
	b := start(t)
	b.register("acme", chain.Coin(500))
	b.Fund(chain.Account("acme"), chain.Coin(500))
	b.register("gone")
	b.register("jailed", chain.Coin(5))
	b.agrees(
		update(b, "acme", "auditor"), rotate(b, "acme", "later"), attest(b, "auditor", "acme", 100),
		b.leave("gone"), b.jail("jailed", 1, 0),
	)
	b.pass(1)
	return b
}

func TestEveryMessageTwiceInOneBlock(t *testing.T) {
	for name, c := range everyMessage() {
		t.Run(name, func(t *testing.T) {
			b := inhabited(t)
			b.agrees(c.msg(b))
			if c.again == nil {
				b.agrees(c.msg(b))
				return
			}
			b.refused(c.again, c.msg(b))
		})
	}
}

func TestEveryMessageThroughAuthz(t *testing.T) {
	for name, c := range everyMessage() {
		t.Run(name, func(t *testing.T) {
			b := inhabited(t)
			friend := chain.Account("friend")
			inner := c.msg(b)
			through := authz.NewMsgExec(friend, []sdk.Msg{inner})
			b.refused(authz.ErrNoAuthorizationFound, &through)
			grant, err := authz.NewMsgGrant(chain.Account(c.by), friend, authz.NewGenericAuthorization(sdk.MsgTypeURL(inner)), nil)
			require.NoError(t, err)
			b.agrees(grant, &through)
		})
	}
}

// The messages of governance are accepted from its account alone. Nobody else can grant what only it may do.
func TestMessagesOfGovernanceThroughAuthz(t *testing.T) {
	b := inhabited(t)
	friend := chain.Account("friend")
	for _, inner := range []sdk.Msg{b.jail("acme", 60, 100), &types.MsgUpdateParams{Authority: b.Authority, Params: quick()}} {
		through := authz.NewMsgExec(friend, []sdk.Msg{inner})
		b.refused(authz.ErrNoAuthorizationFound, &through)
		b.agrees(inner, inner)
	}
	require.Equal(t, b.Authority, b.Text(authtypes.NewModuleAddress(govtypes.ModuleName)))
}

// Whoever the fields of a message name as its signer must be an account at all: the rest is for the chain to check.
func TestNoMessageTakesTheWordOfAStranger(t *testing.T) {
	b := inhabited(t)
	stranger := b.name("stranger")
	for name, c := range map[string]struct {
		msg  sdk.Msg
		want error
	}{
		"update":     {&types.MsgUpdate{Operator: stranger}, types.ErrNotFound},
		"bond":       {&types.MsgBond{Operator: stranger, Amount: chain.Coin(1)}, types.ErrNotFound},
		"unbond":     {&types.MsgUnbond{Operator: stranger, Amount: chain.Coin(1)}, types.ErrNotFound},
		"rotate":     {&types.MsgRotateAgent{Operator: stranger, Agent: stranger}, types.ErrNotFound},
		"unjail":     {&types.MsgUnjail{Operator: stranger}, types.ErrNotFound},
		"deregister": {&types.MsgDeregister{Operator: stranger}, types.ErrNotFound},
		"attest":     {attest(b, "stranger", "acme", 100), types.ErrNotAuditor},
		"revoke":     {revoke(b, "stranger", "acme"), types.ErrNoAttestation},
		"register":   {&types.MsgRegister{Operator: b.Authority, Agent: stranger, Bond: sdk.NewCoins(chain.Coin(1))}, types.ErrInvalidGateway},
		"beyond its means": {&types.MsgRegister{
			Operator: stranger, Agent: stranger, GatewayUri: "https://x.example", TlsKeys: [][]byte{key(1)}, Bond: sdk.NewCoins(chain.Coin(1)),
		}, sdkerrors.ErrInsufficientFunds},
	} {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.refused(c.want, c.msg)
		})
	}
}
