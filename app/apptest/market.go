package apptest

import (
	"crypto/sha256"
	"time"

	"github.com/stretchr/testify/require"

	sdk "github.com/cosmos/cosmos-sdk/types"
	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/app/scope"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// Prices of the shops that OpenShop opens, in micro-denom per vCPU-hour and GiB-hour. One Unit costs UnitRate an hour,
// which is 11 a second.
const (
	CPUAsk    = 36_000
	MemoryAsk = 3_600
	UnitRate  = CPUAsk + MemoryAsk
)

// Unit is a replica of one vCPU and one GiB.
func Unit() markettypes.Resources { return Units(1) }

// Units is the capacity for n replicas of one Unit.
func Units(n uint64) markettypes.Resources {
	return markettypes.Resources{CpuMillis: 1000 * n, MemoryMib: 1024 * n}
}

// Shop is a provider with one pool and one offer in the book.
type Shop struct {
	Operator, Agent *Account
	Offer           uint64
}

// OpenShop makes a block in which the operator registers with the bond (micro-denom), declares capacity for that many Units
// and offers it.
func (c *Chain) OpenShop(step time.Duration, operator, agent *Account, units uint64, bond int64) Shop {
	c.t.Helper()
	key := sha256.Sum256([]byte(operator.String()))
	block := c.Deliver(
		step,
		Tx{Signer: operator, Msgs: []sdk.Msg{&providertypes.MsgRegister{
			Operator: operator.String(), Agent: agent.String(), Payout: operator.String(),
			GatewayUri: "https://localhost:8443", TlsKeys: [][]byte{key[:]}, Info: providertypes.Info{Name: "shop"},
			Bond: sdk.NewCoins(sdk.NewInt64Coin(scope.Denom, bond)),
		}}},
		Tx{Signer: agent, Msgs: []sdk.Msg{
			&markettypes.MsgSetPool{
				Signer: agent.String(), Provider: operator.String(), Id: 0, Total: Units(units), LargestUnit: Units(units),
			},
			&markettypes.MsgPostOffer{
				Signer: agent.String(), Provider: operator.String(), Pool: 0,
				Asks:   []markettypes.Ask{{Denom: scope.Denom, Cpu: CPUAsk, Memory: MemoryAsk}},
				Labels: []markettypes.Label{{Key: "region", Value: "eu-west"}},
			},
		}},
	)
	for i, result := range block.Txs {
		require.Zero(c.t, result.Code, "transaction %d: %s", i, result.Log)
	}
	var posted markettypes.MsgPostOfferResponse
	c.Unpack(block.Txs[1], &markettypes.MsgSetPoolResponse{}, &posted)
	return Shop{Operator: operator, Agent: agent, Offer: posted.Offer}
}

// Ack is the transaction in which the shop's agent acknowledges leases.
func (s Shop) Ack(leases ...uint64) Tx {
	return Tx{Signer: s.Agent, Msgs: []sdk.Msg{&markettypes.MsgAckLeases{
		Signer: s.Agent.String(), Provider: s.Operator.String(), Accept: leases,
	}}}
}

// Work returns the shop's live leases, all of them.
func (c *Chain) Work(shop Shop) []markettypes.Work {
	c.t.Helper()
	var all []markettypes.Work
	page := &query.PageRequest{Limit: 100}
	for {
		response, err := markettypes.NewQueryClient(c.Conn()).Work(c.t.Context(), &markettypes.QueryWorkRequest{
			Provider: shop.Operator.String(), Pagination: page,
		})
		require.NoError(c.t, err)
		all = append(all, response.Work...)
		if response.Pagination == nil || len(response.Pagination.NextKey) == 0 {
			return all
		}
		page = &query.PageRequest{Key: response.Pagination.NextKey, Limit: page.Limit}
	}
}

// Pending returns the leases that the shop has not acknowledged yet.
func (c *Chain) Pending(shop Shop) []uint64 {
	c.t.Helper()
	var pending []uint64
	for _, work := range c.Work(shop) {
		if work.Lease.State == markettypes.LeaseState_LEASE_STATE_PENDING {
			pending = append(pending, work.Lease.Id)
		}
	}
	return pending
}

// Create is the transaction in which the owner deploys that many replicas of one Unit, whatever they cost, paid from the
// deposit (micro-denom).
func Create(owner *Account, name string, replicas uint32, deposit int64) Tx {
	hash := sha256.Sum256([]byte(name))
	return Tx{Signer: owner, Msgs: []sdk.Msg{&markettypes.MsgCreateDeployment{
		Owner: owner.String(), Name: name, ManifestHash: hash[:],
		Bids: []markettypes.BidSpec{{
			Name: "web", Unit: Unit(), MinReplicas: 1, Replicas: replicas, Cap: 2 * UnitRate,
			Requirements: []markettypes.LabelRequirement{{
				Key: "region", Operator: markettypes.Operator_OPERATOR_IN, Values: []string{"eu-west"},
			}},
		}},
		Deposit: sdk.NewInt64Coin(scope.Denom, deposit),
	}}}
}

// Close is the transaction in which the owner closes a deployment.
func Close(owner *Account, deployment uint64) Tx {
	return Tx{Signer: owner, Msgs: []sdk.Msg{&markettypes.MsgCloseDeployment{Owner: owner.String(), Deployment: deployment}}}
}
