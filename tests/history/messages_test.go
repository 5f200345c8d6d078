package history

import (
	"crypto/sha256"
	"fmt"

	sdk "github.com/cosmos/cosmos-sdk/types"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// message is what a step says, in the world as it is; nil when there is nobody whom it could be about. Most messages are
// such as their senders would send, some are not.
func (w *world) message(n *net, s step) sdk.Msg {
	switch s.Kind {
	case "create":
		return w.createMessage(s)
	case "update deployment":
		return w.updateMessage(s)
	case "close lease", "close deployment":
		return w.closeMessage(s)
	case "failover", "challenge":
		return w.watchMessage(s)
	case "alive":
		return w.aliveMessage(s)
	case "deposit", "gift", "deposit for another", "exec deposit", "grant", "revoke grant":
		return w.moneyMessage(s)
	case "ack", "decline", "resign", "reclaim":
		return w.leaseMessage(s)
	case "quote", "accept quote", "withdraw quote":
		return w.quoteMessage(n, s)
	case "pool", "post offer", "update offer", "withdraw offer":
		return w.offerMessage(n, s)
	case "register", "update", "bond", "unbond", "rotate", "maintenance", "unjail", "deregister", "withdraw":
		return w.providerMessage(n, s)
	case "attest", "revoke attestation":
		return w.auditorMessage(s)
	default:
		return w.governanceMessage(n, s)
	}
}

func (w *world) tenant(n int) string   { return w.names[fmt.Sprintf("tenant-%d", n%tenants)] }
func (w *world) operator(n int) string { return w.names[fmt.Sprintf("provider-%d", n%providers)] }

// clerk is who signs for a provider: its agent, sometimes its operator, or somebody else.
func (w *world) clerk(operator string, n int) string {
	switch n {
	case 0, 1:
		return operator
	case 11:
		return w.names["stranger"]
	}
	for i := range providers {
		if w.operator(i) == operator {
			return w.names[fmt.Sprintf("agent-%d", i)]
		}
	}
	return operator
}

// deployment is an open deployment, at times a closed one.
func (w *world) deployment(s step) *account {
	var open []*account
	for _, a := range w.accounts {
		if !a.closed || s.C == 11 {
			open = append(open, a)
		}
	}
	return pick(open, s.A)
}

func hash(n uint64) []byte {
	sum := sha256.Sum256([]byte(fmt.Sprint(n)))
	return sum[:]
}

func (w *world) providerMessage(n *net, s step) sdk.Msg {
	operator, denom := w.operator(s.A), denoms[s.B%2]
	switch s.Kind {
	case "register":
		m := n.register(s.A % providers)
		if s.B == 0 {
			m.Agent = w.names["spare"]
		}
		if s.C > 8 {
			m.Payout = w.names["payout"]
		}
		m.Bond = bothCoins(1 + int64(s.N)*10)
		return m
	case "update":
		m := n.register(s.A % providers)
		u := &providertypes.MsgUpdate{
			Operator: operator, GatewayUri: m.GatewayUri, TlsKeys: m.TlsKeys, Auditors: m.Auditors, Payout: w.names["payout"],
		}
		if s.C > 8 {
			u.Auditors = nil
		}
		return u
	case "bond":
		return &providertypes.MsgBond{Operator: operator, Amount: coin(denom, int64(s.N))}
	case "unbond":
		return w.unbondMessage(operator, denom, s)
	case "rotate":
		return &providertypes.MsgRotateAgent{Operator: operator, Agent: w.names[[]string{"spare", "agent-0", "agent-3"}[s.B%3]]}
	case "maintenance":
		from := w.now + s.small(40)
		return &providertypes.MsgDeclareMaintenance{
			Signer: w.clerk(operator, s.B), Provider: operator, From: from, Until: from + uint64(s.C),
		}
	case "unjail":
		for _, supplier := range w.providers {
			if supplier.jailed {
				operator = supplier.operator
			}
		}
		return &providertypes.MsgUnjail{Operator: operator}
	case "deregister":
		return &providertypes.MsgDeregister{Operator: operator}
	default:
		return &providertypes.MsgWithdraw{Signer: w.clerk(operator, s.C), Provider: operator, Denom: denom}
	}
}

// unbondMessage takes a part of a bond back, or all of it.
func (w *world) unbondMessage(operator, denom string, s step) sdk.Msg {
	amount := int64(s.N)
	if supplier := w.supplier(operator); supplier != nil && s.C < 6 {
		amount = max(1, supplier.bond[denom]/int64(1+s.C%3))
	}
	return &providertypes.MsgUnbond{Operator: operator, Amount: coin(denom, amount)}
}

func (w *world) auditorMessage(s step) sdk.Msg {
	if s.Kind == "revoke attestation" {
		return &providertypes.MsgRevokeAttestation{Auditor: w.names["auditor"], Provider: w.operator(s.A % 2)}
	}
	return &providertypes.MsgAttest{
		Auditor: w.names["auditor"], Provider: w.operator(s.A % 2), ExpiresAt: w.now + s.small(200),
		Labels: []providertypes.AttestedLabel{{Key: "region", Value: fmt.Sprint(s.B % 3)}},
	}
}

// governanceMessage is signed by governance; now and then by somebody who would like to be it.
func (w *world) governanceMessage(n *net, s step) sdk.Msg {
	authority := n.Authority
	if s.C == 11 {
		authority = w.names["stranger"]
	}
	switch s.Kind {
	case "jail":
		return &providertypes.MsgJail{
			Authority: authority, Provider: w.operator(s.A), Seconds: 1 + s.small(60), SlashBps: uint32(s.B) * 500, Reason: "history",
		}
	case "escrow params":
		return &escrowtypes.MsgUpdateParams{Authority: authority, Params: w.changeEscrow(s)}
	case "market params":
		return w.marketParams(authority, s)
	case "provider params":
		p := w.provider
		p.BondHours, p.FreeBondHours = uint32(s.A%4)*10, uint32(s.B%3)
		p.MinBond = sdk.NewCoins(coin(native, int64(s.small(1000))))
		return &providertypes.MsgUpdateParams{Authority: authority, Params: p}
	default:
		return &escrowtypes.MsgRetry{Authority: authority, Source: "lease", Id: s.small(5)}
	}
}
