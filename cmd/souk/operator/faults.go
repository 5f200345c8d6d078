package operator

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/souk-network/souk/cmd/souk/output"
)

// faults is what the chain holds against a provider, for programs.
type faults struct {
	Provider    string `json:"provider"`
	Missed      uint64 `json:"missed"`       // leases not acknowledged in time
	Declined    uint64 `json:"declined"`     // leases declined
	Resigned    uint64 `json:"resigned"`     // leases given up
	Failed      uint64 `json:"failed"`       // leases ended by its fault
	Jailings    uint64 `json:"jailings"`     // so far
	Jailed      bool   `json:"jailed"`       // now
	JailedUntil uint64 `json:"jailed_until"` // service second

	Proof []faultView `json:"proof"` // in its proof of service, with their evidence, the newest first
	now   uint64
}

func faultsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "faults [OPERATOR]",
		Short: "Show what the chain holds against a provider, why, and what to do about it",
		Long: `Show what the chain holds against a provider: how its leases ended, and the faults in
its proof of service, each with the reason, the commitment it is about, what it cost,
and what to do about it. -o json has all of the evidence.`,
		Args: cobra.MaximumNArgs(1),
		RunE: ofProvider(func(ctx context.Context, op *operator, address string) error {
			p, err := op.mustFind(ctx, address)
			if err != nil {
				return err
			}
			f := faults{
				Provider: address, Missed: p.Record.Missed, Declined: p.Record.Declined, Resigned: p.Record.Resigned,
				Failed: p.Record.Failed, Jailings: p.Record.Jailings, Jailed: p.Jailed, JailedUntil: p.Provider.JailedUntil,
			}
			if f.Proof, err = op.proofFaults(ctx, address); err != nil {
				return err
			}
			if f.now, err = op.now(ctx); err != nil {
				return err
			}
			return op.Out.One(f, f.text(p.Record.Acknowledged))
		}),
	}
}

func (f faults) text(acknowledged uint64) string {
	rows := output.Rows{Columns: []output.Column{{Name: "fault"}, {Name: "times", Right: true}, {Name: "what to do"}}}
	for _, line := range []struct {
		name  string
		times uint64
		try   string
	}{
		{"leases not acknowledged", f.Missed, "keep souk-agent running and its account funded; an hour of the rate was taken from the bond each time"},
		{"leases declined", f.Declined, "offer what there is: souk-agent does, with a price list"},
		{"leases resigned", f.Resigned, ""},
		{"leases failed", f.Failed, "announce maintenance before the machine goes: souk provider maintenance"},
		{"jailings", f.Jailings, "souk provider status   says when souk provider unjail is possible"},
	} {
		if line.times == 0 {
			line.try = ""
		}
		rows.Cells = append(rows.Cells, []string{line.name, fmt.Sprint(line.times), line.try})
	}
	text := rows.Text(true) + fmt.Sprintf("\n%d leases were acknowledged\n", acknowledged)
	if len(f.Proof) == 0 {
		text += "no faults in its proof of service\n"
	}
	if f.Jailed {
		text += jailText(f.JailedUntil, f.now) + "; then souk provider unjail\n"
	}
	return text + proofFaultsText(f.Proof, f.now)
}
