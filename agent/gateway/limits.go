package gateway

import (
	"net/http"

	"github.com/souk-network/souk/agent/callers"
)

// remote names where a request comes from.
func remote(r *http.Request) string { return callers.Of(r.RemoteAddr) }
