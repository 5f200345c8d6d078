package provider

import (
	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	"github.com/souk-network/souk/x/provider/types"
)

// AutoCLIOptions describes the commands that the SDK makes for the module: `soukd query provider` and `soukd tx provider`.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: types.Query_serviceDesc.ServiceName, RpcCommandOptions: queryCommands(),
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: types.Msg_serviceDesc.ServiceName, RpcCommandOptions: txCommands(),
		},
	}
}

func queryCommands() []*autocliv1.RpcCommandOptions {
	return []*autocliv1.RpcCommandOptions{
		command("Params", "params", "Show the parameters"),
		command("Provider", "show OPERATOR", "Show a provider, its record and the bond it must hold", "operator"),
		command("Providers", "list", "List providers, all or those of a --lifecycle"),
		command("Unbondings", "unbondings OPERATOR", "List the bond that is on its way back", "operator"),
		command("Attestations", "attestations OPERATOR", "List what auditors say of a provider", "operator"),
		command("AttestationsBy", "attestations-by AUDITOR", "List what an auditor says of providers", "auditor"),
		command("ByAgent", "by-agent AGENT", "Show the provider of an agent account", "agent"),
	}
}

func txCommands() []*autocliv1.RpcCommandOptions {
	return []*autocliv1.RpcCommandOptions{
		command("Register", "register", "Become a provider"),
		command("Update", "update", "Replace payout, gateway, TLS keys, info and auditors"),
		command("Bond", "bond AMOUNT", "Put more at stake", "amount"),
		command("Unbond", "unbond AMOUNT", "Take bond back; it returns after the unbonding time", "amount"),
		command("RotateAgent", "rotate-agent AGENT", "Name the agent that takes over; the present one cancels", "agent"),
		command("DeclareMaintenance", "maintenance PROVIDER FROM UNTIL",
			"Announce a time without service, in service seconds; UNTIL = FROM cancels", "provider", "from", "until"),
		command("Unjail", "unjail", "Take leases again once the time in jail is over"),
		command("Deregister", "deregister", "Leave: no new leases, the others end after notice"),
		command("Attest", "attest PROVIDER EXPIRES_AT", "Vouch for --labels of a provider until a service second",
			"provider", "expires_at"),
		command("RevokeAttestation", "revoke PROVIDER", "Take back what was said of a provider", "provider"),
		command("Withdraw", "withdraw PROVIDER DENOM", "Pay matured earnings to the payout address", "provider", "denom"),
		proposal("Jail", "jail PROVIDER SECONDS", "Propose to end all leases of a provider", "provider", "seconds"),
		proposal("UpdateParams", "update-params PARAMS", "Propose other parameters, in JSON", "params"),
	}
}

func command(method, use, short string, fields ...string) *autocliv1.RpcCommandOptions {
	options := &autocliv1.RpcCommandOptions{RpcMethod: method, Use: use, Short: short}
	for _, field := range fields {
		options.PositionalArgs = append(options.PositionalArgs, &autocliv1.PositionalArgDescriptor{ProtoField: field})
	}
	return options
}

// proposal is a command for a message that only governance may send: it submits a proposal with the message.
func proposal(method, use, short string, fields ...string) *autocliv1.RpcCommandOptions {
	options := command(method, use, short, fields...)
	options.GovProposal = true
	return options
}
