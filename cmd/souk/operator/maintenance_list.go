package operator

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/cmd/souk/output"
)

// maintenanceView is a time without service that is announced, for programs; service seconds.
type maintenanceView struct {
	From  uint64 `json:"from"`
	Until uint64 `json:"until"`
	State string `json:"state"` // announced, running or over
}

func maintenanceListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ls [OPERATOR]",
		Short: "List the times without service that a provider has announced",
		Args:  cobra.MaximumNArgs(1),
		RunE: ofProvider(func(ctx context.Context, op *operator, address string) error {
			p, err := op.mustFind(ctx, address)
			if err != nil {
				return err
			}
			now, err := op.now(ctx)
			if err != nil {
				return err
			}
			items := []any{}
			rows := output.Rows{
				Columns: []output.Column{{Name: "state", Tone: output.StateTone}, {Name: "begins"}, {Name: "lasts"}, {Name: "from", Right: true}, {Name: "until", Right: true}},
				Empty:   "none is announced",
			}
			for _, m := range p.Provider.Maintenance {
				v := maintenanceView{m.From, m.Until, "announced"}
				switch {
				case now >= m.Until:
					v.State = "over"
				case now >= m.From:
					v.State = "running"
				}
				items = append(items, v)
				begins := "-"
				if m.From > now {
					begins = inText(m.From, now)
				}
				rows.Cells = append(rows.Cells, []string{v.State, begins, output.Runway(m.Until - m.From), fmt.Sprint(m.From), fmt.Sprint(m.Until)})
			}
			return op.Out.List(items, rows)
		}),
	}
}
