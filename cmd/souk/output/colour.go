package output

import (
	"io"
	"os"

	"github.com/mattn/go-isatty"
)

// Tone is the colour of a text; on what is no terminal it has none.
type Tone string

// Tones, as the numbers of terminals.
const (
	Plain Tone = ""
	Good  Tone = "32" // green
	Bad   Tone = "31" // red
	Weak  Tone = "33" // yellow
	Faint Tone = "2"
)

// series are the tones that tell several sources apart.
var series = []Tone{"36", "35", "34", "32", "33", "96", "95", "94"}

// Series is a tone for the n-th of several sources.
func Series(n int) Tone { return series[n%len(series)] }

// Paint gives a text the tone, if colours are wanted.
func (t Tone) Paint(colours bool, text string) string {
	if !colours || t == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(t) + "m" + text + "\x1b[0m"
}

// IsTerminal tells whether w is a terminal that can move its cursor.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd()) && os.Getenv("TERM") != "dumb"
}

// Colours tells whether to colour what goes to w: on terminals only, and not if NO_COLOR is set (no-color.org).
func Colours(w io.Writer) bool { return os.Getenv("NO_COLOR") == "" && IsTerminal(w) }

// StateTone colours what a state is called.
func StateTone(state string) Tone {
	switch state {
	case "active", "running", "ready", "healthy", "ok", "CHOSEN":
		return Good
	case "pending", "starting", "waiting", "paused", "awaiting manifest", "pulling", "leaving", "warning":
		return Weak
	case "failed", "degraded", "unhealthy", "error", "closed":
		return Bad
	}
	return Plain
}
