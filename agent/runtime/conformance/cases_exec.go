package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-network/souk/agent/runtime"
)

// execer skips when the runtime runs no commands beside replicas.
func execer(t *testing.T, r runtime.Runtime) runtime.Execer {
	t.Helper()
	e, ok := r.(runtime.Execer)
	if !ok {
		t.Skip("the runtime runs no commands beside replicas")
	}
	return e
}

// output is what a command wrote; it may be read while the command writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func (o *output) await(t *testing.T, want string) {
	t.Helper()
	Eventually(t, "output", func() error {
		if text := o.String(); !strings.Contains(text, want) {
			return fmt.Errorf("%q does not contain %q", text, want)
		}
		return nil
	})
}

func execRequest(command ...string) runtime.ExecRequest {
	return runtime.ExecRequest{Lease: 1, Command: append([]string{"/workload"}, command...)}
}

// Exec runs a command to its end and gives what it wrote.
func Exec(t testing.TB, e runtime.Execer, q runtime.ExecRequest, stdin io.Reader) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut output
	code, err := e.Exec(t.Context(), q, runtime.Streams{Stdin: stdin, Stdout: &out, Stderr: &errOut})
	require.NoError(t, err)
	return code, out.String(), errOut.String()
}

func commands(t *testing.T, p pair) {
	e := execer(t, p.a)
	_, err := e.Exec(t.Context(), execRequest("who"), runtime.Streams{})
	require.ErrorIs(t, err, runtime.ErrNotFound)
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	apply(t, p.a, Workload(1, "hello:1", func(s *runtime.Service) { s.User, s.Env, s.WorkingDir = "smith", []string{"OWN=1"}, "/etc" }))
	s := Running(t, p.a, 1)

	t.Run("it is the replica's own user in its place with its limits", func(t *testing.T) {
		_, status := Get(t, s, "/read", "path", "/proc/self/status")
		code, out, _ := Exec(t, e, execRequest("who"), nil)
		require.Zero(t, code)
		contains(t, out, "uid 1000 gid 1001 groups [1002] in /etc EXTRA= OWN=1 files ")
		for _, name := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"} {
			contains(t, out, line(t, status, name))
		}
	})
	t.Run("it can be another user elsewhere with more variables", func(t *testing.T) {
		q := execRequest("who")
		q.User, q.Dir, q.Env = "root", "/tmp", []string{"EXTRA=2", "OWN=3"}
		_, out, _ := Exec(t, e, q, nil)
		contains(t, out, "uid 0 gid 0 groups [] in /tmp EXTRA=2 OWN=3", "CapEff:\t00000000000004fb", "CapBnd:\t00000000000004fb", "NoNewPrivs:\t1", "Seccomp:\t2")
	})
	t.Run("input, output, errors and the exit code are passed on", func(t *testing.T) {
		big := strings.Repeat("0123456789abcdef", 1<<16)
		code, out, errOut := Exec(t, e, execRequest("cat"), strings.NewReader(big))
		require.Equal(t, 7, code)
		require.Equal(t, big, out)
		require.Equal(t, fmt.Sprintf("copied %d <nil>", len(big)), errOut)
		_, out, _ = Exec(t, e, execRequest("cat"), nil)
		require.Empty(t, out, "no input is its end")
	})
	t.Run("what cannot run says why", func(t *testing.T) {
		for want, change := range map[error]func(*runtime.ExecRequest){
			runtime.ErrInvalid:  func(q *runtime.ExecRequest) { q.Command = []string{"/no-such-program"} },
			runtime.ErrNotFound: func(q *runtime.ExecRequest) { q.Replica = 1 },
		} {
			q := execRequest("who")
			change(&q)
			_, err := e.Exec(t.Context(), q, runtime.Streams{})
			require.ErrorIs(t, err, want)
		}
		for _, change := range []func(*runtime.ExecRequest){
			func(q *runtime.ExecRequest) { q.Command = nil },
			func(q *runtime.ExecRequest) { q.User = "nobody-knows" },
			func(q *runtime.ExecRequest) { q.Dir = "relative" },
			func(q *runtime.ExecRequest) { q.Env = []string{"x"} },
			func(q *runtime.ExecRequest) { q.Command = []string{"a\x00b"} },
		} {
			q := execRequest("who")
			change(&q)
			_, err := e.Exec(t.Context(), q, runtime.Streams{})
			require.ErrorIs(t, err, runtime.ErrInvalid)
			require.Equal(t, runtime.ClassTenant, runtime.ClassOf(err))
		}
	})
	t.Run("a terminal has a size that changes, and ends with its input", func(t *testing.T) { terminals(t, e) })
	t.Run("a round trip is quick", func(t *testing.T) {
		var best time.Duration
		for range 5 {
			began := time.Now()
			Exec(t, e, execRequest("echo", "x"), nil)
			if took := time.Since(began); best == 0 || took < best {
				best = took
			}
		}
		t.Logf("round trip: %v", best.Round(time.Millisecond))
	})
}

// line gives the line of /proc/self/status that begins with name.
func line(t *testing.T, status, name string) string {
	t.Helper()
	for l := range strings.Lines(status) {
		if strings.HasPrefix(l, name+":") {
			return l
		}
	}
	t.Fatalf("no %s in %s", name, status)
	return ""
}

func terminals(t *testing.T, e runtime.Execer) {
	in, keyboard := io.Pipe()
	defer func() { _ = in.Close() }()
	resize := make(chan runtime.TerminalSize)
	var screen output
	type ending struct {
		code int
		err  error
	}
	ended := make(chan ending, 1)
	q := execRequest("terminal")
	q.TTY, q.Size = true, runtime.TerminalSize{Columns: 101, Rows: 41}
	go func() {
		code, err := e.Exec(context.WithoutCancel(t.Context()), q, runtime.Streams{Stdin: in, Stdout: &screen, Resize: resize})
		ended <- ending{code, err}
	}()
	screen.await(t, "size 101x41\r\n")
	resize <- runtime.TerminalSize{Columns: 72, Rows: 13}
	screen.await(t, "size 72x13\r\n")
	_, err := io.WriteString(keyboard, "hello\rquit\r")
	require.NoError(t, err)
	got := <-ended
	require.NoError(t, got.err)
	require.Equal(t, 3, got.code)
	contains(t, screen.String(), "read <hello>")

	var second output
	code, err := e.Exec(t.Context(), q, runtime.Streams{Stdin: strings.NewReader("begun"), Stdout: &second})
	require.NoError(t, err)
	require.Zero(t, code)
	contains(t, second.String(), "read <begun>", "input ended")
}

func cutOffCommands(t *testing.T, p pair) {
	e := execer(t, p.a)
	Push(t, p.a.Images(), alice, "hello", "1", Image(t, serving()))
	apply(t, p.a, Workload(1, "hello:1"))
	s := Running(t, p.a, 1)
	alone := func(t *testing.T) {
		t.Helper()
		Eventually(t, "only the replica's own process", func() error {
			if _, text := Get(t, s, "/ps"); strings.Count(text, "\n") > 0 {
				return errors.New(text)
			}
			return nil
		})
	}
	alone(t)
	tree := []string{"tree", "child", "session", "orphan"}
	if isolation(t, p.a) == "gvisor" {
		tree = tree[:3] // a sandbox does not show who started a process whose parent has ended
	}
	t.Run("its caller goes away", func(t *testing.T) {
		for _, tty := range []bool{false, true} {
			ctx, cancel := context.WithCancel(t.Context())
			var out output
			ended := make(chan error, 1)
			q := execRequest(tree...)
			q.TTY = tty
			go func() {
				_, err := e.Exec(ctx, q, runtime.Streams{Stdout: &out})
				ended <- err
			}()
			out.await(t, "ready")
			_, text := Get(t, s, "/ps")
			for _, kind := range tree[1:] {
				contains(t, text, "sleep "+kind)
			}
			cancel()
			require.ErrorIs(t, <-ended, context.Canceled)
			alone(t)
		}
	})
	t.Run("nobody reads its output", func(t *testing.T) {
		broken := errors.New("the connection broke")
		_, err := e.Exec(t.Context(), execRequest("flood"), runtime.Streams{Stdout: writerFunc(func([]byte) (int, error) { return 0, broken })})
		require.ErrorIs(t, err, broken)
		alone(t)
		_, err = e.Exec(t.Context(), execRequest("cat"), runtime.Streams{Stdin: readerFunc(func([]byte) (int, error) { return 0, broken })})
		require.ErrorIs(t, err, broken)
		alone(t)
	})
	t.Run("only so many run at once", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 100)
		in, held := io.Pipe()
		defer func() { _ = held.Close() }()
		for range cap(ended) {
			go func() {
				_, err := e.Exec(ctx, execRequest("cat"), runtime.Streams{Stdin: in})
				ended <- err
			}()
		}
		require.ErrorIs(t, <-ended, runtime.ErrTooMany)
		cancel()
		for range cap(ended) - 1 {
			require.Error(t, <-ended)
		}
		alone(t)
		Exec(t, e, execRequest("echo", "x"), nil)
	})
	t.Run("its replica ends", func(t *testing.T) {
		var out output
		ended := make(chan error, 1)
		go func() {
			code, err := e.Exec(t.Context(), execRequest(tree...), runtime.Streams{Stdout: &out})
			if err == nil && code == 0 {
				err = errors.New("it ended well")
			}
			ended <- err
		}()
		out.await(t, "ready")
		tell(t, s, "/exit?code=0")
		t.Log("told:", <-ended) // 137, or that the replica is gone
		s = Replica(t, p.a, 1, 0, func(s runtime.ReplicaStatus) bool { return running(s) && s.Restarts == 1 })
		alone(t)
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
