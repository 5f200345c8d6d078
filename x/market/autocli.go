package market

import (
	autocliv1 "cosmossdk.io/api/cosmos/autocli/v1"

	"github.com/souk-network/souk/x/market/types"
)

// AutoCLIOptions describes the commands that the SDK makes for the module.
func (AppModule) AutoCLIOptions() *autocliv1.ModuleOptions {
	return &autocliv1.ModuleOptions{
		Query: &autocliv1.ServiceCommandDescriptor{
			Service: types.Query_serviceDesc.ServiceName,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{RpcMethod: "Params", Use: "params", Short: "Show the parameters"},
				{RpcMethod: "Book", Use: "book", Short: "List the active offers with what clearing looks at"},
				{RpcMethod: "Offer", Use: "offer ID", Short: "Show an offer and its pool", PositionalArgs: args("id")},
				{
					RpcMethod: "ProviderOffers", Use: "offers PROVIDER", Short: "List the pools and offers of a provider",
					PositionalArgs: args("provider"),
				},
				{
					RpcMethod: "Deployment", Use: "deployment ID", Short: "Show a deployment and its bids",
					PositionalArgs: args("id"),
				},
				{
					RpcMethod: "DeploymentByName", Use: "deployment-by-name OWNER NAME", Short: "Show an open deployment by its name",
					PositionalArgs: args("owner", "name"),
				},
				{
					RpcMethod: "Deployments", Use: "deployments OWNER", Short: "List the deployments of an owner",
					PositionalArgs: args("owner"),
				},
				{RpcMethod: "Lease", Use: "lease ID", Short: "Show a lease", PositionalArgs: args("id")},
				{
					RpcMethod: "Leases", Use: "leases DEPLOYMENT", Short: "List the leases of a deployment",
					PositionalArgs: args("deployment"),
				},
				{
					RpcMethod: "Quotes", Use: "quotes BID", Short: "List the quotes of a bid, the cheapest first",
					PositionalArgs: args("bid"),
				},
				{
					RpcMethod: "Clearing", Use: "clearing DENOM", Short: "Show the last clearing of a denom, how good it was, and what proves that",
					PositionalArgs: args("denom"),
				},
				{
					RpcMethod: "Custody", Use: "custody PROVIDER", Short: "List the open deployments that a provider is a custodian of",
					PositionalArgs: args("provider"),
				},
				{
					RpcMethod: "Work", Use: "work PROVIDER", Short: "List the live leases of a provider",
					PositionalArgs: args("provider"),
				},
			},
		},
		Tx: &autocliv1.ServiceCommandDescriptor{
			Service: types.Msg_serviceDesc.ServiceName,
			RpcCommandOptions: []*autocliv1.RpcCommandOptions{
				{
					RpcMethod: "SetPool", Use: "set-pool PROVIDER ID", Short: "Declare the capacity of a pool",
					PositionalArgs: args("provider", "id"),
				},
				{
					RpcMethod: "PostOffer", Use: "post-offer PROVIDER POOL", Short: "Offer a pool at a price",
					PositionalArgs: args("provider", "pool"),
				},
				{
					RpcMethod: "UpdateOffer", Use: "update-offer OFFER", Short: "Replace the asks and labels of an offer",
					PositionalArgs: args("offer"),
				},
				{
					RpcMethod: "WithdrawOffer", Use: "withdraw-offer OFFER", Short: "End an offer; its leases go on",
					PositionalArgs: args("offer"),
				},
				{
					RpcMethod: "CreateDeployment", Use: "create-deployment NAME DEPOSIT",
					Short: "Open a deployment with its bids", PositionalArgs: args("name", "deposit"),
				},
				{
					RpcMethod: "CloseDeployment", Use: "close-deployment DEPLOYMENT",
					Short: "End a deployment and refund what is left", PositionalArgs: args("deployment"),
				},
				{
					RpcMethod: "AckLeases", Use: "ack-leases PROVIDER", Short: "Accept or decline pending leases",
					PositionalArgs: args("provider"),
				},
				{
					RpcMethod: "SubmitQuote", Use: "submit-quote BID OFFER REPLICAS VALID_SECONDS",
					Short: "Answer a bid that collects quotes", PositionalArgs: args("bid", "offer", "replicas", "valid_seconds"),
				},
				{
					RpcMethod: "WithdrawQuote", Use: "withdraw-quote PROVIDER BID", Short: "Take a quote back",
					PositionalArgs: args("provider", "bid"),
				},
				{
					RpcMethod: "AcceptQuote", Use: "accept-quote BID PROVIDER MAX_RATE", Short: "Make a lease of a quote",
					PositionalArgs: args("bid", "provider", "max_rate"),
				},
				{
					RpcMethod: "Failover", Use: "failover LEASE", Short: "Give up a lease for another provider",
					PositionalArgs: args("lease"),
				},
				{
					RpcMethod: "ChallengeLease", Use: "challenge-lease LEASE", Short: "Ask the provider of a lease for a sign of life",
					PositionalArgs: args("lease"),
				},
				{
					RpcMethod: "AnswerAlive", Use: "answer-alive PROVIDER", Short: "Answer challenges", PositionalArgs: args("provider"),
				},
				{RpcMethod: "UpdateParams", Skip: true}, // by governance only
			},
		},
	}
}

func args(fields ...string) []*autocliv1.PositionalArgDescriptor {
	descriptors := make([]*autocliv1.PositionalArgDescriptor, len(fields))
	for i, field := range fields {
		descriptors[i] = &autocliv1.PositionalArgDescriptor{ProtoField: field}
	}
	return descriptors
}
