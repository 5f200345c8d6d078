package escrow

import (
	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	"github.com/souk-network/souk/x/escrow/types"
)

// AutoCLIOptions describes the commands that the SDK makes for the module.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	arg := func(field string) *autocliv1.PositionalArgDescriptor {
		return &autocliv1.PositionalArgDescriptor{ProtoField: field}
	}
	args := func(fields ...string) []*autocliv1.PositionalArgDescriptor {
		var out []*autocliv1.PositionalArgDescriptor
		for _, field := range fields {
			out = append(out, arg(field))
		}
		return out
	}
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: types.Query_serviceDesc.ServiceName,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "Params", Use: "params", Short: "Show the parameters"},
				{RpcMethod: "Clock", Use: "clock", Short: "Show the service clock and the running epoch"},
				{RpcMethod: "Account", Use: "account ID", Short: "Show an account, settled to now", PositionalArgs: args("id")},
				{RpcMethod: "Accounts", Use: "accounts OWNER", Short: "List the accounts of an owner", PositionalArgs: args("owner")},
				{RpcMethod: "Runway", Use: "runway ID", Short: "Show how long an account lasts", PositionalArgs: args("id")},
				{RpcMethod: "Streams", Use: "streams ACCOUNT", Short: "List the streams of an account", PositionalArgs: args("account")},
				{
					RpcMethod: "Earnings", Use: "earnings PAYEE DENOM", Short: "Show what a payee earned",
					PositionalArgs: args("payee", "denom"),
				},
				{
					RpcMethod: "EpochPots", Use: "epoch-pots PAYEE DENOM", Short: "List what a payee earned by closed epoch, in grains",
					PositionalArgs: args("payee", "denom"),
				},
				{
					RpcMethod: "Conservation", Use: "conservation DENOM", Short: "Compare the bank with the books, in grains",
					PositionalArgs: args("denom"),
				},
				{RpcMethod: "Quarantine", Use: "quarantine", Short: "List due items whose processing failed"},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: types.Msg_serviceDesc.ServiceName,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{
					RpcMethod: "Deposit", Use: "deposit ACCOUNT AMOUNT", Short: "Add money to an account",
					PositionalArgs: args("account", "amount"),
				},
				{RpcMethod: "UpdateParams", Skip: true},
				{RpcMethod: "Retry", Skip: true},
			},
		},
	}
}
