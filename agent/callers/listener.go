package callers

import (
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// filesShare is which part of the files that this process may open one port's connections may be: two ports of the ingress
// with as many connections to replicas, the gateway's, and room for all else.
const filesShare = 8

// listener closes connections that are too many as soon as they come: an accepted one costs a file until it is idle for
// long, whether or not it ever asks for something.
type listener struct {
	net.Listener
	places chan struct{}
	each   *Tally
}

// Bound lets at most total connections of a listener be open at once, but never more than an eighth of the files that this
// process may open, and at most each of one caller.
func Bound(l net.Listener, total, each int) net.Listener {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err == nil {
		total = min(total, max(int(min(files.Cur, 1<<30))/filesShare, 1)) //nolint:gosec // bounded
	}
	return &listener{Listener: l, places: make(chan struct{}, total), each: NewTally(each)}
}

// Accept gives the next connection that has a place.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if held := l.hold(c); held != nil {
			return held, nil
		}
		_ = c.Close() // an error is that the caller has left
	}
}

// hold takes a place for a connection; nil when there is none.
func (l *listener) hold(c net.Conn) net.Conn {
	from := Of(c.RemoteAddr().String())
	if !l.each.Take(from) {
		return nil
	}
	select {
	case l.places <- struct{}{}:
	default:
		l.each.GiveBack(from)
		return nil
	}
	return &conn{Conn: c, leave: sync.OnceFunc(func() { <-l.places; l.each.GiveBack(from) })}
}

// conn gives its place back when it is closed.
type conn struct {
	net.Conn
	leave func()
}

func (c *conn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// CloseWrite ends what is sent, so that a server can wait until it has arrived.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
