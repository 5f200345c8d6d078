package tenant

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cosmossdk.io/math"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/client/fault"
	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/session"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// shortRunway is when a warning is due.
const shortRunway = 72 * 3600

// cost is what a deployment costs, for programs.
type cost struct {
	Deployment string      `json:"deployment"`
	ID         uint64      `json:"id"`
	Account    uint64      `json:"account"`
	Denom      string      `json:"denom"`
	Balance    math.Int    `json:"balance"`
	Spent      math.Int    `json:"spent"`
	Rate       math.Int    `json:"rate_per_hour"`
	Runway     uint64      `json:"runway_seconds"`
	Resume     math.Int    `json:"resume_deposit"`
	Leases     []leaseCost `json:"leases"`
	Proof      proofCost   `json:"proof"`
	closed     bool
	now        uint64 // service second
}

type leaseCost struct {
	Lease    uint64 `json:"lease"`
	Provider string `json:"provider"`
	State    string `json:"state"`
	Rate     uint64 `json:"rate_per_hour"`
	Stream   uint64 `json:"stream,omitempty"`
	Reason   string `json:"reason,omitempty"`

	Proof  *proofCost  `json:"proof,omitempty"`  // nil if none of the epochs paid for it
	Epochs []epochCost `json:"epochs,omitempty"` // asked for by --epochs
}

func costCommand() *cobra.Command {
	var epochs int
	cmd := &cobra.Command{
		Use:   "cost NAME",
		Short: "Show what a deployment costs, what was proven of it, what came back, and how long its money lasts",
		Long: `Show what a deployment costs, what it has spent, and how long its money lasts; and of
the epochs that are still held back: what was due, what its providers have proven,
what was refunded, and what can be claimed back. --epochs shows the last ones of each
lease, one by one. Of a name that is closed the last deployment is meant.`,
		Example: "  souk cost shop\n  souk cost shop --epochs 3 -o json",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if epochs < 0 {
				return session.Usage(fault.Newf(fmt.Sprintf("--epochs %d", epochs), "souk cost "+args[0]+" --epochs 3", "want no negative number"))
			}
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			c, err := t.cost(cmd.Context(), args[0], epochs)
			if err != nil {
				return err
			}
			return t.Out.One(c, c.text())
		},
	}
	cmd.Flags().IntVar(&epochs, "epochs", 0, "show so many of the last epochs of each lease")
	return cmd
}

func (t *tenant) cost(ctx context.Context, name string, epochs int) (cost, error) {
	d, err := t.mustFindEver(ctx, name)
	if err != nil {
		return cost{}, err
	}
	account, err := t.Escrow.Account(ctx, &escrowtypes.QueryAccountRequest{Id: d.Account})
	if err != nil {
		return cost{}, client.Explain("read the account of "+name, err)
	}
	runway, err := t.Escrow.Runway(ctx, &escrowtypes.QueryRunwayRequest{Id: d.Account})
	if err != nil {
		return cost{}, client.Explain("read the runway of "+name, err)
	}
	leases, err := t.leases(ctx, d.Id)
	if err != nil {
		return cost{}, err
	}
	c := cost{
		Deployment: d.Name, ID: d.Id, Account: d.Account, Denom: d.Denom,
		Balance: account.Balance, Spent: account.Spent, Rate: runway.Rate, Runway: runway.Seconds, Resume: runway.ResumeDeposit, Leases: []leaseCost{},
		closed: d.State == markettypes.DeploymentState_DEPLOYMENT_STATE_CLOSED,
	}
	for _, l := range leases {
		item := leaseCost{Lease: l.Id, Provider: l.Provider, State: word(l.State, "LEASE_STATE_"), Rate: l.Rate, Stream: l.Stream}
		if !live(l) {
			item.Reason = word(l.Reason, "REASON_")
		}
		c.Leases = append(c.Leases, item)
	}
	now, err := t.serviceClock(ctx)
	if err != nil {
		return c, err
	}
	c.now = now.now
	closed, err := t.closedEpochs(ctx, now.now, epochsWatched)
	if err != nil {
		return c, err
	}
	refunds, err := t.refundsOf(ctx, leases, closed)
	if err != nil {
		return c, err
	}
	c.addRefunds(refunds, epochs, now)
	return c, nil
}

func (c cost) text() string {
	var text strings.Builder
	rate := uint64(0)
	if c.Rate.IsUint64() {
		rate = c.Rate.Uint64()
	}
	fmt.Fprintf(&text, "%s\ncost     %s  (%s)\nspent    %s\nbalance  %s\n", c.Deployment,
		output.PerHour(rate, c.Denom), output.PerMonth(rate, c.Denom), output.Money(c.Spent, c.Denom), output.Money(c.Balance, c.Denom))
	if c.closed {
		text.WriteString("closed   what comes back is paid to who deposited it\n")
	} else if rate == 0 {
		text.WriteString("runway   nothing is paid for now\n")
	} else {
		ends := time.Now().Add(time.Duration(min(c.Runway, 1<<32)) * time.Second)
		fmt.Fprintf(&text, "runway   %s, until about %s\n", output.Runway(c.Runway), ends.Format("2006-01-02 15:04"))
	}
	if c.Resume.IsPositive() {
		fmt.Fprintf(&text, "paused   for want of money; souk deposit %s %s resumes it\n", c.Deployment, output.Money(c.Resume, c.Denom))
	}
	text.WriteString(c.Proof.text(c.Deployment, c.Denom, c.now))
	for _, l := range c.Leases {
		fmt.Fprintf(&text, "lease %d  %s  %s  %s  stream %d", l.Lease, l.State, output.PerHour(l.Rate, c.Denom), l.Provider, l.Stream)
		if l.Reason != "" {
			fmt.Fprintf(&text, "  (%s)", l.Reason)
		}
		if l.Proof != nil {
			fmt.Fprintf(&text, "  proven %s", l.Proof.share())
		}
		text.WriteString("\n")
	}
	text.WriteString(c.epochRows())
	if rate > 0 && c.Runway < shortRunway {
		fmt.Fprintf(&text, "warning: the money lasts less than %d hours; at its end the leases close\n", shortRunway/3600)
	}
	return text.String()
}
