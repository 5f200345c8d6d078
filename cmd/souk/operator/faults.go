package operator

import (
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
}

func faultsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "faults [OPERATOR]",
		Short: "Show what the chain holds against a provider, and what to do about it",
		Args:  cobra.MaximumNArgs(1),
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
			f := faults{
				Provider: address, Missed: p.Record.Missed, Declined: p.Record.Declined, Resigned: p.Record.Resigned,
				Failed: p.Record.Failed, Jailings: p.Record.Jailings, Jailed: p.Jailed, JailedUntil: p.Provider.JailedUntil,
			}
			return op.Out.One(f, f.text(p.Record.Acknowledged))
		},
	}
}

func (f faults) text(acknowledged uint64) string {
	rows := output.Rows{Columns: []output.Column{{Name: "fault"}, {Name: "times", Right: true}, {Name: "what to do"}}}
	for _, line := range []struct {
		name  string
		times uint64
		try   string
	}{
		{"missed", f.Missed, "keep souk-agent running and its account funded; an hour of the rate was taken from the bond each time"},
		{"declined", f.Declined, "offer what there is: souk-agent does, with a price list"},
		{"resigned", f.Resigned, ""},
		{"failed", f.Failed, "announce maintenance before the machine goes: souk provider maintenance"},
		{"jailed", f.Jailings, "souk provider status   says when souk provider unjail is possible"},
	} {
		if line.times == 0 {
			line.try = ""
		}
		rows.Cells = append(rows.Cells, []string{line.name, fmt.Sprint(line.times), line.try})
	}
	text := rows.Text(true) + fmt.Sprintf("\n%d leases were acknowledged\n", acknowledged)
	if f.Jailed {
		text += fmt.Sprintf("JAILED until second %d\n", f.JailedUntil)
	}
	return text
}
