package history

import (
	"slices"

	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/x/authz"

	escrowtypes "github.com/souk-network/souk/x/escrow/types"
)

// moneyMessage moves money into accounts: the owner's, a stranger's, or the uncle's, who may have granted it.
func (w *world) moneyMessage(s step) sdk.Msg {
	uncle, tenant := w.names["uncle"], w.tenant(s.A)
	switch s.Kind {
	case "grant":
		limit := bothCoins(1 + int64(s.N))
		given, err := authz.NewMsgGrant(address(uncle), address(tenant), escrowtypes.NewDepositAuthorization(limit), nil)
		if err != nil {
			panic(err)
		}
		return given
	case "revoke grant":
		revoke := authz.NewMsgRevoke(address(uncle), address(tenant), escrowtypes.DepositURL())
		return &revoke
	}
	a := w.deployment(s)
	if a == nil {
		return nil
	}
	if s.B < 9 && (s.Kind == "deposit for another" || s.Kind == "exec deposit") {
		a = w.granted(s)
	}
	deposit := &escrowtypes.MsgDeposit{Signer: a.owner, Account: a.id, Amount: coin(a.denom, int64(s.small(2000)))}
	if s.B == 11 {
		deposit.Amount.Denom = denoms[s.N%2]
	}
	switch s.Kind {
	case "gift":
		deposit.Signer = w.names["stranger"]
	case "deposit for another":
		if deposit.Granter = uncle; s.B%4 == 3 { // who need not be the owner
			deposit.Signer = w.tenant(s.B)
		}
	case "exec deposit":
		deposit.Signer = uncle
		return &authz.MsgExec{Grantee: a.owner, Msgs: []*codectypes.Any{packed(deposit)}}
	}
	return deposit
}

// granted is an account whose owner may deposit the uncle's money, if there is one.
func (w *world) granted(s step) *account {
	for _, a := range w.accounts {
		if _, may := w.limits[grant{w.names["uncle"], a.owner}]; may && !a.closed {
			return a
		}
	}
	return w.deployment(s)
}

func address(text string) sdk.AccAddress { return sdk.MustAccAddressFromBech32(text) }

func packed(m sdk.Msg) *codectypes.Any {
	packed, err := codectypes.NewAnyWithValue(m)
	if err != nil {
		panic(err)
	}
	return packed
}

// changeEscrow changes one of the parameters of money and time. What decides when accounts run low stays as the history began
// with, unless the history is wild.
func (w *world) changeEscrow(s step) escrowtypes.Params {
	p := w.escrow
	p.Denoms = slices.Clone(p.Denoms)
	switch s.B % 7 {
	case 0:
		p.EpochSeconds = 1 + uint32(s.small(300))
	case 1, 2:
		p.Denoms[s.A%2].Halted = !p.Denoms[s.A%2].Halted
	case 3:
		p.MinRunwaySeconds = max(p.PauseRunwaySeconds, 1+uint32(s.small(40)))
	case 4:
		p.FeeBps, p.HoldbackEpochs = uint32(s.small(5000)), uint32(s.A%3)
	case 5:
		p.PauseBps = uint32(s.small(10_001))
	case 6:
		if w.wild {
			p.MaxDeadlinesPerBlock = 1 + uint32(s.small(1000))
			p.PauseRunwaySeconds = uint32(s.A)
			p.MinRunwaySeconds = max(p.MinRunwaySeconds, p.PauseRunwaySeconds)
		}
	}
	return p
}
