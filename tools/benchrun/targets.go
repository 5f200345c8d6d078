package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"text/tabwriter"
)

// figure is one measured value, and how it stands to its target where it has one.
type figure struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Target string  `json:"target,omitempty"` // such as "<= 5"
	OK     *bool   `json:"ok,omitempty"`

	binding bool
}

// target is a bound on the figure of that name and unit.
type target struct {
	Name string   `json:"name"`
	Unit string   `json:"unit"`
	Max  *float64 `json:"max"`
	Min  *float64 `json:"min"`
	// Binding targets do not depend on the machine.
	Binding bool `json:"binding"`
}

// readTargets reads a JSON list of targets; no file means none.
func readTargets(file string) ([]target, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the targets: %w", err)
	}
	var targets []target
	if err := json.Unmarshal(text, &targets); err != nil {
		return nil, fmt.Errorf("read the targets in %s: %w", file, err)
	}
	for _, t := range targets {
		if (t.Max == nil) == (t.Min == nil) {
			return nil, fmt.Errorf("target %s %s in %s: give either max or min", t.Name, t.Unit, file)
		}
	}
	return targets, nil
}

// judge notes each figure's target and whether it is met.
func judge(figures []*figure, targets []target) {
	for _, f := range figures {
		for _, t := range targets {
			if t.Name == f.Name && t.Unit == f.Unit {
				f.hold(t)
			}
		}
	}
}

func (f *figure) hold(t target) {
	met := false
	if t.Max != nil {
		f.Target, met = "<= "+number(*t.Max), f.Value <= *t.Max
	} else {
		f.Target, met = ">= "+number(*t.Min), f.Value >= *t.Min
	}
	f.OK, f.binding = &met, t.Binding
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func writeJSON(out io.Writer, figures []*figure) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, f := range figures {
		if err := encoder.Encode(f); err != nil {
			return fmt.Errorf("write the figures: %w", err)
		}
	}
	return nil
}

func writeTable(out io.Writer, figures []*figure) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nFIGURE\tVALUE\tUNIT\tTARGET\t")
	for _, f := range figures {
		state := ""
		if f.OK != nil {
			state = "ok"
			if !*f.OK {
				state = "MISSED"
			}
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", f.Name, number(f.Value), f.Unit, f.Target, state)
	}
	_ = table.Flush() // to a terminal or a buffer
}
