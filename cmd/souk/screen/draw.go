// Package screen draws on terminals what changes while a person looks at it: a table that is measured anew, a step that is
// waited for. It owns the drawing; what stands in it is its caller's. Elsewhere than on a terminal it is not to be used.
package screen

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
)

// Draw fills the screen with what write says, again and again, until q, an interrupt or an error.
func Draw(ctx context.Context, in io.Reader, out io.Writer, every time.Duration, write func(context.Context, io.Writer) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	board := &board{ctx: ctx, every: every, write: write}
	_, err := tea.NewProgram(board, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out), tea.WithoutSignalHandler()).Run()
	switch {
	case board.err != nil && ctx.Err() == nil:
		return board.err
	case errors.Is(err, tea.ErrProgramKilled) || errors.Is(err, tea.ErrInterrupted):
		return nil // as was asked
	default:
		return err
	}
}

// board is a screen that is written anew.
type board struct {
	ctx   context.Context // of the drawing, which a model has no other way to hand on
	every time.Duration
	write func(context.Context, io.Writer) error
	text  string
	err   error
}

// written is what the screen is to show.
type written struct {
	text string
	err  error
}

type due struct{}

// Init begins at once.
func (b *board) Init() tea.Cmd { return b.next }

func (b *board) next() tea.Msg {
	var text strings.Builder
	err := b.write(b.ctx, &text)
	return written{text.String(), err}
}

// Update shows what was written and asks again after a while.
func (b *board) Update(m tea.Msg) (tea.Model, tea.Cmd) {
	switch m := m.(type) {
	case written:
		if m.err != nil {
			b.err = m.err
			return b, tea.Quit
		}
		b.text = m.text
		return b, tea.Tick(b.every, func(time.Time) tea.Msg { return due{} })
	case due:
		return b, b.next
	case tea.KeyPressMsg:
		if key := m.String(); key == "q" || key == "esc" || key == "ctrl+c" {
			return b, tea.Quit
		}
	}
	return b, nil
}

// View is the whole screen.
func (b *board) View() tea.View {
	view := tea.NewView(b.text)
	view.AltScreen = true
	return view
}
