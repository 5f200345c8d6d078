package operator

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cosmos/cosmos-sdk/types/query"

	"github.com/souk-network/souk/client"
	"github.com/souk-network/souk/cmd/souk/output"
	markettypes "github.com/souk-network/souk/x/market/types"
)

func leasesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "leases [OPERATOR]",
		Short: "List the live leases of a provider",
		Args:  cobra.MaximumNArgs(1),
		RunE: ofProvider(func(ctx context.Context, op *operator, address string) error {
			work, err := op.work(ctx, address)
			if err != nil {
				return err
			}
			items := make([]any, len(work))
			rows := output.Rows{Columns: []output.Column{
				{Name: "lease", Right: true},
				{Name: "state"},
				{Name: "deployment"},
				{Name: "group"},
				{Name: "replicas", Right: true},
				{Name: "per hour", Right: true},
				{Name: "tenant", Wide: true},
			}}
			for i, w := range work {
				items[i] = w
				rows.Cells = append(rows.Cells, []string{
					fmt.Sprint(w.Lease.Id), strings.ToLower(strings.TrimPrefix(w.Lease.State.String(), "LEASE_STATE_")),
					output.Clean(w.Name), output.Clean(w.Group), fmt.Sprint(w.Lease.Replicas),
					output.PerHour(w.Lease.Rate, w.Lease.Denom), w.Owner,
				})
			}
			return op.Out.List(items, rows)
		}),
	}
}

// work lists the live leases of a provider.
func (op *operator) work(ctx context.Context, address string) ([]markettypes.Work, error) {
	var all []markettypes.Work
	page := &query.PageRequest{Limit: 200}
	for {
		res, err := op.Market.Work(ctx, &markettypes.QueryWorkRequest{Provider: address, Pagination: page})
		if err != nil {
			return nil, client.Explain("read the leases of "+address, err)
		}
		all = append(all, res.Work...)
		if res.Pagination == nil || len(res.Pagination.NextKey) == 0 {
			return all, nil
		}
		page = &query.PageRequest{Limit: 200, Key: res.Pagination.NextKey}
	}
}
