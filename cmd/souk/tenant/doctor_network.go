package tenant

import (
	"context"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/cosmos/cosmos-sdk/client/grpc/cmtservice"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/checkup"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/internal/version"
)

const (
	// maxSkew is how far ahead of the chain this clock may be: tokens are good for so long before their time.
	maxSkew = 30 * time.Second
	// maxBlockAge is how old the last block may be.
	maxBlockAge = time.Minute
	// maxAgentLag is how many blocks an agent may be behind the node.
	maxAgentLag = 30
)

// checkNode connects and asks whether the node is there, of the right network, and in step with it.
func (x *examination) checkNode(ctx context.Context, owner string) bool {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	t, err := dialTenant(ctx, x.Session, owner)
	if err != nil {
		x.fail("node", err, "souk context list")
		return false
	}
	status, err := t.Client.Status(ctx)
	if err != nil {
		x.fail("node", err, "curl "+x.Context.Node+"/status")
		return false
	}
	x.tenant, x.height = t, status.Height
	switch {
	case status.CatchingUp:
		x.add("node", checkup.Failed, "wait until it has caught up, or use another node: souk context add", "it is at block %d and catching up", status.Height)
	case !status.TxIndex:
		x.add("node", checkup.Failed, `set indexer = "kv" under [tx_index] in its config.toml, or use another node`, "it can not look transactions up")
	default:
		x.add("node", checkup.OK, "", "%s at block %d", status.ChainID, status.Height)
	}
	return true
}

// checkClock holds this machine's clock against the last block's.
func (x *examination) checkClock(ctx context.Context) {
	clock, err := x.tenant.serviceClock(ctx)
	if err != nil {
		x.fail("clock", err, "souk doctor once the node answers")
		return
	}
	result, try, text := judgeClock(time.Since(clock.wall))
	x.add("clock", result, try, "%s", text)
}

// judgeClock says what to think of a last block that is so old by this machine's clock.
func judgeClock(age time.Duration) (result checkup.Result, try, text string) {
	switch {
	case age < -maxSkew:
		return checkup.Failed, "set the clock: timedatectl set-ntp true", fmt.Sprintf("this machine is %s behind the chain", (-age).Round(time.Second))
	case age > maxBlockAge:
		return checkup.Failed, "set the clock if it is ahead; else the chain stands still or the node lags: use another node",
			fmt.Sprintf("the last block is %s old by this machine's clock", age.Round(time.Second))
	default:
		return checkup.OK, "", fmt.Sprintf("the last block is %s old", max(age, 0).Round(time.Second))
	}
}

func (x *examination) checkBalance(ctx context.Context) {
	res, err := x.tenant.Bank.Balance(ctx, &banktypes.QueryBalanceRequest{Address: x.tenant.owner, Denom: scope.Denom})
	if err != nil {
		x.fail("balance", client.Explain("read the balance", err), "")
		return
	}
	text := output.Money(res.Balance.Amount, scope.Denom)
	if res.Balance.Amount.IsZero() {
		x.add("balance", checkup.Failed, "send coins to "+x.tenant.owner+"; on a devnet: souk devnet fund "+x.tenant.owner+" 100SOUK", "%s", text)
		return
	}
	x.add("balance", checkup.OK, "", "%s", text)
}

// checkProviders asks the gateway of every provider that serves a lease, with its key pinned.
func (x *examination) checkProviders(ctx context.Context) {
	deployments, err := x.tenant.openDeployments(ctx)
	if err != nil {
		x.fail("providers", err, "")
		return
	}
	leases := map[string][]string{} // what a provider serves
	var order []string
	for _, d := range deployments {
		all, err := x.tenant.leases(ctx, d.Id)
		if err != nil {
			x.fail("providers", err, "")
			return
		}
		for _, l := range all {
			if !live(l) {
				continue
			}
			if len(leases[l.Provider]) == 0 {
				order = append(order, l.Provider)
			}
			leases[l.Provider] = append(leases[l.Provider], fmt.Sprintf("%s (lease %d)", d.Name, l.Id))
		}
	}
	if len(order) == 0 {
		x.skip("nothing is leased", "providers")
	}
	for _, operator := range order {
		x.checkProvider(ctx, operator, leases[operator])
	}
}

func (x *examination) checkProvider(ctx context.Context, operator string, serves []string) {
	name := "provider " + shortAddress(operator)
	info, host, err := x.info(ctx, operator)
	if err != nil {
		x.fail(name, err, "wait for the provider; if it stays away: souk lease close LEASE --replace   (for "+serves[0]+")")
		return
	}
	switch behind := x.height - info.GetHeight(); {
	case behind > maxAgentLag:
		x.add(name, checkup.Warning, "tell the provider that its agent lags", "%s is %d blocks behind", host, behind)
	case info.GetVersion() != version.Version:
		x.add(name, checkup.Warning, "", "%s runs version %s, souk is %s", host, info.GetVersion(), version.Version)
	default:
		x.add(name, checkup.OK, "", "%s answers with its pinned key, serves %d leases", host, len(serves))
	}
}

// info asks a provider who it is; it must be whom the chain says.
func (x *examination) info(ctx context.Context, operator string) (*api.InfoResponse, string, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	p, err := x.tenant.provider(ctx, operator)
	if err != nil {
		return nil, "", err
	}
	g, err := dialGateway(p, x.tenant.authority.private)
	if err != nil {
		return nil, "", err
	}
	defer g.transport.CloseIdleConnections()
	res, err := g.Info(ctx, connect.NewRequest(&api.InfoRequest{}))
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", g.uri.Host, err)
	}
	if res.Msg.GetProvider() != operator || res.Msg.GetChainId() != x.Context.ChainID {
		return nil, "", fmt.Errorf("%s: %w: provider %s of %s", g.uri.Host, errNoAnswer, res.Msg.GetProvider(), res.Msg.GetChainId())
	}
	return res.Msg, g.uri.Host, nil
}

// nodeVersion is the version of the program that the node runs.
func (t *tenant) nodeVersion(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	res, err := cmtservice.NewServiceClient(t.Conn()).GetNodeInfo(ctx, &cmtservice.GetNodeInfoRequest{})
	if err != nil {
		return "", client.Explain("ask the node for its version", err)
	}
	return res.GetApplicationVersion().GetVersion(), nil
}
