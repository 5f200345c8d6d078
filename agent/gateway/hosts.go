package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
)

// workloadLabel is how the ingress's names look below its domain: see workload.Hosts.
var workloadLabel = regexp.MustCompile(`^[a-z0-9-]+-[0-9]+$`)

// addressed turns away requests whose Host is not the name that the connection was made for, and requests for names of
// workloads: what a browser keeps for one of them must never be sent here.
func (s *Server) addressed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostName(r.Host)
		if r.TLS != nil && !agree(host, hostName(r.TLS.ServerName)) {
			http.Error(w, "the connection was made for another host", http.StatusMisdirectedRequest)
			return
		}
		if label, ok := strings.CutSuffix(host, "."+strings.ToLower(s.cfg.IngressDomain)); ok && workloadLabel.MatchString(label) {
			http.Error(w, "this is the gateway, not a workload", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// agree compares the host of a request with the name in the TLS handshake, which clients leave out for addresses.
func agree(host, sni string) bool {
	if sni != "" {
		return host == sni
	}
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
}

// hostName is a host without port and final dot, in lower case.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
