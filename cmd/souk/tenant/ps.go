package tenant

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/cmd/souk/output"
)

func psCommand() *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "ps [NAME]",
		Short: "List your deployments, their leases and how they are doing",
		Args:  cobra.MaximumNArgs(1), ValidArgsFunction: completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := openReader(cmd)
			if err != nil {
				return err
			}
			defer t.Close()
			return t.ps(cmd.Context(), strings.Join(args, ""), all)
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "show ended leases of open deployments too")
	addOwnerFlag(cmd.Flags())
	return cmd
}

func (t *tenant) ps(ctx context.Context, name string, all bool) error {
	views, err := t.views(ctx, name, all)
	if err != nil {
		return err
	}
	rows := output.Rows{
		Columns: []output.Column{
			{Name: "name"},
			{Name: "lease", Right: true},
			{Name: "provider"},
			{Name: "state", Tone: output.StateTone},
			{Name: "status", Tone: firstWordTone},
			{Name: "ready", Right: true},
			{Name: "per hour", Right: true},
			{Name: "runway"},
			{Name: "url"},
			{Name: "group", Wide: true},
			{Name: "replicas", Wide: true, Right: true},
			{Name: "volumes", Wide: true},
		},
		Empty: "nothing is deployed; souk up FILE deploys",
	}
	var printed []any
	for _, v := range views {
		printed = append(printed, v)
		rows.Cells = append(rows.Cells, v.cells())
	}
	if err := t.Out.List(printed, rows); err != nil {
		return err
	}
	t.warnOfShortRunway(views)
	return nil
}

// warnOfShortRunway says once a deployment that its money ends within three days.
func (t *tenant) warnOfShortRunway(views []*leaseView) {
	said := map[uint64]bool{}
	for _, v := range views {
		if v.acked != 0 && v.Runway < shortRunway && !said[v.ID] && v.Lease != 0 && v.Reason == "" {
			said[v.ID] = true
			t.Notef("warning: the money of %s lasts less than %d hours: souk deposit %s AMOUNT", v.Deployment, shortRunway/3600, v.Deployment)
		}
	}
}

// firstWordTone colours a status by what it begins with.
func firstWordTone(cell string) output.Tone {
	state, _, _ := strings.Cut(cell, ":")
	return output.StateTone(state)
}

func (v *leaseView) cells() []string {
	lease, rate, runway, ready := "-", "-", "-", "-"
	if v.Lease != 0 {
		lease, rate = fmt.Sprint(v.Lease), output.PerHour(v.Rate, v.Denom)
	}
	if v.acked != 0 && v.Runway != 0 {
		runway = output.Runway(v.Runway)
	}
	if len(v.Containers) > 0 {
		ready = fmt.Sprintf("%d/%d", v.readyContainers(), len(v.Containers))
	}
	var volumes []string
	for _, volume := range v.Volumes {
		volumes = append(volumes, volume.text())
	}
	return []string{
		v.Deployment, lease, shortAddress(v.Provider), v.State, v.Status, ready, rate, runway, strings.Join(v.URLs, " "), v.Group,
		fmt.Sprint(v.Replicas), strings.Join(volumes, ", "),
	}
}

// shortAddress keeps both ends of an address.
func shortAddress(address string) string {
	if len(address) <= 16 {
		return address
	}
	return address[:10] + "…" + address[len(address)-4:]
}
