package gateway

import (
	"io"
	"net/http"
	"time"
)

// steadyBody lets a body take as long as it needs but not stand still.
type steadyBody struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read waits no longer than stall. The deadline goes away again: on an idle stream it would end the whole request.
// Connections that know no deadlines, as in tests without a socket, go without.
func (b *steadyBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(stall))
	defer func() { _ = b.control.SetReadDeadline(time.Time{}) }()
	return b.ReadCloser.Read(p)
}

// steadyWriter does the same for answers.
type steadyWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write waits no longer than stall.
func (w *steadyWriter) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(stall))
	defer func() { _ = w.control.SetWriteDeadline(time.Time{}) }()
	return w.ResponseWriter.Write(p)
}

// Flush is what streaming handlers look for; it waits no longer than stall.
func (w *steadyWriter) Flush() {
	_ = w.control.SetWriteDeadline(time.Now().Add(stall))
	defer func() { _ = w.control.SetWriteDeadline(time.Time{}) }()
	_ = w.control.Flush() // an error shows at the next write
}

// Unwrap lets response controllers find the connection.
func (w *steadyWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
