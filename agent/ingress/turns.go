package ingress

import (
	"errors"
	"io"
	"net"
	"net/http"
)

// turns sends each request to the next replica; one that can not be connected to is passed over, which is safe because the
// request has not begun.
type turns struct {
	routes *Server
	inner  *http.Transport
}

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
		out := r.Clone(r.Context())
		out.URL.Host = to.Backends[(first+i)%len(to.Backends)].String()
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
