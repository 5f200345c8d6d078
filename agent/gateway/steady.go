package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// timedBody is a body of which each read has a deadline.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
	until   func() time.Time
}

// Read waits no longer than its deadline. That goes away again: on an idle stream it would end the whole request.
// Connections that know no deadlines, as in tests without a socket, go without.
func (b *timedBody) Read(p []byte) (int, error) {
	if err := b.limit(b.until()); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	if again := b.limit(time.Time{}); err == nil {
		err = again
	}
	return n, err
}

func (b *timedBody) limit(until time.Time) error {
	if err := b.control.SetReadDeadline(until); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("limit the time of a read: %w", err)
	}
	return nil
}

// steady lets a body take as long as it needs but not stand still.
func steady(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = &timedBody{r.Body, http.NewResponseController(w), func() time.Time { return time.Now().Add(stall) }}
		next.ServeHTTP(w, r)
	})
}

// brief gives the whole body one deadline, however steadily it drips.
func (s *Server) brief(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		end := time.Now().Add(s.bodyTime)
		r.Body = &timedBody{r.Body, http.NewResponseController(w), func() time.Time { return end }}
		next.ServeHTTP(w, r)
	})
}

// steadyWriter lets an answer take as long as it needs but not stand still. It is used by one request's handler only.
type steadyWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	sent    prometheus.Counter
	held    bool
	until   time.Time // deadline that is set, while held
}

// Write waits no longer than stall.
func (w *steadyWriter) Write(p []byte) (int, error) {
	defer w.limit()()
	n, err := w.ResponseWriter.Write(p)
	w.sent.Add(float64(n))
	return n, err
}

// Flush is what streaming handlers look for; it waits no longer than stall. While held it does nothing.
func (w *steadyWriter) Flush() {
	if w.held {
		return
	}
	defer w.limit()()
	_ = w.control.Flush() // an error shows at the next write
}

// limit sets the deadline of a write, and gives what takes it away again: on an idle stream it would end the whole request.
// While held it stays, and is set anew now and then, since setting it costs more than writing.
func (w *steadyWriter) limit() (lift func()) {
	if !w.held {
		_ = w.control.SetWriteDeadline(time.Now().Add(stall))
		return func() { _ = w.control.SetWriteDeadline(time.Time{}) }
	}
	if now := time.Now(); w.until.Sub(now) < stall/2 {
		w.until = now.Add(stall)
		_ = w.control.SetWriteDeadline(w.until)
	}
	return func() {}
}

// hold keeps what is written together until release, for a handler that has more to say at once.
func (w *steadyWriter) hold() { w.held = true }

// release sends what was held.
func (w *steadyWriter) release() {
	if w.held {
		w.held, w.until = false, time.Time{}
		w.Flush()
	}
}

type writerKey struct{}

// writerOf finds the writer of a request; one of its own when there is none, as in tests without a server.
func writerOf(ctx context.Context) *steadyWriter {
	if w, ok := ctx.Value(writerKey{}).(*steadyWriter); ok {
		return w
	}
	return &steadyWriter{control: http.NewResponseController(nil)}
}

// Unwrap lets response controllers find the connection.
func (w *steadyWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// countedBody counts what comes.
type countedBody struct {
	io.ReadCloser
	received prometheus.Counter
}

// Read implements io.Reader.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.received.Add(float64(n))
	return n, err
}
