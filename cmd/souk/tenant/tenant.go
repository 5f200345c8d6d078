// Package tenant owns the commands of those who run workloads: up, ps, logs, deposit, down and so on. It reaches the chain
// through package client and providers through their gateways.
package tenant

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/app/scope"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/session"
	markettypes "github.com/souk-network/souk/x/market/types"
	providertypes "github.com/souk-network/souk/x/provider/types"
)

// settleTimeout is how long the outcome of an earlier transaction is looked for.
const settleTimeout = 2 * time.Minute

// Commands returns the commands of tenants.
func Commands() []*cobra.Command {
	return []*cobra.Command{
		upCommand(), explainCommand(), psCommand(), statusCommand(), topCommand(), logsCommand(), execCommand(), eventsCommand(), costCommand(), refundCommand(), leafCommand(), doctorCommand(), depositCommand(), scaleCommand(), downCommand(),
		leaseCommand(), failoverCommand(), challengeCommand(), quotesCommand(), quoteCommand(), watchCommand(), accessCommand(), loginCommand(), logoutCommand(), grantCommand(), offersCommand(), marketCommand(),
	}
}

// tenant is a session in which somebody owns deployments.
type tenant struct {
	*session.Session
	*client.Client

	owner     string
	authority *authority
}

// openTenant connects as the account that signs. The caller closes it.
func openTenant(cmd *cobra.Command) (*tenant, error) {
	s, err := session.Open(cmd)
	if err != nil {
		return nil, err
	}
	_, owner, err := s.Address()
	if err != nil {
		return nil, err
	}
	return dialTenant(cmd.Context(), s, owner)
}

// openReader connects for commands that sign no transaction: the account's key is not opened as long as a session key
// does, and the deployments may be somebody else's who gave this account access.
func openReader(cmd *cobra.Command) (*tenant, error) {
	s, err := session.Open(cmd)
	if err != nil {
		return nil, err
	}
	owner, err := readerOf(cmd, s)
	if err != nil {
		return nil, err
	}
	return dialTenant(cmd.Context(), s, owner)
}

// readerOf is the account whose deployments are read.
func readerOf(cmd *cobra.Command, s *session.Session) (string, error) {
	if flag := cmd.Flags().Lookup(flagOwner); flag != nil && flag.Value.String() != "" {
		if _, err := scope.AddressCodec().StringToBytes(flag.Value.String()); err != nil {
			return "", session.Usage(fault.New("--owner "+flag.Value.String(), err, "give the address of the account: souk1..."))
		}
		return flag.Value.String(), nil
	}
	owner, err := loginsIn(s.Home, s.Context.ChainID).ownerOf(s.Context.From, time.Now())
	if err != nil || owner != "" {
		return owner, err
	}
	_, owner, err = s.Address()
	return owner, err
}

// flagOwner names another account, whose deployments one has access to.
const flagOwner = "owner"

func addOwnerFlag(flags *pflag.FlagSet) {
	flags.String(flagOwner, "", "account whose deployment it is, if it gave you access: souk access")
}

func dialTenant(ctx context.Context, s *session.Session, owner string) (*tenant, error) {
	c, err := s.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &tenant{Session: s, Client: c, owner: owner, authority: newAuthority(s, owner)}, nil
}

// queue opens the transaction queue of the owner's account; intents go into the journal of a deployment.
func (t *tenant) queue(journal client.Journal) (*client.Queue, error) {
	ring, err := t.Keyring()
	if err != nil {
		return nil, err
	}
	return client.NewQueue(t.Client, client.QueueConfig{Keyring: ring, Key: t.Context.From, Journal: journal})
}

// settle learns what became of what an earlier command left on its way, before anything is looked for or sent.
func (t *tenant) settle(ctx context.Context, j *journal, again string) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	_, err := j.Settle(ctx, t.Client, again)
	return err
}

// open is an open deployment with its bids.
type open struct {
	markettypes.Deployment
	bids []markettypes.Bid
}

// find returns the owner's open deployment of a name; nil if there is none.
func (t *tenant) find(ctx context.Context, name string) (*open, error) {
	res, err := t.Market.DeploymentByName(ctx, &markettypes.QueryDeploymentByNameRequest{Owner: t.owner, Name: name})
	if status.Code(err) == codes.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, client.Explain("look for deployment "+name, err)
	}
	return &open{res.Deployment, res.Bids}, nil
}

// mustFind is find for commands that need the deployment.
func (t *tenant) mustFind(ctx context.Context, name string) (*open, error) {
	d, err := t.find(ctx, name)
	if err == nil && d == nil {
		return nil, fault.Newf("find deployment "+name, "souk ps shows what is open", "%s has no open deployment of that name", t.owner)
	}
	return d, err
}

// mustFindEver is mustFind for commands about money, which can come back after the end: the open deployment of a name, else the
// last one that is closed and not forgotten.
func (t *tenant) mustFindEver(ctx context.Context, name string) (*open, error) {
	d, err := t.find(ctx, name)
	if err != nil || d != nil {
		return d, err
	}
	var last *open
	err = pages(func(page *query.PageRequest) (*query.PageResponse, error) {
		res, err := t.Market.Deployments(ctx, &markettypes.QueryDeploymentsRequest{Owner: t.owner, Pagination: page})
		if err != nil {
			return nil, client.Explain("list deployments", err)
		}
		for _, d := range res.Deployments { // the newest last
			if d.Name == name {
				last = &open{Deployment: d}
			}
		}
		return res.Pagination, nil
	})
	if err == nil && last == nil {
		return nil, fault.Newf("find deployment "+name, "souk ps shows what is open", "%s has no deployment of that name, nor had one lately", t.owner)
	}
	return last, err
}

// openDeployments lists the owner's open deployments.
func (t *tenant) openDeployments(ctx context.Context) ([]markettypes.Deployment, error) {
	var out []markettypes.Deployment
	err := pages(func(page *query.PageRequest) (*query.PageResponse, error) {
		res, err := t.Market.Deployments(ctx, &markettypes.QueryDeploymentsRequest{Owner: t.owner, Pagination: page})
		if err != nil {
			return nil, client.Explain("list deployments", err)
		}
		for _, d := range res.Deployments {
			if d.State == markettypes.DeploymentState_DEPLOYMENT_STATE_OPEN {
				out = append(out, d)
			}
		}
		return res.Pagination, nil
	})
	return out, err
}

// leases lists all leases of a deployment, ended ones included.
func (t *tenant) leases(ctx context.Context, deployment uint64) ([]markettypes.Lease, error) {
	var out []markettypes.Lease
	err := pages(func(page *query.PageRequest) (*query.PageResponse, error) {
		res, err := t.Market.Leases(ctx, &markettypes.QueryLeasesRequest{Deployment: deployment, Pagination: page})
		if err != nil {
			return nil, client.Explain(fmt.Sprintf("list the leases of deployment %d", deployment), err)
		}
		out = append(out, res.Leases...)
		return res.Pagination, nil
	})
	return out, err
}

func (t *tenant) provider(ctx context.Context, operator string) (providertypes.Provider, error) {
	res, err := t.Provider.Provider(ctx, &providertypes.QueryProviderRequest{Operator: operator})
	if err != nil {
		return providertypes.Provider{}, client.Explain("look for provider "+operator, err)
	}
	return res.Provider, nil
}

// gatewayOf opens the gateway of a lease's provider.
func (t *tenant) gatewayOf(ctx context.Context, lease markettypes.Lease) (*gateway, error) {
	p, err := t.provider(ctx, lease.Provider)
	if err != nil {
		return nil, err
	}
	return openGateway(p, t.authority, lease)
}

// pages calls a paginated query until its last page.
func pages(next func(*query.PageRequest) (*query.PageResponse, error)) error {
	page := &query.PageRequest{Limit: 200}
	for {
		res, err := next(page)
		if err != nil {
			return err
		}
		if res == nil || len(res.NextKey) == 0 {
			return nil
		}
		page = &query.PageRequest{Limit: 200, Key: res.NextKey}
	}
}

func live(l markettypes.Lease) bool { return l.State.Live() }

// word turns an enum's name into what people read: LEASE_STATE_ACTIVE is active.
func word(enum fmt.Stringer, prefix string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(enum.String(), prefix)), "_", " ")
}
