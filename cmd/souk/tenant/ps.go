package tenant

import (
	"context"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/souk-network/souk/agent/api"
	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/cmd/souk/output"
	escrowtypes "github.com/souk-network/souk/x/escrow/types"
	markettypes "github.com/souk-network/souk/x/market/types"
)

// statusTimeout is how long a listing waits for a provider.
const statusTimeout = 5 * time.Second

// psItem is a lease as ps prints it; a deployment without leases has one item without a lease.
type psItem struct {
	Deployment string   `json:"deployment"`
	ID         uint64   `json:"id"`
	Lease      uint64   `json:"lease,omitempty"`
	Group      string   `json:"group,omitempty"`
	Provider   string   `json:"provider,omitempty"`
	Replicas   uint32   `json:"replicas"`
	State      string   `json:"state"`
	Reason     string   `json:"reason,omitempty"`
	Status     string   `json:"status"`
	Ready      bool     `json:"ready"`
	Rate       uint64   `json:"rate_per_hour"`
	Denom      string   `json:"denom"`
	Runway     uint64   `json:"runway_seconds"`
	URLs       []string `json:"urls"`
	acked      uint64
}

func psCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "ps [NAME]",
		Short: "List your deployments, their leases and how they are doing",
		Args:  cobra.MaximumNArgs(1), ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := openTenant(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			return t.ps(cmd.Context(), strings.Join(args, ""), all)
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "show ended leases of open deployments too")
	return cmd
}

func (t *tenant) ps(ctx context.Context, name string, all bool) error {
	deployments, err := t.openDeployments(ctx)
	if err != nil {
		return err
	}
	var items []*psItem
	for _, d := range deployments {
		if name != "" && d.Name != name {
			continue
		}
		found, err := t.psDeployment(ctx, d, all)
		if err != nil {
			return err
		}
		items = append(items, found...)
	}
	rows := output.Rows{
		Columns: []output.Column{
			{Name: "name"},
			{Name: "lease", Right: true},
			{Name: "provider"},
			{Name: "state"},
			{Name: "status"},
			{Name: "per hour", Right: true},
			{Name: "runway"},
			{Name: "url"},
			{Name: "group", Wide: true},
			{Name: "replicas", Wide: true, Right: true},
		},
		Empty: "nothing is deployed; souk up FILE deploys",
	}
	var printed []any
	for _, i := range items {
		printed = append(printed, i)
		rows.Cells = append(rows.Cells, i.cells())
	}
	return t.Out.List(printed, rows)
}

func (t *tenant) psDeployment(ctx context.Context, d markettypes.Deployment, all bool) ([]*psItem, error) {
	leases, err := t.leases(ctx, d.Id)
	if err != nil {
		return nil, err
	}
	runway, err := t.Escrow.Runway(ctx, &escrowtypes.QueryRunwayRequest{Id: d.Account})
	if err != nil {
		return nil, client.Explain("read the runway of "+d.Name, err)
	}
	bids, err := t.Market.Deployment(ctx, &markettypes.QueryDeploymentRequest{Id: d.Id})
	if err != nil {
		return nil, client.Explain("read deployment "+d.Name, err)
	}
	groups := map[uint64]string{}
	for _, b := range bids.Bids {
		groups[b.Id] = b.Spec.Name
	}
	var items []*psItem
	var calls errgroup.Group
	calls.SetLimit(16)
	for _, l := range leases {
		if !live(l) && !all {
			continue
		}
		item := &psItem{
			Deployment: d.Name, ID: d.Id, Lease: l.Id, Group: groups[l.Bid], Provider: l.Provider, Replicas: l.Replicas,
			State: word(l.State, "LEASE_STATE_"), Rate: l.Rate, Denom: l.Denom, URLs: []string{}, acked: l.AckedAt,
		}
		items = append(items, item)
		if !live(l) {
			item.Reason = word(l.Reason, "REASON_")
			item.Status = "ended: " + item.Reason
			continue
		}
		item.Runway = runway.Seconds
		calls.Go(func() error {
			t.addStatus(ctx, item, l)
			return nil
		})
	}
	if err := calls.Wait(); err != nil {
		return nil, err
	}
	if len(items) == 0 {
		items = append(items, &psItem{Deployment: d.Name, ID: d.Id, State: "open", Status: "waiting for a match", Denom: d.Denom, URLs: []string{}})
	}
	return items, nil
}

// addStatus asks the provider; what it does not say is not an error of the listing.
func (t *tenant) addStatus(ctx context.Context, item *psItem, l markettypes.Lease) {
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	g, err := t.gatewayOf(ctx, l)
	if err != nil {
		item.Status = "provider unknown"
		return
	}
	res, err := g.Status(ctx, connect.NewRequest(&api.StatusRequest{Lease: l.Id}))
	if err != nil {
		item.Status = "provider does not answer: " + connect.CodeOf(err).String()
		return
	}
	item.Ready = res.Msg.GetReady()
	item.Status = word(res.Msg.GetStage(), "LEASE_STAGE_")
	if message := res.Msg.GetMessage(); message != "" && !item.Ready {
		item.Status += ": " + message
	}
	for _, a := range res.Msg.GetAddresses() {
		item.URLs = append(item.URLs, a.GetUrl())
	}
}

func (i *psItem) cells() []string {
	lease, rate, runway := "-", "-", "-"
	if i.Lease != 0 {
		lease, rate = fmt.Sprint(i.Lease), output.PerHour(i.Rate, i.Denom)
	}
	if i.acked != 0 && i.Runway != 0 {
		runway = output.Runway(i.Runway)
	}
	provider := i.Provider
	if len(provider) > 16 {
		provider = provider[:10] + "…" + provider[len(provider)-4:]
	}
	return []string{
		i.Deployment, lease, provider, i.State, i.Status, rate, runway, strings.Join(i.URLs, " "), i.Group, fmt.Sprint(i.Replicas),
	}
}
