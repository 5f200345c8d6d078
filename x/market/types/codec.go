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
	legacy.RegisterAminoMsg(cdc, &MsgSetPool{}, "souk/market/MsgSetPool")
	legacy.RegisterAminoMsg(cdc, &MsgPostOffer{}, "souk/market/MsgPostOffer")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateOffer{}, "souk/market/MsgUpdateOffer")
	legacy.RegisterAminoMsg(cdc, &MsgWithdrawOffer{}, "souk/market/MsgWithdrawOffer")
	legacy.RegisterAminoMsg(cdc, &MsgCreateDeployment{}, "souk/market/MsgCreateDeployment")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateDeployment{}, "souk/market/MsgUpdateDeployment")
	legacy.RegisterAminoMsg(cdc, &MsgCloseLease{}, "souk/market/MsgCloseLease")
	legacy.RegisterAminoMsg(cdc, &MsgResignLeases{}, "souk/market/MsgResignLeases")
	legacy.RegisterAminoMsg(cdc, &MsgReclaimLeases{}, "souk/market/MsgReclaimLeases")
	legacy.RegisterAminoMsg(cdc, &MsgCloseDeployment{}, "souk/market/MsgCloseDeployment")
	legacy.RegisterAminoMsg(cdc, &MsgAckLeases{}, "souk/market/MsgAckLeases")
	legacy.RegisterAminoMsg(cdc, &MsgSubmitQuote{}, "souk/market/MsgSubmitQuote")
	legacy.RegisterAminoMsg(cdc, &MsgWithdrawQuote{}, "souk/market/MsgWithdrawQuote")
	legacy.RegisterAminoMsg(cdc, &MsgAcceptQuote{}, "souk/market/MsgAcceptQuote")
	legacy.RegisterAminoMsg(cdc, &MsgFailover{}, "souk/market/MsgFailover")
	legacy.RegisterAminoMsg(cdc, &MsgChallengeLease{}, "souk/market/MsgChallengeLease")
	legacy.RegisterAminoMsg(cdc, &MsgAnswerAlive{}, "souk/market/MsgAnswerAlive")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateParams{}, "souk/market/MsgUpdateParams")
	cdc.RegisterConcrete(Params{}, "souk/x/market/Params", nil)
}

// RegisterInterfaces registers the messages as transactions' messages.
func RegisterInterfaces(registry codectypes.InterfaceRegistry) {
	registry.RegisterImplementations((*sdk.Msg)(nil),
		&MsgSetPool{}, &MsgPostOffer{}, &MsgUpdateOffer{}, &MsgWithdrawOffer{},
		&MsgCreateDeployment{}, &MsgUpdateDeployment{}, &MsgCloseDeployment{},
		&MsgCloseLease{}, &MsgResignLeases{}, &MsgReclaimLeases{}, &MsgAckLeases{},
		&MsgSubmitQuote{}, &MsgWithdrawQuote{}, &MsgAcceptQuote{},
		&MsgFailover{}, &MsgChallengeLease{}, &MsgAnswerAlive{}, &MsgUpdateParams{})
	msgservice.RegisterMsgServiceDesc(registry, &_Msg_serviceDesc)
}
