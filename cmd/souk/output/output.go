// Package output prints results for people and for programs. It owns formats, tables, money and durations as text; it
// knows nothing of the chain.
package output

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"gopkg.in/yaml.v3"
)

// Format is how results are printed.
type Format string

// Formats.
const (
	Table Format = "table" // for people
	Wide  Format = "wide"  // a table with all its columns
	JSON  Format = "json"  // one document
	YAML  Format = "yaml"  // one document
	JSONL Format = "jsonl" // one line an item
)

// Formats lists all formats, for help and completion.
var Formats = []string{string(Table), string(Wide), string(JSON), string(YAML), string(JSONL)}

// ParseFormat checks the name of a format.
func ParseFormat(s string) (Format, error) {
	if !slices.Contains(Formats, s) {
		return "", fmt.Errorf("%q is not an output format; one of %s", s, strings.Join(Formats, ", "))
	}
	return Format(s), nil
}

// Column is a column of a table; a wide one is only shown in wide tables.
type Column struct {
	Name string
	Wide bool
	// Right aligns numbers.
	Right bool
	// Tone colours a cell by what it says; nil for none.
	Tone func(cell string) Tone
}

// Rows is a result that can be printed as a table.
type Rows struct {
	Columns []Column
	Cells   [][]string // as many a row as there are columns
	Empty   string     // printed instead of a table without rows
}

// Printer writes results in one format.
type Printer struct {
	Format  Format
	Out     io.Writer
	Colours bool // of tables
}

// ForPeople tells whether people read it, and not a program.
func (p Printer) ForPeople() bool { return p.Format == Table || p.Format == Wide }

// Item prints one of many items as they come, of which there may be no last: a line each for programs.
func (p Printer) Item(item any, text string) error {
	if p.Format == JSON {
		return json.NewEncoder(p.Out).Encode(item)
	}
	if p.Format == YAML {
		if _, err := io.WriteString(p.Out, "---\n"); err != nil {
			return err
		}
	}
	return p.One(item, text)
}

// List prints items: as a table of rows for people, as a JSON or YAML array, or an item a line.
func (p Printer) List(items []any, rows Rows) error {
	switch p.Format {
	case JSONL:
		for _, item := range items {
			if err := json.NewEncoder(p.Out).Encode(item); err != nil {
				return fmt.Errorf("print an item: %w", err)
			}
		}
		return nil
	case Table, Wide:
		return p.table(rows)
	default:
		if items == nil {
			items = []any{}
		}
		return p.document(items)
	}
}

// One prints a single item; text is what people read.
func (p Printer) One(item any, text string) error {
	switch p.Format {
	case Table, Wide:
		_, err := io.WriteString(p.Out, text)
		return err
	case JSONL:
		return json.NewEncoder(p.Out).Encode(item)
	default:
		return p.document(item)
	}
}

func (p Printer) document(v any) error {
	bz, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	if p.Format == YAML {
		// By way of JSON, so that both have the same names.
		var plain any
		if err := yaml.Unmarshal(bz, &plain); err != nil {
			return fmt.Errorf("encode the result: %w", err)
		}
		if bz, err = yaml.Marshal(plain); err != nil {
			return fmt.Errorf("encode the result: %w", err)
		}
		_, err = p.Out.Write(bz)
		return err
	}
	_, err = fmt.Fprintf(p.Out, "%s\n", bz)
	return err
}

func (p Printer) table(rows Rows) error {
	if len(rows.Cells) == 0 {
		_, err := fmt.Fprintln(p.Out, rows.Empty)
		return err
	}
	_, err := fmt.Fprintln(p.Out, rows.text(p.Format == Wide, p.Colours))
	return err
}

// Text is the rows as an aligned table.
func (r Rows) Text(wide bool) string { return r.text(wide, false) }

// Coloured is Text with tones, if colours are wanted.
func (r Rows) Coloured(colours bool) string { return r.text(false, colours) }

func (r Rows) text(wide, colours bool) string {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	var header table.Row
	var configs []table.ColumnConfig
	for _, c := range r.Columns {
		if c.Wide && !wide {
			continue
		}
		header = append(header, strings.ToUpper(c.Name))
		if c.Right {
			configs = append(configs, table.ColumnConfig{Number: len(header), Align: alignRight, AlignHeader: alignRight})
		}
	}
	t.AppendHeader(header)
	t.SetColumnConfigs(configs)
	for _, cells := range r.Cells {
		var row table.Row
		for i, c := range r.Columns {
			if c.Wide && !wide {
				continue
			}
			cell := Clean(cells[i])
			if c.Tone != nil {
				cell = c.Tone(cell).Paint(colours, cell)
			}
			row = append(row, cell)
		}
		t.AppendRow(row)
	}
	lines := strings.Split(t.Render(), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}
