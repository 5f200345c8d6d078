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
	"strings"
	"time"

	"github.com/spf13/cobra"

	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// Results of a check.
const (
	resultOK   = "ok"
	resultWarn = "warning"
	resultFail = "failed"
)

// check is one thing that was looked at, for programs; as souk doctor prints them.
type check struct {
	Check  string `json:"check"`
	Result string `json:"result"` // ok, warning or failed
	Detail string `json:"detail"`
	Try    string `json:"try,omitempty"`
}

func doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor [OPERATOR]",
		Short: "Check a provider from outside: registration, bond, offer, agent's money, gateway and its key",
		Long: `Check what tenants need of a provider, from where this command runs: best from a machine
that is not the provider's. What only the machine itself can tell, souk-agent doctor says.
The exit code is 1 if anything failed.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			op, err := openOperator(cmd)
			if err != nil {
				return err
			}
			defer op.Close()
			address := op.address
			if len(args) > 0 {
				address = args[0]
			}
			p, err := op.mustFind(cmd.Context(), address)
			if err != nil {
				return err
			}
			return op.printChecks(op.examine(cmd.Context(), p.Provider.Operator, p))
		},
	}
}

func (op *operator) examine(ctx context.Context, address string, p *providertypes.QueryProviderResponse) []check {
	return append([]check{
		checkStanding(p), checkMaintenance(p), checkBond(p),
		op.checkOffer(ctx, address), op.checkAgentMoney(ctx, p.Provider.Agent),
	}, checkGateway(ctx, p.Provider)...)
}

func checkStanding(p *providertypes.QueryProviderResponse) check {
	switch {
	case p.Jailed:
		return check{"standing", resultFail, fmt.Sprintf("jailed until second %d", p.Provider.JailedUntil), "souk provider unjail   once the time is over"}
	case p.Provider.Lifecycle != providertypes.Lifecycle_LIFECYCLE_ACTIVE:
		state := strings.ToLower(strings.TrimPrefix(p.Provider.Lifecycle.String(), "LIFECYCLE_"))
		return check{"standing", resultFail, "it is " + state + " and gets no leases", "souk provider init   registers again once it is gone"}
	}
	return check{Check: "standing", Result: resultOK, Detail: "registered and active"}
}

func checkMaintenance(p *providertypes.QueryProviderResponse) check {
	if p.InMaintenance {
		return check{"maintenance", resultWarn, "it is in maintenance and gets no leases", "wait until it is over"}
	}
	return check{Check: "maintenance", Result: resultOK, Detail: fmt.Sprintf("none now, %d declared", len(p.Provider.Maintenance))}
}

func checkBond(p *providertypes.QueryProviderResponse) check {
	var missing []string
	for _, need := range p.Required {
		if have := p.Provider.Bond.AmountOf(need.Denom); have.LT(need.Amount) {
			missing = append(missing, need.Amount.Sub(have).String()+need.Denom)
		}
	}
	if len(missing) > 0 {
		return check{"bond", resultFail, strings.Join(missing, ", ") + " is missing: offers are suspended", "souk provider bond " + missing[0]}
	}
	return check{Check: "bond", Result: resultOK, Detail: coinsText(p.Provider.Bond) + ", needed " + coinsText(p.Required)}
}

func (op *operator) checkOffer(ctx context.Context, address string) check {
	res, err := op.Market.ProviderOffers(ctx, &markettypes.QueryProviderOffersRequest{Provider: address})
	if err != nil {
		return failed("offer", client.Explain("read the offers", err))
	}
	active := 0
	for _, o := range res.Offers {
		if o.State == markettypes.OfferState_OFFER_STATE_ACTIVE {
			active++
		}
	}
	if active == 0 {
		return check{"offer", resultFail, fmt.Sprintf("none of %d offers is active", len(res.Offers)), "give souk-agent a price list (prices in agent.yaml), and bond enough"}
	}
	return check{Check: "offer", Result: resultOK, Detail: fmt.Sprintf("%d active, %d pools", active, len(res.Pools))}
}

// fewFees is a balance, in usouk, with which an agent will soon stand still.
const fewFees = 1_000_000

func (op *operator) checkAgentMoney(ctx context.Context, agent string) check {
	res, err := op.Bank.Balance(ctx, &banktypes.QueryBalanceRequest{Address: agent, Denom: scope.Denom})
	if err != nil {
		return failed("agent's balance", client.Explain("read the agent's balance", err))
	}
	text := output.Money(res.Balance.Amount, scope.Denom)
	try := "souk bank send FROM " + agent + " 10000000" + scope.Denom
	switch {
	case res.Balance.Amount.IsZero():
		return check{"agent's balance", resultFail, text + ": it can acknowledge nothing", try}
	case res.Balance.Amount.Int64() < fewFees && res.Balance.Amount.IsInt64():
		return check{"agent's balance", resultWarn, text + " for fees", try}
	}
	return check{Check: "agent's balance", Result: resultOK, Detail: text + " for fees"}
}

const reachTimeout = 10 * time.Second

// checkGateway connects to the address that tenants use, and holds the key found there against the chain's.
func checkGateway(ctx context.Context, p providertypes.Provider) []check {
	const name = "gateway"
	u, err := url.Parse(p.GatewayUri)
	if err != nil || u.Host == "" {
		return []check{failed(name, fmt.Errorf("%q is not an address", p.GatewayUri))}
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "443")
	}
	// The pin is what is trusted, not a name: whoever holds the key on the chain is the provider.
	dialer := tls.Dialer{NetDialer: &net.Dialer{Timeout: reachTimeout}, Config: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13}}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		c := failed(name, fmt.Errorf("%s can not be reached: %w", p.GatewayUri, err))
		c.Try = "start souk-agent, open its port to the world; another address: souk provider init --gateway"
		return []check{c}
	}
	defer conn.Close()
	found := check{Check: name, Result: resultOK, Detail: p.GatewayUri + " answers"}
	return []check{found, checkPin(conn, p.TlsKeys)}
}

func checkPin(conn net.Conn, keys [][]byte) check {
	secure, is := conn.(*tls.Conn)
	if !is || len(secure.ConnectionState().PeerCertificates) == 0 {
		return failed("tls key", errors.New("the gateway shows no certificate"))
	}
	hash := sha256.Sum256(secure.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	for _, key := range keys {
		if string(key) == string(hash[:]) {
			return check{Check: "tls key", Result: resultOK, Detail: hex.EncodeToString(hash[:8]) + "… is on the chain"}
		}
	}
	return check{
		"tls key", resultFail, "the gateway has key " + hex.EncodeToString(hash[:]) + ", which is not on the chain: no tenant will talk to it",
		"souk provider init --gateway URI --tls-key " + hex.EncodeToString(hash[:]),
	}
}

func failed(name string, err error) check {
	summary, cause, try := fault.Parts(err)
	if cause != "" {
		summary += ": " + cause
	}
	return check{name, resultFail, strings.ReplaceAll(summary, "\n", " "), try}
}

func (op *operator) printChecks(checks []check) error {
	rows := output.Rows{Columns: []output.Column{{Name: "check"}, {Name: "result", Tone: output.StateTone}, {Name: "detail"}, {Name: "try"}}}
	var items []any
	failures, first := 0, ""
	for _, c := range checks {
		items = append(items, c)
		rows.Cells = append(rows.Cells, []string{c.Check, c.Result, output.Clean(c.Detail), output.Clean(c.Try)})
		if c.Result != resultFail {
			continue
		}
		if failures++; first == "" {
			first = c.Try
		}
	}
	if err := op.Out.List(items, rows); err != nil {
		return err
	}
	if failures > 0 {
		return fault.New(fmt.Sprintf("%d of %d checks failed", failures, len(checks)), nil, first)
	}
	return nil
}
