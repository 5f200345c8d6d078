package screen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
)

// frames of the spinner.
var frames = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

const frameEvery = 100 * time.Millisecond

// quiet is an environment in which the terminal is asked nothing: since nobody reads what it answers, the answer would stand
// in the next line that is typed.
var quiet = []string{"TERM=xterm-256color", "SSH_TTY=none"}

// Step is something that is waited for: a line with a spinner, what is missing, and how long it may still take.
type Step struct {
	program *tea.Program
	ended   chan struct{}
	once    sync.Once
	fault   error
}

// Begin draws a step that may take until a deadline. It must be ended with [Step.End]. Keys are left to the terminal, so
// that an interrupt reaches the program as usual.
func Begin(ctx context.Context, out io.Writer, title string, deadline time.Time) *Step {
	s := &Step{ended: make(chan struct{})}
	s.program = tea.NewProgram(&line{title: title, deadline: deadline, now: time.Now()},
		tea.WithContext(ctx), tea.WithInput(nil), tea.WithOutput(out), tea.WithoutSignalHandler(), tea.WithEnvironment(quiet))
	go func() {
		defer close(s.ended)
		_, s.fault = s.program.Run()
	}()
	return s
}

// Say tells what is waited for now.
func (s *Step) Say(text string) { s.program.Send(said(text)) }

// Print writes a line above the step, which stays.
func (s *Step) Print(text string) { s.program.Println(text) }

// End takes the line away and gives the terminal back. Ending twice is no error.
func (s *Step) End() error {
	s.once.Do(s.program.Quit)
	<-s.ended
	if errors.Is(s.fault, tea.ErrProgramKilled) {
		return nil // the context ended first
	}
	return s.fault
}

type (
	said string
	tick time.Time
)

// line is what a step looks like.
type line struct {
	title, text string
	deadline    time.Time
	now         time.Time
	frame       int
}

// Init starts the spinner.
func (l *line) Init() tea.Cmd { return turn() }

func turn() tea.Cmd { return tea.Tick(frameEvery, func(at time.Time) tea.Msg { return tick(at) }) }

// Update turns the spinner and takes what is said.
func (l *line) Update(m tea.Msg) (tea.Model, tea.Cmd) {
	switch m := m.(type) {
	case said:
		l.text = string(m)
	case tick:
		l.now, l.frame = time.Time(m), (l.frame+1)%len(frames)
		return l, turn()
	}
	return l, nil
}

// View is one line; none once it has ended, since what it came to is printed as any other line.
func (l *line) View() tea.View {
	left := max(l.deadline.Sub(l.now), 0).Round(time.Second)
	return tea.NewView(fmt.Sprintf("%s %s  %s  %s", frames[l.frame], l.title, l.text, left))
}
