package ingress

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// turns sends each request to the next replica; one that can not be connected to is passed over, which is safe because the
// request has not begun.
type turns struct{ inner *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t *turns) RoundTrip(r *http.Request) (*http.Response, error) {
	to, ok := r.Context().Value(targetKey{}).(*target)
	if !ok || len(to.Backends) == 0 {
		return nil, errUnknown
	}
	body := r.Body
	var failed error
	first := int(to.turn.Add(1) - 1)
	for i := range to.Backends {
		out, address := r.WithContext(r.Context()), *r.URL // the rest is shared: a transport changes nothing of it
		address.Host = to.Backends[(first+i)%len(to.Backends)].String()
		out.URL = &address
		if body != nil && body != http.NoBody {
			out.Body = keepOpen{body} // a failed attempt closes what it was given
		}
		resp, err := t.inner.RoundTrip(out)
		if err == nil {
			return resp, nil
		}
		failed = err
		if !isDial(err) {
			break
		}
	}
	return nil, failed
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// keepOpen survives an attempt; the server closes the true body when the request ends.
type keepOpen struct{ io.Reader }

// Close does nothing.
func (keepOpen) Close() error { return nil }

// movingBody is a request's body that may last as long as it moves.
type movingBody struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read waits no longer than stall. The deadline goes away again: after the body it would end what flows back.
func (b *movingBody) Read(p []byte) (int, error) {
	if err := b.control.SetReadDeadline(time.Now().Add(stall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, fmt.Errorf("limit the time of a read: %w", err)
	}
	n, err := b.ReadCloser.Read(p)
	if again := b.control.SetReadDeadline(time.Time{}); err == nil && again != nil && !errors.Is(again, http.ErrNotSupported) {
		err = again
	}
	return n, err
}

// buffers are used again by one answer after another.
type buffers struct{ pool sync.Pool }

const bufferBytes = 32 << 10

func newBuffers() *buffers {
	return &buffers{sync.Pool{New: func() any { return new([bufferBytes]byte) }}}
}

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if array, ok := b.pool.Get().(*[bufferBytes]byte); ok {
		return array[:]
	}
	return make([]byte, bufferBytes)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(p []byte) {
	if len(p) == bufferBytes {
		b.pool.Put((*[bufferBytes]byte)(p))
	}
}
