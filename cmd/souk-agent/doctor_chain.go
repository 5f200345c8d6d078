package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/agent"
	"github.com/souk-network/souk/client"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

const (
	doctorTimeout = 10 * time.Second
	// maxAhead is how far this clock may be behind the chain's: tokens are good for so long before their time.
	maxAhead = 30 * time.Second
	// maxBlockAge is how old the last block may be.
	maxBlockAge = time.Minute
	// fewFees is a balance, in the micro-denom of the fees, with which an agent will soon stand still.
	fewFees = 1_000_000
)

func (d *doctor) checkNode(ctx context.Context, c *client.Client) bool {
	ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
	defer cancel()
	if err := c.Check(ctx); err != nil {
		d.fail("node", err, "set node and grpc in agent.yaml to a node of "+d.cfg.Client.ChainID)
		return false
	}
	status, err := c.Status(ctx)
	switch {
	case err != nil:
		d.fail("node", err, "start soukd, or set node in agent.yaml")
		return false
	case status.CatchingUp:
		d.warn("node", "wait until it has caught up", "it is at block %d and catching up", status.Height)
	default:
		d.ok("node", "%s at block %d", status.ChainID, status.Height)
	}
	d.checkClock(status.BlockTime)
	return true
}

// checkClock holds this machine's clock against the last block's.
func (d *doctor) checkClock(last time.Time) {
	switch age := time.Since(last); {
	case last.IsZero():
		d.warn("clock", "use another node", "the node does not say when its last block was made")
	case age < -maxAhead:
		d.fail("clock", fmt.Errorf("this machine is %s behind the chain", (-age).Round(time.Second)), "timedatectl set-ntp true")
	case age > maxBlockAge:
		d.fail("clock", fmt.Errorf("the last block is %s old by this machine's clock", age.Round(time.Second)),
			"timedatectl set-ntp true if the clock is ahead; else the chain stands still or the node lags")
	default:
		d.ok("clock", "the last block is %s old", max(age, 0).Round(time.Second))
	}
}

func (d *doctor) checkBalance(ctx context.Context, c *client.Client, address string) {
	if len(d.cfg.Client.GasPrices) == 0 {
		return // nothing has to be paid
	}
	denom := d.cfg.Client.GasPrices[0].Denom
	res, err := c.Bank.Balance(ctx, &banktypes.QueryBalanceRequest{Address: address, Denom: denom})
	if err != nil {
		d.fail("balance", client.Explain("read the agent's balance", err), "")
		return
	}
	try := "soukd tx bank send FROM " + address + " 10000000" + denom
	switch amount := res.Balance.Amount; {
	case amount.IsZero():
		d.fail("balance", fmt.Errorf("%s has nothing to pay fees with: it can acknowledge no lease", address), try)
	case amount.IsInt64() && amount.Int64() < fewFees:
		d.warn("balance", try, "%s for fees", res.Balance)
	default:
		d.ok("balance", "%s for fees", res.Balance)
	}
}

func (d *doctor) checkProvider(ctx context.Context, c *client.Client, id agent.Identity) *providertypes.QueryProviderResponse {
	const name = "provider"
	operator := d.cfg.Provider
	if operator == "" {
		found, err := c.Provider.ByAgent(ctx, &providertypes.QueryByAgentRequest{Agent: id.Agent})
		if err != nil {
			d.fail(name, client.Explain("find the provider of agent "+id.Agent, err), id.RegisterCommand())
			return nil
		}
		operator = found.Provider.Operator
	}
	p, err := c.Provider.Provider(ctx, &providertypes.QueryProviderRequest{Operator: operator})
	if err != nil {
		d.fail(name, client.Explain("find provider "+operator, err), id.RegisterCommand())
		return nil
	}
	pinned := slices.ContainsFunc(p.Provider.TlsKeys, func(key []byte) bool { return string(key) == string(id.KeyHash) })
	switch {
	case p.Provider.Agent != id.Agent:
		d.fail(name, fmt.Errorf("its agent is %s, this one is %s", p.Provider.Agent, id.Agent), "souk provider rotate-agent "+id.Agent)
	case !pinned:
		d.fail(name, fmt.Errorf("the gateway's key is not on the chain: %s", hex.EncodeToString(id.KeyHash)), id.RegisterCommand())
	case p.Jailed:
		d.fail(name, fmt.Errorf("it is jailed until second %d", p.Provider.JailedUntil), "souk provider unjail   once the time is over")
	case p.Provider.Lifecycle != providertypes.Lifecycle_LIFECYCLE_ACTIVE:
		d.fail(name, fmt.Errorf("it is %s", strings.ToLower(strings.TrimPrefix(p.Provider.Lifecycle.String(), "LIFECYCLE_"))), id.RegisterCommand())
	case p.InMaintenance:
		d.warn(name, "wait until it is over", "%s is in maintenance and gets no leases", operator)
	default:
		d.ok(name, "%s is active", operator)
	}
	return p
}

func (d *doctor) checkBond(p *providertypes.QueryProviderResponse) {
	for _, need := range p.Required {
		if missing := need.Amount.Sub(p.Provider.Bond.AmountOf(need.Denom)); missing.IsPositive() {
			d.fail("bond", fmt.Errorf("%s%s is missing: offers are suspended", missing, need.Denom), fmt.Sprintf("souk provider bond %s%s", missing, need.Denom))
			return
		}
	}
	d.ok("bond", "%s, needed %s", p.Provider.Bond, p.Required)
}

func (d *doctor) checkOffer(ctx context.Context, c *client.Client, operator string) {
	res, err := c.Market.ProviderOffers(ctx, &markettypes.QueryProviderOffersRequest{Provider: operator})
	if err != nil {
		d.fail("offer", client.Explain("read the offers", err), "")
		return
	}
	active := 0
	for _, o := range res.Offers {
		if o.State == markettypes.OfferState_OFFER_STATE_ACTIVE {
			active++
		}
	}
	switch {
	case active > 0:
		d.ok("offer", "%d active", active)
	case len(d.cfg.Offer.Asks) == 0:
		d.fail("offer", fmt.Errorf("there is none, and agent.yaml has no price list"), `souk-agent init --prices "usouk cpu=20000 memory=8000"`)
	default:
		d.fail("offer", fmt.Errorf("none of %d offers is active", len(res.Offers)), "start the agent; its log says why an offer was refused")
	}
}
