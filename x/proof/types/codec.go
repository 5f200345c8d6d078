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
	legacy.RegisterAminoMsg(cdc, &MsgCommitEpoch{}, "souk/proof/MsgCommitEpoch")
	legacy.RegisterAminoMsg(cdc, &MsgOpenAudit{}, "souk/proof/MsgOpenAudit")
	legacy.RegisterAminoMsg(cdc, &MsgDisown{}, "souk/proof/MsgDisown")
	legacy.RegisterAminoMsg(cdc, &MsgPostRound{}, "souk/proof/MsgPostRound")
	legacy.RegisterAminoMsg(cdc, &MsgPostReceipt{}, "souk/proof/MsgPostReceipt")
	legacy.RegisterAminoMsg(cdc, &MsgClaimRefund{}, "souk/proof/MsgClaimRefund")
	legacy.RegisterAminoMsg(cdc, &MsgForceOpen{}, "souk/proof/MsgForceOpen")
	legacy.RegisterAminoMsg(cdc, &MsgAnswerForced{}, "souk/proof/MsgAnswerForced")
	legacy.RegisterAminoMsg(cdc, &MsgUpdateParams{}, "souk/proof/MsgUpdateParams")
	cdc.RegisterConcrete(Params{}, "souk/x/proof/Params", nil)
}

// RegisterInterfaces registers the messages as transactions' messages.
func RegisterInterfaces(registry codectypes.InterfaceRegistry) {
	registry.RegisterImplementations((*sdk.Msg)(nil),
		&MsgCommitEpoch{}, &MsgOpenAudit{}, &MsgDisown{}, &MsgPostRound{}, &MsgPostReceipt{}, &MsgClaimRefund{},
		&MsgForceOpen{}, &MsgAnswerForced{}, &MsgUpdateParams{})
	msgservice.RegisterMsgServiceDesc(registry, &_Msg_serviceDesc)
}
