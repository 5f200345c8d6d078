package containerd

import (
	"context"
	"errors"
	"io"

	"github.com/souk-network/souk/agent/runtime"
)

// execStreams stand between a caller's streams and a command's pipes and notice when they break.
type execStreams struct {
	in         io.Reader // nil without input
	out        io.Writer
	err        io.Writer
	inputEnded <-chan struct{}
}

func newExecStreams(s runtime.Streams, tty bool, broken context.CancelCauseFunc) *execStreams {
	ended := make(chan struct{})
	streams := &execStreams{inputEnded: ended, out: &guardedWriter{s.Stdout, broken}, err: &guardedWriter{s.Stderr, broken}}
	if s.Stdin != nil {
		streams.in = &guardedReader{source: s.Stdin, tty: tty, ended: ended, broken: broken}
	}
	return streams
}

// guardedWriter ends the command when nobody takes its output any more. It goes on to take it itself: the shim waits for
// what is left in the pipes.
type guardedWriter struct {
	sink   io.Writer // nil: discarded
	broken context.CancelCauseFunc
}

func (w *guardedWriter) Write(b []byte) (int, error) {
	if w.sink == nil {
		return len(b), nil
	}
	if _, err := w.sink.Write(b); err != nil {
		w.sink = nil
		w.broken(err)
	}
	return len(b), nil
}

// endOfTransmission is what a terminal takes for the end of input. Behind a begun line it ends that line only, so it
// is needed once more.
const endOfTransmission = 4

// guardedReader tells when the input ended, in a terminal's way too, and ends the command when it broke.
type guardedReader struct {
	source io.Reader
	tty    bool
	begun  bool // a line is
	over   bool
	rest   []byte
	ended  chan struct{}
	broken context.CancelCauseFunc
}

func (r *guardedReader) Read(b []byte) (int, error) {
	if len(r.rest) > 0 {
		n := copy(b, r.rest)
		r.rest = r.rest[n:]
		return n, nil
	}
	if r.over {
		r.finish()
		return 0, io.EOF
	}
	n, err := r.source.Read(b)
	if n > 0 {
		last := b[n-1]
		r.begun = last != '\n' && last != '\r'
	}
	if err == nil {
		return n, nil
	}
	if !errors.Is(err, io.EOF) {
		r.broken(err)
		return n, err
	}
	r.over = true
	if r.tty {
		r.rest = []byte{endOfTransmission}
		if r.begun {
			r.rest = append(r.rest, endOfTransmission)
		}
	}
	return n, nil
}

// finish tells the end once. A terminal stays open: the shim would hang up, and the command was told already.
func (r *guardedReader) finish() {
	if r.ended != nil && !r.tty {
		close(r.ended)
		r.ended = nil
	}
}
