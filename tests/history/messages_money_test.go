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
		grant, err := authz.NewMsgGrant(address(uncle), address(tenant), escrowtypes.NewDepositAuthorization(bothCoins(int64(s.N))), nil)
		if err != nil || s.N == 0 {
			return nil
		}
		return grant
	case "revoke grant":
		revoke := authz.NewMsgRevoke(address(uncle), address(tenant), escrowtypes.DepositURL())
		return &revoke
	}
	a := w.deployment(s)
	if a == nil {
		return nil
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
		return &authz.MsgExec{Grantee: w.tenant(s.B), Msgs: []*codectypes.Any{packed(deposit)}}
	}
	return deposit
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
