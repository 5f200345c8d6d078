package output

import "github.com/souk-network/souk/client/checkup"

// Checks prints what a doctor found.
func (p Printer) Checks(checks []checkup.Check) error {
	rows := Rows{Columns: []Column{{Name: "check"}, {Name: "result", Tone: StateTone}, {Name: "detail"}, {Name: "try"}}}
	items := make([]any, len(checks))
	for i, c := range checks {
		items[i] = c
		rows.Cells = append(rows.Cells, []string{c.Check, string(c.Result), c.Detail, c.Try})
	}
	return p.List(items, rows)
}
