package proof

import (
	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	"github.com/souk-network/souk/x/proof/types"
)

// AutoCLIOptions describes the commands that the SDK makes for the module: `soukd query proof` and `soukd tx proof`.
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
		command("Epoch", "epoch EPOCH", "Show an epoch, from its close until its pots have matured", "epoch"),
		command("Epochs", "epochs", "List epochs, the newest first"),
		command("Beacon", "beacon", "Show the beacon and the rounds that are awaited"),
		command("Commitment", "commitment PROVIDER EPOCH", "Show a commitment, and what an audit drew of it", "provider", "epoch"),
		command("Commitments", "commitments PROVIDER", "List what a provider committed to, the newest first", "provider"),
		command("Dues", "dues PROVIDER EPOCH DENOM", "List what was due for each lease of a provider", "provider", "epoch", "denom"),
		command("Refund", "refund LEASE EPOCH", "Show what a lease can claim for an epoch", "lease", "epoch"),
		command("Standing", "standing PROVIDER", "Show what is remembered of a provider, and its chance of an audit", "provider"),
		command("Faults", "faults PROVIDER", "List what a provider did wrong, with the evidence", "provider"),
		command("Forced", "forced PROVIDER", "List the leaves that are asked of a provider", "provider"),
	}
}

func txCommands() []*autocliv1.RpcCommandOptions {
	return []*autocliv1.RpcCommandOptions{
		command("CommitEpoch", "commit PROVIDER EPOCH", "Commit to what leases were given in an epoch", "provider", "epoch"),
		command("OpenAudit", "open PROVIDER EPOCH DENOM", "Show the leaves that an audit drew", "provider", "epoch", "denom"),
		command("Disown", "disown PROVIDER EPOCH", "Take back a commitment whose leaves are lost", "provider", "epoch"),
		command("PostRound", "post-round ROUND SIGNATURE", "Bring a round of the beacon that is awaited", "round", "signature"),
		command("PostReceipt", "post-receipt RECEIPT", "Put a tenant's receipt on the chain, in JSON", "receipt"),
		command("ClaimRefund", "claim LEASE EPOCH", "Pay back what was not proven of a lease", "lease", "epoch"),
		command("ForceOpen", "force LEASE EPOCH", "Ask for a leaf that its provider withholds", "lease", "epoch"),
		command("AnswerForced", "answer PROVIDER", "Show leaves that were asked for", "provider"),
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
