package operator

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/checkup"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/internal/reach"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor [OPERATOR]",
		Short: "Check a provider from outside: registration, bond, offer, agent's money, proof of service, gateway and its key",
		Long: `Check what tenants need of a provider, from where this command runs: best from a machine
that is not the provider's. What only the machine itself can tell, souk-agent doctor says.
The exit code is 1 if anything failed.`,
		Args: cobra.MaximumNArgs(1),
		RunE: ofProvider(func(ctx context.Context, op *operator, address string) error {
			p, err := op.mustFind(ctx, address)
			if err != nil {
				return err
			}
			return op.printChecks(op.examine(ctx, p.Provider.Operator, p))
		}),
	}
}

func (op *operator) examine(ctx context.Context, address string, p *providertypes.QueryProviderResponse) []checkup.Check {
	return slices.Concat([]checkup.Check{
		op.checkStanding(ctx, p), checkMaintenance(p), checkBond(p),
		op.checkOffer(ctx, address), op.checkAgentMoney(ctx, p.Provider.Agent),
	}, op.checkProof(ctx, address), checkGateway(ctx, p.Provider, op.Context.AllowPrivatePeers))
}

func (op *operator) checkStanding(ctx context.Context, p *providertypes.QueryProviderResponse) checkup.Check {
	switch {
	case p.Jailed:
		return checkup.New("standing", checkup.Failed, "jailed; souk provider unjail is possible "+op.in(ctx, p.Provider.JailedUntil),
			"souk provider faults   says why; then souk provider unjail")
	case p.Provider.Lifecycle != providertypes.Lifecycle_LIFECYCLE_ACTIVE:
		state := strings.ToLower(strings.TrimPrefix(p.Provider.Lifecycle.String(), "LIFECYCLE_"))
		return checkup.New("standing", checkup.Failed, "it is "+state+" and gets no leases", "souk provider init   registers again once it is gone")
	}
	return checkup.New("standing", checkup.OK, "registered and active", "")
}

func checkMaintenance(p *providertypes.QueryProviderResponse) checkup.Check {
	if p.InMaintenance {
		return checkup.New("maintenance", checkup.Warning, "it is in maintenance and gets no leases", "wait until it is over")
	}
	return checkup.New("maintenance", checkup.OK, fmt.Sprintf("none now, %d declared", len(p.Provider.Maintenance)), "")
}

func checkBond(p *providertypes.QueryProviderResponse) checkup.Check {
	var missing []string
	for _, need := range p.Required {
		if have := p.Provider.Bond.AmountOf(need.Denom); have.LT(need.Amount) {
			missing = append(missing, need.Amount.Sub(have).String()+need.Denom)
		}
	}
	if len(missing) > 0 {
		return checkup.New("bond", checkup.Failed, strings.Join(missing, ", ")+" is missing: offers are suspended", "souk provider bond "+missing[0])
	}
	return checkup.New("bond", checkup.OK, coinsText(p.Provider.Bond)+", needed "+coinsText(p.Required), "")
}

func (op *operator) checkOffer(ctx context.Context, address string) checkup.Check {
	res, err := op.Market.ProviderOffers(ctx, &markettypes.QueryProviderOffersRequest{Provider: address})
	if err != nil {
		return checkup.Fail("offer", client.Explain("read the offers", err), "")
	}
	active := 0
	for _, o := range res.Offers {
		if o.State == markettypes.OfferState_OFFER_STATE_ACTIVE {
			active++
		}
	}
	if active == 0 {
		return checkup.New("offer", checkup.Failed, fmt.Sprintf("none of %d offers is active", len(res.Offers)), "give souk-agent a price list (prices in agent.yaml), and bond enough")
	}
	return checkup.New("offer", checkup.OK, fmt.Sprintf("%d active, %d pools", active, len(res.Pools)), "")
}

// fewFees is a balance, in usouk, with which an agent will soon stand still.
const fewFees = 1_000_000

func (op *operator) checkAgentMoney(ctx context.Context, agent string) checkup.Check {
	res, err := op.Bank.Balance(ctx, &banktypes.QueryBalanceRequest{Address: agent, Denom: scope.Denom})
	if err != nil {
		return checkup.Fail("agent's balance", client.Explain("read the agent's balance", err), "")
	}
	text := output.Money(res.Balance.Amount, scope.Denom)
	try := "soukd tx bank send FROM " + agent + " 10000000" + scope.Denom
	switch {
	case res.Balance.Amount.IsZero():
		return checkup.New("agent's balance", checkup.Failed, text+": it can acknowledge nothing", try)
	case res.Balance.Amount.Int64() < fewFees && res.Balance.Amount.IsInt64():
		return checkup.New("agent's balance", checkup.Warning, text+" for fees", try)
	}
	return checkup.New("agent's balance", checkup.OK, text+" for fees", "")
}

const reachTimeout = 10 * time.Second

// checkGateway connects to the address that tenants use, and holds the key found there against the chain's.
func checkGateway(ctx context.Context, p providertypes.Provider, private bool) []checkup.Check {
	const name = "gateway"
	u, err := url.Parse(p.GatewayUri)
	if err != nil || u.Host == "" {
		return []checkup.Check{checkup.Fail(name, fmt.Errorf("%q is not an address", p.GatewayUri), "")}
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "443")
	}
	// The pin is what is trusted, not a name: whoever holds the key on the chain is the provider.
	dialer := tls.Dialer{NetDialer: reach.Dialer(reachTimeout, private), Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		c := checkup.Fail(name, fmt.Errorf("%s can not be reached: %w", p.GatewayUri, err), "")
		c.Try = "start souk-agent, open its port to the world; another address: souk provider init --gateway"
		if errors.Is(err, reach.ErrNotPublic) {
			c.Try = "register a public address: souk provider init --gateway; in a private network: --allow-private-peers"
		}
		return []checkup.Check{c}
	}
	defer conn.Close()
	found := checkup.New(name, checkup.OK, p.GatewayUri+" answers", "")
	return []checkup.Check{found, checkPin(conn, p.TlsKeys)}
}

func checkPin(conn net.Conn, keys [][]byte) checkup.Check {
	secure, is := conn.(*tls.Conn)
	if !is || len(secure.ConnectionState().PeerCertificates) == 0 {
		return checkup.Fail("tls key", errors.New("the gateway shows no certificate"), "")
	}
	hash := sha256.Sum256(secure.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	for _, key := range keys {
		if string(key) == string(hash[:]) {
			return checkup.New("tls key", checkup.OK, hex.EncodeToString(hash[:8])+"… is on the chain", "")
		}
	}
	return checkup.New("tls key", checkup.Failed,
		"the gateway has key "+hex.EncodeToString(hash[:])+", which is not on the chain: no tenant will talk to it",
		"souk provider init --gateway URI --tls-key "+hex.EncodeToString(hash[:]))
}

func (op *operator) printChecks(checks []checkup.Check) error {
	return errors.Join(op.Out.Checks(checks), checkup.Verdict(checks))
}
