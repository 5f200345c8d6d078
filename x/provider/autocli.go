package provider

import (
	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	"github.com/souk-network/souk/x/provider/types"
)

// AutoCLIOptions describes the commands that the SDK makes for the module. Registration takes more than a line and is
// done by `souk provider`.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	args := func(fields ...string) []*autocliv1.PositionalArgDescriptor {
		var out []*autocliv1.PositionalArgDescriptor
		for _, field := range fields {
			out = append(out, &autocliv1.PositionalArgDescriptor{ProtoField: field})
		}
		return out
	}
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: types.Query_serviceDesc.ServiceName,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "Params", Use: "params", Short: "Show the parameters"},
				{
					RpcMethod: "Provider", Use: "show OPERATOR", Short: "Show a provider and the bond it must hold",
					PositionalArgs: args("operator"),
				},
				{RpcMethod: "Providers", Use: "list", Short: "List providers"},
				{
					RpcMethod: "ByAgent", Use: "by-agent AGENT", Short: "Show the provider of an agent account",
					PositionalArgs: args("agent"),
				},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: types.Msg_serviceDesc.ServiceName,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "Bond", Use: "bond AMOUNT", Short: "Put more at stake", PositionalArgs: args("amount")},
				{
					RpcMethod: "Withdraw", Use: "withdraw PROVIDER DENOM", Short: "Pay matured earnings to the payout address",
					PositionalArgs: args("provider", "denom"),
				},
				{RpcMethod: "Register", Use: "register", Short: "Become a provider"},
				{RpcMethod: "Update", Use: "update", Short: "Replace payout, gateway, TLS keys and info"},
				{RpcMethod: "UpdateParams", Skip: true},
			},
		},
	}
}
