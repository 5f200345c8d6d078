package types

import (
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/legacy"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
	"github.com/cosmos/cosmos-sdk/x/authz"
)

// RegisterLegacyAminoCodec registers the messages under the amino names that Ledger devices sign.
func RegisterLegacyAminoCodec(cdc *codec.LegacyAmino) {
	legacy.RegisterAminoMsg(cdc, &MsgDeposit{}, "souk/escrow/MsgDeposit")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateParams{}, "souk/escrow/MsgUpdateParams")
	legacy.RegisterAminoMsg(cdc, &MsgRetry{}, "souk/escrow/MsgRetry")
	cdc.RegisterConcrete(&DepositAuthorization{}, "souk/escrow/DepositAuthorization", nil)
	cdc.RegisterConcrete(Params{}, "souk/x/escrow/Params", nil)
}

// RegisterInterfaces registers the messages as transactions' messages.
func RegisterInterfaces(registry codectypes.InterfaceRegistry) {
	registry.RegisterImplementations((*sdk.Msg)(nil), &MsgDeposit{}, &MsgUpdateParams{}, &MsgRetry{})
	registry.RegisterImplementations((*authz.Authorization)(nil), &DepositAuthorization{})
	msgservice.RegisterMsgServiceDesc(registry, &_Msg_serviceDesc)
}
