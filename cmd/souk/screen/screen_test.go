package screen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
)

// terminal opens one, and collects what is drawn on it.
func terminal(t *testing.T) (tty *os.File, drawn func() string) {
	t.Helper()
	master, tty, err := pty.Open()
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, tty.Close())
		require.NoError(t, master.Close())
	})
	require.NoError(t, pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 80}))
	var mu sync.Mutex
	var text bytes.Buffer
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			mu.Lock()
			text.Write(buffer[:n])
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return tty, func() string {
		mu.Lock()
		defer mu.Unlock()
		return text.String()
	}
}

func shows(t *testing.T, drawn func() string, what string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(drawn(), what) }, 10*time.Second, 5*time.Millisecond)
}

func TestAStepSaysWhatIsMissingAndHowLongItMayTake(t *testing.T) {
	start := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	var m tea.Model = &line{title: "waiting", deadline: start.Add(90 * time.Second), now: start}
	m, _ = m.Update(said("for a match of web"))
	require.Equal(t, "⠋ waiting  for a match of web  1m30s", m.View().Content)
	m, next := m.Update(tick(start.Add(31 * time.Second)))
	require.NotNil(t, next, "it goes on turning")
	require.Equal(t, "⠙ waiting  for a match of web  59s", m.View().Content)
	m, _ = m.Update(tick(start.Add(time.Hour)))
	require.Equal(t, "⠹ waiting  for a match of web  0s", m.View().Content, "never less than nothing")
}

func TestAStepIsDrawnUntilItEndsAndAsksTheTerminalNothing(t *testing.T) {
	tty, drawn := terminal(t)
	step := Begin(t.Context(), tty, "waiting", time.Now().Add(time.Minute))
	step.Say("for the provider")
	shows(t, drawn, "for the provider")
	require.NoError(t, step.End())
	require.NoError(t, step.End(), "ending twice is no error")
	require.NotContains(t, drawn(), "$p", "a question to the terminal")
}

func TestAStepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	step := Begin(ctx, io.Discard, "waiting", time.Now().Add(time.Minute))
	cancel()
	require.NoError(t, step.End())
}

func TestATableIsDrawnAgainUntilItsWriterFails(t *testing.T) {
	tty, drawn := terminal(t)
	broken, n := errors.New("the provider is gone"), 0
	err := Draw(t.Context(), tty, tty, time.Millisecond, func(_ context.Context, w io.Writer) error {
		if n > 0 && strings.Contains(drawn(), "table 1") {
			return broken
		}
		n = 1
		_, err := fmt.Fprintf(w, "table %d", n)
		return err
	})
	require.ErrorIs(t, err, broken)
}

func TestATableEndsWithAKey(t *testing.T) {
	b := &board{}
	_, cmd := b.Update(tea.KeyPressMsg(tea.Key{Code: 'q', Text: "q"}))
	require.Equal(t, tea.Quit(), cmd())
	_, cmd = b.Update(tea.KeyPressMsg(tea.Key{Code: 'x', Text: "x"}))
	require.Nil(t, cmd)
}
