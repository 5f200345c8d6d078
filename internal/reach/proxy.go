package reach

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Transport leads to an origin under Dialer's rule, or by way of the proxy that the environment names for it: the user chose
// that, wherever it is, and it is the one that resolves and connects then. Callers add TLS.
func Transport(origin *url.URL, timeout time.Duration, private bool) (*http.Transport, error) {
	return transport(origin, timeout, private, http.ProxyFromEnvironment)
}

func transport(origin *url.URL, timeout time.Duration, private bool, proxyOf func(*http.Request) (*url.URL, error)) (*http.Transport, error) {
	proxy, err := proxyOf(&http.Request{URL: origin})
	if err != nil {
		return nil, fmt.Errorf("read the proxy of the environment: %w", err)
	}
	if proxy == nil {
		return &http.Transport{DialContext: Dialer(timeout, private).DialContext}, nil
	}
	// Every connection goes to the proxy, those of a redirect elsewhere, too.
	return &http.Transport{Proxy: http.ProxyURL(proxy), DialContext: (&net.Dialer{Timeout: timeout}).DialContext}, nil
}
