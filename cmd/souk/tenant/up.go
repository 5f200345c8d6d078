package tenant

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	sdk "github.com/cosmos/cosmos-sdk/types"
	banktypes "github.com/cosmos/cosmos-sdk/x/bank/types"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/session"
	"github.com/souk-network/souk/manifest"
	"github.com/souk-network/souk/manifest/manifestpb"
	markettypes "github.com/souk-network/souk/x/market/types"
)

type upOptions struct {
	name     string
	yes      bool
	recreate bool
	scale    []string
	granter  string
	timeout  time.Duration

	quotes    bool          // all groups collect quotes
	accept    string        // which quotes to take
	quotesFor time.Duration // how long they are collected
}

func upCommand() *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up [FILE]",
		Short: "Run a compose file: bid, pay, send it to the provider, wait until it is ready",
		Long: `Run a compose file on the market. The command can be repeated: it makes what is
missing, changes what differs, and leaves alone what is as it should be. Groups
that grow get more leases; groups that shrink lose their newest; other resources
are resized in place, at the price of the lease.

Exit codes: 0 ready; 2 wrong call or file; 3 nobody can serve it, nothing was
spent; 4 paid but not ready, the same command goes on; 5 not confirmed.`,
		Example: `  souk up
  souk up examples/hello/compose.yaml -y
  souk up shop.yaml --name shop-staging
  souk up shop.yaml --scale web=3
  souk up batch.yaml --quotes
  souk up batch.yaml -y --quotes --accept cheapest --quotes-for 1m`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return up(cmd, strings.Join(args, ""), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.name, "name", "", "name of the deployment; that of the file or its folder if empty")
	flags.BoolVarP(&o.yes, "yes", "y", false, "do not ask before signing")
	flags.StringSliceVar(&o.scale, "scale", nil, "replicas of a group, such as web=3, whatever the file says")
	flags.BoolVar(&o.recreate, "recreate", false, "close an open deployment of this name that differs, and make it anew, with new leases")
	flags.StringVar(&o.granter, "granter", "", "account that pays the deposit, which granted you deposits: souk grant")
	addQuotesFlag(cmd, &o)
	flags.StringVar(&o.accept, "accept", acceptAsk, "which quotes to take without asking: cheapest (after --quotes-for) or none (souk quote accept takes one later)")
	flags.DurationVar(&o.quotesFor, "quotes-for", 30*time.Second, "how long quotes are collected")
	completeFlag(cmd, "accept", words(acceptCheapest, acceptNone))
	flags.DurationVar(&o.timeout, "timeout", 3*time.Minute, "how long to wait for each of: a match, a provider, ready")
	return cmd
}

// addQuotesFlag lets all groups collect quotes, whatever the file says.
func addQuotesFlag(cmd *cobra.Command, o *upOptions) {
	cmd.Flags().BoolVar(&o.quotes, "quotes", false, "let providers quote for all groups, whatever the file says, and choose among the quotes")
}

func up(cmd *cobra.Command, file string, o upOptions) error {
	ctx := cmd.Context()
	if err := o.check(); err != nil {
		return session.Usage(err)
	}
	p, err := scaledProject(ctx, file, o)
	if err != nil {
		return err
	}
	defer p.close() //nolint:errcheck // temporary files
	t, err := openTenant(cmd)
	if err != nil {
		return err
	}
	defer t.Close()
	for _, note := range p.Notes {
		t.Notef("note: %s", note)
	}
	u := &upRun{tenant: t, project: p, options: o, again: "souk up " + p.file}
	if err := u.run(ctx); err != nil {
		return err
	}
	return u.printReady()
}

// upRun is one run of up: every step finds out what is there and makes what is missing.
type upRun struct {
	*tenant
	project *project
	options upOptions
	again   string // the command that goes on

	journal    *journal
	manifest   *manifestpb.Manifest
	hash       []byte
	deployment *open
	unchanged  bool // nothing had to be made
	services   []readyLease
}

func (u *upRun) run(ctx context.Context) error {
	var err error
	if u.journal, err = openJournal(u.Home, u.Client.Config.ChainID, u.owner, u.project.Name); err != nil {
		return err
	}
	if err := u.settle(ctx, u.journal, u.again); err != nil {
		return err
	}
	if u.deployment, err = u.find(ctx, u.project.Name); err != nil {
		return err
	}
	if _, err := u.makeManifest(ctx); err != nil {
		return err
	}
	u.Notef("manifest %s  %s", u.project.Name, hex.EncodeToString(u.hash[:8]))
	if err := u.makeWay(ctx); err != nil {
		return err
	}
	step := u.create
	if u.deployment != nil {
		step = u.update
	}
	if err := step(ctx); err != nil {
		return err
	}
	if err := u.takeQuotes(ctx); err != nil {
		return err
	}
	leases, err := u.awaitLeases(ctx)
	if err != nil {
		return err
	}
	if err := u.serveAll(ctx, leases); err != nil {
		return err
	}
	return u.provide(ctx)
}

// makeManifest salts the manifest as it was salted before, so that the same file has the same hash. It tells whether there
// was one before.
func (u *upRun) makeManifest(ctx context.Context) (kept bool, err error) {
	previous, err := u.previousManifest(ctx)
	if err != nil {
		return false, err
	}
	salts, err := u.project.Salts(previous)
	if err != nil {
		return false, err
	}
	if u.manifest, err = u.project.Manifest(salts); err != nil {
		return false, session.Usage(err)
	}
	u.hash, err = manifest.Hash(u.manifest)
	return previous != nil, err
}

// previousManifest is the manifest of the open deployment, from this machine or else from its providers; of a deployment
// that is not open, what this machine still has; nil if there is none.
func (u *upRun) previousManifest(ctx context.Context) (*manifestpb.Manifest, error) {
	kept, err := u.journal.manifests()
	if err != nil {
		return nil, fmt.Errorf("read the journal of %s: %w", u.project.Name, err)
	}
	for _, m := range kept {
		if u.deployment == nil {
			return m, nil
		}
		hash, err := manifest.Hash(m)
		if err != nil {
			return nil, err
		}
		if string(hash) == string(u.deployment.ManifestHash) {
			return m, nil
		}
	}
	if u.deployment == nil {
		return nil, nil
	}
	return u.fetchManifest(ctx) // another machine has made the deployment
}

// fetchManifest asks the providers for all groups of the open deployment.
func (u *upRun) fetchManifest(ctx context.Context) (*manifestpb.Manifest, error) {
	leases, err := u.leases(ctx, u.deployment.Id)
	if err != nil {
		return nil, err
	}
	fetched := &manifestpb.Manifest{Name: u.project.Name}
	for _, bid := range u.deployment.bids {
		if bid.State == markettypes.BidState_BID_STATE_CLOSED {
			continue // the file does not have it any more
		}
		group, err := u.fetchGroup(ctx, bid, leases)
		if err != nil {
			return nil, fault.New(fmt.Sprintf("can not tell whether %s differs from what is open", u.project.Name), err,
				u.again+"   (from the machine that made it, or once its provider answers)")
		}
		fetched.Groups = append(fetched.Groups, group)
	}
	slices.SortFunc(fetched.Groups, func(a, b *manifestpb.Group) int { return strings.Compare(a.GetName(), b.GetName()) })
	return fetched, nil
}

// makeWay closes an open deployment that differs from the file, if it was told to.
func (u *upRun) makeWay(ctx context.Context) error {
	if !u.options.recreate || u.deployment == nil || string(u.deployment.ManifestHash) == string(u.hash) {
		return nil
	}
	kept, err := u.previousManifest(ctx)
	if err != nil {
		return err
	}
	u.Notef("%s", strings.Join(manifest.Diff(kept, u.manifest), "\n"))
	if err := u.Confirm(ctx, u.options.yes, "Close the open deployment and make it anew?"); err != nil {
		return err
	}
	if _, err := u.closeDeployment(ctx, u.deployment, u.journal); err != nil {
		return err
	}
	u.deployment = nil
	// Closing has removed the journal of the closed one.
	u.journal, err = openJournal(u.Home, u.Client.Config.ChainID, u.owner, u.project.Name)
	return err
}

func (u *upRun) create(ctx context.Context) error {
	if err := u.checkChoice(); err != nil {
		return err
	}
	plan, err := u.planFor(ctx, u.project)
	if err != nil {
		return err
	}
	u.showPlan(plan, u.project.Custodians)
	if u.options.granter == "" {
		if err := u.checkFunds(ctx, plan); err != nil {
			return err
		}
	}
	if err := u.Confirm(ctx, u.options.yes, "Proceed?"); err != nil {
		return err
	}
	if err := u.journal.keep(u.manifest); err != nil {
		return fmt.Errorf("keep the manifest of %s: %w", u.project.Name, err)
	}
	msg := &markettypes.MsgCreateDeployment{
		Owner: u.owner, Name: u.project.Name, ManifestHash: u.hash, Deposit: plan.coin(),
		Granter: u.options.granter, Custodians: u.project.Custodians,
	}
	for _, g := range plan.groups {
		msg.Bids = append(msg.Bids, g.bid)
	}
	receipt, err := u.transact(ctx, "create", msg)
	if err != nil {
		return err
	}
	u.Notef("created  in block %d, transaction %s", receipt.Height, receipt.Hash)
	u.deployment, err = u.mustFind(ctx, u.project.Name)
	return err
}

// transact signs a message about the deployment, with the intent in its journal, and waits until it took effect.
func (u *upRun) transact(ctx context.Context, verb string, msg sdk.Msg) (client.Receipt, error) {
	queue, err := u.queue(u.journal)
	if err != nil {
		return client.Receipt{}, err
	}
	defer queue.Close()
	wait, cancel := context.WithTimeout(ctx, u.options.timeout)
	defer cancel()
	var receipt client.Receipt
	err = u.during(ctx, "signing", u.options.timeout, func(func(string)) (err error) {
		receipt, err = queue.Do(wait, client.Request{Msgs: msgs(msg), Note: verb + " " + u.project.Name, Alone: true})
		return err
	})
	if errors.Is(err, client.ErrOutcomeUnknown) {
		return client.Receipt{}, session.NotConfirmed("", err, u.again)
	}
	return receipt, client.Explain(verb+" deployment "+u.project.Name, err)
}

func balanceRequest(address, denom string) *banktypes.QueryBalanceRequest {
	return &banktypes.QueryBalanceRequest{Address: address, Denom: denom}
}
