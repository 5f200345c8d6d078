package types

import (
	"github.com/cosmos/cosmos-sdk/codec"
	"github.com/cosmos/cosmos-sdk/codec/legacy"
	codectypes "github.com/cosmos/cosmos-sdk/codec/types"
	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/msgservice"
)

// RegisterLegacyAminoCodec registers the messages under the amino names that Ledger devices sign.
func RegisterLegacyAminoCodec(cdc *codec.LegacyAmino) {
	legacy.RegisterAminoMsg(cdc, &MsgRegister{}, "souk/provider/MsgRegister")
	legacy.RegisterAminoMsg(cdc, &MsgUpdate{}, "souk/provider/MsgUpdate")
	legacy.RegisterAminoMsg(cdc, &MsgBond{}, "souk/provider/MsgBond")
	legacy.RegisterAminoMsg(cdc, &MsgUnbond{}, "souk/provider/MsgUnbond")
	legacy.RegisterAminoMsg(cdc, &MsgRotateAgent{}, "souk/provider/MsgRotateAgent")
	legacy.RegisterAminoMsg(cdc, &MsgDeclareMaintenance{}, "souk/MsgDeclareMaintenance")
	legacy.RegisterAminoMsg(cdc, &MsgUnjail{}, "souk/provider/MsgUnjail")
	legacy.RegisterAminoMsg(cdc, &MsgDeregister{}, "souk/provider/MsgDeregister")
	legacy.RegisterAminoMsg(cdc, &MsgAttest{}, "souk/provider/MsgAttest")
	legacy.RegisterAminoMsg(cdc, &MsgRevokeAttestation{}, "souk/MsgRevokeAttestation")
	legacy.RegisterAminoMsg(cdc, &MsgJail{}, "souk/provider/MsgJail")
	legacy.RegisterAminoMsg(cdc, &MsgWithdraw{}, "souk/provider/MsgWithdraw")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateParams{}, "souk/provider/MsgUpdateParams")
	cdc.RegisterConcrete(Params{}, "souk/x/provider/Params", nil)
}

// RegisterInterfaces registers the messages as transactions' messages.
func RegisterInterfaces(registry codectypes.InterfaceRegistry) {
	registry.RegisterImplementations((*sdk.Msg)(nil),
		&MsgRegister{}, &MsgUpdate{}, &MsgBond{}, &MsgUnbond{}, &MsgRotateAgent{}, &MsgDeclareMaintenance{}, &MsgUnjail{},
		&MsgDeregister{}, &MsgAttest{}, &MsgRevokeAttestation{}, &MsgWithdraw{}, &MsgJail{}, &MsgUpdateParams{})
	msgservice.RegisterMsgServiceDesc(registry, &_Msg_serviceDesc)
}
