package tenant

import (
	"context"
	"fmt"
	"time"

	"github.com/souk-network/souk/cmd/souk/output"
	"github.com/souk-network/souk/cmd/souk/screen"
)

// during runs something that takes a while. On a terminal it is a line that lives, with what is missing and a countdown,
// and leaves behind how long it took; elsewhere what is said is printed, each text once.
func (u *upRun) during(ctx context.Context, title string, limit time.Duration, do func(say func(string)) error) error {
	if !u.Live() {
		said := ""
		return do(func(text string) {
			if text != said && text != "" {
				u.Notef("%-8s %s", title, text)
				said = text
			}
		})
	}
	started, last := time.Now(), ""
	step := screen.Begin(ctx, u.Notes, title, started.Add(limit))
	err := do(func(text string) {
		if text != "" {
			last = text
		}
		step.Say(last)
	})
	if endErr := step.End(); endErr != nil && err == nil {
		return fmt.Errorf("draw the progress: %w", endErr)
	}
	mark := output.Good.Paint(u.Colours(), "✓")
	if err != nil {
		mark = output.Bad.Paint(u.Colours(), "✗")
	}
	if last != "" {
		u.Notef("%s %s  %s  %s", mark, title, last, time.Since(started).Round(100*time.Millisecond))
	}
	return err
}
